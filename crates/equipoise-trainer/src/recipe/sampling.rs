//! `[sampler]`, `[verifier]` and `[tracking]`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::defaults;

/// How completions are sampled in training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SamplerSection {
    /// What logits are divided by; 0 is greedy.
    #[serde(default = "defaults::temperature")]
    pub temperature: f64,
    /// Only this many most likely tokens are considered; 0 for all.
    #[serde(default = "defaults::top_k")]
    pub top_k: usize,
    /// Only the most likely tokens that together reach this probability are considered; 1 for all.
    #[serde(default = "defaults::top_p")]
    pub top_p: f64,
    /// Only tokens at least this fraction as likely as the most likely one are considered; 0 for
    /// all.
    #[serde(default = "defaults::min_p")]
    pub min_p: f64,
    /// The most tokens of a completion.
    pub max_new_tokens: usize,
}

impl SamplerSection {
    /// The name of an active option that cuts tokens off the distribution, if there is one.
    pub fn truncation(&self) -> Option<&'static str> {
        if self.top_k > 0 {
            Some("top_k")
        } else if self.top_p < 1.0 {
            Some("top_p")
        } else if self.min_p > 0.0 {
            Some("min_p")
        } else {
            None
        }
    }
}

/// How completions are scored: a weighted mean of correctness and format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierSection {
    /// What a right answer is.
    pub kind: VerifierKind,
    /// Where in a completion the answer stands.
    #[serde(default = "defaults::extraction")]
    pub extraction: Extraction,
    /// Whether every given number has to be used. Only with `kind = "countdown"`.
    pub use_all: Option<bool>,
    /// The weight of correctness in the reward.
    #[serde(default = "defaults::correct_weight")]
    pub correct_weight: f64,
    /// The weight of the format, `<think>…</think>` and then an answer, in the reward.
    #[serde(default = "defaults::format_weight")]
    pub format_weight: f64,
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifierKind {
    /// A number equal to the problem's.
    Number,
    /// An expression over the given numbers that reaches the target.
    Countdown,
}

/// Where in a completion the answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// Everything after the last `</think>`.
    AfterThink,
    /// The last number.
    LastNumber,
    /// The first number after the last `####`.
    Hashes,
}

/// Where the run is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackingSection {
    /// The directory that gets a directory per run.
    #[serde(default = "defaults::runs")]
    pub runs: PathBuf,
}
