//! The clipped surrogate of proximal policy optimisation.

use crate::{Clip, Entry, Error, PolicyObjective, Term, TokenLoss, TokenTerms};

/// Log-ratios are clamped to ± this before they are exponentiated, as in verl; e²⁰ is about 4.9 · 10⁸.
const LARGEST_LOG_RATIO: f64 = 20.0;

/// The clipped policy gradient of PPO (arXiv:1707.06347), with a bound of its own on each side (DAPO's
/// "clip higher", arXiv:2503.14476) and optionally the dual clip (arXiv:1912.09729).
///
/// ```text
/// r_t = exp(clamp(log π_θ,t − log π_old,t, −20, 20))
/// ℓ_t = −min(r_t A, clip(r_t, 1 − ε_low, 1 + ε_high) A)
/// if A < 0 and there is a dual clip c:   ℓ_t = min(ℓ_t, −c A)
///
/// dℓ_t / d log π_θ,t = −r_t A      where no bound is active
///                      0           where one is, and where the log-ratio was clamped
/// ```
///
/// A bound is active beyond its border: A > 0 and r > 1 + ε_high, A < 0 and r < 1 − ε_low, A < 0 and
/// r > c. On a border itself, where ℓ has a kink, the gradient is that of the unclipped term. (For the
/// first two borders, automatic differentiation in PyTorch agrees; for the cap it would take half.)
///
/// The fields may hold any numbers; the catalogue refuses those that make no sense.
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
}

impl Default for PpoClip {
    /// The bounds of PPO: 0.2 on both sides, without dual clip.
    fn default() -> Self {
        Self {
            epsilon_low: 0.2,
            epsilon_high: 0.2,
            dual_clip: None,
        }
    }
}

impl PpoClip {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "ppo_clip",
        formula: "−min(r A, clip(r, 1 − ε_low, 1 + ε_high) A)",
        options: &["epsilon_low", "epsilon_high", "dual_clip"],
        build: |options| {
            let default = Self::default();
            let objective = Self {
                epsilon_low: options.epsilon_low.unwrap_or(default.epsilon_low),
                epsilon_high: options.epsilon_high.unwrap_or(default.epsilon_high),
                dual_clip: options.dual_clip,
            };
            let invalid = |option, value: f64, requirement| Error::InvalidOption {
                objective: "ppo_clip",
                option,
                value: value.to_string(),
                requirement,
            };
            for (option, value) in [
                ("epsilon_low", objective.epsilon_low),
                ("epsilon_high", objective.epsilon_high),
            ] {
                if !(value.is_finite() && value >= 0.0) {
                    return Err(invalid(option, value, "a finite number, at least 0"));
                }
            }
            match objective.dual_clip {
                Some(cap) if !(cap.is_finite() && cap > 1.0) => {
                    Err(invalid("dual_clip", cap, "a finite number greater than 1"))
                }
                _ => Ok(Box::new(objective)),
            }
        },
    };

    /// The loss term of one token, its derivative, and the bound that was active.
    fn term(&self, logprob: f64, old_logprob: f64, advantage: f64) -> (Term, Clip) {
        let difference = logprob - old_logprob;
        let ratio = difference
            .clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
            .exp();
        let (high, low) = (1.0 + self.epsilon_high, 1.0 - self.epsilon_low);
        let cap = self.dual_clip.unwrap_or(f64::INFINITY);

        let (bound, clip) = if advantage > 0.0 && ratio > high {
            (high, Clip::High)
        } else if advantage < 0.0 && ratio < low {
            (low, Clip::Low)
        } else if advantage < 0.0 && ratio > cap {
            (cap, Clip::Dual)
        } else if difference.abs() > LARGEST_LOG_RATIO && advantage != 0.0 {
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
        out.reset(terms.len());
        let rows = terms.logprobs().iter().zip(terms.old_logprobs());
        for (token, (logprob, old_logprob)) in rows.enumerate() {
            let (term, clip) = self.term(*logprob, *old_logprob, terms.advantage());
            out.set(token, term, clip);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASYMMETRIC: PpoClip = PpoClip {
        epsilon_low: 0.25,
        epsilon_high: 0.5,
        dual_clip: Some(4.0),
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
