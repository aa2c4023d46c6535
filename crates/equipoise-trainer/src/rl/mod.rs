//! Reinforcement learning with verifiable rewards: GRPO and its relatives.

mod inspection;
mod metrics;
mod parts;
mod refill;
mod rollout;
mod update;

pub use inspection::Inspection;
pub use rollout::{RewardPart, Rollout};

use std::path::Path;
use std::time::Instant;

use equipoise_advantages::Group;
use equipoise_aggregation::{Response, batch_weights, diagnostics::diagnose};
use equipoise_core::{Domain, Finish, Stream};
use equipoise_models::{Decoder, Need, Policy, TokenOutputs};
use equipoise_optim::{AdamW, Optimizer, Schedule};
use equipoise_samplers::{Engine, SampleSpec, Sampler};
use equipoise_tracking::MetricRecord;
use equipoise_verifiers::Outcomes;

use crate::evaluate::{due, evaluate_stage, held_out};
use crate::gradient::{Sequence, score};
use crate::learner::{Learner, StepReport};
use crate::recipe::RlStage;
use crate::run::{OPTIMIZER_FILE, adamw, apply, schedule};
use crate::{Assembly, TrainError};
use parts::Parts;
use update::Update;

/// The stage that samples, verifies and reinforces.
pub struct Rl {
    assembly: Assembly,
    stage: RlStage,
    name: String,
    parts: Parts,
    sampler: Box<dyn Sampler>,
    /// What the divergence is measured from: the policy at the start of the stage, or, if it is an
    /// adapter that is trained, the base without it.
    reference: Option<Decoder>,
    optimizer: AdamW,
    schedule: Schedule,
    /// Training problems used by earlier stages.
    first_problem: u64,
    /// Which stage of the run this is; part of the samples' addresses.
    stage_number: u64,
}

impl Rl {
    /// The stage at its first step. `name` is what its records are called, `stage_number` its place
    /// in the run and `first_problem` the number of problems earlier stages have used. `reference`
    /// is needed if and only if the recipe weighs a divergence.
    ///
    /// # Errors
    /// If a part of the recipe is impossible.
    pub fn new(
        assembly: Assembly,
        stage: RlStage,
        name: String,
        stage_number: u64,
        first_problem: u64,
        reference: Option<Decoder>,
    ) -> Result<Self, TrainError> {
        if assembly.source.is_empty() {
            let reason = format!("{name}: the data holds no training problem");
            return Err(TrainError::Assembly(reason));
        }
        Ok(Self {
            parts: Parts::new(&stage, &name)?,
            sampler: Box::new(Engine::new(assembly.decoder.clone())),
            reference,
            optimizer: adamw(stage.betas, stage.adam_epsilon, stage.weight_decay)?,
            schedule: schedule(
                stage.schedule,
                stage.warmup_steps,
                stage.steps,
                stage.final_fraction,
            ),
            assembly,
            stage,
            name,
            first_problem,
            stage_number,
        })
    }

    /// Samples and verifies the completions of a step, without training on them.
    ///
    /// # Errors
    /// If a prompt cannot be tokenized or sampled.
    pub fn rollout(&mut self, step: u64) -> Result<Rollout, TrainError> {
        let version = self.optimizer.steps();
        self.sampler
            .sync(self.assembly.decoder.parameters(), version)?;
        let count = self.stage.prompts_per_step as u64;
        let first = self.first_problem + step * count;
        let problems = (first..first + count)
            .map(|n| self.assembly.source.train(n))
            .collect();
        let sampler = &self.assembly.recipe.sampler;
        let spec = SampleSpec {
            seed: self.assembly.recipe.seed,
            // Two stages never share a stream: the high half of the coordinate is the stage.
            step: (self.stage_number << 32) | step,
            samples_per_prompt: self.stage.samples_per_prompt,
            temperature: sampler.temperature,
            top_k: sampler.top_k,
            top_p: sampler.top_p,
            min_p: sampler.min_p,
            stop: self.assembly.stops(),
            max_new_tokens: sampler.max_new_tokens,
        };
        let mut rollout = Rollout::new(&self.assembly, &mut *self.sampler, problems, &spec)?;
        if let Some(rounds) = self.stage.dynamic_sampling_rounds {
            let (assembly, sampler) = (&self.assembly, &mut self.sampler);
            let sample = |problems| Rollout::new(assembly, &mut **sampler, problems, &spec);
            let at = self.first_problem / count.max(1) + step;
            let (filled, refill) = refill::fill(rollout, rounds, at, &*assembly.source, sample)?;
            rollout = filled;
            rollout.refilled(refill);
        }
        if self.parts.estimator.needs().greedy_reward {
            rollout.answer_greedily(&self.assembly)?;
        }
        Ok(rollout)
    }

