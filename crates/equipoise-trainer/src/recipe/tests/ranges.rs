//! Runs that are impossible although every key and type is right.

use super::super::{Recipe, RecipeError};
use super::{MINIMAL, error, parse};

#[test]
fn every_range() {
    let positive = "it must be positive and finite";
    let not_negative = "it must be finite and not negative";
    for (argument, what) in [
        (
            "name=a/b",
            "name: \"a/b\" cannot be the name of a directory; use letters, digits, `-`, `_` and `.`",
        ),
        (
            "model.num_hidden_layers=0",
            "model.num_hidden_layers: is 0; it must be at least 1",
        ),
        (
            "model.num_attention_heads=6",
            "model.num_attention_heads: is 6, which does not divide hidden_size = 64",
        ),
        (
            "model.num_key_value_heads=3",
            "model.num_key_value_heads: is 3, which does not divide num_attention_heads = 4",
        ),
        (
            "model.head_dim=15",
            "model.head_dim: is 15; it must be even, because rotary embeddings turn pairs of \
             numbers",
        ),
        (
            "model.rope_theta=0",
            &format!("model.rope_theta: is 0; {positive}"),
        ),
        (
            "model.rms_norm_eps=nan",
            &format!("model.rms_norm_eps: is NaN; {positive}"),
        ),
        (
            "model.initializer_range=inf",
            &format!("model.initializer_range: is inf; {positive}"),
        ),
        (
            "data.held_out=0",
            "data.held_out: is 0; it must be at least 1",
        ),
        (
            "data.arithmetic.operands=[3, 2]",
            "data.arithmetic.operands: is [3, 2]; it must be [smallest, largest], from 2 upwards",
        ),
        (
            "data.arithmetic.operators=+/",
            "data.arithmetic.operators: is \"+/\"; it must hold one or more of the characters + - *",
        ),
        (
            "data.arithmetic.styles={direct=0}",
            "data.arithmetic.styles: are all 0; at least one style must be drawn",
        ),
        (
            "data.arithmetic.styles.steps=-1",
            "data.arithmetic.styles.steps: is -1; it must be finite and not negative",
        ),
        (
            "sampler.temperature=-1",
            &format!("sampler.temperature: is -1; {not_negative}"),
        ),
        (
            "sampler.max_new_tokens=0",
            "sampler.max_new_tokens: is 0; it must be at least 1",
        ),
        (
            "verifier.correct_weight=0",
            "verifier.correct_weight: and format_weight are both 0; the reward would be the same \
             for every completion",
        ),
        (
            "stage.sft.batch_size=0",
            "stage.sft.batch_size: is 0; it must be at least 1",
        ),
        (
            "stage.sft.learning_rate=0",
            &format!("stage.sft.learning_rate: is 0; {positive}"),
        ),
        (
            "stage.sft.warmup_steps=11",
            "stage.sft.warmup_steps: is 11, more than the stage's steps = 10",
        ),
        (
            "stage.sft.betas=[0.9, 1]",
            "stage.sft.betas: are [0.9, 1]; both must be from 0 to less than 1",
        ),
        (
            "stage.sft.max_grad_norm=0",
            "stage.sft.max_grad_norm: is 0; it must be positive, or inf for no clipping",
        ),
        (
            "stage.sft.stop_at_accuracy=40",
            "stage.sft.stop_at_accuracy: is 40; it must be above 0 and at most 1",
        ),
        (
            "stage.rl.samples_per_prompt=1",
            "stage.rl.samples_per_prompt: is 1; it must be at least 2, because an advantage \
             compares the responses to one prompt",
        ),
        (
            "stage.rl.updates_per_rollout=3",
            "stage.rl.updates_per_rollout: is 3, which does not divide prompts_per_step = 8; every \
             mini-batch holds equally many whole prompts",
        ),
        (
            "stage.rl.max_truncated_share=1.5",
            "stage.rl.max_truncated_share: is 1.5; it must be from 0 to 1",
        ),
    ] {
        assert_eq!(error(&[argument]), format!("r.toml: {what}"), "{argument}");
    }
}

