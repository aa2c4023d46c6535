//! The centred reward, whitened over the tokens of the batch.

use crate::centre::Centred;
use crate::estimators::{Correction, Normalisation};
use crate::moments::normalise;
use crate::tokens::rows;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// REINFORCE++-baseline (arXiv:2501.03262).
///
/// ```text
/// a_i = R_i − μ,      A_i = (a_i − m) / √(v + 1e-8)
/// ```
///
/// with m and v the mean and the variance of a over all trained tokens of the batch, so that a response counts
/// as often as it has tokens. Peers: verl uses the sample variance, OpenRLHF's reinforce_baseline that of the
/// population; verl gives the only response of a group its raw reward as a_i, here it has 0. Advantages of a
/// group do not add up to 0, because m is not 0 unless lengths are equal. If all a of the batch are equal, all
/// advantages are 0.
///
/// ```
/// use equipoise_advantages::estimators::ReinforcePlusPlusBaseline;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(1.0)], &[1; 2])?;
/// let values = ReinforcePlusPlusBaseline::default().estimate(&[group])?.values;
/// assert_eq!(values, [0.0, 0.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReinforcePlusPlusBaseline {
    /// Which variance; default sample.
    pub correction: Correction,
}

impl Default for ReinforcePlusPlusBaseline {
    fn default() -> Self {
        Self {
            correction: Correction::Sample,
        }
    }
}

impl ReinforcePlusPlusBaseline {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "reinforce_plus_plus_baseline",
        formula: "(R − μ), whitened over tokens",
        options: &["correction", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2501.03262",
        build: |options| {
            let correction = options.correction.unwrap_or(Correction::Sample);
            Ok(Box::new(Self { correction }))
        },
    };
}

impl AdvantageEstimator for ReinforcePlusPlusBaseline {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let mut values = Centred::new(groups).in_rewards(groups, |_, _| 1.0);
        normalise(
            groups,
            &mut values,
            Normalisation::Tokens,
            self.correction,
            0.0,
        );
        // With nothing to compare it with, a reward says nothing, wherever the mean lies.
        for (value, row) in values.iter_mut().zip(rows(groups)) {
            if row.group.scorable().count() < 2 {
                *value = 0.0;
            }
        }
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3]).unwrap();
        let values = ReinforcePlusPlusBaseline {
            correction: Correction::Population,
        }
        .estimate(&[group])
        .unwrap()
        .values;
        let expected = [1.0, 0.0, -1.0];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
