//! Robust DPO: the logistic loss debiased for wrong labels.

use super::{Core, PairTerm};
use crate::preference::{log_sigmoid, sigmoid};

/// Robust DPO (arXiv:2403.00409): an unbiased estimate of the DPO loss under labels of which a
/// share ε is flipped.
///
/// ```text
/// x = β (s_w − s_l)
/// ℓ = (−(1 − ε) ln σ(x) + ε ln σ(−x)) / (1 − 2ε)
/// dℓ/ds_w = −β ((1 − ε) σ(−x) + ε σ(x)) / (1 − 2ε) = −dℓ/ds_l
/// ```
///
/// The loss has no lower bound for ε > 0. TRL's `robust` is the same.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Robust};
///
/// let core = Robust { beta: 0.1, label_smoothing: 0.25 };
/// // (0.75 − 0.25) ln 2 / 0.5
/// assert!((core.evaluate(0.0, 0.0).loss - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(core.evaluate(0.0, 0.0).chosen, -0.1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Robust {
    /// β, above 0.
    pub beta: f64,
    /// ε, the share of wrong labels, at least 0 and below 0.5.
    pub label_smoothing: f64,
}

impl Core for Robust {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let x = self.beta * (chosen - rejected);
        let (right, wrong) = (1.0 - self.label_smoothing, self.label_smoothing);
        let scale = 1.0 - 2.0 * wrong;
        PairTerm::of_margin(
            (wrong * log_sigmoid(-x) - right * log_sigmoid(x)) / scale,
            -self.beta * (right * sigmoid(-x) + wrong * sigmoid(x)) / scale,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Robust {
            beta: 0.7,
            label_smoothing: 0.2,
        });
    }
}
