//! EXO: reverse KL from the model's preference to the smoothed label.

use super::{Core, PairTerm};
use crate::numeric::slope;
use crate::preference::{log_sigmoid, sigmoid};

/// Efficient exact optimisation for pairs (arXiv:2402.00856, Eq. 16): the KL divergence of the
/// model's preference (σ(x), σ(−x)) from the label (1 − ε, ε).
///
/// ```text
/// x = β (s_w − s_l)
/// ℓ = σ(x) (ln σ(x) − ln(1 − ε)) + σ(−x) (ln σ(−x) − ln ε)
/// dℓ/ds_w = β σ(x) σ(−x) (x − ln((1 − ε)/ε)) = −dℓ/ds_l
/// ```
///
/// The same as TRL's `exo_pair`. ε has to be above 0; at 0 the loss is infinite.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Exo};
///
/// // Half and half from (½, ½) is nothing.
/// let term = Exo { beta: 0.1, label_smoothing: 0.5 }.evaluate(3.0, 3.0);
/// assert_eq!((term.loss, term.chosen), (0.0, 0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exo {
    /// β, above 0.
    pub beta: f64,
    /// ε, between 0 and 1, neither of them.
    pub label_smoothing: f64,
}

impl Core for Exo {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let x = self.beta * (chosen - rejected);
        let (right, wrong) = ((-self.label_smoothing).ln_1p(), self.label_smoothing.ln());
        let loss = sigmoid(x) * (log_sigmoid(x) - right) + sigmoid(-x) * (log_sigmoid(-x) - wrong);
        PairTerm::of_margin(loss, self.beta * slope(x) * (x - (right - wrong)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Exo {
            beta: 0.7,
            label_smoothing: 0.1,
        });
    }
}
