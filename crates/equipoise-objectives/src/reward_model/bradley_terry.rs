//! One text is preferred to another.

use super::{difference, negative_log_sigmoid};

/// The loss of a pair of texts and its derivatives.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairTerm {
    /// The loss.
    pub value: f64,
    /// The derivative by the score of the chosen text.
    pub by_chosen: f64,
    /// The derivative by the score of the rejected text.
    pub by_rejected: f64,
}

/// The negative log-likelihood of a preference under the model of Bradley and Terry (1952), with a margin
/// and a centring term.
///
/// ```text
/// ℓ = −log σ(r_w − r_l − m) + c (r_w + r_l)²
/// dℓ/dr_w = −σ(−(r_w − r_l − m)) + 2c (r_w + r_l)
/// dℓ/dr_l = +σ(−(r_w − r_l − m)) + 2c (r_w + r_l)
/// ```
///
/// r_w and r_l are the scores of the chosen and of the rejected text; m is the pair's margin, 0 if none was
/// annotated, larger for clearer preferences (Llama 2, arXiv:2307.09288).
///
/// The first term is that of InstructGPT (arXiv:2203.02155). OpenRLHF's `PairWiseLoss` is this with c = 0;
/// its `LogExpLoss`, log(1 + exp(r_l − r_w)) as in arXiv:2204.05862, is the same function written in another
/// way. That one ignores the margin it is given and is infinite once r_l − r_w exceeds 709; this one is not.
/// TRL's `RewardTrainer` is the whole, both terms averaged over the batch.
///
/// ```
/// use equipoise_objectives::reward_model::BradleyTerry;
///
/// let term = BradleyTerry::default().evaluate(1.5, 0.5, 1.0);
/// assert_eq!(term.value, 2.0_f64.ln());
/// assert_eq!((term.by_chosen, term.by_rejected), (-0.5, 0.5));
/// // The scores' sum is 2: centring adds 0.01 · 2².
/// let centred = BradleyTerry { centring: 0.01 }.evaluate(1.5, 0.5, 1.0);
/// assert_eq!(centred.value, 2.0_f64.ln() + 0.04);
/// assert_eq!(centred.by_rejected, 0.54);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BradleyTerry {
    /// c, which keeps scores near 0, where the preference alone leaves them free (arXiv:2312.09244);
    /// default 0, and 0.01 is usual. TRL's `center_rewards_coefficient`.
    pub centring: f64,
}

impl BradleyTerry {
    /// The loss of one pair and its derivatives; `margin` is in units of score.
    pub fn evaluate(self, chosen: f64, rejected: f64, margin: f64) -> PairTerm {
        let (value, slope) = negative_log_sigmoid(difference(difference(chosen, rejected), margin));
        if self.centring == 0.0 {
            return PairTerm {
                value,
                by_chosen: slope,
                by_rejected: -slope,
            };
        }
        let sum = difference(chosen, -rejected);
        // In this order, 0 stays 0 whatever the coefficient.
        let pull = (2.0 * sum) * self.centring;
        let bound = |x: f64| x.clamp(-f64::MAX, f64::MAX);
        PairTerm {
            value: bound(value + self.centring * (sum * sum)),
            by_chosen: bound(slope + pull),
            by_rejected: bound(pull - slope),
        }
    }
}
