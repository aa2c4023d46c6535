//! Importance weights, truncated or masked.

use super::log_ratios;
use crate::Error;
use crate::policy::{LARGEST_LOG_RATIO, check_length};
use crate::sum::{mean, sum};

/// What a ratio belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RatioLevel {
    /// Each token has its own.
    Token,
    /// The response has one: the product of its tokens'.
    Sequence,
    /// The response has one: the geometric mean of its tokens'.
    Geometric,
}

/// What is done to a ratio outside its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It becomes the bound.
    Truncate,
    /// It becomes 0: the token, or the response, is left out.
    Mask,
}

/// The importance weight of what the sampler did under the policy that the trainer starts from.
///
/// ```text
/// w_t = clip(ρ, min, max)                     truncate
/// w_t = ρ if min ≤ ρ ≤ max, else 0            mask
/// ρ = ρ_t,  Π ρ_t  or  (Π ρ_t)^(1/T)          by level, the logarithm cut off at ±20
/// ```
///
/// A token whose probability the sampler did not report (NaN) has ρ_t = 1 exactly, and is counted. TRL
/// does not cut the logarithm off; verl does, and agrees otherwise.
///
/// ```
/// use equipoise_objectives::mismatch::{Correction, Mode, RatioLevel};
///
/// let (old, sampler) = ([-1.0, -1.0, -1.0], [-2.0, -1.0, f64::NAN]);
/// let mut weights = Vec::new();
/// let truncated = Correction { level: RatioLevel::Token, mode: Mode::Truncate, min: None, max: Some(2.0) };
/// let report = truncated.multipliers(&old, &sampler, &mut weights)?;
/// // Ratios e, 1 and 1.
/// assert_eq!(weights, [2.0, 1.0, 1.0]);
/// assert_eq!((report.outside, report.unavailable), (1, 1));
///
/// Correction::ice_pop(0.5, 2.0).multipliers(&old, &sampler, &mut weights)?;
/// assert_eq!(weights, [0.0, 1.0, 1.0]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Correction {
    /// What a ratio belongs to.
    pub level: RatioLevel,
    /// What is done outside the bounds.
    pub mode: Mode,
    /// The lower bound on the ratio; `None` for none.
    pub min: Option<f64>,
    /// The upper bound on the ratio; `None` for none.
    pub max: Option<f64>,
}

/// What a correction did to one response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct MismatchReport {
    /// The number of tokens.
    pub tokens: usize,
    /// Tokens whose probability the sampler did not report.
    pub unavailable: usize,
    /// Tokens whose ratio was outside the bounds.
    pub outside: usize,
    /// The smallest ratio before the bounds; 1 without tokens.
    pub smallest: f64,
    /// The largest.
    pub largest: f64,
}

impl Correction {
    /// Truncated importance sampling: min(ρ_t, `max`).
    pub fn truncated(max: f64) -> Self {
        Self {
            level: RatioLevel::Token,
            mode: Mode::Truncate,
            min: None,
            max: Some(max),
        }
    }

    /// IcePop: tokens with a ratio outside `min` to `max` are left out. Its authors take 0.5 and 5.
    pub fn ice_pop(min: f64, max: f64) -> Self {
        Self {
            level: RatioLevel::Token,
            mode: Mode::Mask,
            min: Some(min),
            max: Some(max),
        }
    }

    /// Replaces the contents of `out` by the factor of each token of a response.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there are as many of the sampler's log-probabilities.
    pub fn multipliers(
        &self,
        old: &[f64],
        sampler: &[f64],
        out: &mut Vec<f64>,
    ) -> Result<MismatchReport, Error> {
        check_length("log-probabilities of the sampler", old, sampler)?;
        out.clear();
        // Products first: the terms of a sum may be far apart and it still be small.
        let inside = |ratio: f64| ratio.clamp(-1e290, 1e290);
        let shared = match self.level {
            RatioLevel::Token => None,
            RatioLevel::Sequence => Some(sum(log_ratios(old, sampler).map(inside))),
            RatioLevel::Geometric => Some(mean(log_ratios(old, sampler).map(inside))),
        };
        let mut report = MismatchReport {
            tokens: old.len(),
            unavailable: sampler.iter().filter(|logprob| logprob.is_nan()).count(),
            outside: 0,
            smallest: if old.is_empty() { 1.0 } else { f64::INFINITY },
            largest: if old.is_empty() { 1.0 } else { 0.0 },
        };
        let (min, max) = (self.min.unwrap_or(0.0), self.max.unwrap_or(f64::INFINITY));
        out.extend(log_ratios(old, sampler).map(|own| {
            let log_ratio = shared.unwrap_or(own);
            let ratio = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp();
            report.smallest = report.smallest.min(ratio);
            report.largest = report.largest.max(ratio);
            let outside = ratio < min || ratio > max;
            report.outside += usize::from(outside);
            match (outside, self.mode) {
                (false, _) => ratio,
                (true, Mode::Mask) => 0.0,
                (true, Mode::Truncate) if ratio < min => min,
                (true, Mode::Truncate) => max,
            }
        }));
        Ok(report)
    }
}

