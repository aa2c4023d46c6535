//! Estimators by name, for recipes.

use crate::clip::Clipped;
use crate::estimators::{
    AsymRe, BatchMean, DrGrpo, External, Gae, Gdpo, Gpg, Grpo, MaxRl, Opmd, Opo, Otb, PassK,
    PassKBest, ReinforcePlusPlus, ReinforcePlusPlusBaseline, Remax, Rloo, Spo, Vapo,
};
use crate::options::positive;
use crate::{AdvantageEstimator, Error, Options, resolve};

/// Every estimator that has a name. A new estimator is a file in `estimators` and a line here.
pub const CATALOGUE: &[Entry] = &[
    Grpo::ENTRY,
    DrGrpo::ENTRY,
    Rloo::ENTRY,
    ReinforcePlusPlus::ENTRY,
    ReinforcePlusPlusBaseline::ENTRY,
    Remax::ENTRY,
    Gae::ENTRY,
    Vapo::ENTRY,
    Opo::ENTRY,
    Gpg::ENTRY,
    MaxRl::ENTRY,
    Gdpo::ENTRY,
    PassKBest::ENTRY,
    PassK::ENTRY,
    BatchMean::ENTRY,
    External::ENTRY,
    Otb::ENTRY,
    Spo::ENTRY,
    AsymRe::ENTRY,
    Opmd::ENTRY,
];

/// An estimator's place in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in recipes and logs.
    pub name: &'static str,
    /// The advantage, for people to read: R reward, μ and σ mean and standard deviation.
    pub formula: &'static str,
    /// The names of the [`Options`] that have an effect on it.
    pub options: &'static [&'static str],
    /// Whether advantages of one response can differ from token to token.
    pub level: Level,
    /// Whether the advantages of every group add up to 0, with all defaults.
    pub zero_sum: bool,
    /// Where the formula is from.
    pub source: &'static str,
    /// Builds the estimator. Use [`by_name`], which also refuses options without effect.
    pub build: fn(&Options) -> Result<Box<dyn AdvantageEstimator>, Error>,
}

/// What has an advantage of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every response: all its tokens have the same.
    Response,
    /// Every token: [`Advantages::tokens`](crate::Advantages::tokens) is given.
    Token,
}

/// The estimator with the given name, or that the given [alias](crate::ALIASES) stands for.
///
/// # Errors
/// Those of [`resolve`]; [`Error::OptionWithoutEffect`] for an
/// option that the estimator does not have, or that another option makes void; and
/// [`Error::InvalidOption`] for a value outside its range.
///
/// ```
/// use equipoise_advantages::{Options, by_name};
///
/// assert_eq!(by_name("rloo", &Options::default())?.name(), "rloo");
/// // GAE needs a value for every token.
/// assert!(by_name("gae", &Options::default())?.needs().values);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
pub fn by_name(name: &str, options: &Options) -> Result<Box<dyn AdvantageEstimator>, Error> {
    let (entry, _) = resolve(name)?;
    let without_effect = options
        .given()
        .find(|option| !entry.options.contains(option));
    match without_effect {
        Some(option) => Err(Error::OptionWithoutEffect {
            estimator: entry.name,
            option,
            accepted: entry.options,
        }),
        None => {
            let estimator = (entry.build)(options)?;
            match options.clip {
                Some(bound) => {
                    let bound = positive(entry.name, "clip", bound)?;
                    Ok(Box::new(Clipped::new(estimator, bound)))
                }
                None => Ok(estimator),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Group;
    use crate::estimators::{Correction, StandardDeviation};

    #[test]
    fn every_name_builds_the_estimator_of_that_name() {
        for entry in CATALOGUE {
            let estimator = by_name(entry.name, &Options::default()).unwrap();
            assert_eq!(estimator.name(), entry.name);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = by_name("gea", &Options::default()).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("unknown advantage estimator `gea`; the estimators are `grpo`, "),
            "{error}"
        );
    }

    #[test]
    fn options_reach_the_estimator() {
        let options = Options {
            std: Some(StandardDeviation::Batch),
            correction: Some(Correction::Population),
            epsilon: Some(1.0),
            ..Options::default()
        };
        let group = Group::new(&[Some(1.0), Some(-1.0)], &[1; 2]).unwrap();
        let estimator = by_name("grpo", &options).unwrap();
        assert_eq!(estimator.estimate(&[group]).unwrap().values, [0.5, -0.5]);
    }

    #[test]
    fn options_without_effect_are_refused() {
        let epsilon = Options {
            epsilon: Some(0.1),
            ..Options::default()
        };
        assert_eq!(
            by_name("rloo", &epsilon).unwrap_err().to_string(),
            "option `epsilon` has no effect on advantage estimator `rloo`; \
             its options are `clip`"
        );
        let void = Options {
            std: Some(StandardDeviation::None),
            ..epsilon
        };
        assert_eq!(
            by_name("grpo", &void).unwrap_err().to_string(),
            "option `epsilon` has no effect on advantage estimator `grpo with std = none`; \
             its options are `std`, `baseline`, `clip`"
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

    #[test]
    fn clip_bounds_every_estimator() {
        let options = Options {
            clip: Some(0.5),
            ..Options::default()
        };
        let group = Group::new(&[Some(1.0), Some(-2.0)], &[1; 2]).unwrap();
        let estimator = by_name("dr_grpo", &options).unwrap();
        assert_eq!(estimator.name(), "dr_grpo");
        assert_eq!(estimator.estimate(&[group]).unwrap().values, [0.5, -0.5]);
        assert!(
            CATALOGUE
                .iter()
                .all(|entry| entry.options.contains(&"clip"))
        );
    }
}
