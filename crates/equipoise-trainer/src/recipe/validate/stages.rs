//! The ranges and contradictions of the stages.

use super::super::choice::Choice;
use super::super::error::{Problem, nearest};
use super::super::oddities::looks_at_signs;
use super::super::presets::{PRESETS, Preset};
use super::super::rl::RlStage;
use super::super::sampling::SamplerSection;
use super::super::sft::SftStage;
use super::super::stage::ScheduleKind;
use super::Checker;

/// The most sequences of one step. No batch is this large; a slip of the keyboard is.
const MOST_SEQUENCES: usize = 1 << 24;

impl Checker {
    pub(super) fn sft(&mut self, stage: &SftStage) {
        self.at_least("batch_size", stage.batch_size, 1);
        self.at_most("batch_size", stage.batch_size, MOST_SEQUENCES);
        self.optimizer(&Optimizer {
            learning_rate: stage.learning_rate,
            warmup_steps: stage.warmup_steps,
            steps: stage.steps,
            schedule: stage.schedule,
            final_fraction: stage.final_fraction,
            weight_decay: stage.weight_decay,
            betas: stage.betas,
            adam_epsilon: stage.adam_epsilon,
            max_grad_norm: stage.max_grad_norm,
        });
        self.at_least("tokens_per_micro_batch", stage.tokens_per_micro_batch, 1);
        self.at_least("eval_problems", stage.eval_problems.unwrap_or(1), 1);
        if let Some(accuracy) = stage.stop_at_accuracy {
            self.that(
                accuracy > 0.0 && accuracy <= 1.0,
                "stop_at_accuracy",
                || format!("is {accuracy}; it must be above 0 and at most 1"),
            );
            self.no_effect(
                "stop_at_accuracy",
                stage.eval_every == 0,
                "with `eval_every = 0`",
            );
        }
    }

    pub(super) fn rl(&mut self, stage: &RlStage) {
        self.at_least("prompts_per_step", stage.prompts_per_step, 1);
        let completions = stage
            .prompts_per_step
            .saturating_mul(stage.samples_per_prompt);
        self.that(completions <= MOST_SEQUENCES, "prompts_per_step", || {
            format!(
                "times samples_per_prompt is {completions} completions a step; it must be at most \
                 {MOST_SEQUENCES}"
            )
        });
        if let Some(rounds) = stage.dynamic_sampling_rounds {
            self.that((2..=1_000).contains(&rounds), "dynamic_sampling_rounds", || {
                format!(
                    "is {rounds}; it must be from 2 to 1000, the first round included. Remove it to \
                     train on every group as it is"
                )
            });
        }
        self.that(stage.samples_per_prompt >= 2, "samples_per_prompt", || {
            format!(
                "is {}; it must be at least 2, because an advantage compares the responses to one \
                 prompt",
                stage.samples_per_prompt
            )
        });
        let updates = stage.updates_per_rollout;
        self.at_least("updates_per_rollout", updates, 1);
        let divides = updates == 0 || stage.prompts_per_step.is_multiple_of(updates);
        self.that(divides, "updates_per_rollout", || {
            format!(
                "is {updates}, which does not divide prompts_per_step = {}; every mini-batch holds \
                 equally many whole prompts",
                stage.prompts_per_step
            )
        });
        self.optimizer(&Optimizer {
            learning_rate: stage.learning_rate,
            warmup_steps: stage.warmup_steps,
            steps: stage.steps,
            schedule: stage.schedule,
            final_fraction: stage.final_fraction,
            weight_decay: stage.weight_decay,
            betas: stage.betas,
            adam_epsilon: stage.adam_epsilon,
            max_grad_norm: stage.max_grad_norm,
        });
        self.at_least("tokens_per_micro_batch", stage.tokens_per_micro_batch, 1);
        self.at_least("eval_problems", stage.eval_problems.unwrap_or(1), 1);
        self.choices(stage);
        self.objective(stage);
        for (key, share) in [
            ("max_unscorable_share", Some(stage.max_unscorable_share)),
            ("max_no_signal_share", stage.max_no_signal_share),
            ("max_truncated_share", stage.max_truncated_share),
        ] {
            self.within(key, share.unwrap_or(0.0), 0.0..=1.0);
        }
        self.positive("max_logprob_difference", stage.max_logprob_difference);
    }

