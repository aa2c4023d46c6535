//! The reward less the mean of the batch.

use crate::centre::Centred;
use crate::sum::sum;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// The baseline for one response per prompt: the mean of all scorable rewards of the batch.
///
/// ```text
/// A_i = R_i − mean of R over the batch
/// ```
///
/// OpenRLHF calls it flash_reinforce. Advantages of a group do not add up to 0; those of the batch do.
///
/// ```
/// use equipoise_advantages::estimators::BatchMean;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?;
/// let values = BatchMean.estimate(&[group])?.values;
/// assert_eq!(values, [0.5, -0.5]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default, Eq)]
pub struct BatchMean;

impl BatchMean {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "batch_mean",
        formula: "R − mean of the batch",
        options: &["clip"],
        level: Level::Response,
        zero_sum: false,
        source: "OpenRLHF 0.11.2, experience_maker.py (flash_reinforce)",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for BatchMean {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let count = groups.iter().flat_map(Group::scorable).count() as f64;
        let mut mean = None;
        let centred = Centred::about(groups, |_, unit| {
            *mean.get_or_insert_with(|| {
                sum(groups.iter().flat_map(Group::scorable).map(|r| r / unit)) / count
            })
        });
        let values = centred.in_rewards(groups, |_, _| 1.0);
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3]).unwrap();
        let values = BatchMean.estimate(&[group]).unwrap().values;
        let expected = [0.5, 0.0, -0.5];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
