//! Binary classifier optimisation of pairs.

use super::{Core, PairTerm};
use crate::preference::{log_sigmoid, sigmoid};

/// Binary classifier optimisation (arXiv:2404.04656) of the two completions of a pair, without the
/// paper's reward shift.
///
/// ```text
/// ℓ = −ln σ(β s_w) − ln σ(−β s_l)
/// dℓ/ds_w = −β σ(−β s_w),   dℓ/ds_l = β σ(β s_l)
/// ```
///
/// TRL's `bco_pair` is the same, also without shift; the form with a shift δ is
/// [`Unpaired`](crate::preference::Unpaired).
///
/// ```
/// use equipoise_objectives::preference::core::{BcoPair, Core};
///
/// let term = BcoPair { beta: 0.1 }.evaluate(0.0, 0.0);
/// assert_eq!(term.loss, 2.0 * 2.0_f64.ln());
/// assert_eq!((term.chosen, term.rejected), (-0.05, 0.05));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BcoPair {
    /// β, above 0.
    pub beta: f64,
}

impl Core for BcoPair {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let (a, b) = (self.beta * chosen, self.beta * rejected);
        PairTerm {
            loss: -log_sigmoid(a) - log_sigmoid(-b),
            chosen: -self.beta * sigmoid(-a),
            rejected: self.beta * sigmoid(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&BcoPair { beta: 0.7 });
    }
}
