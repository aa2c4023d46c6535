//! The centred reward, scaled up by the share of rewards that are not 0.

use crate::centre::Centred;
use crate::options::positive;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Group policy gradient (GPG, arXiv:2504.02546), as verl computes it.
///
/// ```text
/// A_i = α (R_i − μ) / f_norm      α = B / #{R ≠ 0}, at least one of them; B scorable responses in the batch
/// ```
///
/// α compensates for responses that teach nothing. The paper leaves out the groups whose rewards are all
/// equal; verl counts the rewards that are not 0, and so does this. `divisor` is f_norm.
///
/// ```
/// use equipoise_advantages::estimators::Gpg;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?;
/// let values = Gpg::default().estimate(&[group])?.values;
/// assert_eq!(values, [1.0, -1.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gpg {
    /// f_norm, above 0; default 1.
    pub divisor: f64,
}

impl Default for Gpg {
    fn default() -> Self {
        Self { divisor: 1.0 }
    }
}

impl Gpg {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "gpg",
        formula: "B / #{R ≠ 0} · (R − μ) / f_norm",
        options: &["divisor", "clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2504.02546; verl 0.9.1, core_algos.py",
        build: |options| {
            let divisor = positive("gpg", "divisor", options.divisor.unwrap_or(1.0))?;
            Ok(Box::new(Self { divisor }))
        },
    };
}

impl AdvantageEstimator for Gpg {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let rewards = || groups.iter().flat_map(Group::scorable);
        let alive = rewards().filter(|reward| *reward != 0.0).count().max(1) as f64;
        let factor = rewards().count() as f64 / alive / self.divisor;
        let values = Centred::new(groups).in_rewards(groups, |_, _| factor);
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3]).unwrap();
        let values = Gpg::default().estimate(&[group]).unwrap().values;
        let expected = [1.0, 0.0, -1.0];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
