//! Every default of a recipe, in one place; but for the settings of procedural tasks that are
//! `equipoise-data`'s own, which have theirs there.

use std::path::PathBuf;

use super::data::StyleWeights;
use super::engine::{EngineSection, Precision};
use super::sampling::TrackingSection;
use super::stage::ScheduleKind;
use super::verifier::Extraction;

/// One function per default, in the form serde asks for.
macro_rules! defaults {
    ($($name:ident: $type:ty = $value:expr;)*) => {
        $(pub(super) fn $name() -> $type { $value })*
    };
}

defaults! {
    seed: u64 = 0;

    // [model]
    rope_theta: f64 = 10_000.0;
    rms_norm_eps: f64 = 1e-6;
    tie_word_embeddings: bool = true;
    initializer_range: f64 = 0.02;

    // [engine]
    precision: Precision = Precision::F32;
    activation_checkpointing: bool = false;
    engine: EngineSection = EngineSection {
        precision: precision(),
        activation_checkpointing: activation_checkpointing(),
    };

    // [lora]
    lora_rank: usize = 8;
    lora_alpha: f64 = 8.0;
    lora_rank_stabilised: bool = false;
    lora_dropout: f64 = 0.0;
    lora_target_modules: Vec<String> = vec!["all-linear".into()];

    // [data]
    max_bad_share: f64 = equipoise_data::OnBadRow::MAX_SHARE;
    near_similarity: f64 = equipoise_data::Duplicates::SIMILARITY;
    near_words: usize = equipoise_data::Duplicates::WORDS;
    held_out: usize = 256;
    operands: (u32, u32) = (2, 3);
    operand_max: u32 = 99;
    operators: String = "+-".into();
    styles: StyleWeights = StyleWeights { direct: 1.0, steps: 1.0, columns: 1.0 };
    style_weight: f64 = 0.0;
    numbers: (u32, u32) = (3, 4);
    number_max: u32 = 25;
    target_max: u32 = 100;
    misses: (u32, u32) = (0, 3);

    // [sampler]
    temperature: f64 = 1.0;
    top_k: usize = 0;
    top_p: f64 = 1.0;
    min_p: f64 = 0.0;

    // [verifier]
    extraction: Extraction = Extraction::AfterThink;
    use_all: bool = true;
    correct_weight: f64 = 1.0;
    format_weight: f64 = 0.0;

    // [[stage]], both kinds
    warmup_steps: u64 = 0;
    schedule: ScheduleKind = ScheduleKind::Constant;
    final_fraction: f64 = 0.0;
    weight_decay: f64 = 0.0;
    betas: (f64, f64) = (0.9, 0.999);
    adam_epsilon: f64 = 1e-8;
    max_grad_norm: f64 = 1.0;
    tokens_per_micro_batch: usize = 4096;
    eval_every: u64 = 10;
    eval_samples: usize = 0;
    checkpoint_every: u64 = 50;

    // [[stage]] kind = "rl"
    updates_per_rollout: usize = 1;
    coefficient: f64 = 0.0;
    mask_truncated: bool = false;
    completions_logged: usize = 8;
    max_unscorable_share: f64 = 0.5;
    max_logprob_difference: f64 = 0.01;

    // [tracking]
    tracking: TrackingSection = TrackingSection { runs: runs() };
    runs: PathBuf = "runs".into();
}
