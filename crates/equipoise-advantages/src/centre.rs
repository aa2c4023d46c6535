//! Rewards less the mean of their group, the step that all group estimators share.

use crate::Group;
use crate::sum::{bounded, largest, sum};

/// How far a reward may lie from its group's mean and still count as equal to it: this many times the
/// largest absolute reward of the group, or this number itself if no reward exceeds 1.
///
/// Rewards that are equal on paper can differ in floating point by a few units in the last place:
/// `0.1 + 0.2` is not `0.3`. Dividing such a difference by a standard deviation of the same size would
/// make advantages of ±1 out of nothing, and even undivided it has a sign, which an aggregation rule
/// that splits by sign would take at its word. So a deviation within the tolerance is exactly 0.
pub const TIE_TOLERANCE: f64 = 1e-9;

/// Beyond this size, rewards are divided by the largest of them, so that no square overflows.
pub(crate) const LARGE: f64 = 1e100;

/// The square of a smaller number is no longer a normal number. Below the tolerance unless rewards
/// had to be scaled.
const SQUARE_ROOT_OF_NOTHING: f64 = 1e-150;

/// The deviations of a batch's rewards from the means of their groups.
pub(crate) struct Centred {
    /// In units of [`unit`](Self::unit), group after group; 0 for responses that are unscorable, and
    /// for ties.
    pub(crate) deviations: Vec<f64>,
    /// 1, unless rewards are so large that they have to be scaled.
    pub(crate) unit: f64,
}

impl Centred {
    /// The deviations from the means of the groups.
    pub(crate) fn new(groups: &[Group<'_>]) -> Self {
        Self::about(groups, |group, unit| {
            let count = group.scorable().count() as f64;
            sum(group.scorable().map(|reward| reward / unit)) / count
        })
    }

    /// The deviations from another baseline of each group, a function of the group and the unit, in
    /// that unit. A baseline that is not a number leaves no deviation.
    pub(crate) fn about(
        groups: &[Group<'_>],
        mut baseline: impl FnMut(&Group<'_>, f64) -> f64,
    ) -> Self {
        let unit = match largest(groups.iter().flat_map(Group::scorable)) {
            size if size > LARGE => size,
            _ => 1.0,
        };
        let mut deviations = Vec::with_capacity(groups.iter().map(Group::len).sum());
        for group in groups {
            let baseline = baseline(group, unit);
            let tolerance = TIE_TOLERANCE * largest(group.scorable()).max(1.0) / unit;
            let tolerance = tolerance.max(SQUARE_ROOT_OF_NOTHING);
            deviations.extend(group.rewards().map(|reward| match reward {
                Some(reward) => match bounded(reward / unit - baseline) {
                    deviation if deviation.abs() > tolerance => deviation,
                    _ => 0.0,
                },
                None => 0.0,
            }));
        }
        Self { deviations, unit }
    }

    /// The deviations times a factor per group, in units of reward.
    pub(crate) fn in_rewards(
        self,
        groups: &[Group<'_>],
        factor: impl FnMut(&Group<'_>, &[f64]) -> f64,
    ) -> Vec<f64> {
        let unit = self.unit;
        let mut values = self.scaled(groups, factor);
        for value in &mut values {
            *value = bounded(*value * unit);
        }
        values
    }

    /// The deviations times a factor per group, a function of the group and its deviations, that is
    /// asked for only if one of the deviations is not 0.
    pub(crate) fn scaled(
        self,
        groups: &[Group<'_>],
        mut factor: impl FnMut(&Group<'_>, &[f64]) -> f64,
    ) -> Vec<f64> {
        let mut values = self.deviations;
        let mut start = 0;
        for group in groups {
            let of_group = &mut values[start..start + group.len()];
            start += group.len();
            if of_group.iter().any(|value| *value != 0.0) {
                let factor = factor(group, of_group);
                for value in of_group {
                    *value *= factor;
                }
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deviations(rewards: &[f64]) -> Vec<f64> {
        let rewards: Vec<Option<f64>> = rewards.iter().copied().map(Some).collect();
        let lengths = vec![1; rewards.len()];
        Centred::new(&[Group::new(&rewards, &lengths).unwrap()]).deviations
    }

    #[test]
    fn rounding_is_no_deviation() {
        assert_ne!(0.1 + 0.2, 0.3);
        assert_eq!(deviations(&[0.1 + 0.2, 0.3, 0.3]), [0.0; 3]);
        assert_eq!(deviations(&[0.1 + 0.2 - 0.3, 0.0]), [0.0; 2]);
        assert_eq!(deviations(&[1e15, 1e15 + 1.0]), [0.0; 2]);
        // The mean of 0.1, 0.2 and 0.3 is not 0.2 in floating point.
        assert_ne!((0.1 + 0.2 + 0.3) / 3.0, 0.2);
        assert_eq!(deviations(&[0.1, 0.2, 0.3])[1], 0.0);
    }

    #[test]
    fn small_differences_are_kept() {
        assert_eq!(deviations(&[0.0, 4e-9]), [-2e-9, 2e-9]);
        assert_eq!(deviations(&[1e6, 1e6 + 0.5]), [-0.25, 0.25]);
    }
}
