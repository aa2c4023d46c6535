//! Real problems as they are published, from the file to the report.

use std::path::Path;

use crate::home::Home;

#[test]
fn every_row_is_read_sampled_and_scored() {
    let home = Home::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let recipe = root.join("recipes/gsm8k.toml");
    let set = |key: &str, file: &str| {
        let path = root.join("tests/fixtures/gsm8k").join(file);
        format!("{key}={:?}", path.display().to_string())
    };
    let (train, test) = (
        set("data.path", "train.jsonl"),
        set("data.held_out_path", "test.jsonl"),
    );
    let recipe = recipe.display().to_string();
    let arguments = [
        "train",
        &recipe,
        "--set",
        &train,
        "--set",
        &test,
        "--set",
        "stage.sft.steps=2",
        "--set",
        "stage.rl.steps=2",
        "--set",
        "stage.rl.dynamic_sampling_rounds=2",
    ];
    let said = home.call(&arguments).succeeded();
    for line in [
        "160 problems to train on, 40 held out",
        "160 demonstrations",
    ] {
        assert!(said.out.contains(line), "{}", said.out);
    }
    // Nothing was lost or left unjudged on the way.
    let metrics = std::fs::read_to_string(home.path("runs/gsm8k/metrics.jsonl")).unwrap();
    let steps: Vec<serde_json::Value> = metrics
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|row: &serde_json::Value| {
            row["stage"] == "rl" && row.get("groups/sampled").is_some()
        })
        .collect();
    assert_eq!(steps.len(), 2, "{metrics}");
    for step in &steps {
        assert_eq!(step["reward/unscorable"], 0.0);
        let sampled = step["groups/sampled"].as_f64().unwrap();
        // Two rounds of four groups, unless a model of random bytes had luck.
        assert!((4.0..=8.0).contains(&sampled), "{step}");
    }
    let said = home
        .call(&["eval", "runs/gsm8k", "--problems", "5"])
        .succeeded();
    assert!(said.out.contains("unscorable   0"), "{}", said.out);
}