#[test]
fn options_without_effect() {
    let cases: [(&[&str], &str); 7] = [
        (
            &["data.code_tasks={}"],
            "data.code_tasks: has no effect without `task = \"code_tasks\"`; remove it",
        ),
        (
            &["stage.rl.kl=k3"],
            "stage.rl.kl: has no effect with `kl_coefficient = 0`; remove it",
        ),
        (
            &["stage.sft.final_fraction=0.1"],
            "stage.sft.final_fraction: has no effect with `schedule = \"constant\"`; remove it",
        ),
        (
            &["stage.sft.eval_every=0", "stage.sft.stop_at_accuracy=0.5"],
            "stage.sft.stop_at_accuracy: has no effect with `eval_every = 0`; remove it",
        ),
        (
            &["data.countdown={}"],
            "data.countdown: has no effect without `task = \"countdown\"`; remove it",
        ),
        (
            &["data.message_format=chatml"],
            "data.message_format: has no effect without `path`; remove it",
        ),
        (
            &["verifier.use_all=false"],
            "verifier.use_all: has no effect without `kind = \"countdown\"`; remove it",
        ),
    ];
    for (overrides, what) in cases {
        assert_eq!(error(overrides), format!("r.toml: {what}"));
    }
}

#[test]
fn either_or() {
    assert_eq!(
        error(&["model={path='m', hidden_size=3}"]),
        "r.toml: model: either `path`, which takes the shape from the directory's config.json, or \
         a shape, not both; remove `path`, or remove hidden_size"
    );
    assert_eq!(
        error(&["data.path=p.jsonl"]),
        "r.toml: data.task: either `task`, whose problems are generated, or `path`, whose problems \
         are read, not both"
    );
    assert_eq!(
        error(&["data={}"]),
        "r.toml: data.task: set either `task`, to one of arithmetic, countdown, linear_equations, \
         number_sorting, base_conversion, string_manipulation, logic_puzzles, calendar_arithmetic, \
         code_tasks, mixture; or `path`, to a file of problems"
    );
    assert_eq!(
        error(&["data={path='p', held_out_path='q', held_out=3}"]),
        "r.toml: data.held_out: has no effect with `held_out_path`, whose problems are all held \
         out; remove it"
    );
    assert_eq!(
        error(&["verifier.kind=countdown", "verifier.extraction=hashes"]),
        "r.toml: verifier.extraction: must be after_think for kind = \"countdown\", whose answer is \
         an expression"
    );
    assert_eq!(
        error(&[
            "stage.rl.kl_coefficient=0.1",
            "stage.rl.kl_aggregation=balanced"
        ]),
        "r.toml: stage.rl.kl_aggregation: cannot be balanced: a divergence has no sign to balance; \
         use token_mean"
    );
}

#[test]
fn truncated_sampling_is_for_evaluation() {
    for option in ["top_k=5", "top_p=0.9", "min_p=0.1"] {
        let key = option.split_once('=').unwrap().0;
        assert_eq!(
            error(&[&format!("sampler.{option}")]),
            format!(
                "r.toml: sampler.{key}: cuts tokens off the distribution, and the probability \
                 ratios of reinforcement learning would be biased by the mass that is cut off; \
                 remove it (evaluation and `equipoise sample` may truncate)"
            )
        );
    }
    assert_eq!(
        error(&["sampler.temperature=0"]),
        "r.toml: sampler.temperature: is 0; reinforcement learning needs completions that differ, \
         so a temperature above 0"
    );
    // Without reinforcement learning both are fine.
    let text = MINIMAL.rsplit_once("[[stage]]").unwrap().0;
    let overrides = [
        "sampler.top_k=5".to_owned(),
        "sampler.temperature=0".to_owned(),
    ];
    assert!(Recipe::parse(text, "r.toml", &overrides).is_ok());
}

#[test]
fn all_problems_are_listed_at_once() {
    assert_eq!(
        error(&[
            "model.num_attention_heads=6",
            "stage.rl.steps=0",
            "stage.sft.steps=0"
        ]),
        "r.toml: 3 problems\n  \
         model.num_attention_heads: is 6, which does not divide hidden_size = 64\n  \
         stage.sft.steps: is 0; a stage has at least one step\n  \
         stage.rl.steps: is 0; a stage has at least one step"
    );
}

#[test]
fn a_recipe_changed_in_code_can_be_checked() {
    let mut recipe = parse(&[]).unwrap();
    recipe.validate().unwrap();
    recipe.seed = u64::MAX;
    assert_eq!(
        recipe.validate().unwrap_err().to_string(),
        "recipe minimal: seed: 18446744073709551615 is more than 9223372036854775807"
    );
}

#[cfg(unix)]
#[test]
fn a_recipe_that_toml_cannot_hold() {
    use std::os::unix::ffi::OsStrExt;

    let mut recipe = parse(&[]).unwrap();
    recipe.tracking.runs = std::ffi::OsStr::from_bytes(&[0xff]).into();
    let error = recipe.to_toml().unwrap_err();
    assert!(matches!(error, RecipeError::Unwritable { .. }));
    assert_eq!(
        error.to_string(),
        "recipe minimal cannot be written as TOML: path contains invalid UTF-8 characters"
    );
}
