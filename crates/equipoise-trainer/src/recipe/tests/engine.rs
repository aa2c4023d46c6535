//! `[engine]` and `[lora]`: every bad value is named.

use super::super::{LoraSection, Precision};
use super::{error, parse};

#[test]
fn defaults() {
    let recipe = parse(&[]).unwrap();
    assert!(recipe.lora.is_none());
    assert_eq!(recipe.engine.precision, Precision::F32);
    assert!(!recipe.engine.activation_checkpointing);
    // An empty section is an adapter, with PEFT's defaults.
    let recipe = parse(&["lora={}"]).unwrap();
    let expected = LoraSection {
        rank: 8,
        alpha: 8.0,
        rank_stabilised: false,
        dropout: 0.0,
        target_modules: vec!["all-linear".to_owned()],
    };
    assert_eq!(recipe.lora, Some(expected));
}

#[test]
fn values_out_of_range() {
    for (argument, what) in [
        ("rank=0", "rank: is 0; it must be from 1 to 65536"),
        ("rank=65537", "rank: is 65537; it must be from 1 to 65536"),
        ("alpha=0", "alpha: is 0; it must be positive and finite"),
        ("alpha=-8", "alpha: is -8; it must be positive and finite"),
        ("alpha=nan", "alpha: is NaN; it must be positive and finite"),
        ("alpha=inf", "alpha: is inf; it must be positive and finite"),
        ("dropout=1", "dropout: is 1; it must be in [0, 1)"),
        ("dropout=-0.1", "dropout: is -0.1; it must be in [0, 1)"),
        ("dropout=nan", "dropout: is NaN; it must be in [0, 1)"),
        (
            "target_modules=[]",
            "target_modules: is empty; name linear layers, or [\"all-linear\"]",
        ),
        (
            "target_modules=['q_proj', 'qkv']",
            "target_modules: \"qkv\" names no linear layer; known are self_attn.q_proj, \
             self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, mlp.up_proj, \
             mlp.down_proj, and all-linear",
        ),
        (
            "target_modules=['']",
            "target_modules: \"\" names no linear layer; known are self_attn.q_proj, \
             self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, mlp.up_proj, \
             mlp.down_proj, and all-linear",
        ),
        // The model has layers 0 and 1.
        (
            "target_modules=['layers.2.mlp.up_proj']",
            "target_modules: \"layers.2.mlp.up_proj\" names no linear layer; known are \
             self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, \
             mlp.up_proj, mlp.down_proj, and all-linear",
        ),
    ] {
        let found = error(&[&format!("lora.{argument}")]);
        assert_eq!(found, format!("r.toml: lora.{what}"));
    }
    for argument in [
        "rank=65536",
        "dropout=0.99",
        "alpha=0.5",
        "target_modules=['layers.1.*.up_proj', 'o_proj']",
    ] {
        parse(&[&format!("lora.{argument}")]).unwrap();
    }
    // How many layers a directory's model has is known once it is read.
    parse(&[
        "model={path='m'}",
        "lora.target_modules=['layers.2.mlp.up_proj']",
    ])
    .unwrap();
}

/// Reinforcement compares the policy with what the sampler computed, without dropout.
#[test]
fn dropout_needs_a_stage_that_imitates() {
    let text = super::MINIMAL;
    let (before, stages) = text.split_once("[[stage]]").unwrap();
    let (_, reinforces) = stages.split_once("[[stage]]").unwrap();
    let text = format!("{before}[lora]\ndropout = 0.1\n[[stage]]{reinforces}");
    let error = super::Recipe::parse(&text, "r.toml", &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "r.toml: lora.dropout: has no effect without a stage of kind \"sft\": stages of kind \"rl\" \
         drop nothing; remove it"
    );
}

#[test]
fn values_of_the_wrong_type() {
    let whole = "expected a whole number that is not negative";
    for (argument, what) in [
        ("lora.rank=8.9", format!("{whole}, found the number 8.9")),
        ("lora.rank=-1", format!("{whole}, found the number -1")),
        ("lora.rank='8'", format!("{whole}, found the string \"8\"")),
        (
            "lora.alpha='16'",
            "expected a number, found the string \"16\"".to_owned(),
        ),
        (
            "lora.dropout=true",
            "expected a number, found true".to_owned(),
        ),
        (
            "lora.rank_stabilised=1",
            "expected true or false, found the number 1".to_owned(),
        ),
        (
            "engine.activation_checkpointing='yes'",
            "expected true or false, found the string \"yes\"".to_owned(),
        ),
    ] {
        let key = argument.split_once('=').unwrap().0;
        assert_eq!(
            error(&[argument]),
            format!("--set {argument}: {key}: {what}")
        );
    }
    for (argument, words) in [
        (
            "lora.target_modules=q_proj",
            "lora.target_modules: expected",
        ),
        (
            "lora.target_modules=[3]",
            "lora.target_modules[0]: expected",
        ),
        ("lora=4", "lora: expected a table"),
        ("engine=bf16", "engine: expected a table"),
    ] {
        let error = error(&[argument]);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn unknown_words() {
    for (argument, what) in [
        (
            "engine.precision=fp16",
            "engine.precision: unknown value \"fp16\", did you mean `bf16`?; the choices are f32, bf16",
        ),
        (
            "engine.precison=f32",
            "unknown key `precison` in [engine], did you mean `precision`?; the keys are precision, \
             activation_checkpointing",
        ),
        (
            "lora.r=8",
            "unknown key `r` in [lora]; the keys are rank, alpha, rank_stabilised, dropout, \
             target_modules",
        ),
        (
            "lora.target_module=[]",
            "unknown key `target_module` in [lora], did you mean `target_modules`?; the keys are rank, \
             alpha, rank_stabilised, dropout, target_modules",
        ),
    ] {
        assert_eq!(error(&[argument]), format!("--set {argument}: {what}"));
    }
}
