//! How hard it is for preference optimisation to rank a pair rightly.

use serde::{Deserialize, Serialize};

/// The difficulty of a preference pair under a reference policy (arXiv:2405.19534, theorem 4.1).
///
/// ```text
/// c = log π_ref(rejected) − log π_ref(chosen)
/// ```
///
/// The pair is ranked rightly by the policy if and only if its DPO loss is at most
/// −log σ(β c) = log(1 + e^(−β c)); so the larger c is, the more the loss has to fall.
///
/// ```
/// use equipoise_data::curriculum::RankingDifficulty;
///
/// let difficulty = RankingDifficulty::new(-22.0, -18.0);
/// assert_eq!(difficulty.value(), 4.0);
/// // log(1 + e^(−0.4)) and 1 / (1 + e^(−0.4))
/// assert!((difficulty.loss_threshold(0.1) - 0.5130152524).abs() < 1e-10);
/// assert!((difficulty.break_even(0.1) - 0.5986876601).abs() < 1e-10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
pub struct RankingDifficulty(f64);

impl RankingDifficulty {
    /// The difficulty of a pair whose chosen and rejected responses have these log-probabilities
    /// under the reference policy, in nats: sums over their tokens.
    pub fn new(chosen: f64, rejected: f64) -> Self {
        Self(rejected - chosen)
    }

    /// c, in nats: positive if the reference ranks the pair wrongly.
    pub fn value(self) -> f64 {
        self.0
    }

    /// The largest DPO loss with which the pair is ranked rightly: log(1 + e^(−β c)).
    pub fn loss_threshold(self, beta: f64) -> f64 {
        let x = -beta * self.0;
        // Without overflow for a pair that is very easy.
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }

    /// The share of raters that must prefer the chosen response for the ideal optimum of the loss to
    /// rank the pair rightly: σ(β c), from theorem 3.1 there.
    pub fn break_even(self, beta: f64) -> f64 {
        1.0 / (1.0 + (-beta * self.0).exp())
    }

    /// The places of the pairs from the easiest to the hardest; equal ones in their order, and those
    /// without a number last.
    pub fn order(difficulties: &[Self]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..difficulties.len()).collect();
        let key = |place: &usize| {
            let value = difficulties[*place].0;
            (value.is_nan(), value)
        };
        order.sort_by(|a, b| {
            let ((a_nan, a), (b_nan, b)) = (key(a), key(b));
            a_nan.cmp(&b_nan).then(a.total_cmp(&b))
        });
        order
    }
}
