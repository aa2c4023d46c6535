//! The hinge loss of SLiC.

use super::{Core, PairTerm};

/// The hinge loss of the margin (SLiC-HF, arXiv:2305.10425; RSO, arXiv:2309.06657).
///
/// ```text
/// ℓ = max(0, 1 − β (s_w − s_l))
/// dℓ/ds_w = −β where the margin is below 1, else 0;   at the kink: 0, as in PyTorch
/// ```
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Hinge};
///
/// let core = Hinge { beta: 0.5 };
/// assert_eq!(core.evaluate(1.0, 0.0).loss, 0.5);
/// assert_eq!(core.evaluate(1.0, 0.0).chosen, -0.5);
/// assert_eq!(core.evaluate(2.0, 0.0).chosen, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hinge {
    /// β, above 0.
    pub beta: f64,
}

impl Core for Hinge {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let loss = 1.0 - self.beta * (chosen - rejected);
        if loss.is_nan() {
            PairTerm::of_margin(loss, loss)
        } else if loss <= 0.0 {
            PairTerm::of_margin(0.0, 0.0)
        } else {
            PairTerm::of_margin(loss, -self.beta)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Hinge { beta: 0.7 });
    }
}
