//! A recipe in a few lines: what will be trained, on how much, and by which method.

use std::fmt::Write as _;

use equipoise_kernels::gemm::half::has_instruction;
use equipoise_models::Config;
use equipoise_trainer::Outline;
use equipoise_trainer::recipe::{Precision, Recipe, RlStage, SftStage, Stage};

use crate::estimate::{Lengths, Memory, parameters, trained};
use crate::output::{bytes, count, percent, word};

/// The lines in front of a run.
pub(crate) fn essentials(recipe: &Recipe, outline: &Outline, lengths: Lengths) -> String {
    let mut text = String::new();
    let mut line = |key: &str, what: &str| {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{key:<10} {what}");
    };
    line("model", &model(&outline.config));
    let train = outline.source.len();
    let train = train.map_or("endless problems".to_owned(), |n| format!("{n} problems"));
    let held_out = outline.source.held_out().len();
    line("data", &format!("{train} to train on, {held_out} held out"));
    for note in outline.source.notes() {
        line("", &note);
    }
    for (index, stage) in recipe.stages.iter().enumerate() {
        let key = stage_name(recipe, index);
        let lines = match stage {
            Stage::Sft(stage) => sft(stage),
            Stage::Rl(stage) => rl(stage, lengths),
        };
        let mut key = key.as_str();
        for what in lines {
            line(key, &what);
            key = "";
        }
    }
    if let Some(lora) = &recipe.lora {
        let trained = count(trained(recipe, &outline.config) as f64);
        let modules = lora.target_modules.join(", ");
        line(
            "adapter",
            &format!(
                "rank {}, scale {:.3}, on {modules}: {trained} parameters trained, the rest frozen",
                lora.rank,
                lora.config().scale()
            ),
        );
    }
    if recipe.engine.precision == Precision::Bf16 {
        let speed = match has_instruction() {
            true => "by this processor's own instruction",
            false => "without an instruction of this processor's, and so no faster than f32",
        };
        line(
            "precision",
            &format!("matrix products of bf16 operands, {speed}"),
        );
    }
    let limit = outline.config.max_position_embeddings;
    let longest = lengths.prompt.saturating_add(lengths.completion) - 1;
    if longest > limit {
        line(
            "warning",
            &format!(
                "prompts of up to {} tokens and sampler.max_new_tokens = {} do not fit into \
                 max_position_embeddings = {limit}: sampling will stop with an error",
                lengths.prompt, lengths.completion
            ),
        );
    }
    text
}

/// What a stage is called in records and on the screen: `sft`, `rl`, or `rl.1`.
pub(crate) fn stage_name(recipe: &Recipe, index: usize) -> String {
    let key = recipe.stage_key(index);
    key.strip_prefix("stage.").unwrap_or(&key).to_owned()
}

fn model(config: &Config) -> String {
    format!(
        "{} parameters: {} layers, hidden {}, {} heads ({} key-value) of {}, feed-forward {}, \
         vocabulary {}",
        count(parameters(config) as f64),
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
        config.intermediate_size,
        config.vocab_size,
    )
}

fn sft(stage: &SftStage) -> Vec<String> {
    let goal = match stage.stop_at_accuracy {
        Some(goal) => format!(", until held-out accuracy is {}", percent(goal)),
        None => String::new(),
    };
    vec![format!(
        "{} steps × {} demonstrations{goal}; micro-batches of {} tokens",
        stage.steps, stage.batch_size, stage.tokens_per_micro_batch
    )]
}

fn rl(stage: &RlStage, lengths: Lengths) -> Vec<String> {
    let completions = stage
        .prompts_per_step
        .saturating_mul(stage.samples_per_prompt);
    let updates = stage.updates_per_rollout.max(1);
    let divergence = stage.kl.filter(|_| stage.kl_coefficient != 0.0);
    let divergence = divergence.map_or(String::new(), |kl| {
        format!(" + {} × {}", stage.kl_coefficient, word(&kl))
    });
    let tokens = completions.saturating_mul(lengths.completion);
    let preset = (stage.preset.as_ref()).map_or(String::new(), |name| format!("preset {name}: "));
    vec![
        format!(
            "{} steps × {} prompts × {} samples = {completions} completions a step, ÷ {updates} \
             updates = {} per optimiser step",
            stage.steps,
            stage.prompts_per_step,
            stage.samples_per_prompt,
            completions / updates,
        ),
        format!(
            "{preset}estimator {} × objective {}{divergence} × aggregation {}",
            stage.estimator, stage.objective, stage.aggregation,
        ),
        with_every_option(stage),
        format!(
            "at most {tokens} new tokens a step ({completions} × {}), {} in all; micro-batches of \
             {} tokens",
            lengths.completion,
            count(tokens as f64 * stage.steps as f64),
            stage.tokens_per_micro_batch
        ),
    ]
}

/// What the choices are with all their options, those that the recipe leaves to their defaults too.
fn with_every_option(stage: &RlStage) -> String {
    stage.choices().map_or_else(
        |problems| problems.iter().map(ToString::to_string).collect(),
        |choices| {
            format!(
                "that is {:?} × {:?} × {:?}",
                choices.estimator, choices.objective, choices.aggregation
            )
        },
    )
}

/// The predicted memory, part by part.
pub(crate) fn memory(memory: &Memory, threads: usize) -> String {
    let mut parts = vec![
        format!("weights {}", bytes(memory.weights)),
        format!("moments {}", bytes(memory.moments)),
        format!("rotary angles {}", bytes(memory.rotary)),
    ];
    if memory.reference > 0 {
        parts.push(format!("reference {}", bytes(memory.reference)));
    }
    parts.extend([
        format!("gradients {}", bytes(memory.gradients)),
        format!("tape {}", bytes(memory.tape)),
        format!("sampling {}", bytes(memory.sampling)),
        format!("saving {}", bytes(memory.saving)),
    ]);
    format!(
        "about {} on {threads} threads: {}",
        bytes(memory.peak()),
        parts.join(", ")
    )
}
