//! The divergence as a term of the loss: coefficient, clamp, correction; and controllers of the coefficient.

use crate::policy::LARGEST_LOG_RATIO;
use crate::{KlEstimator, Term};

/// A signed multiple of an estimated divergence from a reference.
///
/// ```text
/// d = log π_θ − log π_ref, cut off at ± clamp
/// ℓ_t = β k(d)                                          of every token, or where A < 0 only
/// ℓ_t = β r_t k(d)                                      with importance correction
/// dℓ_t / d log π_θ,t = β k'(d),  or  β r_t (k(d) + k'(d))       k' = 0 beyond the clamp
/// ```
///
/// β > 0 holds the policy near the reference. β < 0 pushes it away from one, as causal debiasing policy
/// optimisation does from a policy that was trained to take shortcuts (VideoThinker, arXiv:2605.01324). Its
/// penalty has no lower bound: with k3 and the authors' clamp of 11 one token can be worth −599 at
/// β = −0.01, so that for text a clamp of 2 to 5 is advisable. β = 0 is exactly nothing.
///
/// With importance correction the estimate is that of the policy that is trained although the token comes
/// from an older one, and its gradient is that of the divergence (TRL's `use_bias_correction_kl`, which is on by default; where its importance
/// sampling is on the level of sequences, it multiplies by the ratio of the sequence instead).
///
/// ```
/// use equipoise_objectives::{KlEstimator, KlTerm};
///
/// let away = KlTerm { coefficient: -0.01, clamp: Some(11.0), ..KlTerm::new(KlEstimator::K3) };
/// // The reference likes the token more: log π_ref − log π_θ = 1, k3 = e − 2.
/// let term = away.evaluate(-2.0, -1.0, -2.0, 1.0);
/// assert!((term.value + 0.0071828183).abs() < 1e-10);
/// assert!((term.derivative - 0.0171828183).abs() < 1e-10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlTerm {
    /// β, of either sign.
    pub coefficient: f64,
    /// How the divergence is estimated.
    pub estimator: KlEstimator,
    /// Where the log-ratio to the reference is cut off, greater than 0; `None` for nowhere.
    pub clamp: Option<f64>,
    /// Whether the estimate is multiplied by the ratio to the policy that sampled.
    pub importance: bool,
    /// Whether only tokens of a negative advantage have the term.
    pub only_negative: bool,
}

impl KlTerm {
    /// The estimator with coefficient 1, and nothing else.
    pub fn new(estimator: KlEstimator) -> Self {
        Self {
            coefficient: 1.0,
            estimator,
            clamp: None,
            importance: false,
            only_negative: false,
        }
    }

    /// The loss term of a token and its derivative with respect to `logprob`. `old_logprob` is only used
    /// for the importance correction, and the advantage only by `only_negative`.
    pub fn evaluate(
        &self,
        logprob: f64,
        reference_logprob: f64,
        old_logprob: f64,
        advantage: f64,
    ) -> Term {
        if self.coefficient == 0.0 || (self.only_negative && advantage >= 0.0) {
            return Term::default();
        }
        let difference = logprob - reference_logprob;
        // A clamp that is no number is none.
        let limit = match self.clamp {
            Some(clamp) if !clamp.is_nan() => clamp.abs(),
            _ => f64::INFINITY,
        };
        let inside = difference.clamp(-limit, limit);
        let mut estimate = self.estimator.evaluate(inside, 0.0);
        if difference.abs() > limit {
            estimate.derivative = 0.0;
        }
        if self.importance {
            let log_ratio = logprob - old_logprob;
            let ratio = log_ratio.clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO).exp();
            let moving = match log_ratio.abs() > LARGEST_LOG_RATIO {
                true => 0.0,
                false => estimate.value,
            };
            estimate = Term {
                value: ratio * estimate.value,
                derivative: ratio * (moving + estimate.derivative),
            };
        }
        // The square of a far log-ratio times a large ratio may leave the range of numbers.
        let within = |number: f64| number.clamp(-f64::MAX, f64::MAX);
        Term {
            value: within(self.coefficient * estimate.value),
            derivative: within(self.coefficient * estimate.derivative),
        }
    }
}

