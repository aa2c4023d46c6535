//! `[sampler]` and `[tracking]`.

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

/// Where the run is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackingSection {
    /// The directory that gets a directory per run.
    #[serde(default = "defaults::runs")]
    pub runs: PathBuf,
}
