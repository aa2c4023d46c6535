//! Noise-contrastive alignment of pairs.

use super::{Core, PairTerm};
use crate::preference::{log_sigmoid, sigmoid};

/// Noise-contrastive alignment for pairs (arXiv:2402.05369).
///
/// ```text
/// a = β s_w,  b = β s_l
/// ℓ = −ln σ(a) − ½ ln σ(−a) − ½ ln σ(−b)
/// dℓ/ds_w = β (½ σ(a) − σ(−a)),   dℓ/ds_l = ½ β σ(b)
/// ```
///
/// Not a function of the margin: the chosen completion is held near its reference. TRL's `nca_pair`
/// is the same, and like it this loss is taken of plain log-ratios, whatever the f-divergence.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Nca};
///
/// let term = Nca { beta: 0.1 }.evaluate(0.0, 0.0);
/// assert_eq!(term.loss, 2.0 * 2.0_f64.ln());
/// assert_eq!((term.chosen, term.rejected), (-0.025, 0.025));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Nca {
    /// β, above 0.
    pub beta: f64,
}

impl Core for Nca {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let (a, b) = (self.beta * chosen, self.beta * rejected);
        PairTerm {
            loss: -log_sigmoid(a) - 0.5 * log_sigmoid(-a) - 0.5 * log_sigmoid(-b),
            chosen: self.beta * (0.5 * sigmoid(a) - sigmoid(-a)),
            rejected: self.beta * (0.5 * sigmoid(b)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Nca { beta: 0.7 });
    }
}
