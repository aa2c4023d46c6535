//! The reward less a value that is tracked per prompt.

use crate::centre::Centred;
use crate::estimators::{Correction, Normalisation};
use crate::moments::normalise;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// Single-stream policy optimisation (SPO, arXiv:2509.13232).
///
/// ```text
/// a_i = R_i − v̂,      A_i = (a_i − m) / (s + 1e-8)
/// ```
///
/// with v̂ the prior of the group and m, s over the responses of the batch (or its tokens, or not at all).
/// One response per prompt is enough. A trainer keeps a
/// [`ValueTracker`](crate::estimators::ValueTracker) per prompt, gives its estimate to
/// [`Group::with_prior`] *before* the step, and updates it with the rewards after it, so that the baseline
/// does not depend on the rewards it is compared with. Advantages of a group do not add up to 0.
///
/// ```
/// use equipoise_advantages::estimators::{Normalisation, Spo};
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?.with_prior(0.75);
/// let plain = Spo { normalise: Normalisation::None, ..Spo::default() };
/// let values = plain.estimate(&[group])?.values;
/// assert_eq!(values, [0.25, -0.75]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spo {
    /// What the differences are normalised over; default batch.
    pub normalise: Normalisation,
    /// Which deviation that uses; default sample.
    pub correction: Correction,
}

impl Default for Spo {
    fn default() -> Self {
        Self {
            normalise: Normalisation::Batch,
            correction: Correction::Sample,
        }
    }
}

impl Spo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "spo",
        formula: "R − v̂, normalised over the batch",
        options: &["normalise", "correction", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2509.13232",
        build: |options| {
            let normalise = options.normalise.unwrap_or(Normalisation::Batch);
            if normalise == Normalisation::None && options.correction.is_some() {
                return Err(Error::OptionWithoutEffect {
                    estimator: "spo with normalise = none",
                    option: "correction",
                    accepted: &["normalise", "clip"],
                });
            }
            let correction = options.correction.unwrap_or(Correction::Sample);
            Ok(Box::new(Self {
                normalise,
                correction,
            }))
        },
    };
}

impl AdvantageEstimator for Spo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            prior: true,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("spo", groups)?;
        for (at, group) in groups.iter().enumerate() {
            if !group.prior.is_some_and(f64::is_finite) {
                return Err(Error::InvalidInput {
                    estimator: "spo",
                    group: at,
                    what: "the prior is not finite; it must be a number in units of reward",
                });
            }
        }
        let centred = Centred::about(groups, |group, unit| {
            group.prior.map_or(f64::NAN, |prior| prior / unit)
        });
        let mut values = centred.in_rewards(groups, |_, _| 1.0);
        normalise(groups, &mut values, self.normalise, self.correction, 1e-8);
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3])
            .unwrap()
            .with_prior(0.75);
        let values = Spo {
            normalise: Normalisation::None,
            ..Spo::default()
        }
        .estimate(&[group])
        .unwrap()
        .values;
        let expected = [0.25, 0.0, -0.75];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
