//! Pair weights: what a pair's loss is multiplied by.

use super::core::PairTerm;
use super::{PairStats, log_sigmoid, sigmoid};
use crate::numeric::exp_cut;
use crate::sum::sum;

/// The focal weight of φ-DPO (arXiv:2602.22601, from second-hand notes of its formula): pairs that
/// are already ranked well weigh less.
///
/// ```text
/// p = σ(β (s_w − s_l)),   w = (1 − p)^γ
/// attached:   d(w ℓ)/dx = w dℓ/dx − γ p w ℓ      x = β (s_w − s_l)
/// detached:   d(w ℓ)/dx = w dℓ/dx
/// ```
///
/// With ℓ = −ln p this is the focal loss, and its derivative −(1 − p)^γ ((1 − p) − γ p ln p). γ = 0
/// is the unweighted loss, bit for bit. As γ grows the whole gradient vanishes; `renormalise` divides
/// the weights by their mean over the batch, taken as a constant.
///
/// ```
/// use equipoise_objectives::preference::Focal;
///
/// let focal = Focal { beta: 1.0, ..Focal::default() };
/// assert_eq!(focal.weight(0.0), 0.25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Focal {
    /// γ, at least 0; 2 by default.
    pub gamma: f64,
    /// β of the probability p, that of the core; 0.1 by default.
    pub beta: f64,
    /// Whether the weight is a constant to the derivative; `false` by default (the true focal loss).
    pub detach: bool,
    /// Whether the weights are divided by their mean; `false` by default.
    pub renormalise: bool,
}

impl Default for Focal {
    fn default() -> Self {
        Self {
            gamma: 2.0,
            beta: 0.1,
            detach: false,
            renormalise: false,
        }
    }
}

impl Focal {
    /// ln w at a difference of scores.
    fn log_weight(&self, difference: f64) -> f64 {
        self.gamma * log_sigmoid(-(self.beta * difference))
    }

    /// The weight w of a pair whose scores differ by `difference`, before any renormalisation.
    #[must_use]
    pub fn weight(&self, difference: f64) -> f64 {
        self.log_weight(difference).exp()
    }

    /// ln of the mean weight of the batch, in a form that does not underflow; 0 for no pairs and
    /// without `renormalise`.
    pub(super) fn log_mean(&self, differences: impl Iterator<Item = f64> + Clone) -> f64 {
        let count = differences.clone().count();
        if !self.renormalise || count == 0 {
            return 0.0;
        }
        let logs = differences.map(|difference| self.log_weight(difference));
        let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
        let total = sum(logs.map(|log| (log - largest).exp()));
        largest + (total / count as f64).ln()
    }

    /// Multiplies a term by the weight; returns the weight too.
    pub(super) fn apply(&self, difference: f64, log_mean: f64, term: PairTerm) -> (PairTerm, f64) {
        let weight = (self.log_weight(difference) - log_mean).exp();
        let by_difference = if self.detach {
            0.0
        } else {
            -self.gamma * sigmoid(self.beta * difference) * weight * self.beta
        };
        let weighted = PairTerm {
            loss: weight * term.loss,
            chosen: weight * term.chosen + by_difference * term.loss,
            rejected: weight * term.rejected - by_difference * term.loss,
        };
        (weighted, weight)
    }
}

/// The weights of the pairs of a batch: one factor after another, none by default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PairWeight {
    /// WPO's weight (arXiv:2406.11827, Eq. 2), a constant to the derivative:
    ///
    /// ```text
    /// w = exp(alignment of the chosen) · exp(alignment of the rejected)
    /// ```
    ///
    /// with [`SequenceStats::alignment`](super::SequenceStats::alignment). Pairs that the policy
    /// would write itself weigh more. The exponent is cut off at 80.
    pub wpo: bool,
    /// The focal weight.
    pub focal: Option<Focal>,
}

impl PairWeight {
    /// WPO's weight of a pair, 1 without it.
    ///
    /// ```
    /// use equipoise_objectives::preference::{PairStats, PairWeight};
    ///
    /// let pair = PairStats::new((&[-1.0, -3.0], None), (&[-1.0], None))?;
    /// let weight = PairWeight { wpo: true, focal: None };
    /// assert_eq!(weight.constant(&pair), (-3.0_f64).exp());
    /// # Ok::<(), equipoise_objectives::preference::Error>(())
    /// ```
    #[must_use]
    pub fn constant(&self, pair: &PairStats) -> f64 {
        if self.wpo {
            exp_cut(pair.chosen.alignment + pair.rejected.alignment).0
        } else {
            1.0
        }
    }
}
