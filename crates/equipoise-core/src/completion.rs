//! What goes into a sampler and what comes out.

use serde::{Deserialize, Serialize};

/// A token's number in the vocabulary.
pub type TokenId = u32;

/// A prompt as token ids, with the coordinate that addresses its samples' random streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// The second coordinate of the samples' streams (the first is the step, the third the sample's
    /// index): unique among the prompts of one step.
    pub id: u64,
    /// The token ids; not empty.
    pub tokens: Vec<TokenId>,
}

/// Why a completion ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Finish {
    /// The model emitted a stop token, which is the last token of the completion.
    Stop,
    /// The limit on new tokens was reached: the completion is truncated.
    Length,
}

/// One sampled completion, in token ids; text is only a view of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Completion {
    /// The tokens after the prompt, a stop token included.
    pub tokens: Vec<TokenId>,
    /// For each token its log-probability (natural logarithm) under the distribution it was drawn
    /// from, temperature and truncation included.
    pub logprobs: Vec<f32>,
    /// Why it ended.
    pub finish: Finish,
    /// The version of the weights that produced it: the number of optimiser steps they had seen.
    pub weight_version: u64,
}
