//! How far sampler and trainer are apart.

use super::log_ratios;
use crate::Error;
use crate::policy::{LARGEST_LOG_RATIO, check_length};
use crate::sum::Sum;

/// The mismatch of a whole step, over its tokens.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct MismatchStatistics {
    /// The number of tokens.
    pub tokens: usize,
    /// Tokens whose probability the sampler did not report; they count as equal.
    pub unavailable: usize,
    /// KL(sampler ‖ trainer) by its unbiased estimate, the mean of −log ρ; nats per token.
    pub kl: f64,
    /// The same by k3, the mean of ρ − 1 − log ρ, which is never negative.
    pub kl_k3: f64,
    /// The χ² divergence, the mean of ρ² less 1.
    pub chi_squared: f64,
    /// The effective sample size as a share of the tokens: (Σρ)² / (n Σρ²), from 1/n to 1.
    pub effective_share: f64,
    /// The largest |log ρ|.
    pub largest: f64,
}

/// Compares the sampler's log-probabilities with the trainer's, response by response, with ρ the ratio of
/// trainer to sampler (its logarithm cut off at ±20).
///
/// # Errors
/// [`Error::LengthMismatch`] unless each response has as many of the one as of the other.
///
/// ```
/// use equipoise_objectives::mismatch::statistics;
///
/// let ln2 = std::f64::consts::LN_2;
/// // Ratios 2 and ½.
/// let found = statistics(&[(&[-1.0, -2.0], &[-1.0 - ln2, -2.0 + ln2])])?;
/// assert!(found.kl.abs() < 1e-15);
/// assert!((found.chi_squared - (4.25 / 2.0 - 1.0)).abs() < 1e-14);
/// assert!((found.effective_share - 6.25 / (2.0 * 4.25)).abs() < 1e-14);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn statistics(responses: &[(&[f64], &[f64])]) -> Result<MismatchStatistics, Error> {
    let [mut logs, mut k3, mut ratios, mut squares] = [Sum::default(); 4];
    let (mut tokens, mut unavailable, mut largest) = (0, 0, 0.0_f64);
    for (old, sampler) in responses {
        check_length("log-probabilities of the sampler", old, sampler)?;
        tokens += old.len();
        unavailable += sampler.iter().filter(|logprob| logprob.is_nan()).count();
        for log_ratio in log_ratios(old, sampler) {
            largest = largest.max(log_ratio.abs());
            let log_ratio = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO);
            let ratio = log_ratio.exp();
            logs.add(log_ratio);
            k3.add(log_ratio.exp_m1() - log_ratio);
            ratios.add(ratio);
            squares.add(ratio * ratio);
        }
    }
    let count = tokens.max(1) as f64;
    let (ratios, squares) = (ratios.value(), squares.value());
    Ok(MismatchStatistics {
        tokens,
        unavailable,
        kl: -logs.value() / count,
        kl_k3: k3.value() / count,
        chi_squared: if tokens == 0 {
            0.0
        } else {
            squares / count - 1.0
        },
        effective_share: if tokens == 0 {
            1.0
        } else {
            ratios / count * (ratios / squares)
        },
        largest,
    })
}
