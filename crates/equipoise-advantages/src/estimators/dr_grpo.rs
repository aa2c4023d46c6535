//! The reward less the group's mean, and nothing else.

use crate::centre::Centred;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Dr. GRPO (arXiv:2503.20783), in which a group's rewards are centred but not standardised.
///
/// ```text
/// A_i = R_i − μ      μ the mean reward of the group's scorable responses
/// ```
///
/// Dividing by the standard deviation, as GRPO does, gives prompts that are nearly always or nearly
/// never solved a larger weight than the others; leaving it out removes that bias.
///
/// ```
/// use equipoise_advantages::{AdvantageEstimator, Group, estimators::DrGrpo};
///
/// let rewards = [Some(1.0), Some(0.0), Some(0.0), Some(0.0)];
/// let group = Group::new(&rewards, &[5; 4])?;
/// assert_eq!(DrGrpo.estimate(&[group])?.values, [0.75, -0.25, -0.25, -0.25]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DrGrpo;

impl DrGrpo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "dr_grpo",
        formula: "R − μ",
        options: &["clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2503.20783",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for DrGrpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let values = Centred::new(groups).in_rewards(groups, |_, _| 1.0);
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let rewards = [Some(1.0), None, Some(0.5), Some(0.0), Some(0.0)];
        let group = Group::new(&rewards, &[1; 5]).unwrap();
        // The mean of the four that could be judged is 3/8.
        assert_eq!(
            DrGrpo.estimate(&[group]).unwrap().values,
            [0.625, 0.0, 0.125, -0.375, -0.375]
        );
    }
}
