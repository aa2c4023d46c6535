//! Anchored preference optimisation.

use super::{Core, PairTerm};
use crate::numeric::slope;
use crate::preference::sigmoid;

/// APO-zero (arXiv:2408.06266, Eq. 7): for chosen completions better than what the model writes.
///
/// ```text
/// ℓ = 1 − σ(β s_w) + σ(β s_l)
/// dℓ/ds_w = −β σ(β s_w) σ(−β s_w),   dℓ/ds_l = β σ(β s_l) σ(−β s_l)
/// ```
///
/// The same as TRL's `apo_zero`.
///
/// ```
/// use equipoise_objectives::preference::core::{ApoZero, Core};
///
/// let term = ApoZero { beta: 0.1 }.evaluate(0.0, 0.0);
/// assert_eq!((term.loss, term.chosen, term.rejected), (1.0, -0.025, 0.025));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApoZero {
    /// β, above 0.
    pub beta: f64,
}

impl Core for ApoZero {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let (a, b) = (self.beta * chosen, self.beta * rejected);
        PairTerm {
            loss: sigmoid(-a) + sigmoid(b),
            chosen: -self.beta * slope(a),
            rejected: self.beta * slope(b),
        }
    }
}

/// APO-down (arXiv:2408.06266, Eq. 8): for chosen completions worse than what the model writes;
/// both become less probable, the rejected more so.
///
/// ```text
/// a = β s_w,  x = β (s_w − s_l)
/// ℓ = σ(a) + 1 − σ(x)
/// dℓ/ds_w = β (σ(a) σ(−a) − σ(x) σ(−x)),   dℓ/ds_l = β σ(x) σ(−x)
/// ```
///
/// The same as TRL's `apo_down`.
///
/// ```
/// use equipoise_objectives::preference::core::{ApoDown, Core};
///
/// let term = ApoDown { beta: 0.1 }.evaluate(0.0, 0.0);
/// assert_eq!((term.loss, term.chosen, term.rejected), (1.0, 0.0, 0.025));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ApoDown {
    /// β, above 0.
    pub beta: f64,
}

impl Core for ApoDown {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let a = self.beta * chosen;
        let x = self.beta * (chosen - rejected);
        PairTerm {
            loss: sigmoid(a) + sigmoid(-x),
            chosen: self.beta * (slope(a) - slope(x)),
            rejected: self.beta * slope(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&ApoZero { beta: 0.7 });
        super::super::check(&ApoDown { beta: 0.7 });
    }
}
