//! Which bias a batch suffers from: plain functions of lengths, advantages and weights.
//!
//! The statistics follow the analysis of Balanced Aggregation (arXiv:2605.04077), which explains when
//! token aggregation or sequence aggregation does better by the variation of the response lengths and
//! by the length gap between negative and positive responses. The paper's exact estimators are not
//! known to us; those used here are written out on each function.
//!
//! [`diagnose`] collects all of them for a batch. Responses without tokens take no part anywhere. A
//! statistic that a batch does not define is `None`, never a NaN.

mod comparison;
mod coupling;
mod lengths;
mod mass;
mod quarters;

pub use comparison::{Comparison, compare};
pub use coupling::{net_advantage, sign_length_coupling};
pub use lengths::{LengthGap, coefficient_of_variation, length_gap};
pub use mass::{SignShares, mass_by_sign, responses_by_sign};
pub use quarters::mass_by_length;

use crate::reducer::split;
use crate::sum::sum;
use crate::{Error, Response};
use std::fmt;

/// The aggregation bias of one batch under one rule.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Diagnostics {
    /// The rule that the weights come from.
    pub rule: String,
    /// The share of the responses with each sign; `None` if no response has a token.
    pub responses: Option<SignShares>,
    /// The share of the loss's mass Σ w_i T_i on each sign; `None` if there is no mass.
    pub mass: Option<SignShares>,
    /// The share of the loss's mass on each quarter of the responses, short to long; see
    /// [`mass_by_length`]. `None` if there is no mass.
    pub mass_by_length: Option<[f64; 4]>,
    /// [`coefficient_of_variation`] of the lengths, averaged over the groups that define it.
    pub length_variation: Option<f64>,
    /// [`LengthGap::tokens`], averaged over the groups with both signs.
    pub length_gap: Option<f64>,
    /// [`LengthGap::relative`], averaged over the groups with both signs.
    pub relative_length_gap: Option<f64>,
    /// [`net_advantage`] of the batch; `None` if no response has a token.
    pub net_advantage: Option<f64>,
    /// [`sign_length_coupling`] under the rule's weights, averaged over the groups that define it:
    /// the coupling that the update suffers.
    pub coupling: Option<f64>,
    /// The same with equal weights for all tokens: the coupling that token aggregation would suffer
    /// on this batch, Cov(T, A) / T̄ per group, whichever rule is in force.
    pub token_coupling: Option<f64>,
}

/// The bias of one batch under the weights that a rule gave it.
///
/// `responses` and `group_sizes` are those given to [`batch_weights`](crate::batch_weights), and
/// `weights` its result; `rule` only names the rule.
///
/// # Errors
/// [`Error::GroupSizes`] if the group sizes do not add up to the number of responses, and
/// [`Error::WeightCount`] unless there is one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, batch_weights, diagnostics::diagnose, rules::TokenMean};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// let weights = batch_weights(&TokenMean, &responses, &[2])?;
/// let found = diagnose("token_mean", &responses, &[2], &weights)?;
/// // The wrong answer has three of the four tokens; ¼ − ¾ of an advantage is left over.
/// assert_eq!(found.mass.unwrap().negative, 0.75);
/// assert_eq!(found.net_advantage, Some(-0.5));
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn diagnose(
    rule: &str,
    responses: &[Response],
    group_sizes: &[usize],
    weights: &[f64],
) -> Result<Diagnostics, Error> {
    if weights.len() != responses.len() {
        return Err(Error::WeightCount {
            rule: rule.to_owned(),
            responses: responses.len(),
            weights: weights.len(),
        });
    }
    let groups = split(responses, group_sizes)?;
    let group_weights = split(weights, group_sizes)?;
    let gaps: Vec<LengthGap> = groups
        .iter()
        .filter_map(|group| length_gap(group))
        .collect();
    let equal_weights = vec![1.0; responses.len()];
    Ok(Diagnostics {
        rule: rule.to_owned(),
        responses: responses_by_sign(responses),
        mass: mass_by_sign(responses, weights),
        mass_by_length: mass_by_length(responses, weights),
        length_variation: mean(groups.iter().filter_map(|g| coefficient_of_variation(g))),
        length_gap: mean(gaps.iter().map(|gap| gap.tokens)),
        relative_length_gap: mean(gaps.iter().map(|gap| gap.relative)),
        net_advantage: net_advantage(responses, weights),
        coupling: mean(
            groups
                .iter()
                .zip(group_weights)
                .filter_map(|(group, weights)| sign_length_coupling(group, weights)),
        ),
        token_coupling: mean(
            groups
                .iter()
                .filter_map(|group| sign_length_coupling(group, &equal_weights[..group.len()])),
        ),
    })
}

