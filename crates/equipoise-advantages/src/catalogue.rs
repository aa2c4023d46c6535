//! Estimators by name, for recipes.

use crate::estimators::{Correction, DrGrpo, Grpo, Rloo, StandardDeviation};
use crate::{AdvantageEstimator, Error};

/// Every estimator that has a name. A new estimator is a file in `estimators` and a line here.
pub const CATALOGUE: &[Entry] = &[Grpo::ENTRY, DrGrpo::ENTRY, Rloo::ENTRY];

/// An estimator's place in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in recipes and logs.
    pub name: &'static str,
    /// The advantage, for people to read: R reward, μ and σ mean and standard deviation.
    pub formula: &'static str,
    /// The names of the [`Options`] that have an effect on it.
    pub options: &'static [&'static str],
    /// Builds the estimator. Use [`by_name`], which also refuses options without effect.
    pub build: fn(&Options) -> Result<Box<dyn AdvantageEstimator>, Error>,
}

/// What a recipe may say about an estimator beside its name; `None` is the estimator's own default.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Options {
    /// Whose standard deviation `grpo` divides by; default group.
    pub std: Option<StandardDeviation>,
    /// Which standard deviation that is; default sample.
    pub correction: Option<Correction>,
    /// What `grpo` adds to it, in units of reward; default 1e-6.
    pub epsilon: Option<f64>,
}

impl Options {
    /// The names of the options that are given.
    fn given(&self) -> impl Iterator<Item = &'static str> {
        [
            self.std.map(|_| "std"),
            self.correction.map(|_| "correction"),
            self.epsilon.map(|_| "epsilon"),
        ]
        .into_iter()
        .flatten()
    }
}

/// The estimator with the given name.
///
/// # Errors
/// [`Error::UnknownEstimator`], which lists the names there are; [`Error::OptionWithoutEffect`] for an
/// option that the estimator does not have, or that another option makes void; and
/// [`Error::InvalidOption`] for a value outside its range.
pub fn by_name(name: &str, options: &Options) -> Result<Box<dyn AdvantageEstimator>, Error> {
    let entry = CATALOGUE
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| Error::UnknownEstimator {
            name: name.to_owned(),
            known: CATALOGUE.iter().map(|entry| entry.name).collect(),
        })?;
    let without_effect = options
        .given()
        .find(|option| !entry.options.contains(option));
    match without_effect {
        Some(option) => Err(Error::OptionWithoutEffect {
            estimator: entry.name,
            option,
            accepted: entry.options,
        }),
        None => (entry.build)(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Group;

    #[test]
    fn every_name_builds_the_estimator_of_that_name() {
        for entry in CATALOGUE {
            let estimator = by_name(entry.name, &Options::default()).unwrap();
            assert_eq!(estimator.name(), entry.name);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = by_name("gae", &Options::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown advantage estimator `gae`; the estimators are `grpo`, `dr_grpo`, `rloo`"
        );
    }

    #[test]
    fn options_reach_the_estimator() {
        let options = Options {
            std: Some(StandardDeviation::Batch),
            correction: Some(Correction::Population),
            epsilon: Some(1.0),
        };
        let group = Group::new(&[Some(1.0), Some(-1.0)], &[1; 2]).unwrap();
        let estimator = by_name("grpo", &options).unwrap();
        assert_eq!(estimator.estimate(&[group]).values, [0.5, -0.5]);
    }

    #[test]
    fn options_without_effect_are_refused() {
        let epsilon = Options {
            epsilon: Some(0.1),
            ..Options::default()
        };
        assert_eq!(
            by_name("rloo", &epsilon).unwrap_err().to_string(),
            "option `epsilon` has no effect on advantage estimator `rloo`, \
             which has no options; remove it"
        );
        let void = Options {
            std: Some(StandardDeviation::None),
            ..epsilon
        };
        assert_eq!(
            by_name("grpo", &void).unwrap_err().to_string(),
            "option `epsilon` has no effect on advantage estimator `grpo with std = none`; \
             its options are `std`"
        );
        let plain = Options {
            std: Some(StandardDeviation::None),
            ..Options::default()
        };
        assert!(by_name("grpo", &plain).is_ok());
    }

    #[test]
    fn epsilon_has_a_range() {
        for epsilon in [-1e-9, f64::NAN, f64::INFINITY] {
            let options = Options {
                epsilon: Some(epsilon),
                ..Options::default()
            };
            assert!(matches!(
                by_name("grpo", &options),
                Err(Error::InvalidOption {
                    option: "epsilon",
                    ..
                })
            ));
        }
    }
}
