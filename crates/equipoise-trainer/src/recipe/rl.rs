//! `[[stage]]` with `kind = "rl"`.

use serde::{Deserialize, Serialize};

use super::choice::Choice;
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
    /// The most tokens that go through the model at once, a prompt of several completions counted once.
    /// Changes memory and speed, not the result.
    #[serde(default = "defaults::tokens_per_micro_batch")]
    pub tokens_per_micro_batch: usize,
    /// Mini-batches a rollout is cut into, whole prompts each, with one optimiser step each.
    #[serde(default = "defaults::updates_per_rollout")]
    pub updates_per_rollout: usize,
    /// Dynamic sampling (DAPO, arXiv:2503.14476): groups whose rewards are all equal are replaced by
    /// groups of other problems, in so many rounds of sampling at most, the first one included. Unless
    /// it is given, every group is trained on as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dynamic_sampling_rounds: Option<u32>,
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

    /// A published method, which fills in the three choices below where they are not given; `ba` if
    /// there is none. See [`PRESETS`](super::PRESETS).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// How rewards become advantages.
    #[serde(default)]
    pub estimator: Choice,
    /// The policy objective.
    #[serde(default)]
    pub objective: Choice,
    /// How the loss terms of the tokens become one loss. Its option `max_tokens`, where it has one, is
    /// `sampler.max_new_tokens` unless it is given.
    #[serde(default)]
    pub aggregation: Choice,

    /// The weight of the divergence from the reference model; 0 for none.
    #[serde(default = "defaults::coefficient")]
    pub kl_coefficient: f64,
    /// How it is estimated. Only with a `kl_coefficient`.
    pub kl: Option<KlEstimator>,
    /// Where the log-ratio to the reference is cut off, greater than 0; nowhere unless it is given. Only
    /// with a `kl_coefficient`.
    pub kl_clamp: Option<f64>,
    /// Whether the estimate is multiplied by the ratio to the policy that sampled; false unless it is
    /// given. Only with a `kl_coefficient`.
    pub kl_importance: Option<bool>,
    /// How its tokens are aggregated. Only with a `kl_coefficient`, and by a rule that does not look
    /// at signs, because the divergence has none.
    pub kl_aggregation: Option<Choice>,
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
    /// The distance of the log-probabilities.
    Abs,
    /// The log-ratio, with the gradient of half its square.
    #[serde(rename = "k1+")]
    K1Plus,
    /// The third, with the gradient of the second.
    #[serde(rename = "k3+")]
    K3Plus,
}
