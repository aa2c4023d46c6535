//! Usage: what is refused before anything is done.

use crate::home::{Home, tiny};

#[test]
fn usage_errors_end_with_2() {
    let home = Home::new();
    for arguments in [
        &["trian", "x"][..],
        &["train"],
        &["train", "x", "--resume", "--dry-run"],
        &["eval"],
        &["sample", "x", "--samples", "many"],
        &[],
    ] {
        let said = home.call(arguments);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(
            said.err.contains("--help") || said.err.contains("Usage"),
            "{said:?}"
        );
    }
}

#[test]
fn help_and_version_end_with_0() {
    let home = Home::new();
    assert!(home.call(&["--help"]).succeeded().out.contains("inspect"));
    let version = home.call(&["--version"]).succeeded().out;
    assert_eq!(
        version.trim(),
        format!("equipoise {}", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_dry_run_tells_everything_and_creates_nothing() {
    let home = Home::new();
    let recipe = tiny();
    let said = home
        .call(&[
            "train",
            recipe.to_str().unwrap(),
            "--dry-run",
            "--set",
            "stage.rl.steps=7",
        ])
        .succeeded();
    for part in [
        "steps = 7",
        "aggregation = \"balanced\"",
        "× Balanced { scope: Group, zero_advantage: Neutral }",
        "7 steps × 4 prompts × 4 samples = 16 completions a step, ÷ 2 updates = 8 per optimiser step",
        "parameters 19392",
        "estimator grpo × objective ppo_clip (epsilon_high 0.28, epsilon_low 0.2)",
        "at most 384 new tokens a step",
        "weights 75.8 KiB",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {}", said.out);
    }
    // What is printed before the summary is a recipe.
    let text = said.out.split("\nmodel  ").next().unwrap();
    let again = home.write("again.toml", text);
    let again = home
        .call(&["train", again.to_str().unwrap(), "--dry-run"])
        .succeeded();
    assert_eq!(again.out, said.out);
    assert!(!home.path("runs").exists());
}

/// A preset is written out, a name from elsewhere is translated, and an odd pair is told.
#[test]
fn a_dry_run_expands_presets_and_tells_what_is_odd() {
    let home = Home::new();
    let recipe = tiny();
    let said = home
        .call(&[
            "train",
            recipe.to_str().unwrap(),
            "--dry-run",
            "--set",
            "stage.rl.preset=gspo",
            "--set",
            "stage.rl.aggregation=dapo",
        ])
        .succeeded();
    for part in [
        "preset gspo: estimator grpo × objective gspo (epsilon_high 0.0004, epsilon_low 0.0003)",
        "× aggregation token_mean",
        "note       aggregation = \"dapo\" is `token_mean`: ",
        "note       stage.rl: gspo has one loss a response",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {}", said.out);
    }
}

/// A model that no machine could hold is still predicted, because a dry run allocates nothing.
#[test]
fn a_dry_run_of_a_huge_model() {
    let home = Home::new();
    let said = home.train(&[
        "--dry-run",
        "--set",
        "model.hidden_size=65536",
        "--set",
        "model.intermediate_size=262144",
    ]);
    let said = said.succeeded();
    assert!(
        said.out.contains("memory     about") && said.out.contains("GiB"),
        "{}",
        said.out
    );
}
