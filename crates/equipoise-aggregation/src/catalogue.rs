//! Rules by name, for recipes.

use crate::rules::{
    Adaptive, Balanced, BalancedMass, DrGrpo, LambdaGrpo, LengthPower, PromptMean, SequenceMean,
    SequenceMeanTokenSum, TokenMean, TokenSum, VlNorm,
};
use crate::{Error, Options, Reducer, resolve};

/// Every rule that has a name. A new rule is a file in `rules` and a line here.
pub const CATALOGUE: &[Entry] = &[
    Balanced::ENTRY,
    BalancedMass::ENTRY,
    TokenMean::ENTRY,
    PromptMean::ENTRY,
    SequenceMean::ENTRY,
    SequenceMeanTokenSum::ENTRY,
    TokenSum::ENTRY,
    DrGrpo::ENTRY,
    VlNorm::ENTRY,
    LambdaGrpo::ENTRY,
    LengthPower::ENTRY,
    Adaptive::ENTRY,
];

/// A rule's place in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in recipes and logs.
    pub name: &'static str,
    /// The weight of one token of response i, for people to read: T lengths, N responses in the
    /// batch, G in the group, P groups, S_s the responses of sign s.
    pub token_weight: &'static str,
    /// The names of the [`Options`] that have an effect on it.
    pub options: &'static [&'static str],
    /// Builds the rule. Use [`by_name`], which also refuses options without effect.
    pub build: fn(&Options) -> Result<Box<dyn Reducer>, Error>,
}

/// The rule with the given name, or what the given [alias](crate::ALIASES) stands for.
///
/// # Errors
/// Those of [`resolve`]; [`Error::OptionWithoutEffect`] for an
/// option that the rule does not have, so that no wish is silently ignored;
/// [`Error::MissingOption`] and [`Error::InvalidOption`] for what the rule itself demands.
///
/// ```
/// use equipoise_aggregation::{Options, by_name};
///
/// let options = Options { max_tokens: Some(64), ..Options::default() };
/// assert_eq!(by_name("dr_grpo", &options)?.name(), "dr_grpo");
/// // The token mean has no divisor to be set.
/// assert!(by_name("token_mean", &options).is_err());
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn by_name(name: &str, options: &Options) -> Result<Box<dyn Reducer>, Error> {
    let (entry, _) = resolve(name)?;
    let without_effect = options
        .given()
        .find(|option| !entry.options.contains(option));
    match without_effect {
        Some(option) => Err(Error::OptionWithoutEffect {
            rule: entry.name,
            option,
            accepted: entry.options,
        }),
        None => (entry.build)(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::ZeroAdvantage;
    use crate::{Response, Scope, Setting};

    /// Options with every value a rule may need, and none that it ignores.
    fn options_for(entry: &Entry) -> Options {
        Options {
            max_tokens: entry.options.contains(&"max_tokens").then_some(8),
            ..Options::default()
        }
    }

    #[test]
    fn every_name_builds_the_rule_of_that_name() {
        for entry in CATALOGUE {
            let rule = by_name(entry.name, &options_for(entry)).unwrap();
            assert_eq!(rule.name(), entry.name);
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = by_name("token_men", &Options::default()).unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("unknown aggregation rule `token_men`; the rules are `balanced`, "),
            "{error}"
        );
        assert!(error.ends_with("`length_power`, `adaptive`"), "{error}");
    }

    #[test]
    fn options_reach_the_rule() {
        let options = Options {
            scope: Some(Scope::Batch),
            zero_advantage: Some(ZeroAdvantage::Negative),
            ..Options::default()
        };
        let rule = by_name("balanced", &options).unwrap();
        assert_eq!(rule.scope(), Scope::Batch);
        let zero = Response {
            tokens: 2,
            advantage: 0.0,
        };
        assert_eq!(rule.weights(&[zero]), [0.5]);
        assert_eq!(
            by_name("balanced", &Options::default())
                .unwrap()
                .weights(&[zero]),
            [0.0]
        );
    }

    #[test]
    fn options_without_effect_are_refused() {
        let mut all = Options::default();
        for name in Options::NAMES {
            // Each takes one of the three.
            for value in [
                Setting::Number(8.0),
                Setting::Word("group"),
                Setting::Word("neutral"),
            ] {
                let _ = all.set(name, value);
            }
        }
        assert_eq!(all.given().count(), Options::NAMES.len());
        for entry in CATALOGUE {
            let error = by_name(entry.name, &all).unwrap_err();
            assert!(
                matches!(error, Error::OptionWithoutEffect { rule, option, .. }
                    if rule == entry.name && !entry.options.contains(&option)),
                "{error}"
            );
        }
        let error = by_name(
            "dr_grpo",
            &Options {
                scope: Some(Scope::Batch),
                max_tokens: Some(8),
                ..Options::default()
            },
        );
        assert_eq!(
            error.unwrap_err().to_string(),
            "option `scope` has no effect on aggregation rule `dr_grpo`; its options are `max_tokens`"
        );
    }

    #[test]
    fn numbers_have_ranges() {
        for (rule, option, value) in [
            ("length_power", "alpha", f64::NAN),
            ("vl_norm", "alpha", -1.0),
            ("lambda_grpo", "lambda", f64::INFINITY),
            ("adaptive", "gap", -0.1),
            ("adaptive", "variation", f64::NAN),
        ] {
            let mut options = Options {
                max_tokens: (rule == "vl_norm").then_some(8),
                ..Options::default()
            };
            options.set(option, Setting::Number(value)).unwrap();
            let error = by_name(rule, &options).unwrap_err();
            assert!(
                matches!(&error, Error::InvalidOption { rule: r, option: o, .. }
                    if *r == rule && *o == option),
                "{error}"
            );
        }
    }

    #[test]
    fn dr_grpo_demands_its_constant() {
        let error = by_name("dr_grpo", &Options::default()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "aggregation rule `dr_grpo` needs option `max_tokens`: \
             the limit on the length of a response, in tokens"
        );
        let zero = Options {
            max_tokens: Some(0),
            ..Options::default()
        };
        assert_eq!(
            by_name("dr_grpo", &zero).unwrap_err().to_string(),
            "option `max_tokens` of aggregation rule `dr_grpo` is 0; it must be at least 1"
        );
    }
}
