//! The log-ratio modulated loss that DiscoPOP discovered.

use super::{Core, PairTerm};
use crate::preference::{log_sigmoid, sigmoid};

/// DiscoPOP's log-ratio modulated loss (arXiv:2406.08414, Eq. 5): logistic for small margins,
/// exponential for large ones.
///
/// ```text
/// x = β (s_w − s_l),  u = σ(x/τ)
/// ℓ = −ln σ(x) (1 − u) + e^(−x) u
/// dℓ/dx = −σ(−x) (1 − u) + ln σ(x) u(1 − u)/τ − e^(−x) u (1 − (1 − u)/τ)
/// dℓ/ds_w = β dℓ/dx = −dℓ/ds_l
/// ```
///
/// TRL's `discopop` multiplies e^(−x) by u, which is ∞ · 0 = NaN below x = −709 in float64 (−88 in
/// float32); here they are one exponential.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, Discopop};
///
/// let term = Discopop { beta: 0.1, tau: 0.05 }.evaluate(0.0, 0.0);
/// assert_eq!(term.loss, 0.5 * 2.0_f64.ln() + 0.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discopop {
    /// β, above 0.
    pub beta: f64,
    /// τ, above 0 and at most 1 (beyond it the loss grows exponentially with a wrong margin); 0.05
    /// in the paper and in TRL.
    pub tau: f64,
}

impl Core for Discopop {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let x = self.beta * (chosen - rejected);
        let (u, rest) = (sigmoid(x / self.tau), sigmoid(-x / self.tau));
        let logistic = -log_sigmoid(x);
        let exponential = (log_sigmoid(x / self.tau) - x).exp();
        let derivative = -sigmoid(-x) * rest
            - logistic * (u * rest / self.tau)
            - exponential * (1.0 - rest / self.tau);
        PairTerm::of_margin(logistic * rest + exponential, self.beta * derivative)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&Discopop {
            beta: 0.7,
            tau: 0.5,
        });
    }
}
