//! What trainers report of a batch of pairs: implicit rewards, their margins and accuracy.

use super::{Error, PairStats, Score, SequenceStats};
use crate::sum::sum;

/// Means over a batch of the implicit rewards β s of its completions.
///
/// ```
/// use equipoise_objectives::preference::{PairStats, RewardMetrics, Score};
///
/// let right = PairStats::new((&[-1.0], Some(&[-2.0])), (&[-3.0], Some(&[-2.0])))?;
/// let tied = PairStats::new((&[-2.0], Some(&[-2.0])), (&[-2.0], Some(&[-2.0])))?;
/// let metrics = RewardMetrics::of(&[right, tied], &Score::default(), 0.5)?;
/// assert_eq!((metrics.chosen, metrics.rejected, metrics.margin), (0.25, -0.25, 0.5));
/// assert_eq!(metrics.accuracy, 0.5);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RewardMetrics {
    /// The mean reward of the chosen completions.
    pub chosen: f64,
    /// The mean reward of the rejected completions.
    pub rejected: f64,
    /// The mean difference of the two.
    pub margin: f64,
    /// The share of pairs whose chosen completion has the greater reward; ties count as wrong, as
    /// in TRL.
    pub accuracy: f64,
}

impl RewardMetrics {
    /// The metrics of a batch; zeros for an empty one. The rewards are β times plain log-ratios with
    /// [`Score::default`], which is what TRL reports for every loss of its DPO trainer.
    ///
    /// # Errors
    /// [`Error::MissingReference`].
    pub fn of(pairs: &[PairStats], score: &Score, beta: f64) -> Result<Self, Error> {
        for pair in pairs {
            score.evaluate(&pair.chosen)?;
            score.evaluate(&pair.rejected)?;
        }
        let reward = |stats: &SequenceStats| {
            score
                .evaluate(stats)
                .map_or(f64::NAN, |(value, _)| beta * value)
        };
        let mean =
            |of: &dyn Fn(&PairStats) -> f64| sum(pairs.iter().map(of)) / pairs.len().max(1) as f64;
        Ok(Self {
            chosen: mean(&|pair| reward(&pair.chosen)),
            rejected: mean(&|pair| reward(&pair.rejected)),
            margin: mean(&|pair| reward(&pair.chosen) - reward(&pair.rejected)),
            accuracy: mean(&|pair| {
                f64::from(u8::from(reward(&pair.chosen) > reward(&pair.rejected)))
            }),
        })
    }
}