    fn choices(&mut self, stage: &RlStage) {
        if let Some(name) = &stage.preset {
            self.that(Preset::named(name).is_some(), "preset", || {
                let known: Vec<String> = PRESETS.iter().map(|p| p.name.to_owned()).collect();
                let hint = nearest(name, &known)
                    .map_or_else(String::new, |near| format!(", did you mean `{near}`?"));
                format!(
                    "unknown value {name:?}{hint}; the presets are {}",
                    known.join(", ")
                )
            });
            if Preset::named(name).is_none() {
                // The choices are empty, which is no mistake of their own.
                return;
            }
        }
        for problem in stage.choices().err().into_iter().flatten() {
            self.that(false, &problem.key, || problem.what);
        }
    }

    fn objective(&mut self, stage: &RlStage) {
        self.not_negative("kl_coefficient", stage.kl_coefficient);
        self.not_negative("entropy_coefficient", stage.entropy_coefficient);
        self.positive("kl_clamp", stage.kl_clamp.unwrap_or(1.0));
        if stage.kl_coefficient == 0.0 {
            let reason = "with `kl_coefficient = 0`";
            self.no_effect("kl", stage.kl.is_some(), reason);
            self.no_effect("kl_clamp", stage.kl_clamp.is_some(), reason);
            self.no_effect("kl_importance", stage.kl_importance.is_some(), reason);
            self.no_effect("kl_aggregation", stage.kl_aggregation.is_some(), reason);
        }
        let by_sign = stage.kl_aggregation.as_ref().map(Choice::name);
        let by_sign = by_sign.filter(|rule| looks_at_signs(rule));
        self.that(by_sign.is_none(), "kl_aggregation", || {
            format!(
                "cannot be {}: a divergence has no sign to balance; use token_mean",
                by_sign.unwrap_or_default()
            )
        });
    }

    fn optimizer(&mut self, optimizer: &Optimizer) {
        self.positive("learning_rate", optimizer.learning_rate);
        let (warmup, steps) = (optimizer.warmup_steps, optimizer.steps);
        self.that(warmup <= steps, "warmup_steps", || {
            format!("is {warmup}, more than the stage's steps = {steps}")
        });
        if optimizer.schedule == ScheduleKind::Constant {
            let is_set = optimizer.final_fraction.is_some();
            self.no_effect("final_fraction", is_set, "with `schedule = \"constant\"`");
        } else {
            self.within(
                "final_fraction",
                optimizer.final_fraction.unwrap_or(0.0),
                0.0..=1.0,
            );
        }
        self.not_negative("weight_decay", optimizer.weight_decay);
        let unit = |beta| (0.0..1.0).contains(&beta);
        let (beta1, beta2) = optimizer.betas;
        self.that(unit(beta1) && unit(beta2), "betas", || {
            format!("are [{beta1}, {beta2}]; both must be from 0 to less than 1")
        });
        self.positive("adam_epsilon", optimizer.adam_epsilon);
        let norm = optimizer.max_grad_norm;
        self.that(norm > 0.0, "max_grad_norm", || {
            format!("is {norm}; it must be positive, or inf for no clipping")
        });
    }

    /// Importance ratios are only right if the sampler draws from the very distribution whose
    /// log-probabilities the trainer computes.
    pub(super) fn rl_sampling(&mut self, sampler: &SamplerSection) {
        self.prefix = "sampler".into();
        let known = |problems: &[Problem], key: &str| {
            problems
                .iter()
                .any(|problem| problem.key == format!("sampler.{key}"))
        };
        if sampler.temperature == 0.0 && !known(&self.problems, "temperature") {
            self.that(false, "temperature", || {
                "is 0; reinforcement learning needs completions that differ, so a temperature \
                 above 0"
                    .into()
            });
        }
        if let Some(option) = sampler.truncation()
            && !known(&self.problems, option)
        {
            self.that(false, option, || {
                "cuts tokens off the distribution, and the probability ratios of reinforcement \
                 learning would be biased by the mass that is cut off; remove it (evaluation and \
                 `equipoise sample` may truncate)"
                    .into()
            });
        }
    }
}

/// What both kinds of stage have in common, to be checked in one place.
struct Optimizer {
    learning_rate: f64,
    warmup_steps: u64,
    steps: u64,
    schedule: ScheduleKind,
    final_fraction: Option<f64>,
    weight_decay: f64,
    betas: (f64, f64),
    adam_epsilon: f64,
    max_grad_norm: f64,
}
