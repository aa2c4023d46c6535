//! Policy objectives by name, for recipes.

use crate::policy::{
    Aipo, BandPo, Cispo, ClipCov, DppoKl, DppoTv, Dro, Gmpo, Gspo, GspoToken, KlCov,
    PolicyGradient, PpoClip, Sapo, ShapedOffPolicy, Topr, Vespo,
};
use crate::{Error, Options, PolicyObjective, resolve};

/// Every policy objective that has a name. A new objective is a file in `policy` and a line here.
pub const CATALOGUE: &[Entry] = &[
    PpoClip::ENTRY,
    PolicyGradient::ENTRY,
    Gspo::ENTRY,
    GspoToken::ENTRY,
    Gmpo::ENTRY,
    Cispo::ENTRY,
    Sapo::ENTRY,
    Vespo::ENTRY,
    DppoTv::ENTRY,
    DppoKl::ENTRY,
    Aipo::ENTRY,
    Topr::ENTRY,
    ClipCov::ENTRY,
    KlCov::ENTRY,
    Dro::ENTRY,
    ShapedOffPolicy::ENTRY,
    BandPo::TOTAL_VARIATION,
    BandPo::CHI_SQUARED,
    BandPo::KL,
];

/// An objective's place in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in recipes and logs.
    pub name: &'static str,
    /// The loss of one token, for people to read: A advantage, r importance ratio.
    pub formula: &'static str,
    /// The names of the [`Options`] that have an effect on it.
    pub options: &'static [&'static str],
    /// Builds the objective. Use [`by_name`], which also refuses options without effect.
    pub build: fn(&Options) -> Result<Box<dyn PolicyObjective>, Error>,
}

/// The objective with the given name, or what the given [alias](crate::ALIASES) stands for.
///
/// # Errors
/// [`Error::UnknownObjective`], which lists the names there are; [`Error::OptionWithoutEffect`] for an
/// option that the objective does not have; and [`Error::InvalidOption`] for a value outside its
/// range.
///
/// ```
/// use equipoise_objectives::{Options, by_name};
///
/// let options = Options { dual_clip: Some(3.0), ..Options::default() };
/// assert_eq!(by_name("ppo_clip", &options)?.name(), "ppo_clip");
/// // The policy gradient has no ratio to be capped.
/// assert!(by_name("policy_gradient", &options).is_err());
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn by_name(name: &str, options: &Options) -> Result<Box<dyn PolicyObjective>, Error> {
    let (entry, _) = resolve(name)?;
    let without_effect = options
        .given()
        .find(|option| !entry.options.contains(option));
    match without_effect {
        Some(option) => Err(Error::OptionWithoutEffect {
            objective: entry.name,
            option,
            accepted: entry.options,
        }),
        None => (entry.build)(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clip, TokenLoss, TokenTerms};

    #[test]
    fn every_name_builds_the_objective_of_that_name() {
        for entry in CATALOGUE {
            let objective = by_name(entry.name, &Options::default()).unwrap();
            assert_eq!(objective.name(), entry.name);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = by_name("ppo_clop", &Options::default()).unwrap_err();
        let error = error.to_string();
        let begin = "unknown policy objective `ppo_clop`; the objectives are `ppo_clip`, ";
        assert!(error.starts_with(begin), "{error}");
    }

    #[test]
    fn options_reach_the_objective() {
        let options = Options {
            epsilon_low: Some(0.5),
            epsilon_high: Some(1.0),
            dual_clip: Some(3.0),
            ..Options::default()
        };
        let objective = by_name("ppo_clip", &options).unwrap();
        let mut out = TokenLoss::new();
        let mut evaluate = |log_ratios: [f64; 2], advantage| {
            let terms = TokenTerms::new(&log_ratios, &[0.0; 2], advantage).unwrap();
            objective.evaluate(&terms, &mut out);
            out.clone()
        };
        let negative = evaluate([-3.0, 3.0], -1.0);
        assert_eq!(negative.loss, [0.5, 3.0]);
        assert_eq!(negative.clip, [Clip::Low, Clip::Dual]);
        let positive = evaluate([3.0, 0.0], 1.0);
        assert_eq!(positive.loss, [-2.0, -1.0]);
        assert_eq!(positive.clip, [Clip::High, Clip::None]);
    }

    #[test]
    fn options_without_effect_are_refused() {
        let options = Options {
            dual_clip: Some(3.0),
            ..Options::default()
        };
        assert_eq!(
            by_name("policy_gradient", &options)
                .unwrap_err()
                .to_string(),
            "option `dual_clip` has no effect on policy objective `policy_gradient`, \
             which has no options; remove it"
        );
    }

    #[test]
    fn options_have_ranges() {
        for (options, wrong) in [
            (
                Options {
                    epsilon_low: Some(-0.1),
                    ..Options::default()
                },
                "option `epsilon_low` of policy objective `ppo_clip` is -0.1; \
                 it must be a finite number, at least 0",
            ),
            (
                Options {
                    epsilon_high: Some(f64::NAN),
                    ..Options::default()
                },
                "option `epsilon_high` of policy objective `ppo_clip` is NaN; \
                 it must be a finite number, at least 0",
            ),
            (
                Options {
                    dual_clip: Some(1.0),
                    ..Options::default()
                },
                "option `dual_clip` of policy objective `ppo_clip` is 1; \
                 it must be a finite number greater than 1",
            ),
        ] {
            assert_eq!(
                by_name("ppo_clip", &options).unwrap_err().to_string(),
                wrong
            );
        }
    }
}