    /// The advantage of every response of a rollout, with what happened on the way.
    ///
    /// # Errors
    /// If the estimator is not defined for the rewards: a negative one where it takes logarithms, say.
    pub fn advantages(
        &self,
        rollout: &Rollout,
    ) -> Result<equipoise_advantages::Advantages, TrainError> {
        let samples = self.stage.samples_per_prompt;
        let (rewards, lengths) = (rollout.rewards(), rollout.lengths());
        let needs = self.parts.estimator.needs();
        let parts = match needs.reward_parts {
            true => rollout.reward_parts(),
            false => Vec::new(),
        };
        let weights: Vec<f64> = parts.iter().map(|part| part.weight).collect();
        let rows: Vec<Vec<&[Option<f64>]>> = (0..rewards.len())
            .step_by(samples)
            .map(|first| {
                let scores = parts.iter().map(|part| &part.scores[..]);
                scores
                    .map(|scores| &scores[first..first + samples])
                    .collect()
            })
            .collect();
        let groups = rewards
            .chunks(samples)
            .zip(lengths.chunks(samples))
            .enumerate()
            .map(|(at, (rewards, lengths))| {
                let mut group = Group::new(rewards, lengths)?;
                if needs.greedy_reward {
                    group = group.with_greedy_reward(rollout.greedy_rewards()[at]);
                }
                if needs.reward_parts {
                    group = group
                        .with_reward_parts(&rows[at])?
                        .with_reward_weights(&weights)?;
                }
                Ok(group)
            });
        let groups = groups.collect::<Result<Vec<_>, equipoise_advantages::Error>>()?;
        Ok(self.parts.estimator.estimate(&groups)?)
    }

    /// The loss-carrying tokens and the advantage of every response.
    fn responses(&self, rollout: &Rollout, advantages: &[f64]) -> Vec<Response> {
        let rows = rollout.completions().iter().zip(advantages);
        rows.map(|(completion, &advantage)| {
            let masked = self.stage.mask_truncated && completion.finish == Finish::Length;
            Response {
                tokens: if masked { 0 } else { completion.tokens.len() },
                advantage,
            }
        })
        .collect()
    }

    /// The aggregation weight of every response of one optimiser step.
    ///
    /// # Errors
    /// If the rule breaks its contract.
    fn weights(&self, responses: &[Response]) -> Result<Vec<f64>, TrainError> {
        let groups =
            vec![self.stage.samples_per_prompt; responses.len() / self.stage.samples_per_prompt];
        Ok(batch_weights(&*self.parts.reducer, responses, &groups)?)
    }

    /// How often a rule that picks rules picked which; nothing for other rules.
    fn choices(&self, responses: &[Response]) -> Vec<(&'static str, f64)> {
        let groups = responses.chunks(self.stage.samples_per_prompt);
        let with_tokens = groups.filter(|group| group.iter().any(|one| one.tokens > 0));
        let picked: Vec<&str> = with_tokens
            .filter_map(|group| self.parts.reducer.choice(group))
            .collect();
        let share = |rule| {
            let count = picked.iter().filter(|one| **one == rule).count();
            (rule, count as f64 / picked.len() as f64)
        };
        match picked.is_empty() {
            true => Vec::new(),
            false => ["sequence_mean", "token_mean", "balanced"]
                .map(share)
                .into(),
        }
    }

    /// The seed of an update's random choices.
    fn seed(&self, step: u64, first: usize) -> u64 {
        let step = (self.stage_number << 32) | step;
        let seed = self.assembly.recipe.seed;
        Stream::new(seed, Domain::Other, [step, first as u64, 0]).next_u64()
    }

    fn report(&self, step: u64) -> StepReport {
        StepReport {
            metrics: MetricRecord::new(&self.name, step),
            timings: MetricRecord::new(&self.name, step),
            ..StepReport::default()
        }
    }

