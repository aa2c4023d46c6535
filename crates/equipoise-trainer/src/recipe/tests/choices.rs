//! Estimator, objective and aggregation: presets, options, aliases, and what is refused.

use super::*;
use crate::recipe::{PRESETS, Preset, Value};

fn stage(overrides: &[&str]) -> RlStage {
    rl(&parse(overrides).unwrap()).clone()
}

fn notes(overrides: &[&str]) -> Vec<String> {
    let overrides: Vec<String> = overrides.iter().map(|&set| set.into()).collect();
    Recipe::parse_noted(MINIMAL, "r.toml", &overrides)
        .unwrap()
        .1
}

#[test]
fn a_preset_is_its_triple() {
    for preset in PRESETS {
        let stage = stage(&[&format!("stage.rl.preset={}", preset.name)]);
        assert_eq!(stage.estimator, preset.estimator(), "{}", preset.name);
        assert_eq!(stage.objective, preset.objective(), "{}", preset.name);
        assert_eq!(
            stage.aggregation.name(),
            preset.aggregation.0,
            "{}",
            preset.name
        );
        assert!(stage.choices().is_ok(), "{}", preset.name);
    }
}

#[test]
fn no_two_presets_are_alike() {
    for (at, one) in PRESETS.iter().enumerate() {
        for other in &PRESETS[at + 1..] {
            let triple = |p: &Preset| (p.estimator(), p.objective(), p.aggregation());
            assert_ne!(one.name, other.name);
            assert_ne!(triple(one), triple(other), "{} {}", one.name, other.name);
        }
    }
}

#[test]
fn given_choices_win_over_the_preset() {
    let replaced = stage(&["stage.rl.preset=dapo", "stage.rl.aggregation=prompt_mean"]);
    assert_eq!(replaced.aggregation, Choice::named("prompt_mean"));
    assert_eq!(replaced.estimator, Choice::named("grpo"));
    // A table without a name changes an option of the preset's choice, and leaves the other.
    let changed = stage(&[
        "stage.rl.preset=dapo",
        "stage.rl.objective.epsilon_high=0.3",
    ]);
    assert_eq!(
        changed.objective.to_string(),
        "ppo_clip (epsilon_high 0.3, epsilon_low 0.2)"
    );
    // With a name, nothing of the preset's is left.
    let named = stage(&[
        "stage.rl.preset=dapo",
        "stage.rl.objective={name='ppo_clip', dual_clip=3}",
    ]);
    assert_eq!(named.objective.options.len(), 1);
    assert_eq!(named.objective.options["dual_clip"], Value::Number(3.0));
}

#[test]
fn options_of_a_word_can_be_set() {
    let stage = stage(&[
        "stage.rl.aggregation=balanced",
        "stage.rl.aggregation.scope=batch",
    ]);
    assert_eq!(stage.aggregation.to_string(), "balanced (scope batch)");
}

#[test]
fn what_is_refused() {
    for (overrides, what) in [
        (
            &["stage.rl.preset=dapoo"][..],
            "stage.rl.preset: unknown value \"dapoo\", did you mean `dapo`?",
        ),
        (
            &["stage.rl.aggregation=balanced_mean"],
            "stage.rl.aggregation: unknown value \"balanced_mean\", did you mean `balanced",
        ),
        (
            &["stage.rl.objective.epsilon_low=-1"],
            "stage.rl.objective: option `epsilon_low` of policy objective `ppo_clip` is -1;",
        ),
        (
            &["stage.rl.objective={name='policy_gradient', epsilon_low=0.1}"],
            "stage.rl.objective: option `epsilon_low` has no effect on policy objective \
             `policy_gradient`",
        ),
        (
            &["stage.rl.aggregation.scoop=batch"],
            "stage.rl.aggregation.scoop: ",
        ),
        (
            &["stage.rl.aggregation.scope=3"],
            "stage.rl.aggregation.scope: ",
        ),
        (
            &["stage.rl.aggregation.scope=galaxy"],
            "stage.rl.aggregation.scope: unknown value `galaxy` of option `scope`; the values are \
             `group`, `batch`",
        ),
        (
            &["stage.rl.estimator={name='grpo', std='none', epsilon=1e-4}"],
            "stage.rl.estimator: option `epsilon` has no effect",
        ),
        (&["stage.rl.aggregation=bnpo"], "stage.rl.aggregation: "),
    ] {
        let found = error(overrides);
        assert!(found.starts_with(&format!("r.toml: {what}")), "{found}");
    }
}

#[test]
fn aliases_say_what_they_stand_for() {
    let overrides = ["stage.rl.aggregation=seq-mean-token-mean"];
    assert_eq!(
        stage(&overrides).aggregation,
        Choice::named("sequence_mean")
    );
    let notes = notes(&overrides);
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("aggregation = \"seq-mean-token-mean\" is `sequence_mean`: "),
        "{notes:?}"
    );
}

#[test]
fn odd_pairs_are_told() {
    for (overrides, part) in [
        (
            &["stage.rl.preset=gspo", "stage.rl.aggregation=token_mean"][..],
            "stage.rl: gspo has one loss a response, and token_mean counts it once per token",
        ),
        (
            &[
                "stage.rl.objective=policy_gradient",
                "stage.rl.updates_per_rollout=2",
            ],
            "stage.rl: policy_gradient has no ratio",
        ),
        (
            &["stage.rl.estimator=reinforce_plus_plus"],
            "stage.rl: advantages of reinforce_plus_plus need not have both signs",
        ),
        (
            &["stage.rl.aggregation=dr_grpo"],
            "stage.rl: the deviation that grpo divides by",
        ),
    ] {
        let notes = notes(overrides);
        assert!(notes.iter().any(|note| note.starts_with(part)), "{notes:?}");
    }
    for preset in PRESETS.iter().filter(|preset| preset.name != "luspo") {
        let set = format!("stage.rl.preset={}", preset.name);
        assert_eq!(notes(&[&set]), Vec::<String>::new(), "{}", preset.name);
    }
}

#[test]
fn the_table_of_methods_is_the_presets() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/methods.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = page
        .lines()
        .skip_while(|line| *line != "## Published methods")
        .filter(|line| line.starts_with("| `"))
        .take(PRESETS.len())
        .collect();
    for (row, preset) in rows.iter().zip(PRESETS) {
        let expected = format!(
            "| `{}` | {} | {} | {} | {} | {} |",
            preset.name,
            preset.estimator(),
            preset.objective(),
            preset.aggregation(),
            preset.source,
            preset.note
        );
        assert_eq!(*row, expected);
    }
    assert_eq!(rows.len(), PRESETS.len());
}
