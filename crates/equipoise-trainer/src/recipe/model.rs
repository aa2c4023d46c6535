//! `[model]`: a shape to start from scratch, or a directory to start from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::defaults;

/// The model that is trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ModelSection {
    /// A saved model; its directory says everything about its shape.
    Directory(ModelDirectory),
    /// A new model, its weights drawn from the run's seed.
    Shape(ModelShape),
}

/// A model in the layout of Hugging Face, or a run, whose newest checkpoint is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelDirectory {
    /// A directory with `config.json` and `model.safetensors`, or the directory of a run.
    pub path: PathBuf,
}

/// The shape of a decoder, with the names of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelShape {
    /// The width of the residual stream.
    pub hidden_size: usize,
    /// The number of decoder layers.
    pub num_hidden_layers: usize,
    /// The number of query heads.
    pub num_attention_heads: usize,
    /// The number of key and value heads, which divides the number of query heads.
    pub num_key_value_heads: usize,
    /// The width of a head; even, because rotary embeddings turn pairs.
    pub head_dim: usize,
    /// The width inside the feed-forward block.
    pub intermediate_size: usize,
    /// The base of the rotary embeddings' wavelengths.
    #[serde(default = "defaults::rope_theta")]
    pub rope_theta: f64,
    /// What RMS normalisation adds to the mean square.
    #[serde(default = "defaults::rms_norm_eps")]
    pub rms_norm_eps: f64,
    /// Whether the output projection is the embedding.
    #[serde(default = "defaults::tie_word_embeddings")]
    pub tie_word_embeddings: bool,
    /// The longest sequence, prompt and completion together.
    pub max_position_embeddings: usize,
    /// The standard deviation of new weights.
    #[serde(default = "defaults::initializer_range")]
    pub initializer_range: f64,
}
