//! The clipped surrogate of proximal policy optimisation.

use super::{LARGEST_LOG_RATIO, each_token};
use crate::options::{Range, checked};
use crate::{Clip, Entry, Error, Options, PolicyObjective, Term, TokenLoss, TokenTerms};

/// The clipped policy gradient of PPO (arXiv:1707.06347), with a bound of its own on each side (DAPO's
/// "clip higher", arXiv:2503.14476), and optionally the dual clip (arXiv:1912.09729) or a two-sided clip
/// (INTELLECT-2, arXiv:2505.07291).
///
/// ```text
/// r_t = exp(clamp(log π_θ,t − log π_old,t, −20, 20))
/// ℓ_t = −min(min(r_t, δ) A, clip(r_t, 1 − ε_low, 1 + ε_high) A)
/// if A < 0 and there is a dual clip c:   ℓ_t = min(ℓ_t, −c A)
///
/// dℓ_t / d log π_θ,t = −r_t A      where no bound is active
///                      0           where one is, and where the log-ratio was clamped
/// ```
///
/// Without δ the inner minimum is r_t. A bound is active beyond its border: A > 0 and r > 1 + ε_high,
/// A < 0 and r < 1 − ε_low, A < 0 and r > c or r > δ. For negative advantages c and δ say the same as long
/// as δ is above 1 + ε_high; a smaller δ is without effect there, since the clipped branch is then the
/// larger. TRL has δ and no c and does not clamp the log-ratio; verl has c = 3 always on and no δ.
///
/// On a border itself, where ℓ has a kink, the gradient is that of the unclipped term. (For the
/// first two borders, automatic differentiation in PyTorch agrees; for the cap it would take half.)
///
/// The fields may hold any numbers; the catalogue refuses those that make no sense.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::PpoClip};
///
/// let mut out = TokenLoss::new();
/// // Ratios of 1 and e: the second is clipped at 1.2.
/// let terms = TokenTerms::new(&[-1.0, -1.0], &[-1.0, -2.0], 1.0)?;
/// PpoClip::default().evaluate(&terms, &mut out);
/// assert_eq!(out.loss, [-1.0, -1.2]);
/// assert_eq!(out.gradient, [-1.0, 0.0]);
/// assert_eq!(out.clip, [Clip::None, Clip::High]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PpoClip {
    /// ε_low, at least 0. From 1 on there is no lower bound.
    pub epsilon_low: f64,
    /// ε_high, at least 0.
    pub epsilon_high: f64,
    /// The cap c on the ratio for negative advantages, greater than 1; `None` for no cap.
    ///
    /// Without it, a token that a negative advantage should make rarer, but which has become much
    /// more probable, has a loss and a gradient that grow with the ratio.
    pub dual_clip: Option<f64>,
    /// The cap δ on the ratio of the unclipped branch, greater than 1; `None` for no cap.
    pub delta: Option<f64>,
}

impl Default for PpoClip {
    /// The bounds of PPO: 0.2 on both sides, and nothing else.
    fn default() -> Self {
        Self {
            epsilon_low: 0.2,
            epsilon_high: 0.2,
            dual_clip: None,
            delta: None,
        }
    }
}

impl PpoClip {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "ppo_clip",
        formula: "−min(min(r, δ) A, clip(r, 1 − ε_low, 1 + ε_high) A)",
        options: &["epsilon_low", "epsilon_high", "dual_clip", "delta"],
        build: |options| Ok(Box::new(Self::build("ppo_clip", options, Self::default())?)),
    };

    /// The bounds of `options`, for an objective that is built on them.
    pub(super) fn build(
        objective: &'static str,
        options: &Options,
        default: Self,
    ) -> Result<Self, Error> {
        let range =
            |option, given, default| checked(objective, option, given, default, Range::NotNegative);
        let cap = |option, given: Option<f64>| {
            let check = |cap| checked(objective, option, Some(cap), cap, Range::AboveOne);
            given.map(check).transpose()
        };
        Ok(Self {
            epsilon_low: range("epsilon_low", options.epsilon_low, default.epsilon_low)?,
            epsilon_high: range("epsilon_high", options.epsilon_high, default.epsilon_high)?,
            dual_clip: cap("dual_clip", options.dual_clip)?,
            delta: cap("delta", options.delta)?,
        })
    }

    /// The loss term of a log-ratio, its derivative with respect to it, and the bound that was active.
    pub(super) fn term(&self, log_ratio: f64, advantage: f64) -> (Term, Clip) {
        let ratio = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp();
        let (high, low) = (1.0 + self.epsilon_high, 1.0 - self.epsilon_low);
        // For a negative advantage the larger of the two branches is what counts, hence the larger cap.
        let delta = self.delta.map_or(f64::INFINITY, |delta| delta.max(high));
        let cap = self.dual_clip.unwrap_or(f64::INFINITY).min(delta);

        let (bound, clip) = if advantage > 0.0 && ratio > high.min(self.delta.unwrap_or(high)) {
            (high.min(self.delta.unwrap_or(high)), Clip::High)
        } else if advantage < 0.0 && ratio < low {
            (low, Clip::Low)
        } else if advantage < 0.0 && ratio > cap {
            (cap, Clip::Dual)
        } else if log_ratio.abs() > LARGEST_LOG_RATIO && advantage != 0.0 {
            (ratio, Clip::Saturated)
        } else {
            let value = -(ratio * advantage);
            let term = Term {
                value,
                derivative: value,
            };
            return (term, Clip::None);
        };
        let term = Term {
            value: -(bound * advantage),
            derivative: 0.0,
        };
        (term, clip)
    }
}

