//! The loss of a value model.

use crate::Term;

/// Half the squared error of a value, with PPO's clip on its step (arXiv:1707.06347; the form is that of
/// OpenAI's baselines, verl's `compute_value_loss` and OpenRLHF's `ValueLoss`).
///
/// ```text
/// ℓ_t = ½ max((V − R)², (clip(V, V_old − ε, V_old + ε) − R)²)
/// dℓ_t / dV = V − R,  or 0 where the clipped value is the worse one and a bound is active
/// ```
///
/// The larger error counts, so the clip keeps the value from moving far in one step and never hides an
/// error. Where both errors are equal the gradient is V − R.
///
/// ```
/// use equipoise_objectives::ValueLoss;
///
/// let loss = ValueLoss { clip: Some(0.5) };
/// // V has moved from 0 to 1, beyond the bound of 0.5; the return is 2: the clipped error is larger.
/// let term = loss.evaluate(1.0, 0.0, 2.0);
/// assert_eq!((term.value, term.derivative), (0.5 * 1.5 * 1.5, 0.0));
/// // The return is 0: the clipped error is smaller, and does not count.
/// let term = loss.evaluate(1.0, 0.0, 0.0);
/// assert_eq!((term.value, term.derivative), (0.5, 1.0));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ValueLoss {
    /// ε, how far a value may move from the older one, at least 0; `None` for any distance.
    pub clip: Option<f64>,
}

/// Errors are cut off here, so that no square overflows.
const LARGEST: f64 = 1e150;

impl ValueLoss {
    /// The loss of one token's value and its derivative by `value`: `old` is the value that the
    /// advantages were computed with, and `target` the return.
    pub fn evaluate(&self, value: f64, old: f64, target: f64) -> Term {
        let bounded = |error: f64| error.clamp(-LARGEST, LARGEST);
        let error = bounded(value - target);
        let clipped = match self.clip {
            // A clip that is no number is none.
            Some(clip) if !clip.is_nan() => {
                let moved = (value - old).clamp(-clip.abs(), clip.abs());
                match moved == value - old {
                    true => error,
                    false => bounded(old + moved - target),
                }
            }
            _ => error,
        };
        // Written so that a NaN among the older values is passed on.
        if clipped.abs() > error.abs() || clipped.is_nan() {
            Term {
                value: 0.5 * clipped * clipped,
                derivative: 0.0,
            }
        } else {
            Term {
                value: 0.5 * error * error,
                derivative: error,
            }
        }
    }
}
