//! Supervised fine-tuning on demonstrations.

use std::path::Path;
use std::time::Instant;

use equipoise_aggregation::rules::TokenMean;
use equipoise_aggregation::{Reducer, Response};
use equipoise_core::TokenId;
use equipoise_models::{Dropout, Need, Policy};
use equipoise_optim::{AdamW, Optimizer, Schedule};
use equipoise_tracking::MetricRecord;

use crate::evaluate::{due, evaluate_stage, held_out};
use crate::gradient::{ResponseLoss, Sequence, accumulate};
use crate::learner::{Learner, StepReport};
use crate::recipe::SftStage;
use crate::run::{OPTIMIZER_FILE, adamw, apply, schedule};
use crate::{Assembly, TrainError};

/// The stage that imitates demonstrations: the mean negative log-likelihood of their tokens, the
/// end-of-sequence token included.
pub struct Sft {
    assembly: Assembly,
    stage: SftStage,
    name: String,
    optimizer: AdamW,
    schedule: Schedule,
    /// Demonstrations used by earlier stages.
    first_demonstration: u64,
}

/// A demonstration in token ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The prompt, which carries no loss.
    pub prompt: Vec<TokenId>,
    /// The completion and the end-of-sequence token, which carry it.
    pub response: Vec<TokenId>,
}

impl Sft {
    /// The stage at its first step. `name` is what its records are called, and `first_demonstration`
    /// the number of demonstrations earlier stages have used.
    ///
    /// # Errors
    /// If the source has no demonstrations or the optimiser's settings are impossible.
    pub fn new(
        assembly: Assembly,
        stage: SftStage,
        name: String,
        first_demonstration: u64,
    ) -> Result<Self, TrainError> {
        if assembly.source.demonstration(first_demonstration).is_none() {
            return Err(TrainError::Assembly(format!(
                "{name}: the data has no demonstrations to imitate; add a \"completion\" to its rows \
                 or remove the stage"
            )));
        }
        Ok(Self {
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
            first_demonstration,
        })
    }

    /// The demonstrations of a step, in token ids.
    ///
    /// # Errors
    /// If the tokenizer has no token for a character.
    pub fn batch(&self, step: u64) -> Result<Vec<Example>, TrainError> {
        let count = self.stage.batch_size as u64;
        let first = self.first_demonstration + step * count;
        let tokenizer = &self.assembly.tokenizer;
        let demonstrations =
            (first..first + count).filter_map(|n| self.assembly.source.demonstration(n));
        demonstrations
            .map(|demonstration| {
                let prompt = tokenizer.encode(&demonstration.problem.prompt)?;
                let mut response = tokenizer.encode(&demonstration.completion)?;
                response.push(tokenizer.eos());
                Ok(Example { prompt, response })
            })
            .collect()
    }

    fn evaluate(&self, report: &mut StepReport) -> Result<(), TrainError> {
        let start = Instant::now();
        let problems = held_out(&self.assembly, self.stage.eval_problems);
        let evaluation = evaluate_stage(&self.assembly, problems, self.stage.eval_samples)?;
        evaluation.record(&mut report.metrics);
        report
            .timings
            .push("seconds/evaluate", start.elapsed().as_secs_f64());
        let goal = self.stage.stop_at_accuracy;
        if let (Some(accuracy), Some(goal)) = (evaluation.accuracy(), goal) {
            report.finished = accuracy >= goal;
        }
        Ok(())
    }

    fn report(&self, step: u64) -> StepReport {
        StepReport {
            metrics: MetricRecord::new(&self.name, step),
            timings: MetricRecord::new(&self.name, step),
            ..StepReport::default()
        }
    }
}

impl Sft {
    /// With the dropout of an adapter that has some.
    fn need(&self, step: u64) -> Need {
        let need = Need::at_temperature(1.0);
        let recipe = &self.assembly.recipe;
        match self.assembly.decoder.adapter() {
            Some(lora) if lora.dropout > 0.0 => need.with_dropout(Dropout {
                seed: recipe.seed,
                // No other stage begins at the same demonstration.
                step: (self.first_demonstration << 32) | step,
                first_sequence: 0,
                probability: lora.dropout,
            }),
            _ => need,
        }
    }
}