impl PolicyObjective for PpoClip {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            self.term(logprob - old, advantage)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASYMMETRIC: PpoClip = PpoClip {
        epsilon_low: 0.25,
        epsilon_high: 0.5,
        dual_clip: Some(4.0),
        delta: None,
    };

    /// Loss, gradient and clip at a ratio, which is exact only for powers of e and for 1.
    fn at(objective: PpoClip, ratio: f64, advantage: f64) -> (f64, f64, Clip) {
        let mut out = TokenLoss::new();
        let logprobs = [ratio.ln()];
        let terms = TokenTerms::new(&logprobs, &[0.0], advantage).unwrap();
        objective.evaluate(&terms, &mut out);
        (out.loss[0], out.gradient[0], out.clip[0])
    }

    #[track_caller]
    fn assert_at(ratio: f64, advantage: f64, loss: f64, gradient: f64, clip: Clip) {
        let found = at(ASYMMETRIC, ratio, advantage);
        assert!((found.0 - loss).abs() < 1e-14, "{found:?}");
        assert!((found.1 - gradient).abs() < 1e-14, "{found:?}");
        assert_eq!(found.2, clip);
    }

    #[test]
    fn by_hand() {
        assert_at(1.0, 2.0, -2.0, -2.0, Clip::None);
        // Above the upper bound a positive advantage is clipped, a negative one is not.
        assert_at(2.0, 2.0, -3.0, 0.0, Clip::High);
        assert_at(2.0, -2.0, 4.0, 4.0, Clip::None);
        // Below the lower bound it is the other way round.
        assert_at(0.5, -2.0, 1.5, 0.0, Clip::Low);
        assert_at(0.5, 2.0, -1.0, -1.0, Clip::None);
        // Above the cap.
        assert_at(5.0, -2.0, 8.0, 0.0, Clip::Dual);
        assert_at(3.0, 0.0, 0.0, 0.0, Clip::None);
    }

    #[test]
    fn on_a_border_the_gradient_flows() {
        // The only ratio that arithmetic reaches exactly is 1, so the bounds are put there.
        let tight = PpoClip {
            epsilon_low: 0.0,
            epsilon_high: 0.0,
            dual_clip: None,
            delta: None,
        };
        assert_eq!(at(tight, 1.0, 2.0), (-2.0, -2.0, Clip::None));
        assert_eq!(at(tight, 1.0, -2.0), (2.0, 2.0, Clip::None));
        let capped = PpoClip {
            dual_clip: Some(1.0),
            ..tight
        };
        assert_eq!(at(capped, 1.0, -2.0), (2.0, 2.0, Clip::None));
    }

    #[test]
    fn beyond_the_clamp_the_term_is_constant() {
        let open = PpoClip {
            dual_clip: None,
            ..ASYMMETRIC
        };
        let mut out = TokenLoss::new();
        for (logprob, advantage) in [(21.0, -1.0), (1e300, -1.0), (-21.0, 1.0), (-1e300, 1.0)] {
            let terms = [logprob];
            open.evaluate(
                &TokenTerms::new(&terms, &[0.0], advantage).unwrap(),
                &mut out,
            );
            assert_eq!(out.clip, [Clip::Saturated]);
            assert_eq!(out.gradient, [0.0]);
            let expected = -advantage * (20.0 * logprob.signum()).exp();
            assert_eq!(out.loss, [expected]);
        }
    }

    #[test]
    fn a_nan_is_not_hidden() {
        let mut out = TokenLoss::new();
        let terms = TokenTerms::new(&[f64::NAN, -1.0], &[-1.0, -1.0], 1.0).unwrap();
        ASYMMETRIC.evaluate(&terms, &mut out);
        assert!(out.loss[0].is_nan() && out.gradient[0].is_nan());
        assert_eq!(out.loss[1], -1.0);
    }
}
