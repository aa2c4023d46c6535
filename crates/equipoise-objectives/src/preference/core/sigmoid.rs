//! The logistic loss of DPO, with label smoothing and a target margin.

use super::{Core, PairTerm};
use crate::preference::{log_sigmoid, sigmoid};

/// The logistic loss of the margin (DPO, arXiv:2305.18290, Eq. 7), with cDPO's label smoothing
/// (Mitchell, "A note on DPO with noisy preferences", 2023, Eq. 3) and SimPO's target margin.
///
/// ```text
/// x = β (s_w − s_l) − γ
/// ℓ = −(1 − ε) ln σ(x) − ε ln σ(−x)
/// dℓ/ds_w = β (−(1 − ε) σ(−x) + ε σ(x)) = −dℓ/ds_l
/// ```
///
/// OpenRLHF's `DPOLoss` is this with γ = 0. TRL's `DPOTrainer` has no smoothing in its `sigmoid`;
/// its CPO and TPO trainers have. SimPO is written with γ/β subtracted before β multiplies, the
/// same number up to rounding.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Sigmoid};
///
/// let core = Sigmoid { beta: 0.1, ..Sigmoid::default() };
/// let term = core.evaluate(1.0, 1.0);
/// assert_eq!((term.loss, term.chosen), (2.0_f64.ln(), -0.05));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sigmoid {
    /// β, above 0; 0.1 by default.
    pub beta: f64,
    /// ε, the share of labels taken to be wrong, from 0 to 0.5; 0 by default.
    pub label_smoothing: f64,
    /// γ, how far apart the scores (times β) are to be; 0 by default.
    pub margin: f64,
}

impl Default for Sigmoid {
    fn default() -> Self {
        Self {
            beta: 0.1,
            label_smoothing: 0.0,
            margin: 0.0,
        }
    }
}

impl Core for Sigmoid {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let x = self.beta * (chosen - rejected) - self.margin;
        let (right, wrong) = (1.0 - self.label_smoothing, self.label_smoothing);
        // Not multiplied by 0: −ln σ(−x) may be infinite where the plain loss is not.
        if wrong == 0.0 {
            return PairTerm::of_margin(-log_sigmoid(x), -self.beta * sigmoid(-x));
        }
        PairTerm::of_margin(
            -right * log_sigmoid(x) - wrong * log_sigmoid(-x),
            self.beta * (wrong * sigmoid(x) - right * sigmoid(-x)),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        for label_smoothing in [0.0, 0.2] {
            super::super::check(&Sigmoid {
                beta: 0.7,
                label_smoothing,
                margin: 0.3,
            });
        }
    }

    /// Δ = 2, β = 0.1: ln(1 + e^−0.2); smoothing adds ε x.
    #[test]
    fn by_hand() {
        let plain = Sigmoid::default().evaluate(1.0, -1.0);
        assert!((plain.loss - 0.598_138_869_4).abs() < 1e-10);
        let smooth = Sigmoid {
            label_smoothing: 0.1,
            ..Sigmoid::default()
        };
        let found = smooth.evaluate(1.0, -1.0).loss;
        assert!((found - (plain.loss + 0.1 * 0.2)).abs() < 1e-15);
    }
}
