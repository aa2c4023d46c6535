//! Self-play preference optimisation with hard labels.

use super::{Core, PairTerm};

/// SPPO (arXiv:2405.00675, Eq. 4.7) with winning probabilities 1 and 0.
///
/// ```text
/// ℓ = (s_w − 1/(2β))² + (s_l + 1/(2β))²
/// dℓ/ds_w = 2 (s_w − 1/(2β)),   dℓ/ds_l = 2 (s_l + 1/(2β))
/// ```
///
/// TRL's `sppo_hard` is the same.
///
/// ```
/// use equipoise_objectives::preference::core::{Core, SppoHard};
///
/// let term = SppoHard { beta: 0.5 }.evaluate(2.0, 0.0);
/// assert_eq!((term.loss, term.chosen, term.rejected), (2.0, 2.0, 2.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SppoHard {
    /// β, above 0.
    pub beta: f64,
}

impl Core for SppoHard {
    fn evaluate(&self, chosen: f64, rejected: f64) -> PairTerm {
        let target = 0.5 / self.beta;
        let (winner, loser) = (chosen - target, rejected + target);
        PairTerm {
            loss: winner * winner + loser * loser,
            chosen: 2.0 * winner,
            rejected: 2.0 * loser,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives() {
        super::super::check(&SppoHard { beta: 0.7 });
    }
}
