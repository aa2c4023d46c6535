//! `[[stage]]` with `kind = "sft"`.

use serde::{Deserialize, Serialize};

use super::defaults;
use super::stage::ScheduleKind;

/// Supervised fine-tuning on demonstrations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SftStage {
    /// The most optimiser steps.
    pub steps: u64,
    /// Demonstrations per step.
    pub batch_size: usize,
    /// The peak learning rate.
    pub learning_rate: f64,
    /// Steps over which the learning rate rises.
    #[serde(default = "defaults::warmup_steps")]
    pub warmup_steps: u64,
    /// How the learning rate decays after that.
    #[serde(default = "defaults::schedule")]
    pub schedule: ScheduleKind,
    /// The fraction of the peak learning rate at the end. Only with a schedule that decays.
    pub final_fraction: Option<f64>,
    /// AdamW's weight decay.
    #[serde(default = "defaults::weight_decay")]
    pub weight_decay: f64,
    /// AdamW's decay rates of the two moments.
    #[serde(default = "defaults::betas")]
    pub betas: (f64, f64),
    /// What AdamW adds to the root of the second moment.
    #[serde(default = "defaults::adam_epsilon")]
    pub adam_epsilon: f64,
    /// The norm the gradient is clipped to; `inf` for no clipping.
    #[serde(default = "defaults::max_grad_norm")]
    pub max_grad_norm: f64,
    /// The most tokens that go through the model at once. Changes memory and speed, not the result.
    #[serde(default = "defaults::tokens_per_micro_batch")]
    pub tokens_per_micro_batch: usize,
    /// Steps between evaluations on held-out problems; 0 for none but at the end.
    #[serde(default = "defaults::eval_every")]
    pub eval_every: u64,
    /// Held-out problems per evaluation; `None` for all.
    pub eval_problems: Option<usize>,
    /// Answers to each of them, sampled as in training; 0 for the greedy answer alone.
    #[serde(default = "defaults::eval_samples")]
    pub eval_samples: usize,
    /// Held-out accuracy, in (0, 1], at which the stage ends early; `None` for never.
    pub stop_at_accuracy: Option<f64>,
    /// Steps between checkpoints; 0 for none but at the end.
    #[serde(default = "defaults::checkpoint_every")]
    pub checkpoint_every: u64,
}
