//! The names that other frameworks have for the estimators, and what they mean there.

use crate::{CATALOGUE, Entry, Error};

/// A name that stands for an estimator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// The estimator of the catalogue that it stands for.
    pub entry: &'static str,
    /// Who uses it, and how what it does there differs.
    pub note: &'static str,
}

const fn alias(name: &'static str, entry: &'static str, note: &'static str) -> Alias {
    Alias { name, entry, note }
}

/// Every alias. Those of verl (verl/trainer/ppo/core_algos.py, 0.9.1) are values of `adv_estimator`, those
/// of OpenRLHF (0.11.2) of its option for the estimator.
pub const ALIASES: &[Alias] = &[
    alias(
        "grpo_vectorized",
        "grpo",
        "verl: in single precision, with the only response of a group at its raw reward",
    ),
    alias("group_norm", "grpo", "OpenRLHF: ε is 1e-9 there"),
    alias(
        "rloo_vectorized",
        "rloo",
        "verl: the same numbers as its rloo",
    ),
    alias(
        "reinforce",
        "reinforce_plus_plus",
        "OpenRLHF: whitened with the population variance (correction = population)",
    ),
    alias(
        "reinforce_baseline",
        "reinforce_plus_plus_baseline",
        "OpenRLHF: whitened with the population variance (correction = population)",
    ),
    alias(
        "flash_reinforce",
        "batch_mean",
        "OpenRLHF: together with a gate on the binary divergence, which belongs to the objective",
    ),
    alias("ppo", "gae", "the algorithm's name for its estimator"),
    alias(
        "grpo_passk",
        "passk_best",
        "verl: refuses groups of one response, which have 0 here",
    ),
    alias("maxrl", "max_rl", "SkyRL's name"),
    alias("asymre", "asym_re", "Trinity-RFT's name"),
    alias(
        "optimal_token_baseline",
        "otb",
        "verl: counts positions and not trained tokens, which differs where tokens are masked",
    ),
    alias(
        "tir_optimal_token_baseline",
        "otb",
        "verl's multi-turn variant, which counts trained tokens, as here",
    ),
];

/// The estimator of that name or alias, and the alias if it is one.
///
/// # Errors
/// [`Error::UnknownEstimator`], which lists the names of the catalogue.
///
/// ```
/// let (entry, alias) = equipoise_advantages::resolve("grpo_passk")?;
/// assert_eq!(entry.name, "passk_best");
/// assert!(alias.is_some());
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
pub fn resolve(name: &str) -> Result<(&'static Entry, Option<&'static Alias>), Error> {
    let entry = |name: &str| CATALOGUE.iter().find(|entry| entry.name == name);
    if let Some(entry) = entry(name) {
        return Ok((entry, None));
    }
    let alias = ALIASES.iter().find(|alias| alias.name == name);
    alias
        .and_then(|alias| Some((entry(alias.entry)?, Some(alias))))
        .ok_or_else(|| Error::UnknownEstimator {
            name: name.to_owned(),
            known: CATALOGUE.iter().map(|entry| entry.name).collect(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alias_stands_for_an_estimator_of_another_name() {
        for alias in ALIASES {
            let (entry, found) = resolve(alias.name).unwrap();
            assert_eq!((entry.name, found), (alias.entry, Some(alias)));
            assert_ne!(alias.name, entry.name);
        }
    }
}
