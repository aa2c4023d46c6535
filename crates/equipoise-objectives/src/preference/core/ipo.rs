//! The squared loss of IPO.

use super::{Core, PairTerm};

/// Identity preference optimisation (arXiv:2310.12036, Eq. 17; β is the paper's τ).
///
/// ```text
/// ℓ = (s_w − s_l − 1/(2β))²
/// dℓ/ds_w = 2 (s_w − s_l − 1/(2β)) = −dℓ/ds_l
/// ```
///
/// The scores are means over tokens in TRL (on its authors' advice), AReaL and the catalogue here,
/// sums in OpenRLHF and in the paper's formula: option `length`.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Ipo};
///
/// let term = Ipo { beta: 0.25 }.evaluate(1.0, 0.5);
/// assert_eq!((term.loss, term.chosen), (2.25, -3.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ipo {
    /// β, above 0.
    pub beta: f64,
}

impl Core for Ipo {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let error = chosen - rejected - 1.0 / (2.0 * self.beta);
        PairTerm::of_margin(error * error, 2.0 * error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Ipo { beta: 0.7 });
    }
}