    fn evaluate(&self, report: &mut StepReport) -> Result<(), TrainError> {
        let start = Instant::now();
        let problems = held_out(&self.assembly, self.stage.eval_problems);
        evaluate_stage(&self.assembly, problems, self.stage.eval_samples)?
            .record(&mut report.metrics);
        report
            .timings
            .push("seconds/evaluate", start.elapsed().as_secs_f64());
        Ok(())
    }

    /// The alarm with the recipe's key and what to do, for something that passed its limit.
    fn alarm(&self, step: u64, what: String) -> TrainError {
        TrainError::Alarm {
            stage: self.name.clone(),
            step,
            what,
        }
    }
}

impl Learner for Rl {
    fn step(&mut self, step: u64) -> Result<StepReport, TrainError> {
        let start = Instant::now();
        let mut report = self.report(step);
        if due(step, self.stage.eval_every) {
            self.evaluate(&mut report)?;
        }

        // 1 problems, 2 sample, 3 verify
        let rollout = self.rollout(step)?;
        self.check_rollout(step, &rollout)?;

        // 4 advantages: one number per response
        let advantages = self.advantages(&rollout)?;
        self.check_signal(step, &advantages.report)?;
        let responses = self.responses(&rollout, &advantages.values);
        let token_advantages: Option<Vec<Vec<f64>>> =
            (advantages.tokens.as_ref()).map(|tokens| tokens.iter().map(<[f64]>::to_vec).collect());

        let training = Instant::now();
        let need = Need::at_temperature(self.assembly.recipe.sampler.temperature);
        let sequences = rollout.sequences(&responses);
        let reference = self.reference_outputs(&sequences, &need)?;

        let per_update = responses.len() / self.stage.updates_per_rollout;
        let learning_rate = self.stage.learning_rate * self.schedule.at(step);
        let (mut weights, mut records, mut norms) = (Vec::new(), Vec::new(), Vec::new());
        for first in (0..responses.len()).step_by(per_update) {
            let range = first..first + per_update;

            // 5 weights: one number per response, once for the whole optimiser step
            let update_weights = self.weights(&responses[range.clone()])?;

            // 6 forward, objective and backward, micro-batch by micro-batch
            let update = Update {
                stage: &self.stage,
                parts: &self.parts,
                completions: &rollout.completions()[range.clone()],
                responses: &responses[range.clone()],
                weights: &update_weights,
                token_advantages: token_advantages.as_ref().map(|rows| &rows[range.clone()]),
                seed: self.seed(step, first),
                reference: reference.as_ref().map(|rows| &rows[range.clone()]),
            };
            let policy: &dyn Policy = &self.assembly.decoder;
            let (gradients, update_records) =
                update.gradient(policy, &sequences[range.clone()], &need)?;

            // 7 clip and step; the sampler is told at the next rollout
            if first == 0 {
                self.check_agreement(step, &update_records)?;
            }
            let limit = self.stage.max_grad_norm;
            let parameters = self.assembly.decoder.parameters();
            norms.push(apply(
                &mut self.optimizer,
                parameters,
                gradients,
                learning_rate,
                limit,
            )?);
            weights.extend(update_weights);
            records.extend(update_records);
        }

        let group_sizes = vec![self.stage.samples_per_prompt; self.stage.prompts_per_step];
        let rule = self.parts.reducer.name();
        let diagnostics = diagnose(rule, &responses, &group_sizes, &weights)?;
        let summary = metrics::Summary {
            rollout: &rollout,
            responses: &responses,
            report: &advantages.report,
            records: &records,
            diagnostics: &diagnostics,
            norms: &norms,
            learning_rate,
            choices: self.choices(&responses),
        };
        summary.record(&mut report.metrics);
        report.notes.extend(summary.notes());
        report.completions = rollout.records(
            &self.name,
            step,
            &responses,
            &weights,
            self.stage.completions_logged,
        );
        rollout.timings(&mut report.timings);
        let fed: usize = sequences
            .iter()
            .map(|s| s.prompt.len() + s.response.len())
            .sum();
        let seconds = training.elapsed().as_secs_f64();
        report.timings.push("seconds/train", seconds);
        report
            .timings
            .push("tokens_per_second/train", fed as f64 / seconds);
        report
            .timings
            .push("seconds", start.elapsed().as_secs_f64());
        Ok(report)
    }