impl fmt::Display for Diagnostics {
    /// One line, for example `token_mean puts 71 % of the mass on negative responses, which are 50 %
    /// of the responses`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rule = &self.rule;
        match (self.responses, self.mass) {
            (Some(responses), Some(mass)) => write!(
                f,
                "{rule} puts {:.0} % of the mass on negative responses, \
                 which are {:.0} % of the responses",
                100.0 * mass.negative,
                100.0 * responses.negative,
            ),
            (Some(_), None) => write!(f, "{rule} puts no mass on any response"),
            (None, _) => write!(f, "{rule} has no response with a token to train on"),
        }
    }
}

/// The mean of the values; `None` if there are none, or if it is not finite.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_usize;
    let mean = sum(values.inspect(|_| count += 1)) / count as f64;
    mean.is_finite().then_some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Balanced, TokenMean};
    use crate::{Reducer, batch_weights};

    fn responses<const N: usize>(rows: [(usize, f64); N]) -> [Response; N] {
        rows.map(|(tokens, advantage)| Response { tokens, advantage })
    }

    fn diagnosis(rule: &dyn Reducer, responses: &[Response], sizes: &[usize]) -> Diagnostics {
        let weights = batch_weights(rule, responses, sizes).unwrap();
        diagnose(rule.name(), responses, sizes, &weights).unwrap()
    }

    #[test]
    fn one_line_for_people() {
        let batch = responses([(4, 1.0), (6, 1.0), (10, -1.0), (15, -1.0)]);
        // 25 of 35 tokens belong to negative responses.
        assert_eq!(
            diagnosis(&TokenMean, &batch, &[4]).to_string(),
            "token_mean puts 71 % of the mass on negative responses, \
             which are 50 % of the responses"
        );
        assert_eq!(
            diagnosis(&Balanced::default(), &batch, &[4]).to_string(),
            "balanced puts 50 % of the mass on negative responses, \
             which are 50 % of the responses"
        );
        let zeros = responses([(4, 0.0), (6, 0.0)]);
        assert_eq!(
            diagnosis(&Balanced::default(), &zeros, &[2]).to_string(),
            "balanced puts no mass on any response"
        );
        assert_eq!(
            diagnosis(&TokenMean, &[], &[]).to_string(),
            "token_mean has no response with a token to train on"
        );
    }

    #[test]
    fn statistics_are_means_over_the_groups_that_define_them() {
        // Group 1: lengths 2, 4; group 2 has one sign only; group 3 is empty; group 4 has one
        // response with tokens.
        let batch = responses([
            (2, 1.0),
            (4, -1.0),
            (1, 0.0),
            (3, 0.0),
            (0, 1.0),
            (7, 1.0),
            (0, -1.0),
        ]);
        let found = diagnosis(&TokenMean, &batch, &[2, 2, 1, 2]);
        // Population standard deviation 1 over means 3 and 2.
        assert_eq!(found.length_variation, Some((1.0 / 3.0 + 1.0 / 2.0) / 2.0));
        assert_eq!(found.length_gap, Some(2.0));
        assert_eq!(found.relative_length_gap, Some(2.0 / 3.0));
        // Cov(T, A)/T̄ of group 1 is ((2 − 3)·1 + (4 − 3)·(−1))/2 / 3.
        assert!((found.coupling.unwrap() + 1.0 / 3.0).abs() < 1e-15);
        assert!((found.token_coupling.unwrap() + 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn undefined_statistics_are_none() {
        for batch in [
            &responses([])[..],
            &responses([(0, 1.0), (0, -1.0)]),
            &responses([(5, f64::NAN)]),
            &responses([(5, 1.0)]),
        ] {
            let found = diagnosis(&TokenMean, batch, &[batch.len()]);
            assert_eq!(found.length_variation, None);
            assert_eq!(found.length_gap, None);
            assert_eq!(found.relative_length_gap, None);
            assert_eq!(found.coupling, None);
            assert_eq!(found.token_coupling, None);
        }
    }

    #[test]
    fn mismatches_are_errors() {
        let batch = responses([(1, 1.0), (2, -1.0)]);
        assert!(matches!(
            diagnose("token_mean", &batch, &[2], &[0.5]),
            Err(Error::WeightCount { weights: 1, .. })
        ));
        assert!(matches!(
            diagnose("token_mean", &batch, &[1], &[0.5, 0.5]),
            Err(Error::GroupSizes { covered: 1, .. })
        ));
    }
}
