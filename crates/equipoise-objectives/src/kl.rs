//! Estimators of the KL divergence to a reference policy.

use crate::policy::check_length;
use crate::{Clip, Error, Term, TokenLoss};
use std::fmt;
use std::str::FromStr;

/// Beyond this difference of log-probabilities, k3 is continued by its tangent, so that the
/// exponential cannot overflow and the gradient does not vanish.
const LARGEST_EXPONENT: f64 = 20.0;

/// Differences are cut off here, far beyond any log-probability, so that no square overflows.
const LARGEST_DIFFERENCE: f64 = 1e150;

/// A single-sample estimator of KL(π_θ ‖ π_ref) from one token sampled from π_θ (Schulman,
/// "Approximating KL divergence", 2020).
///
/// With d = log π_θ − log π_ref of the token:
///
/// ```text
///       value                derivative with respect to log π_θ
/// k1    d                    1
/// k2    d²/2                 d
/// k3    exp(−d) − 1 + d      1 − exp(−d)
/// abs   |d|                  sign(d), 0 at 0
/// k1+   d                    d
/// k3+   exp(−d) − 1 + d      d
/// ```
///
/// The last two are verl's straight-through forms: the value of one estimator with the gradient of k2.
///
/// For d < −20, k3 is continued by its tangent at −20; everything is finite for finite inputs. Others cut off
/// instead, and with the value the gradient is gone: verl and SkyRL clamp d to ±20 and k3 to at most 10, which
/// it reaches at d = −2.61, so that the tokens that are the farthest off are pulled back by nothing. TRL
/// clamps nothing.
///
/// ```
/// use equipoise_objectives::KlEstimator;
///
/// let ln2 = std::f64::consts::LN_2;
/// // The policy is half as sure of the token as the reference: d = −ln 2.
/// let term = KlEstimator::K3.evaluate(-2.0 * ln2, -ln2);
/// assert!((term.value - (2.0 - 1.0 - ln2)).abs() < 1e-15);
/// assert!((term.derivative + 1.0).abs() < 1e-15);
/// ```
///
/// As values, k1 and k3 have the divergence as their mean, and k2 nearly. As losses they behave
/// differently, because differentiating an estimate is not estimating the derivative
/// (arXiv:2506.09477, arXiv:2510.01555): on policy, the gradient of k1 is zero on average, that of k2 is
/// the gradient of KL(π_θ ‖ π_ref), and that of k3 is the gradient of KL(π_ref ‖ π_θ).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KlEstimator {
    /// The log-ratio: unbiased, of either sign, of high variance.
    K1,
    /// Half its square: never negative, slightly biased.
    K2,
    /// exp(−d) − 1 + d: unbiased and never negative; the estimator of GRPO (arXiv:2402.03300).
    K3,
    /// The distance: not an estimate of the divergence, but verl has it.
    Absolute,
    /// The value of k1, the gradient of k2.
    K1StraightThrough,
    /// The value of k3, the gradient of k2.
    K3StraightThrough,
}

impl KlEstimator {
    const NAMES: &'static [&'static str] = &["k1", "k2", "k3", "abs", "k1+", "k3+"];

    const ALL: [Self; 6] = [
        Self::K1,
        Self::K2,
        Self::K3,
        Self::Absolute,
        Self::K1StraightThrough,
        Self::K3StraightThrough,
    ];

    /// The estimate for one token, and its derivative with respect to `logprob`.
    pub fn evaluate(self, logprob: f64, reference_logprob: f64) -> Term {
        let difference =
            (logprob - reference_logprob).clamp(-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE);
        match self {
            Self::K1 => Term {
                value: difference,
                derivative: 1.0,
            },
            Self::K2 => Term {
                value: 0.5 * difference * difference,
                derivative: difference,
            },
            Self::Absolute => Term {
                value: difference.abs(),
                derivative: match difference {
                    0.0 => 0.0,
                    _ => difference.signum(),
                },
            },
            Self::K1StraightThrough => Term {
                value: difference,
                derivative: difference,
            },
            Self::K3StraightThrough => Term {
                derivative: difference,
                ..Self::K3.evaluate(logprob, reference_logprob)
            },
            Self::K3 => {
                let inside = difference.max(-LARGEST_EXPONENT);
                // exp(−d) − 1, without cancellation where the policies agree.
                let excess = (-inside).exp_m1();
                let derivative = -excess;
                Term {
                    value: (excess + inside) + derivative * (difference - inside),
                    derivative,
                }
            }
        }
    }

    /// Replaces the contents of `out` by the estimates for the tokens of a response and their
    /// derivatives; nothing is reduced, and nothing is multiplied by a coefficient.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one reference log-probability per log-probability.
    pub fn evaluate_response(
        self,
        logprobs: &[f64],
        reference_logprobs: &[f64],
        out: &mut TokenLoss,
    ) -> Result<(), Error> {
        check_length("reference log-probabilities", logprobs, reference_logprobs)?;
        out.reset(logprobs.len());
        let rows = logprobs.iter().zip(reference_logprobs);
        for (token, (logprob, reference)) in rows.enumerate() {
            out.set(token, self.evaluate(*logprob, *reference), Clip::None);
        }
        Ok(())
    }
}

