//! The reward less the mean of the others' rewards.

use crate::centre::Centred;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// REINFORCE leave-one-out (arXiv:2402.14740).
///
/// ```text
/// A_i = R_i − (Σ_{j≠i} R_j) / (n − 1)  =  n / (n − 1) · (R_i − μ)
/// ```
///
/// with n the number of the group's scorable responses and μ their mean. A response's baseline does
/// not contain its own reward, which makes the gradient unbiased.
///
/// ```
/// use equipoise_advantages::{AdvantageEstimator, Group, estimators::Rloo};
///
/// let rewards = [Some(1.0), Some(0.5), Some(0.0)];
/// let group = Group::new(&rewards, &[5; 3])?;
/// // 1 − (0.5 + 0)/2, 0.5 − (1 + 0)/2, 0 − (1 + 0.5)/2.
/// assert_eq!(Rloo.estimate(&[group])?.values, [0.75, 0.0, -0.75]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rloo;

impl Rloo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "rloo",
        formula: "R_i − mean of R_j over j ≠ i",
        options: &["clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2402.14740",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for Rloo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let values = Centred::new(groups).in_rewards(groups, |group, _| {
            // A group with a deviation has at least two scorable responses.
            let count = group.scorable().count() as f64;
            count / (count - 1.0)
        });
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let rewards = [Some(1.0), Some(0.5), None, Some(0.0)];
        let group = Group::new(&rewards, &[1; 4]).unwrap();
        // 1 − (0.5 + 0)/2, 0.5 − (1 + 0)/2, 0 − (1 + 0.5)/2.
        assert_eq!(
            Rloo.estimate(&[group]).unwrap().values,
            [0.75, 0.0, 0.0, -0.75]
        );
    }
}
