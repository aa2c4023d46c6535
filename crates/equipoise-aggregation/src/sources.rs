//! Batches of which some responses come from somewhere else.

use crate::reducer::split;
use crate::{Error, Reducer, Response, batch_weights};

/// Where a response comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The policy itself.
    OnPolicy,
    /// Another model, or a person: a response injected into a group.
    OffPolicy,
}

/// The weights of a batch whose responses are aggregated by a rule per source.
///
/// ```text
/// L = Σ_{i on policy} w_i Σ_t ℓ_it  +  Σ_{i off policy} v_i Σ_t ℓ_it
/// ```
///
/// with w the weights that `on_policy` gives the responses of the policy as if there were no others, and v
/// those that `off_policy` gives the injected ones. AMPO prints it with the token mean for the policy's
/// and the sequence mean for the teachers' responses (arXiv:2510.02227, equation 7). The authors' code
/// adds up all tokens over a constant whichever variant is chosen; this is the paper's form.
///
/// # Errors
/// [`Error::WeightCount`] unless there is one source per response, and the errors of [`batch_weights`].
///
/// ```
/// use equipoise_aggregation::{Response, Source, mixed_weights, rules::{SequenceMean, TokenMean}};
///
/// let responses = [5, 3, 6].map(|tokens| Response { tokens, advantage: 1.0 });
/// let sources = [Source::OffPolicy, Source::OffPolicy, Source::OnPolicy];
/// let weights = mixed_weights(&TokenMean, &SequenceMean, &responses, &[3], &sources)?;
/// // Token terms of −1, −2 and ½: the injected ones average to −1.5 and the policy's to ½.
/// assert_eq!(weights[0] * 5.0 * -1.0 + weights[1] * 3.0 * -2.0, -1.5);
/// assert!((weights[2] * 6.0 * 0.5 - 0.5).abs() < 1e-15);
/// // The token mean of all would give the long teacher five votes and the short one three.
/// let weights = equipoise_aggregation::batch_weights(&TokenMean, &responses, &[3])?;
/// let loss = weights[0] * 5.0 * -1.0 + weights[1] * 3.0 * -2.0 + weights[2] * 6.0 * 0.5;
/// assert!((loss + 0.5714285714).abs() < 1e-10);
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn mixed_weights(
    on_policy: &dyn Reducer,
    off_policy: &dyn Reducer,
    responses: &[Response],
    group_sizes: &[usize],
    sources: &[Source],
) -> Result<Vec<f64>, Error> {
    if sources.len() != responses.len() {
        return Err(Error::WeightCount {
            rule: "the source of each response".to_owned(),
            responses: responses.len(),
            weights: sources.len(),
        });
    }
    split(responses, group_sizes)?;
    let of = |source: Source, rule: &dyn Reducer| {
        let rows = responses.iter().zip(sources);
        // A response of the other source is one without tokens: it counts nowhere.
        let seen: Vec<Response> = rows
            .map(|(response, from)| Response {
                tokens: if *from == source { response.tokens } else { 0 },
                advantage: response.advantage,
            })
            .collect();
        batch_weights(rule, &seen, group_sizes)
    };
    let on = of(Source::OnPolicy, on_policy)?;
    let off = of(Source::OffPolicy, off_policy)?;
    Ok(on.iter().zip(off).map(|(on, off)| on + off).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Balanced, SequenceMean, TokenMean};

    fn responses() -> [Response; 4] {
        [(5, 1.0), (3, -1.0), (6, 1.0), (2, -1.0)]
            .map(|(tokens, advantage)| Response { tokens, advantage })
    }

    #[test]
    fn without_injection_nothing_changes() {
        let sources = [Source::OnPolicy; 4];
        let mixed = mixed_weights(
            &Balanced::default(),
            &SequenceMean,
            &responses(),
            &[2, 2],
            &sources,
        );
        let plain = batch_weights(&Balanced::default(), &responses(), &[2, 2]);
        assert_eq!(mixed, plain);
    }

    #[test]
    fn the_sources_do_not_see_each_other() {
        let mut responses = responses();
        let sources = [
            Source::OnPolicy,
            Source::OffPolicy,
            Source::OnPolicy,
            Source::OffPolicy,
        ];
        let weights =
            |r: &[Response]| mixed_weights(&TokenMean, &SequenceMean, r, &[4], &sources).unwrap();
        let before = weights(&responses);
        responses[1].tokens = 1000;
        let after = weights(&responses);
        assert_eq!((before[0], before[2]), (after[0], after[2]));
        assert_ne!(before[1], after[1]);
    }

    #[test]
    fn sources_are_counted() {
        let error = mixed_weights(
            &TokenMean,
            &TokenMean,
            &responses(),
            &[4],
            &[Source::OnPolicy],
        );
        assert!(matches!(error, Err(Error::WeightCount { weights: 1, .. })));
    }
}
