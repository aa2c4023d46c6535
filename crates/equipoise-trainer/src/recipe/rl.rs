//! `[[stage]]` with `kind = "rl"`, and its choices.

use serde::{Deserialize, Serialize};

use super::defaults;
use super::stage::ScheduleKind;

/// Reinforcement learning with verifiable rewards.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RlStage {
    /// The number of rollouts, each followed by `updates_per_rollout` optimiser steps.
    pub steps: u64,
    /// Prompts per rollout.
    pub prompts_per_step: usize,
    /// Completions per prompt: the size of a group.
    pub samples_per_prompt: usize,
    /// The most tokens that go through the model at once. Changes memory and speed, not the result.
    #[serde(default = "defaults::tokens_per_micro_batch")]
    pub tokens_per_micro_batch: usize,
    /// Mini-batches a rollout is cut into, whole prompts each, with one optimiser step each.
    #[serde(default = "defaults::updates_per_rollout")]
    pub updates_per_rollout: usize,
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

    /// How rewards become advantages.
    #[serde(default = "defaults::estimator")]
    pub estimator: Estimator,
    /// What the advantages are divided by. Only with `estimator = "grpo"`.
    pub std: Option<StdScope>,
    /// Which standard deviation that is. Only where there is one.
    pub std_correction: Option<StdCorrection>,
    /// What is added to it. Only where there is one.
    pub std_epsilon: Option<f64>,

    /// How the loss terms of the tokens become one loss.
    #[serde(default = "defaults::aggregation")]
    pub aggregation: Aggregation,
    /// What is pooled. Only with `aggregation = "balanced"`.
    pub aggregation_scope: Option<Scope>,
    /// What responses with advantage zero count as. Only with `aggregation = "balanced"`.
    pub zero_advantage: Option<ZeroAdvantage>,
    /// The constant length of Dr. GRPO, `sampler.max_new_tokens` if it is not given. Only where
    /// `aggregation` or `kl_aggregation` is `dr_grpo`.
    pub aggregation_max_tokens: Option<usize>,

    /// The policy objective.
    #[serde(default = "defaults::objective")]
    pub objective: Objective,
    /// How far below 1 the probability ratio counts.
    #[serde(default = "defaults::epsilon_low")]
    pub epsilon_low: f64,
    /// How far above 1 the probability ratio counts.
    #[serde(default = "defaults::epsilon_high")]
    pub epsilon_high: f64,
    /// The limit of the loss of a negative response, as a multiple of its advantage; above 1. `None`
    /// for no limit.
    pub dual_clip: Option<f64>,
    /// The weight of the divergence from the reference model; 0 for none.
    #[serde(default = "defaults::coefficient")]
    pub kl_coefficient: f64,
    /// How it is estimated. Only with a `kl_coefficient`.
    pub kl: Option<KlEstimator>,
    /// How its tokens are aggregated. Only with a `kl_coefficient`; not `balanced`, because the
    /// divergence has no sign to balance.
    pub kl_aggregation: Option<Aggregation>,
    /// The weight of the entropy bonus, a token mean; 0 for none.
    #[serde(default = "defaults::coefficient")]
    pub entropy_coefficient: f64,
    /// Whether completions cut off at `max_new_tokens` are left out of the loss.
    #[serde(default = "defaults::mask_truncated")]
    pub mask_truncated: bool,

    /// Steps between evaluations on held-out problems; 0 for none but at the end.
    #[serde(default = "defaults::eval_every")]
    pub eval_every: u64,
    /// Held-out problems per evaluation; `None` for all.
    pub eval_problems: Option<usize>,
    /// Answers to each of them, sampled as in training; 0 for the greedy answer alone.
    #[serde(default = "defaults::eval_samples")]
    pub eval_samples: usize,
    /// Steps between checkpoints; 0 for none but at the end.
    #[serde(default = "defaults::checkpoint_every")]
    pub checkpoint_every: u64,
    /// Completions written to the log per step.
    #[serde(default = "defaults::completions_logged")]
    pub completions_logged: usize,

    /// The largest share of a step's completions that the verifier may be unable to score.
    #[serde(default = "defaults::max_unscorable_share")]
    pub max_unscorable_share: f64,
    /// The largest share of a step's groups whose rewards are all equal; `None` for any.
    pub max_no_signal_share: Option<f64>,
    /// The largest share of a step's completions that are cut off; `None` for any.
    pub max_truncated_share: Option<f64>,
    /// The largest difference between a token's log-probability under the sampler and under the
    /// trainer with the same weights.
    #[serde(default = "defaults::max_logprob_difference")]
    pub max_logprob_difference: f64,
}

/// How rewards become advantages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Estimator {
    /// Reward less the group's mean, over a standard deviation (arXiv:2402.03300).
    Grpo,
    /// Reward less the group's mean (arXiv:2503.20783).
    DrGrpo,
    /// Reward less the mean of the others (arXiv:2402.14740).
    Rloo,
}

/// Over what a standard deviation is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdScope {
    /// There is none: advantages are not divided.
    None,
    /// The group.
    Group,
    /// The batch.
    Batch,
}

/// Which standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StdCorrection {
    /// Divided by n − 1.
    Sample,
    /// Divided by n.
    Population,
}

/// How the loss terms of tokens become one loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// Token mean inside each sign, signs weighted by responses (arXiv:2605.04077).
    Balanced,
    /// Every token alike.
    TokenMean,
    /// Every response alike.
    SequenceMean,
    /// Token sum over a constant length (arXiv:2503.20783).
    DrGrpo,
}

/// What is pooled by Balanced Aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The responses to one prompt.
    Group,
    /// All responses of an optimiser step.
    Batch,
}

/// What responses with advantage zero count as in Balanced Aggregation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroAdvantage {
    /// Neither sign.
    Neutral,
    /// Negative.
    Negative,
}

/// The policy objective.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Objective {
    /// The clipped probability ratio (arXiv:1707.06347).
    PpoClip,
}

/// How the divergence from the reference model is estimated per token (Schulman, 2020).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KlEstimator {
    /// The log-ratio.
    K1,
    /// Half its square.
    K2,
    /// The ratio less the log-ratio less 1.
    K3,
}
