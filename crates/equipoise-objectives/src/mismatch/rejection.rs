//! Leaving out what has drifted too far.

use super::log_ratios;
use crate::Error;
use crate::policy::{LARGEST_LOG_RATIO, check_length};
use crate::sum::mean;

/// Leaves out bad responses that the policy would no longer write (DeepSeek-V3.2, arXiv:2512.02556).
///
/// ```text
/// kept unless   A < 0  and  (1/T) Σ_t (log π_sampler,t − log π_θ,t) > δ
/// ```
///
/// A token whose probability the sampler did not report counts as 0. Good responses are always kept.
///
/// ```
/// use equipoise_objectives::mismatch::OffPolicySequenceMask;
///
/// let mask = OffPolicySequenceMask { threshold: 0.5 };
/// let (now, then) = ([-2.0, -2.0], [-1.0, -1.5]);
/// // The mean is 0.75.
/// assert!(!mask.keeps(&now, &then, -1.0)?);
/// assert!(mask.keeps(&now, &then, 1.0)?);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OffPolicySequenceMask {
    /// δ, in nats per token; TRL's documentation advises 0.5.
    pub threshold: f64,
}

impl OffPolicySequenceMask {
    /// Whether a response stays.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there are as many of the sampler's log-probabilities.
    pub fn keeps(&self, logprobs: &[f64], sampler: &[f64], advantage: f64) -> Result<bool, Error> {
        check_length("log-probabilities of the sampler", logprobs, sampler)?;
        let divergence = mean(log_ratios(logprobs, sampler).map(|r| -r.clamp(-1e290, 1e290)));
        Ok(advantage >= 0.0 || divergence <= self.threshold)
    }
}

/// A measure of how far the two policies are apart at a token, with log ρ = log π_old − log π_sampler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// −log ρ: of either sign.
    K1,
    /// (log ρ)² / 2.
    K2,
    /// ρ − 1 − log ρ.
    K3,
}

/// How a response's tokens are taken together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// They are not: each token is kept or left out.
    Token,
    /// The sum decides about the response.
    Sum,
    /// The mean decides about the response.
    Mean,
    /// The largest decides about the response.
    Largest,
}

/// Keeps what has a divergence within bounds (verl's `rollout_rs`).
///
/// ```text
/// kept if   min ≤ D ≤ max         D of a token, or pooled over the response; log ρ cut off at ±20
/// ```
///
/// The bounds are in units of D. verl gives those of k1 as a pair "lo_hi" and takes their logarithms: its
/// statistic is −log ρ, so that an asymmetric pair bounds 1/ρ and not ρ. Here `min = ln lo` and `max = ln hi`
/// say the same, and are what they say. A divergence that is not a number is outside any bounds, so that
/// what the trainer could not evaluate is left out; a token whose probability the sampler did not report
/// has divergence 0.
///
/// ```
/// use equipoise_objectives::mismatch::{Divergence, Pooling, Rejection};
///
/// let (old, sampler) = ([-1.0, -1.0], [-3.0, -1.0]);
/// // k2 is 2 and 0.
/// let mut kept = Vec::new();
/// let rule = |pooling| Rejection { divergence: Divergence::K2, pooling, min: None, max: Some(1.0) };
/// rule(Pooling::Token).keep(&old, &sampler, &mut kept)?;
/// assert_eq!(kept, [false, true]);
/// rule(Pooling::Mean).keep(&old, &sampler, &mut kept)?;
/// assert_eq!(kept, [true, true]);
/// rule(Pooling::Largest).keep(&old, &sampler, &mut kept)?;
/// assert_eq!(kept, [false, false]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rejection {
    /// The measure.
    pub divergence: Divergence,
    /// What it is pooled over.
    pub pooling: Pooling,
    /// The smallest value that is kept; `None` for any.
    pub min: Option<f64>,
    /// The largest value that is kept; `None` for any.
    pub max: Option<f64>,
}

/// The larger of two; a NaN if one is (`f64::max` would pass over it).
fn largest(a: f64, b: f64) -> f64 {
    match a.is_nan() || a > b {
        true => a,
        false => b,
    }
}

impl Rejection {
    /// Replaces the contents of `out` by whether each token of a response is kept.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there are as many of the sampler's log-probabilities.
    pub fn keep(&self, old: &[f64], sampler: &[f64], out: &mut Vec<bool>) -> Result<(), Error> {
        check_length("log-probabilities of the sampler", old, sampler)?;
        let divergences = || {
            log_ratios(old, sampler).map(|log_ratio| {
                let log_ratio = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO);
                match self.divergence {
                    Divergence::K1 => -log_ratio,
                    Divergence::K2 => 0.5 * log_ratio * log_ratio,
                    Divergence::K3 => log_ratio.exp_m1() - log_ratio,
                }
            })
        };
        let within = |value: f64| {
            value >= self.min.unwrap_or(f64::NEG_INFINITY)
                && value <= self.max.unwrap_or(f64::INFINITY)
        };
        let whole = match self.pooling {
            Pooling::Token => None,
            Pooling::Sum => Some(mean(divergences()) * old.len() as f64),
            Pooling::Mean => Some(mean(divergences())),
            Pooling::Largest => Some(divergences().fold(f64::NEG_INFINITY, largest)),
        };
        out.clear();
        out.extend(divergences().map(|own| within(whole.unwrap_or(own))));
        Ok(())
    }
}
