//! One text is preferred to another, and beyond a margin that is enough.

use super::{PairTerm, difference};

/// The hinge loss of a pair of scores, the alternative to InfoNCE in JudgeBiasBench (arXiv:2603.08091).
///
/// ```text
/// ℓ = max(0, m − (r_w − r_l))      dℓ/dr_w = −1, dℓ/dr_l = 1 where r_w − r_l < m, else 0
/// ```
///
/// On the kink r_w − r_l = m the derivatives are 0.
///
/// ```
/// use equipoise_objectives::reward_model::PairwiseHinge;
///
/// let term = PairwiseHinge::default().evaluate(0.75, 0.5);
/// assert_eq!((term.value, term.by_chosen, term.by_rejected), (0.75, -1.0, 1.0));
/// assert_eq!(PairwiseHinge::default().evaluate(1.5, 0.5).by_chosen, 0.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairwiseHinge {
    /// m, in units of score; default 1.
    pub margin: f64,
}

impl Default for PairwiseHinge {
    fn default() -> Self {
        Self { margin: 1.0 }
    }
}

impl PairwiseHinge {
    /// The loss of one pair and its derivatives.
    pub fn evaluate(self, chosen: f64, rejected: f64) -> PairTerm {
        let short = difference(self.margin, difference(chosen, rejected));
        // Not `short > 0`, so that a NaN is passed on.
        if short <= 0.0 {
            return PairTerm::default();
        }
        PairTerm {
            value: short,
            by_chosen: -1.0,
            by_rejected: 1.0,
        }
    }
}