impl fmt::Display for KlEstimator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Self::NAMES[Self::ALL.iter().position(|one| one == self).unwrap_or(0)];
        f.write_str(word)
    }
}

impl FromStr for KlEstimator {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let at = Self::NAMES.iter().position(|name| *name == word);
        at.map(|at| Self::ALL[at])
            .ok_or_else(|| Error::UnknownValue {
                option: "kl_estimator",
                value: word.to_owned(),
                known: Self::NAMES,
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::LN_2;

    #[track_caller]
    fn assert_term(term: Term, value: f64, derivative: f64) {
        assert!((term.value - value).abs() < 1e-15, "{term:?}");
        assert!((term.derivative - derivative).abs() < 1e-15, "{term:?}");
    }

    #[test]
    fn by_hand() {
        // The policy is twice as sure of the token as the reference: d = ln 2.
        let at = |estimator: KlEstimator| estimator.evaluate(-LN_2, -2.0 * LN_2);
        assert_term(at(KlEstimator::K1), LN_2, 1.0);
        assert_term(at(KlEstimator::K2), LN_2 * LN_2 / 2.0, LN_2);
        assert_term(at(KlEstimator::K3), LN_2 - 0.5, 0.5);
    }

    #[test]
    fn nothing_where_the_policies_agree() {
        for estimator in KlEstimator::ALL {
            assert_eq!(estimator.evaluate(-3.0, -3.0).value, 0.0);
        }
        assert_eq!(KlEstimator::K3.evaluate(-3.0, -3.0).derivative, 0.0);
        // d = 1e-9: k3 is d²/2 up to rounding, which plain exp(−d) − 1 would have lost.
        let near = KlEstimator::K3.evaluate(1e-9, 0.0);
        assert!((near.derivative - 1e-9).abs() < 1e-17, "{near:?}");
    }

    #[test]
    fn k3_goes_on_along_its_tangent() {
        let border = KlEstimator::K3.evaluate(-20.0, 0.0);
        assert_eq!(border.derivative, 1.0 - 20.0_f64.exp());
        let beyond = KlEstimator::K3.evaluate(-30.0, 0.0);
        assert_eq!(beyond.derivative, border.derivative);
        assert_eq!(beyond.value, border.value - 10.0 * border.derivative);
    }

    #[test]
    fn responses_are_evaluated_token_by_token() {
        let mut out = TokenLoss::new();
        KlEstimator::K2
            .evaluate_response(&[-1.0, -2.0], &[-3.0, -2.0], &mut out)
            .unwrap();
        assert_eq!(
            (&out.loss[..], &out.gradient[..]),
            (&[2.0, 0.0][..], &[2.0, 0.0][..])
        );
        assert!(
            KlEstimator::K2
                .evaluate_response(&[-1.0], &[], &mut out)
                .is_err()
        );
    }

    #[test]
    fn words_round_trip() {
        for word in KlEstimator::NAMES {
            assert_eq!(word.parse::<KlEstimator>().unwrap().to_string(), *word);
        }
        assert_eq!(
            "k4".parse::<KlEstimator>().unwrap_err().to_string(),
            "unknown value `k4` of option `kl_estimator`; the values are `k1`, `k2`, `k3`, \
             `abs`, `k1+`, `k3+`"
        );
    }
}