/// Divides the weights of a whole step by their mean, so that a correction does not change the size of the
/// update (verl's `rollout_is_batch_normalize`, on the level of tokens).
///
/// Returns the mean; if it is not above 1e-8, nothing is changed and it returns 1, as verl does. It has to be
/// done for the whole step, never for a micro-batch.
///
/// ```
/// let mut weights = [vec![1.0, 3.0], vec![2.0]];
/// let mut rows: Vec<&mut [f64]> = weights.iter_mut().map(Vec::as_mut_slice).collect();
/// assert_eq!(equipoise_objectives::mismatch::normalise(&mut rows), 2.0);
/// assert_eq!(weights, [vec![0.5, 1.5], vec![1.0]]);
/// ```
pub fn normalise(weights: &mut [&mut [f64]]) -> f64 {
    let count: usize = weights.iter().map(|row| row.len()).sum();
    let total = sum(weights.iter().flat_map(|row| row.iter().copied()));
    divide(weights, total / count.max(1) as f64)
}

/// The same with the mean over responses that have tokens, each with the mean of its tokens' weights: for
/// the weights of the sequence and geometric levels, of which a long response has no more than a short one
/// (verl's `rollout_is_batch_normalize` on the level of sequences).
///
/// ```
/// let mut weights = [vec![1.0, 1.0, 1.0], vec![3.0]];
/// let mut rows: Vec<&mut [f64]> = weights.iter_mut().map(Vec::as_mut_slice).collect();
/// assert_eq!(equipoise_objectives::mismatch::normalise_responses(&mut rows), 2.0);
/// assert_eq!(weights, [vec![0.5; 3], vec![1.5]]);
/// ```
pub fn normalise_responses(weights: &mut [&mut [f64]]) -> f64 {
    let rows = || weights.iter().filter(|row| !row.is_empty());
    let total = sum(rows().map(|row| mean(row.iter().copied())));
    let count = rows().count().max(1) as f64;
    divide(weights, total / count)
}

/// Divides by a mean that is neither 0 nor beyond what numbers can hold, and returns it; else 1.
fn divide(weights: &mut [&mut [f64]], mean: f64) -> f64 {
    if !(mean > 1e-8 && mean.is_finite()) {
        return 1.0;
    }
    for weight in weights.iter_mut().flat_map(|row| row.iter_mut()) {
        *weight /= mean;
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weights(level: RatioLevel, mode: Mode, max: f64) -> Vec<f64> {
        let correction = Correction {
            level,
            mode,
            min: Some(0.5),
            max: Some(max),
        };
        let mut out = vec![7.0];
        let ln2 = std::f64::consts::LN_2;
        let (old, sampler) = ([-1.0, -1.0], [-1.0 - 2.0 * ln2, -1.0]);
        correction.multipliers(&old, &sampler, &mut out).unwrap();
        out.iter().map(|w| (w * 1e9).round() / 1e9).collect()
    }

    #[test]
    fn every_level_and_mode() {
        // Ratios 4 and 1: product 4, geometric mean 2.
        assert_eq!(weights(RatioLevel::Token, Mode::Truncate, 3.0), [3.0, 1.0]);
        assert_eq!(weights(RatioLevel::Token, Mode::Mask, 3.0), [0.0, 1.0]);
        assert_eq!(weights(RatioLevel::Sequence, Mode::Truncate, 3.0), [3.0; 2]);
        assert_eq!(weights(RatioLevel::Sequence, Mode::Mask, 3.0), [0.0; 2]);
        assert_eq!(weights(RatioLevel::Geometric, Mode::Mask, 3.0), [2.0; 2]);
    }

    #[test]
    fn equal_policies_have_weight_one() {
        let row = [-0.5, -3.0, -1e4];
        let mut out = Vec::new();
        for level in [
            RatioLevel::Token,
            RatioLevel::Sequence,
            RatioLevel::Geometric,
        ] {
            for mode in [Mode::Truncate, Mode::Mask] {
                let correction = Correction {
                    level,
                    mode,
                    min: None,
                    max: None,
                };
                let report = correction.multipliers(&row, &row, &mut out).unwrap();
                assert_eq!(out, [1.0; 3]);
                assert_eq!(
                    (report.outside, report.smallest, report.largest),
                    (0, 1.0, 1.0)
                );
            }
        }
        assert!(
            Correction::truncated(2.0)
                .multipliers(&row, &row[1..], &mut out)
                .is_err()
        );
    }

    #[test]
    fn nothing_to_normalise() {
        assert_eq!(normalise(&mut []), 1.0);
        let mut zeros = [0.0, 0.0];
        assert_eq!(normalise(&mut [&mut zeros]), 1.0);
        assert_eq!(normalise_responses(&mut [&mut zeros, &mut []]), 1.0);
    }
}
