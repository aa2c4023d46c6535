//! Combinations that run and mean something a reader may not expect.

use equipoise_objectives::policy::Level;

use super::catalogues::Choices;
use super::choice::Value;
use super::rl::RlStage;

/// Rules under which the mass of a response grows with its length.
const BY_LENGTH: [&str; 8] = [
    "token_mean",
    "prompt_mean",
    "token_sum",
    "dr_grpo",
    "lambda_grpo",
    "balanced",
    "balanced_mass",
    "sequence_mean_token_sum",
];

/// Whether the rule looks at the sign of an advantage.
pub(super) fn looks_at_signs(rule: &str) -> bool {
    ["balanced", "balanced_mass", "adaptive"].contains(&rule)
}

/// Whether every group's advantages add up to 0, so that both signs occur or neither.
fn centred(estimator: &str) -> bool {
    equipoise_advantages::resolve(estimator).is_ok_and(|(entry, _)| entry.zero_sum)
}

impl RlStage {
    /// What a reader should know of the combination, a sentence each. All of it runs as written.
    pub(super) fn oddities(&self, choices: &Choices) -> Vec<String> {
        let (estimator, objective) = (self.estimator.name(), self.objective.name());
        let rule = self.aggregation.name();
        let mut found = Vec::new();
        let mut note = |holds: bool, what: String| {
            if holds {
                found.push(what);
            }
        };
        let by_sequence = choices.objective.level() == Level::Sequence;
        note(
            by_sequence && rule == "sequence_mean_token_sum",
            format!("{objective} × {rule} is LUSPO: a response's loss counts once per token of it"),
        );
        note(
            by_sequence && rule != "sequence_mean_token_sum" && BY_LENGTH.contains(&rule),
            format!(
                "{objective} has one loss a response, and {rule} counts it once per token of the \
                 response: long responses weigh more. The mean over responses is sequence_mean"
            ),
        );
        note(
            !choices.objective.uses_old_logprobs() && self.updates_per_rollout > 1,
            format!(
                "{objective} has no ratio: from the second of the {} updates of a rollout on, it takes \
                 what an older policy sampled for its own",
                self.updates_per_rollout
            ),
        );
        note(
            looks_at_signs(rule) && !centred(estimator),
            format!(
                "advantages of {estimator} need not have both signs in a group; where they have one, \
                 {rule} is the token mean of the group"
            ),
        );
        note(
            estimator == "grpo" && rule == "dr_grpo" && !self.std_is_none(),
            "the deviation that grpo divides by gives easy and hard prompts more weight, which Dr. GRPO \
             set out to remove; its estimator is dr_grpo"
                .to_owned(),
        );
        let bound = self.objective.options.get("epsilon_high");
        note(
            objective == "cispo" && matches!(bound, Some(Value::Number(bound)) if *bound <= 1.0),
            "cispo's bounds are absolute: a weight of at most 1 takes away every increase. verl's \
             1 + 0.2 is epsilon_high = 1.2"
                .to_owned(),
        );
        found
    }

    fn std_is_none(&self) -> bool {
        let std = self.estimator.options.get("std");
        matches!(std, Some(Value::Word(word)) if word == "none")
    }
}