    fn finish(&mut self, step: u64) -> Result<StepReport, TrainError> {
        let mut report = self.report(step);
        self.evaluate(&mut report)?;
        Ok(report)
    }

    fn save(&self, directory: &Path) -> Result<(), TrainError> {
        Ok(self.optimizer.save(&directory.join(OPTIMIZER_FILE))?)
    }

    fn load(&mut self, directory: &Path) -> Result<(), TrainError> {
        let parameters: Vec<_> = self.assembly.decoder.parameters().iter().collect();
        Ok(self
            .optimizer
            .load(&directory.join(OPTIMIZER_FILE), &parameters)?)
    }
}

impl Rl {
    /// The reference's numbers for every response, if a divergence is weighed.
    fn reference_outputs(
        &self,
        sequences: &[Sequence<'_>],
        need: &Need,
    ) -> Result<Option<Vec<Vec<f32>>>, TrainError> {
        let Some(reference) = &self.reference else {
            return Ok(None);
        };
        let parts = score(
            reference,
            sequences,
            self.stage.tokens_per_micro_batch,
            need,
        )?;
        let rows = |outputs: TokenOutputs| -> Vec<Vec<f32>> {
            outputs.logprobs.rows().map(<[f32]>::to_vec).collect()
        };
        Ok(Some(parts.into_iter().flat_map(rows).collect()))
    }

    /// Stops a run whose rewards or completions are mostly unusable.
    fn check_rollout(&self, step: u64, rollout: &Rollout) -> Result<(), TrainError> {
        Outcomes::of(rollout.verdicts())
            .check(self.stage.max_unscorable_share)
            .map_err(|error| self.alarm(step, format!("max_unscorable_share: {error}")))?;
        // Groups that could not be judged were sampled again, but must not go unnoticed for that.
        if let Some(refill) = rollout.refill() {
            let (lost, limit) = (refill.unscorable, self.stage.max_unscorable_share);
            if lost as f64 > limit * refill.drawn as f64 {
                return Err(self.alarm(
                    step,
                    format!(
                        "max_unscorable_share: in {lost} of {} groups sampled no completion could be \
                         scored, more than {limit}. `equipoise verify --explain` says why",
                        refill.drawn
                    ),
                ));
            }
        }
        let count = rollout.completions().len().max(1) as f64;
        let truncated = rollout.truncated() as f64 / count;
        if let Some(limit) = self
            .stage
            .max_truncated_share
            .filter(|&limit| truncated > limit)
        {
            return Err(self.alarm(
                step,
                format!(
                    "{:.0} % of the completions were cut off at max_new_tokens = {}, more than \
                 max_truncated_share = {limit}. Raise sampler.max_new_tokens, or train longer on \
                 demonstrations that end",
                    100.0 * truncated,
                    self.assembly.recipe.sampler.max_new_tokens
                ),
            ));
        }
        Ok(())
    }

    /// Stops a run whose groups mostly teach nothing.
    fn check_signal(
        &self,
        step: u64,
        report: &equipoise_advantages::Report,
    ) -> Result<(), TrainError> {
        let share = report.without_signal as f64 / report.groups.max(1) as f64;
        match self
            .stage
            .max_no_signal_share
            .filter(|&limit| share > limit)
        {
            None => Ok(()),
            Some(limit) => Err(self.alarm(
                step,
                format!(
                    "{:.0} % of the groups have equal rewards and teach nothing, more than \
                 max_no_signal_share = {limit}. Take easier or harder problems, or raise \
                 samples_per_prompt or the temperature",
                    100.0 * share
                ),
            )),
        }
    }

    /// Stops a run whose sampler and trainer disagree about the same tokens and weights.
    fn check_agreement(&self, step: u64, records: &[update::Record]) -> Result<(), TrainError> {
        let limit = self.stage.max_logprob_difference;
        let differences = || records.iter().map(|record| record.old_difference);
        // Written so that NaN is an alarm, too.
        if differences().all(|difference| difference <= limit) {
            return Ok(());
        }
        let largest = update::keep_nan(differences());
        Err(self.alarm(step, format!(
            "the sampler and the trainer differ by {largest:.2e} in the log-probability of a token \
             they computed with the same weights, more than max_logprob_difference = {limit:.2e}: \
             importance ratios would be wrong. This is a bug of the sampler or the model",
        )))
    }
}

#[cfg(test)]
mod tests;