/// What decides the coefficient of a divergence from step to step. It holds its whole state, so saving it
/// is saving the value.
///
/// ```
/// use equipoise_objectives::KlController;
///
/// let mut controller = KlController::Adaptive { coefficient: 0.1, target: 0.1, horizon: 100.0 };
/// // Twice the target: the error 1 is cut off at 0.2, and 10 of 100 samples have passed.
/// controller.update(0.2, 10.0);
/// assert!((controller.coefficient() - 0.1 * 1.02).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KlController {
    /// The coefficient stays.
    Fixed {
        /// The coefficient.
        coefficient: f64,
    },
    /// Ziegler and others' controller (arXiv:1909.08593), as in verl and OpenRLHF, where the horizon is
    /// 10 000 and the target 0.1 by default.
    ///
    /// ```text
    /// β ← β (1 + clip(KL / target − 1, −0.2, 0.2) n / horizon)
    /// ```
    Adaptive {
        /// The coefficient at present.
        coefficient: f64,
        /// The divergence aimed at, in nats; greater than 0.
        target: f64,
        /// Over how many samples the coefficient can change by a fifth; greater than 0.
        horizon: f64,
    },
}

impl KlController {
    /// The coefficient at present.
    pub fn coefficient(&self) -> f64 {
        match self {
            Self::Fixed { coefficient } | Self::Adaptive { coefficient, .. } => *coefficient,
        }
    }

    /// Takes note of the divergence that `samples` samples had. One that is not finite changes nothing.
    pub fn update(&mut self, divergence: f64, samples: f64) {
        if let Self::Adaptive {
            coefficient,
            target,
            horizon,
        } = self
        {
            let error = (divergence / *target - 1.0).clamp(-0.2, 0.2);
            let factor = 1.0 + error * samples / *horizon;
            if factor.is_finite() {
                *coefficient *= factor;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Causal debiasing: δ = log π_bias − log π_θ is −1, 0 and 1 at β = −0.01.
    #[test]
    fn pushing_away_from_a_reference() {
        let away = KlTerm {
            coefficient: -0.01,
            clamp: Some(11.0),
            ..KlTerm::new(KlEstimator::K3)
        };
        for (delta, value, derivative) in [
            (-1.0, -0.003_678_794_4, -0.006_321_205_6),
            (0.0, 0.0, 0.0),
            (1.0, -0.007_182_818_3, 0.017_182_818_3),
        ] {
            let term = away.evaluate(0.0, delta, 0.0, 1.0);
            assert!((term.value - value).abs() < 1e-10, "{term:?}");
            assert!((term.derivative - derivative).abs() < 1e-10, "{term:?}");
        }
        // Beyond the clamp the penalty stays what it is at 11.
        let far = away.evaluate(0.0, 30.0, 0.0, 1.0);
        assert_eq!(far.value, away.evaluate(0.0, 11.0, 0.0, 1.0).value);
        assert_eq!(far.derivative, 0.0);
    }

    #[test]
    fn nothing_is_exactly_nothing() {
        let none = KlTerm {
            coefficient: 0.0,
            ..KlTerm::new(KlEstimator::K3)
        };
        assert_eq!(none.evaluate(-1.0, -1e300, 0.0, 1.0), Term::default());
        let gated = KlTerm {
            only_negative: true,
            ..KlTerm::new(KlEstimator::K2)
        };
        assert_eq!(gated.evaluate(-1.0, -3.0, 0.0, 0.0), Term::default());
        assert_eq!(gated.evaluate(-1.0, -3.0, 0.0, -1.0).value, 2.0);
    }

    #[test]
    fn importance_correction_by_hand() {
        let term = KlTerm {
            coefficient: 2.0,
            importance: true,
            ..KlTerm::new(KlEstimator::K2)
        };
        // d = 2, k2 = 2, k2' = 2, and a ratio of e.
        let found = term.evaluate(-1.0, -3.0, -2.0, 1.0);
        let e = std::f64::consts::E;
        assert!((found.value - 4.0 * e).abs() < 1e-14);
        assert!((found.derivative - 8.0 * e).abs() < 1e-14);
        // A ratio beyond what is exponentiated is a constant.
        let far = term.evaluate(30.0, 28.0, 0.0, 1.0);
        assert!((far.derivative - 4.0 * 20.0_f64.exp()).abs() < 1e-3);
    }

    #[test]
    fn controllers() {
        let mut fixed = KlController::Fixed { coefficient: 0.3 };
        fixed.update(100.0, 100.0);
        assert_eq!(fixed.coefficient(), 0.3);
        let mut adaptive = KlController::Adaptive {
            coefficient: 1.0,
            target: 0.1,
            horizon: 10.0,
        };
        adaptive.update(0.09, 1.0);
        assert!((adaptive.coefficient() - 0.99).abs() < 1e-15);
        let before = adaptive;
        adaptive.update(f64::NAN, 1.0);
        assert_eq!(adaptive, before);
    }
}
