//! Weights per prompt, on top of any rule.

use crate::reducer::split;
use crate::sum::sum;
use crate::{Error, Reducer, Response, batch_weights};

/// [`batch_weights`] with every group's weights multiplied by a factor of its own, as GUI-G1 does with the
/// difficulty of a prompt (arXiv:2505.15810).
///
/// ```text
/// w_i = q_g(i) · (the rule's weight)
/// ```
///
/// Nothing is normalised: factors of mean 1 leave the size of the loss as it was, and doubling a prompt's
/// factor doubles its gradient and no other's.
///
/// # Errors
/// [`Error::PromptWeights`] unless there is one factor per group, each finite and at least 0, and the
/// errors of [`batch_weights`].
///
/// ```
/// use equipoise_aggregation::{Options, Response, batch_weights_by_prompt, by_name};
///
/// // GUI-G1: a sum over tokens divided by the constant 64, difficulty 2.
/// let rule = by_name("dr_grpo", &Options { max_tokens: Some(64), ..Options::default() })?;
/// let responses = [(3, 0.5), (5, -0.5)].map(|(tokens, advantage)| Response { tokens, advantage });
/// let weights = batch_weights_by_prompt(rule.as_ref(), &responses, &[2], &[2.0])?;
/// // With every ratio 1 the token terms are −A: −0.5 three times and 0.5 five times.
/// assert_eq!(weights[0] * 3.0 * -0.5 + weights[1] * 5.0 * 0.5, 0.015625);
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn batch_weights_by_prompt(
    reducer: &dyn Reducer,
    responses: &[Response],
    group_sizes: &[usize],
    prompt_weights: &[f64],
) -> Result<Vec<f64>, Error> {
    if prompt_weights.len() != group_sizes.len() {
        return Err(Error::PromptWeights {
            what: format!(
                "there are {} weights of prompts for {} groups; give one per group",
                prompt_weights.len(),
                group_sizes.len()
            ),
        });
    }
    let wrong = |weight: &f64| !(weight.is_finite() && *weight >= 0.0);
    if let Some(at) = prompt_weights.iter().position(wrong) {
        return Err(Error::PromptWeights {
            what: format!(
                "the weight of prompt {at} is {}; it must be a finite number, at least 0",
                prompt_weights[at]
            ),
        });
    }
    let weights = batch_weights(reducer, responses, group_sizes)?;
    let groups = split(&weights, group_sizes)?;
    let factors = groups.into_iter().zip(prompt_weights);
    Ok(factors
        .flat_map(|(group, factor)| group.iter().map(move |weight| weight * factor))
        .collect())
}

/// Factors for prompts that are harder the more seldom they are solved, with mean 1.
///
/// ```text
/// q_g = (1 − p_g + ε) / mean of (1 − p + ε)
/// ```
///
/// with p the share of right responses of each prompt. GUI-G1 takes the size of the target on a screen for
/// the difficulty; this is its analogue where there is no screen. Rates outside 0 to 1 are cut off, one
/// that is not a number counts as 1 (not hard), and so does an ε that is negative or not finite as 0. If all
/// factors would be 0, all are 1.
///
/// ```
/// // 1 − p is ¾, ¼ and ½, of mean ½.
/// assert_eq!(equipoise_aggregation::pass_rate_weights(&[0.25, 0.75, 0.5], 0.0), [1.5, 0.5, 1.0]);
/// ```
pub fn pass_rate_weights(pass_rates: &[f64], epsilon: f64) -> Vec<f64> {
    let epsilon = if epsilon.is_finite() {
        epsilon.max(0.0)
    } else {
        0.0
    };
    let miss = |rate: f64| match rate.is_nan() {
        true => epsilon,
        false => 1.0 - rate.clamp(0.0, 1.0) + epsilon,
    };
    let mut weights: Vec<f64> = pass_rates.iter().map(|rate| miss(*rate)).collect();
    let count = weights.len().max(1) as f64;
    // Divided before they are added: a huge ε must not overflow.
    let mean = sum(weights.iter().map(|weight| weight / count));
    for weight in &mut weights {
        *weight = if mean > 0.0 { *weight / mean } else { 1.0 };
    }
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::TokenMean;

    #[test]
    fn only_the_prompt_itself_is_changed() {
        let responses = [1, 2, 3, 4].map(|tokens| Response {
            tokens,
            advantage: 1.0,
        });
        let weights = |factors: &[f64]| {
            batch_weights_by_prompt(&TokenMean, &responses, &[2, 2], factors).unwrap()
        };
        assert_eq!(weights(&[1.0, 1.0]), [0.1; 4]);
        assert_eq!(weights(&[2.0, 1.0]), [0.2, 0.2, 0.1, 0.1]);
        assert_eq!(weights(&[0.0, 1.0]), [0.0, 0.0, 0.1, 0.1]);
    }

    #[test]
    fn weights_of_prompts_are_checked() {
        let responses = [Response {
            tokens: 1,
            advantage: 1.0,
        }];
        let error = |factors: &[f64]| {
            let error = batch_weights_by_prompt(&TokenMean, &responses, &[1], factors);
            error.unwrap_err().to_string()
        };
        assert_eq!(
            error(&[]),
            "there are 0 weights of prompts for 1 groups; give one per group"
        );
        assert_eq!(
            error(&[f64::NAN]),
            "the weight of prompt 0 is NaN; it must be a finite number, at least 0"
        );
    }

    #[test]
    fn odd_pass_rates_do_no_harm() {
        assert_eq!(pass_rate_weights(&[1.0, 1.0], 0.0), [1.0, 1.0]);
        assert_eq!(pass_rate_weights(&[], 0.1), [] as [f64; 0]);
        assert_eq!(pass_rate_weights(&[f64::NAN, 0.0], 0.0), [0.0, 2.0]);
        assert_eq!(pass_rate_weights(&[2.0, -1.0], f64::NAN), [0.0, 2.0]);
        assert_eq!(pass_rate_weights(&[0.0, 1.0], f64::MAX), [1.0, 1.0]);
    }
}
