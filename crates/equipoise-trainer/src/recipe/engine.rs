//! `[engine]` and `[lora]`: how the model computes, and whether all of it is trained.

use equipoise_models::LoraConfig;
use equipoise_models::Precision as Rounding;
use serde::{Deserialize, Serialize};

use super::defaults;

/// How the model computes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineSection {
    /// What the operands of matrix products are rounded to, in training and in sampling. Weights,
    /// gradients and sums are f32 either way.
    #[serde(default = "defaults::precision")]
    pub precision: Precision,
    /// Whether the backward pass computes each layer again instead of keeping what it computed:
    /// less memory for about a third more arithmetic, and no other result.
    #[serde(default = "defaults::activation_checkpointing")]
    pub activation_checkpointing: bool,
}

/// A precision of matrix products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// Single precision.
    F32,
    /// bfloat16 operands: faster on processors with AVX512-BF16.
    Bf16,
}

impl From<Precision> for Rounding {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// A low-rank adapter, which is trained in place of the model's own weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraSection {
    /// The rank of the adapter's matrices.
    #[serde(default = "defaults::lora_rank")]
    pub rank: usize,
    /// α: the product is multiplied by α / rank.
    #[serde(default = "defaults::lora_alpha")]
    pub alpha: f64,
    /// Whether it is multiplied by α / √rank instead (rsLoRA).
    #[serde(default = "defaults::lora_rank_stabilised")]
    pub rank_stabilised: bool,
    /// The probability of dropping an element of an adapter's input, in stages that imitate.
    #[serde(default = "defaults::lora_dropout")]
    pub dropout: f64,
    /// The linear layers, by the ends of their names; `all-linear` for all.
    #[serde(default = "defaults::lora_target_modules")]
    pub target_modules: Vec<String>,
}

impl LoraSection {
    /// The adapter it describes.
    pub fn config(&self) -> LoraConfig {
        LoraConfig {
            rank: self.rank,
            alpha: self.alpha,
            rank_stabilised: self.rank_stabilised,
            dropout: self.dropout,
            target_modules: self.target_modules.clone(),
        }
    }
}
