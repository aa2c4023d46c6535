//! Other names of the objectives.

use crate::{CATALOGUE, Entry, Error};

/// A name that stands for an entry of a catalogue: of the policy objectives, or of the preference losses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// The name of the entry that it stands for.
    pub entry: &'static str,
    /// Who uses it, and how what it does there differs.
    pub note: &'static str,
}

const fn alias(name: &'static str, entry: &'static str, note: &'static str) -> Alias {
    Alias { name, entry, note }
}

/// Every alias. Those of verl are names of its policy losses (verl/trainer/ppo/core_algos.py, 0.9.1).
pub const ALIASES: &[Alias] = &[
    alias("ppo", "ppo_clip", "a shorter name"),
    alias(
        "vanilla",
        "ppo_clip",
        "verl's policy loss, in which the dual clip of 3 is always on: set dual_clip",
    ),
    alias("pg", "policy_gradient", "a shorter name"),
    alias(
        "reinforce",
        "policy_gradient",
        "the name of the algorithm it belongs to",
    ),
    alias(
        "gpg",
        "policy_gradient",
        "verl's policy loss; the estimator of the same name belongs to it",
    ),
    alias(
        "geo_mean",
        "gmpo",
        "verl's policy loss, which ignores the aggregation",
    ),
    alias(
        "tis",
        "aipo",
        "truncated importance sampling of the policy gradient",
    ),
    alias("kimi15", "dro", "ROLL's name"),
];

/// The objective of that name or alias, and the alias if it is one.
///
/// # Errors
/// [`Error::UnknownObjective`], which lists the names of the catalogue.
///
/// ```
/// let (entry, alias) = equipoise_objectives::resolve("geo_mean")?;
/// assert_eq!(entry.name, "gmpo");
/// assert!(alias.is_some());
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn resolve(name: &str) -> Result<(&'static Entry, Option<&'static Alias>), Error> {
    let entry = |name: &str| CATALOGUE.iter().find(|entry| entry.name == name);
    if let Some(entry) = entry(name) {
        return Ok((entry, None));
    }
    let alias = ALIASES.iter().find(|alias| alias.name == name);
    alias
        .and_then(|alias| Some((entry(alias.entry)?, Some(alias))))
        .ok_or_else(|| Error::UnknownObjective {
            name: name.to_owned(),
            known: CATALOGUE.iter().map(|entry| entry.name).collect(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_stands_for_an_objective_of_another_name() {
        for alias in ALIASES {
            let (entry, found) = resolve(alias.name).unwrap();
            assert_eq!((entry.name, found), (alias.entry, Some(alias)));
            assert_ne!(alias.name, entry.name);
        }
    }
}
