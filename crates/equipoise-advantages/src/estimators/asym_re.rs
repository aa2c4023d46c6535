//! The reward less a shifted mean.

use crate::centre::Centred;
use crate::options::number;
use crate::sum::bounded;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Asymmetric REINFORCE (AsymRE, arXiv:2506.20520).
///
/// ```text
/// A_i = R_i − (μ + δV)      δV = −0.1
/// ```
///
/// A baseline below the mean stresses good responses, which keeps training stable on data of an older policy.
/// A group whose rewards are all equal has advantages of −δV; the only scorable response of a group has 0.
///
/// ```
/// use equipoise_advantages::estimators::AsymRe;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?;
/// let values = AsymRe { delta: -0.25 }.estimate(&[group])?.values;
/// assert_eq!(values, [0.75, -0.25]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AsymRe {
    /// δV, in units of reward; default −0.1.
    pub delta: f64,
}

impl Default for AsymRe {
    fn default() -> Self {
        Self { delta: -0.1 }
    }
}

impl AsymRe {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "asym_re",
        formula: "R − (μ + δV)",
        options: &["delta", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2506.20520; Trinity-RFT 0.6.0, advantage_fn",
        build: |options| {
            let delta = options.delta.unwrap_or(-0.1);
            let delta = number("asym_re", "delta", delta, "a finite number", true)?;
            Ok(Box::new(Self { delta }))
        },
    };
}

impl AdvantageEstimator for AsymRe {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let mut values = Centred::new(groups).in_rewards(groups, |_, _| 1.0);
        let mut rest = &mut values[..];
        for group in groups {
            let (of_group, tail) = rest.split_at_mut(group.len());
            rest = tail;
            if group.scorable().count() < 2 {
                continue;
            }
            for (value, reward) in of_group.iter_mut().zip(group.rewards()) {
                if reward.is_some() {
                    *value = bounded(*value - self.delta);
                }
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
        let values = AsymRe::default().estimate(&[group]).unwrap().values;
        let expected = [0.6, 0.0, -0.4];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
