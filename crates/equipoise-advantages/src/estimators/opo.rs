//! The reward less the length-weighted mean of the group.

use crate::centre::Centred;
use crate::sum::sum;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// On-policy with optimal baseline (OPO, arXiv:2505.23585).
///
/// ```text
/// A_i = R_i − Σ_j T_j R_j / Σ_j T_j      T_j the number of trained tokens of response j
/// ```
///
/// The baseline that minimises the variance of the gradient if the squared gradient of a response grows as its
/// length. Advantages of a group do not add up to 0; weighted by the lengths they do. Where no scorable
/// response has a trained token, the baseline is the plain mean. verl gives the only response of a group its
/// raw reward; here it has 0.
///
/// ```
/// use equipoise_advantages::estimators::Opo;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[3, 1])?;
/// let values = Opo.estimate(&[group])?.values;
/// assert_eq!(values, [0.25, -0.75]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default, Eq)]
pub struct Opo;

impl Opo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "opo",
        formula: "R − Σ T R / Σ T",
        options: &["clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2505.23585",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for Opo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let centred = Centred::about(groups, |group, unit| {
            let rows = || {
                let rewards = group.rewards().enumerate();
                rewards.filter_map(|(i, reward)| Some((group.trained(i) as f64, reward?)))
            };
            let tokens = sum(rows().map(|(length, _)| length));
            // Weights that add up to 1, so that no product overflows.
            let weight = |length: f64| match tokens > 0.0 {
                true => length / tokens,
                false => 1.0 / rows().count() as f64,
            };
            sum(rows().map(|(length, reward)| weight(length) * (reward / unit)))
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
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[3, 9, 1]).unwrap();
        let values = Opo.estimate(&[group]).unwrap().values;
        let expected = [0.25, 0.0, -0.75];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
