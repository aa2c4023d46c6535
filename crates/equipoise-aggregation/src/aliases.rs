//! The names that other frameworks have for the rules, and what they mean there.

use crate::{CATALOGUE, Entry, Error};

/// A name that stands for a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// The rule of the catalogue that it stands for.
    pub entry: &'static str,
    /// Who uses it, and how what it does there differs.
    pub note: &'static str,
}

const fn alias(name: &'static str, entry: &'static str, note: &'static str) -> Alias {
    Alias { name, entry, note }
}

/// Every alias. Those of TRL are values of `loss_type` (trl/trainer/grpo_trainer.py, 1.16), which chooses
/// the objective too: here they stand for the aggregation alone. Those of verl are values of
/// `loss_agg_mode` (verl/trainer/ppo/core_algos.py, 0.9.1).
pub const ALIASES: &[Alias] = &[
    alias("ba", "balanced", "the paper's abbreviation"),
    alias("seq_mean", "sequence_mean", "a shorter name"),
    alias(
        "sequence",
        "sequence_mean",
        "one term per response, 1 / N: an objective with one loss per response gives it to every token, \
         and the sequence mean counts it once",
    ),
    alias(
        "seq_mean_token_sum",
        "sequence_mean_token_sum",
        "a shorter name",
    ),
    alias(
        "luspo",
        "sequence_mean_token_sum",
        "TRL's loss_type luspo: the loss of a response times its length, over the number of responses; \
         TRL counts fully masked responses",
    ),
    alias(
        "grpo",
        "sequence_mean",
        "TRL's loss_type; TRL counts fully masked responses",
    ),
    alias(
        "sapo",
        "sequence_mean",
        "TRL's loss_type, of which this is the aggregation, and which counts fully masked responses; the gate \
         is objective sapo",
    ),
    alias(
        "dapo",
        "token_mean",
        "TRL's loss_type: the mean over the tokens of the whole step, as verl runs DAPO; the paper prints \
         prompt_mean",
    ),
    alias(
        "cispo",
        "token_mean",
        "TRL's loss_type, of which this is the aggregation; the weights are objective cispo",
    ),
    alias(
        "vespo",
        "token_mean",
        "TRL's loss_type, of which this is the aggregation; the weights are objective vespo",
    ),
    alias(
        "token-mean",
        "token_mean",
        "verl's loss_agg_mode: the mean over the tokens of the whole step; without a token verl divides by \
         zero",
    ),
    alias(
        "seq-mean-token-mean",
        "sequence_mean",
        "verl's loss_agg_mode; like here, fully masked responses do not count",
    ),
    alias(
        "seq-mean-token-sum",
        "sequence_mean_token_sum",
        "verl's loss_agg_mode; like here, fully masked responses do not count",
    ),
    alias(
        "seq-mean-token-sum-norm",
        "dr_grpo",
        "verl's loss_agg_mode; its divisor is the padded width of the batch unless loss_scale_factor is \
         set, here it is the constant max_tokens",
    ),
    alias("token-sum", "token_sum", "verl's loss_agg_mode"),
];

/// Names that are refused: the reason, for each.
const REFUSED: &[(&str, &str)] = &[(
    "bnpo",
    "TRL's loss_type bnpo divides by the tokens of a micro-batch, so that loss and gradient depend on how \
     the step is cut; with micro-batches of one response it is `sequence_mean`, with one micro-batch \
     `token_mean`: choose one of them",
)];

/// The rule of that name or alias, and the alias if it is one.
///
/// # Errors
/// [`Error::UnknownRule`], which lists the names of the catalogue, and [`Error::Refused`] for a name that
/// stands for nothing that could be had.
///
/// ```
/// let (entry, alias) = equipoise_aggregation::resolve("seq-mean-token-mean")?;
/// assert_eq!(entry.name, "sequence_mean");
/// assert!(alias.unwrap().note.starts_with("verl's loss_agg_mode"));
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn resolve(name: &str) -> Result<(&'static Entry, Option<&'static Alias>), Error> {
    let entry = |name: &str| CATALOGUE.iter().find(|entry| entry.name == name);
    if let Some(entry) = entry(name) {
        return Ok((entry, None));
    }
    if let Some((name, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
        return Err(Error::Refused { name, why });
    }
    let alias = ALIASES.iter().find(|alias| alias.name == name);
    alias
        .and_then(|alias| Some((entry(alias.entry)?, Some(alias))))
        .ok_or_else(|| Error::UnknownRule {
            name: name.to_owned(),
            known: CATALOGUE.iter().map(|entry| entry.name).collect(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::by_name;

    #[test]
    fn every_alias_stands_for_a_rule_of_another_name() {
        for alias in ALIASES {
            let (entry, found) = resolve(alias.name).unwrap();
            assert_eq!((entry.name, found), (alias.entry, Some(alias)));
            assert_ne!(alias.name, entry.name);
        }
    }

    #[test]
    fn the_page_lists_every_alias() {
        for alias in ALIASES {
            let row = format!("| `{}` | `{}` | {} |", alias.name, alias.entry, alias.note);
            assert!(include_str!("../README.md").contains(&row), "{row}");
        }
    }

    #[test]
    fn aliases_build() {
        let rule = by_name("dapo", &crate::Options::default()).unwrap();
        assert_eq!(rule.name(), "token_mean");
    }

    #[test]
    fn names_that_mean_nothing_sound_are_refused() {
        assert_eq!(
            resolve("bnpo").unwrap_err().to_string(),
            "aggregation rule `bnpo` is refused: TRL's loss_type bnpo divides by the tokens of a \
             micro-batch, so that loss and gradient depend on how the step is cut; with micro-batches of \
             one response it is `sequence_mean`, with one micro-batch `token_mean`: choose one of them"
        );
    }
}
