//! The geometric mean of clipped token ratios.

use super::LARGEST_LOG_RATIO;
use crate::options::{Range, checked};
use crate::sum::{Sum, mean};
use crate::{Clip, Entry, Level, PolicyObjective, TokenLoss, TokenTerms};

/// Geometric-mean policy optimisation (arXiv:2507.20673): like [`Gspo`](super::Gspo), but each token's
/// log-ratio is clipped before the mean is taken.
///
/// ```text
/// c_t = min(log r_t, ε_high)  if A > 0          max(log r_t, −ε_low)  if A < 0
/// L = −A exp((1/T) Σ_t c_t)                     ℓ_t = L for every token
/// d Σ_s ℓ_s / d log π_θ,t = −A exp((1/T) Σ_t c_t)      or 0 if c_t is a bound
/// ```
///
/// with r_t the ratio of the token and A the advantage of the response (the mean, if there is one per
/// token). The bounds are in units of the log-ratio; the paper's are 0.4. A clipped token loses its own
/// gradient and leaves the others theirs. verl's `geo_mean` takes the mean over the micro-batch whatever
/// the aggregation, and turns mismatch weights into one factor, their geometric mean; here multipliers
/// scale each ℓ_t. At A = 0 the loss and the gradient are 0.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::Gmpo};
///
/// let mut out = TokenLoss::new();
/// // Log-ratios 1 and 0; the first is clipped to 0.4, and the mean is 0.2.
/// let terms = TokenTerms::new(&[-1.0, -1.0], &[-2.0, -1.0], 1.0)?;
/// Gmpo::default().evaluate(&terms, &mut out);
/// assert_eq!(out.loss, [-0.2_f64.exp(); 2]);
/// assert_eq!(out.gradient, [0.0, -0.2_f64.exp()]);
/// assert_eq!(out.clip, [Clip::High, Clip::None]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gmpo {
    /// How far the log-ratio of a token may fall where the advantage is negative; at least 0.
    pub epsilon_low: f64,
    /// How far it may rise where the advantage is positive; at least 0.
    pub epsilon_high: f64,
}

impl Default for Gmpo {
    fn default() -> Self {
        Self {
            epsilon_low: 0.4,
            epsilon_high: 0.4,
        }
    }
}

impl Gmpo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "gmpo",
        formula: "−A exp(mean of the log-ratios, clipped one by one)",
        options: &["epsilon_low", "epsilon_high"],
        build: |options| {
            let bound = |option, given| checked("gmpo", option, given, 0.4, Range::NotNegative);
            Ok(Box::new(Self {
                epsilon_low: bound("epsilon_low", options.epsilon_low)?,
                epsilon_high: bound("epsilon_high", options.epsilon_high)?,
            }))
        },
    };

    /// A token's log-ratio after the clip, and whether a bound was active.
    fn clipped(&self, log_ratio: f64, advantage: f64) -> (f64, Clip) {
        if advantage > 0.0 && log_ratio > self.epsilon_high {
            (self.epsilon_high, Clip::High)
        } else if advantage < 0.0 && log_ratio < -self.epsilon_low {
            (-self.epsilon_low, Clip::Low)
        } else {
            (log_ratio.clamp(-1e290, 1e290), Clip::None)
        }
    }
}

impl PolicyObjective for Gmpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn level(&self) -> Level {
        Level::Sequence
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        out.reset(terms.len());
        let advantage = terms.advantage().mean();
        let log_ratio = mean(terms.log_ratios().map(|lr| self.clipped(lr, advantage).0));
        let inside = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO);
        // Written so that a NaN is not taken for a number inside.
        let saturated = log_ratio != inside && !log_ratio.is_nan();
        let value = -(advantage * inside.exp());
        let mut factors = Sum::default();
        for token in 0..terms.len() {
            let factor = terms.multiplier(token);
            factors.add(factor);
            out.loss[token] = if factor == 0.0 { 0.0 } else { factor * value };
        }
        let each = value * (factors.value() / terms.len().max(1) as f64);
        for (token, log_ratio) in terms.log_ratios().enumerate() {
            let (_, clip) = self.clipped(log_ratio, advantage);
            let clip = if saturated && clip == Clip::None && advantage != 0.0 {
                Clip::Saturated
            } else {
                clip
            };
            out.clip[token] = clip;
            out.gradient[token] = if clip == Clip::None { each } else { 0.0 };
        }
    }
}
