//! The group-pairwise contrastive loss of DYPO.

use super::{Error, Length, SequenceStats, log_sigmoid, sigmoid};
use crate::sum::sum;

/// The group alignment loss (GAL) of DYPO (arXiv:2604.08926, Eq. 14 and 15): DPO over all pairs of a
/// prompt's own responses of which one has the greater reward.
///
/// ```text
/// d(s, f) = h_s − h_f
/// L = mean over {(s, f): R_s > R_f} of −ln σ(β d(s, f))
/// dL/dh_s gathers −β σ(−β d) / #pairs from every pair, dL/dh_f its opposite
/// ```
///
/// β = 1 in the paper. Sums of long responses saturate the logistic at once, so h may be a mean over
/// tokens instead (not in the paper). No pair: loss 0. A reward that is NaN makes no pair.
/// At π_θ = π_ref the gradient is parallel to GRPO's for binary rewards: half the difference of the
/// mean over successes and the mean over failures.
///
/// ```
/// use equipoise_objectives::preference::{GroupContrast, SequenceStats};
///
/// let stats = |h| SequenceStats::new(&[h], Some(&[0.0]), 1);
/// let group = [stats(0.4)?, stats(-0.2)?, stats(0.1)?, stats(-0.6)?];
/// let mut gradient = Vec::new();
/// let loss = GroupContrast::default().evaluate(&group, &[1.0, 1.0, 0.0, 0.0], &mut gradient)?;
/// assert!((loss - 0.558_746_857_2).abs() < 1e-10);
/// assert!((gradient[0] + 0.173_624_726_1).abs() < 1e-10);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupContrast {
    /// β, above 0; 1 by default.
    pub beta: f64,
    /// Whether h is a sum or a mean; the sum by default.
    pub length: Length,
}

impl Default for GroupContrast {
    fn default() -> Self {
        Self {
            beta: 1.0,
            length: Length::Sum,
        }
    }
}

impl GroupContrast {
    /// The loss of one prompt's responses, and its derivative by each log-probability of each
    /// response (the same for all tokens of one). `gradient` is overwritten.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if there is not one reward per response, and
    /// [`Error::MissingReference`].
    pub fn evaluate(
        &self,
        group: &[SequenceStats],
        rewards: &[f64],
        gradient: &mut Vec<f64>,
    ) -> Result<f64, Error> {
        if rewards.len() != group.len() {
            return Err(Error::LengthMismatch {
                what: "rewards",
                expected: group.len(),
                found: rewards.len(),
            });
        }
        gradient.clear();
        gradient.resize(group.len(), 0.0);
        for stats in group {
            stats.log_ratio()?;
        }
        let tokens = |i: usize| match self.length {
            Length::Sum => 1.0,
            Length::TokenMean => group[i].tokens.max(1) as f64,
        };
        let score = |i: usize| group[i].log_ratio().map_or(f64::NAN, |h| h / tokens(i));
        let pairs = || {
            (0..group.len())
                .flat_map(|s| (0..group.len()).map(move |f| (s, f)))
                .filter(|(s, f)| rewards[*s] > rewards[*f])
        };
        let count = pairs().count().max(1) as f64;
        for (s, f) in pairs() {
            let slope = -self.beta * sigmoid(-(self.beta * (score(s) - score(f)))) / count;
            gradient[s] += slope / tokens(s);
            gradient[f] -= slope / tokens(f);
        }
        let losses = pairs().map(|(s, f)| -log_sigmoid(self.beta * (score(s) - score(f))));
        Ok(sum(losses) / count)
    }
}
