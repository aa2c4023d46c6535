//! What a step would train on, without training on it.

use equipoise_advantages::Advantages;
use equipoise_aggregation::Response;
use equipoise_aggregation::diagnostics::{Diagnostics, diagnose};

use super::{Rl, Rollout};
use crate::TrainError;

/// Everything that decides a step's gradient but the policy itself. Completion by completion, group
/// after group.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What was sampled, and what the verifier said.
    pub rollout: Rollout,
    /// The advantages, with what happened on the way.
    pub advantages: Advantages,
    /// The loss-carrying tokens and the advantage of every response.
    pub responses: Vec<Response>,
    /// The aggregation weight of every response, in the optimiser step it belongs to.
    pub weights: Vec<f64>,
    /// The aggregation bias of the rollout under these weights.
    pub diagnostics: Diagnostics,
}

impl Rl {
    /// Samples, verifies and weighs the completions of a step; nothing is trained.
    ///
    /// # Errors
    /// If a prompt cannot be tokenized or sampled.
    pub fn inspect(&mut self, step: u64) -> Result<Inspection, TrainError> {
        let rollout = self.rollout(step)?;
        let advantages = self.advantages(&rollout)?;
        let responses = self.responses(&rollout, &advantages.values);
        let mut weights = Vec::with_capacity(responses.len());
        for update in responses.chunks(responses.len() / self.stage.updates_per_rollout) {
            weights.extend(self.weights(update)?);
        }
        let groups = vec![self.stage.samples_per_prompt; self.stage.prompts_per_step];
        let diagnostics = diagnose(self.parts.reducer.name(), &responses, &groups, &weights)?;
        Ok(Inspection {
            rollout,
            advantages,
            responses,
            weights,
            diagnostics,
        })
    }
}
