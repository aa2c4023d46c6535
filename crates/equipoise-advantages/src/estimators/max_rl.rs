//! The centred reward over the mean.

use crate::centre::Centred;
use crate::options::not_negative;
use crate::sum::sum;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Maximum-likelihood reinforcement learning (MaxRL, arXiv:2602.02710).
///
/// ```text
/// A_i = (R_i − μ) / (μ + ε)      0 if μ = 0
/// ```
///
/// For rewards of 0 and 1, dividing by the success rate makes the gradient that of the log-likelihood of
/// success. Rewards must not be negative. SkyRL calls it maxrl, prime-rl max_rl.
///
/// ```
/// use equipoise_advantages::estimators::MaxRl;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?;
/// let values = MaxRl { epsilon: 0.0 }.estimate(&[group])?.values;
/// assert_eq!(values, [1.0, -1.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxRl {
    /// ε, in units of reward, at least 0; default 1e-6.
    pub epsilon: f64,
}

impl Default for MaxRl {
    fn default() -> Self {
        Self { epsilon: 1e-6 }
    }
}

impl MaxRl {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "max_rl",
        formula: "(R − μ) / (μ + ε)",
        options: &["epsilon", "clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2602.02710",
        build: |options| {
            let epsilon = options.epsilon.unwrap_or(1e-6);
            let epsilon = not_negative("max_rl", "epsilon", epsilon)?;
            Ok(Box::new(Self { epsilon }))
        },
    };
}

impl AdvantageEstimator for MaxRl {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        for (at, group) in groups.iter().enumerate() {
            if group.scorable().any(|reward| reward < 0.0) {
                return Err(Error::InvalidInput {
                    estimator: "max_rl",
                    group: at,
                    what: "a reward is negative; all must be at least 0",
                });
            }
        }
        let centred = Centred::new(groups);
        let unit = centred.unit;
        // A group with a deviation has a mean above 0.
        let values = centred.scaled(groups, |group, _| {
            let count = group.scorable().count() as f64;
            let mean = sum(group.scorable().map(|reward| reward / unit)) / count;
            1.0 / (mean + self.epsilon / unit)
        });
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3]).unwrap();
        let values = MaxRl { epsilon: 0.0 }.estimate(&[group]).unwrap().values;
        let expected = [1.0, 0.0, -1.0];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
