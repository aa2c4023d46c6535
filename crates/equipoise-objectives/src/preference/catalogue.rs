//! Preference losses by name, for recipes.

use super::builders;
use super::{ALIASES, Alias, Error, Options, PairLoss, Unpaired};

/// Every preference loss that has a name. A new loss is a file in `core` and a line here.
pub const CATALOGUE: &[Entry] = &[
    builders::DPO,
    builders::CDPO,
    builders::ROBUST,
    builders::IPO,
    builders::HINGE,
    builders::EXO,
    builders::NCA,
    builders::BCO_PAIR,
    builders::SPPO_HARD,
    builders::AOT,
    builders::AOT_UNPAIRED,
    builders::APO_ZERO,
    builders::APO_DOWN,
    builders::DISCOPOP,
    builders::SIGMOID_NORM,
    builders::PHI_DPO,
    builders::RPO,
    builders::MPO,
    builders::SFT,
    builders::CPO,
    builders::SIMPO,
    builders::ALPHAPO,
    builders::ORPO,
    builders::TPO,
    builders::TPO_L,
    builders::KTO,
    builders::APO_ZERO_UNPAIRED,
    builders::BCO,
];

/// A loss's place in the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The name in recipes and logs.
    pub name: &'static str,
    /// The loss of one pair, for people to read: s scores, h log-ratios, x = β (s_w − s_l).
    pub formula: &'static str,
    /// The names of the [`Options`] that have an effect on it.
    pub options: &'static [&'static str],
    /// Builds the loss. Use [`by_name`], which also refuses options without effect.
    pub build: fn(&Options) -> Result<Loss, Error>,
}

/// A loss of the catalogue.
#[derive(Debug)]
pub enum Loss {
    /// One of pairs of completions.
    Pairs(PairLoss),
    /// One of single completions, labelled good or bad.
    Examples(Unpaired),
}

/// The entry with the given name or alias, and the alias if it was one.
///
/// ```
/// use equipoise_objectives::preference::resolve;
///
/// let (entry, alias) = resolve("sigmoid")?;
/// assert_eq!((entry.name, alias.map(|alias| alias.name)), ("dpo", Some("sigmoid")));
/// assert!(resolve("ipo")?.1.is_none());
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownLoss`], which lists the names there are.
pub fn resolve(name: &str) -> Result<(&'static Entry, Option<&'static Alias>), Error> {
    let alias = ALIASES.iter().find(|alias| alias.name == name);
    let wanted = alias.map_or(name, |alias| alias.entry);
    CATALOGUE
        .iter()
        .find(|entry| entry.name == wanted)
        .map(|entry| (entry, alias))
        .ok_or_else(|| Error::UnknownLoss {
            name: name.to_owned(),
            known: CATALOGUE.iter().map(|entry| entry.name).collect(),
        })
}

/// The loss with the given name or alias.
///
/// ```
/// use equipoise_objectives::preference::{BatchLoss, Loss, Options, PairStats, by_name};
///
/// let options = Options { beta: Some(0.5), ..Options::default() };
/// let Loss::Pairs(dpo) = by_name("dpo", &options)? else { panic!("a loss of pairs") };
/// let pair = PairStats::new((&[-1.0], Some(&[-1.0])), (&[-2.0], Some(&[-2.0])))?;
/// let mut out = BatchLoss::new();
/// dpo.evaluate(&[pair], &mut out)?;
/// assert_eq!(out.losses, [2.0_f64.ln()]);
/// assert_eq!((out.chosen[0].head, out.rejected[0].head), (-0.25, 0.25));
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
///
/// # Errors
/// [`Error::UnknownLoss`]; [`Error::OptionWithoutEffect`] for an option that the loss does not have;
/// and [`Error::InvalidOption`] for a value outside its range.
pub fn by_name(name: &str, options: &Options) -> Result<Loss, Error> {
    let (entry, _) = resolve(name)?;
    let without_effect = options
        .given()
        .find(|option| !entry.options.contains(option));
    match without_effect {
        Some(option) => Err(Error::OptionWithoutEffect {
            loss: entry.name,
            option,
            accepted: entry.options,
        }),
        None => (entry.build)(options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_and_every_alias_builds() {
        for entry in CATALOGUE {
            by_name(entry.name, &Options::default()).unwrap();
            for option in entry.options {
                assert!(Options::NAMES.contains(option), "{} {option}", entry.name);
            }
            let same = CATALOGUE.iter().filter(|other| other.name == entry.name);
            assert_eq!(same.count(), 1, "{}", entry.name);
        }
        for alias in ALIASES {
            assert_eq!(resolve(alias.name).unwrap().0.name, alias.entry);
            assert!(CATALOGUE.iter().all(|entry| entry.name != alias.name));
        }
    }

    #[test]
    fn unknown_names_list_the_known_ones() {
        let error = by_name("ppo", &Options::default()).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with(
            "unknown preference loss `ppo`; the losses are `dpo`, `cdpo`, `robust`, "
        ));
    }

    #[test]
    fn options_without_effect_are_refused() {
        let options = Options {
            tau: Some(0.1),
            ..Options::default()
        };
        assert_eq!(
            by_name("sft", &options).unwrap_err().to_string(),
            "option `tau` has no effect on preference loss `sft`; \
             its options are `sft_coefficient`, `sft_reduction`"
        );
        let options = Options {
            divergence_alpha: Some(0.3),
            ..Options::default()
        };
        assert!(matches!(
            by_name("dpo", &options).unwrap_err(),
            Error::InvalidOption {
                option: "divergence_alpha",
                ..
            }
        ));
    }

    #[test]
    fn options_have_ranges() {
        let wrong = [
            ("dpo", "beta", 0.0),
            ("dpo", "beta", f64::NAN),
            ("dpo", "reference_scale", -1.0),
            ("dpo", "ld_alpha", 1.5),
            ("cdpo", "label_smoothing", 0.6),
            ("robust", "label_smoothing", 0.5),
            ("exo", "label_smoothing", 0.0),
            ("discopop", "tau", 2.0),
            ("phi_dpo", "focal_gamma", -1.0),
            ("simpo", "margin", f64::INFINITY),
            ("kto", "desirable_weight", -1.0),
            ("mpo", "bco_weight", -1.0),
            ("rpo", "eta", -1.0),
        ];
        for (loss, option, value) in wrong {
            let mut options = Options::default();
            options
                .set(option, crate::preference::Setting::Number(value))
                .unwrap();
            match by_name(loss, &options).unwrap_err() {
                Error::InvalidOption { option: found, .. } => assert_eq!(found, option),
                other => panic!("{other}"),
            }
        }
    }
}