impl Learner for Sft {
    fn step(&mut self, step: u64) -> Result<StepReport, TrainError> {
        let start = Instant::now();
        let mut report = self.report(step);
        if due(step, self.stage.eval_every) {
            self.evaluate(&mut report)?;
            if report.finished {
                return Ok(report);
            }
        }

        let training = Instant::now();

        // 1 demonstrations, in token ids
        let batch = self.batch(step)?;
        let sequences: Vec<Sequence<'_>> = batch
            .iter()
            .map(|Example { prompt, response }| Sequence { prompt, response })
            .collect();

        // 2 one weight per response, for the whole batch
        let responses: Vec<Response> = batch
            .iter()
            .map(|example| Response {
                tokens: example.response.len(),
                advantage: 1.0,
            })
            .collect();
        let weights = TokenMean.weights(&responses);

        // 3 loss and gradient
        let need = self.need(step);
        let budget = self.stage.tokens_per_micro_batch;
        let policy: &dyn Policy = &self.assembly.decoder;
        let (gradients, losses) =
            accumulate(policy, &sequences, budget, &need, |at, logprobs, _| {
                let weight = weights[at];
                let loss: f64 = logprobs.iter().map(|&logprob| -f64::from(logprob)).sum();
                ResponseLoss {
                    logprobs: vec![-weight as f32; logprobs.len()],
                    entropies: vec![0.0; logprobs.len()],
                    record: weight * loss,
                }
            })?;

        // 4 clip and step
        let learning_rate = self.stage.learning_rate * self.schedule.at(step);
        let norm = apply(
            &mut self.optimizer,
            policy.parameters(),
            gradients,
            learning_rate,
            self.stage.max_grad_norm,
        )?;

        let tokens: usize = responses.iter().map(|response| response.tokens).sum();
        let metrics = &mut report.metrics;
        metrics.push("loss", losses.iter().sum());
        metrics.push("grad_norm", norm);
        metrics.push("learning_rate", learning_rate);
        metrics.push("tokens", tokens as f64);
        let fed: usize = sequences
            .iter()
            .map(|s| s.prompt.len() + s.response.len())
            .sum();
        let seconds = training.elapsed().as_secs_f64();
        let timings = &mut report.timings;
        timings.push("seconds/train", seconds);
        timings.push("tokens_per_second/train", fed as f64 / seconds);
        timings.push("seconds", start.elapsed().as_secs_f64());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use equipoise_models::{LoraConfig, TokenBatch};

    use super::*;
    use crate::recipe::{Recipe, Stage};

    /// Both stages of imitation of a recipe whose adapter has dropout, the second behind the first.
    fn stages() -> [Sft; 2] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let text = format!(
            "{text}\n[[stage]]\nkind = \"sft\"\nsteps = 9\nbatch_size = 4\nlearning_rate = 1e-3\n\
             [lora]\nrank = 2\ndropout = 0.5\n"
        );
        let recipe = Recipe::parse(&text, "two stages", &[]).unwrap();
        let assembly = Assembly::new(recipe).unwrap();
        for (at, (_, var)) in assembly.decoder.parameters().iter().enumerate() {
            // A new adapter is zero, and dropping its inputs changes nothing.
            let values = (0..var.elem_count()).map(|i| ((at + i) % 7) as f32 / 20.0);
            let values = candle_core::Tensor::from_iter(values, var.device()).unwrap();
            var.set(&values.reshape(var.shape()).unwrap()).unwrap();
        }
        let sft: Vec<_> = (assembly.recipe.stages.iter())
            .filter_map(|stage| match stage {
                Stage::Sft(stage) => Some(stage.clone()),
                Stage::Rl(_) => None,
            })
            .collect();
        let used = sft[0].steps * sft[0].batch_size as u64;
        let [first, second] = [(0, 0), (1, used)].map(|(at, first)| {
            Sft::new(
                assembly.clone(),
                sft[at].clone(),
                format!("sft.{at}"),
                first,
            )
            .unwrap()
        });
        [first, second]
    }

    /// The log-probabilities of one batch with what a step of a stage drops.
    fn dropped(stage: &Sft, step: u64) -> Vec<u32> {
        let mut batch = TokenBatch::new();
        batch.push(&[1, 2, 3], &[4, 5, 6, 7]);
        let decoder = &stage.assembly.decoder;
        let outputs = decoder.score(&batch, &stage.need(step)).unwrap();
        outputs
            .logprobs
            .values()
            .iter()
            .map(|x| x.to_bits())
            .collect()
    }

    #[test]
    fn every_step_of_every_stage_drops_something_else() {
        let stages = stages();
        let all: Vec<_> = (stages.iter())
            .flat_map(|stage| (0..9).map(|step| dropped(stage, step)))
            .collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 18, "the masks of two steps are the same");
        // A resumed run draws them again.
        assert_eq!(dropped(&self::stages()[1], 8), all[17]);
    }

    #[test]
    fn nothing_is_dropped_without_dropout() {
        let [mut stage, _] = stages();
        let none = LoraConfig {
            dropout: 0.0,
            ..stage.assembly.decoder.adapter().unwrap().clone()
        };
        let base = stage.assembly.decoder.without_adapter();
        stage.assembly.decoder = base.with_adapter(&none, 1).unwrap();
        assert!(stage.need(3).dropout.is_none());
        stage.assembly.decoder = base;
        assert!(stage.need(3).dropout.is_none());
    }
}
