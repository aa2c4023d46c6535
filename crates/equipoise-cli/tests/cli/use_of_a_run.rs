//! What one does with a run: evaluate, sample, inspect, read the report.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::home::{Home, Said, newest_checkpoint, tiny};

fn records(path: std::path::PathBuf) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn from_training_to_inspection() {
    let home = Home::new();
    let said = home.train(&[]).succeeded();
    for part in [
        "sft 1/60  loss",
        "rl 12/12",
        "tokens/s",
        "held-out accuracy",
        "percentage points",
        "runs/tiny/report.html",
        "equipoise sample runs/tiny",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {}", said.out);
    }

    // The commands it proposes work.
    let proposals: Vec<&str> = said.out.split("next:\n").nth(1).unwrap().lines().collect();
    assert_eq!(proposals.len(), 3);
    for line in proposals {
        let arguments: Vec<&str> = line.trim().split(' ').skip(1).collect();
        home.call(&arguments).succeeded();
    }

    // An evaluation of the last weights finds what the run has recorded last.
    let json = home.call(&["eval", "runs/tiny", "--json"]).succeeded().out;
    let evaluation: Value = serde_json::from_str(&json).unwrap();
    let metrics = records(home.run().join("metrics.jsonl"));
    let last = metrics.last().unwrap();
    assert_eq!(evaluation["accuracy"], last["held_out/accuracy"]);
    assert_eq!(evaluation["format"], last["held_out/format"]);
    assert_eq!(evaluation["mean_length"], last["held_out/length"]);
    assert_eq!(
        (&evaluation["problems"], &evaluation["scored"]),
        (&16.into(), &16.into())
    );
    let number = |key: &str| evaluation[key].as_f64().unwrap();
    assert!(number("accuracy_low") <= number("accuracy"));
    assert!(number("accuracy") <= number("accuracy_high"));
    let text = home
        .call(&["eval", "runs/tiny", "--problems", "5"])
        .succeeded()
        .out;
    assert!(
        text.contains("5 held out") && text.contains("95 % interval"),
        "{text}"
    );
    let json = home
        .call(&["eval", "runs/tiny", "--samples", "3", "--json"])
        .succeeded()
        .out;
    let sampled: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(sampled["scored"], 48);
    home.call(&["eval", "runs/tiny", "--problems", "17"])
        .failed(&["holds out 16"]);
}

#[test]
fn a_model_directory_without_a_run() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=1"]).succeeded();
    let model = home.path("model");
    fs::create_dir(&model).unwrap();
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        fs::copy(newest_checkpoint(&home.run()).join(name), model.join(name)).unwrap();
    }
    let recipe = tiny();
    let recipe = recipe.to_str().unwrap();
    let by_recipe = home
        .call(&["eval", "model", "--recipe", recipe, "--json"])
        .succeeded()
        .out;
    let by_run = home.call(&["eval", "runs/tiny", "--json"]).succeeded().out;
    let strip = |json: &str| {
        let mut value: Value = serde_json::from_str(json).unwrap();
        value.as_object_mut().unwrap().remove("model");
        value
    };
    assert_eq!(strip(&by_recipe), strip(&by_run));
    home.call(&["eval", "model"]).failed(&["--recipe"]);
    assert_eq!(
        home.call(&["sample", "model", "1+2="]).succeeded().out,
        home.call(&["sample", "runs/tiny", "1+2="]).succeeded().out,
    );
    // It is also where another run may start.
    let start = ["--set", "model={path = \"model\"}", "--set", "name=further"];
    home.train(&start).succeeded();
}

#[test]
fn sampling() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=1"]).succeeded();
    let sample = |arguments: &[&str]| {
        let mut all = vec!["sample", "runs/tiny"];
        all.extend(arguments);
        home.call(&all)
    };
    let greedy = sample(&["3+4="]).succeeded().out;
    assert_eq!(greedy.lines().count(), 1);
    let several = ["3+4=", "--samples", "5", "--seed", "7"];
    let drawn = sample(&several).succeeded().out;
    assert_eq!(
        drawn
            .lines()
            .filter(|line| line.starts_with("--- "))
            .count(),
        5
    );
    assert_eq!(sample(&several).succeeded().out, drawn);
    assert_ne!(
        sample(&["3+4=", "--samples", "5", "--seed", "8"])
            .succeeded()
            .out,
        drawn
    );

    let tokens = sample(&["3+4=", "--tokens"]).succeeded().out;
    let sum: f64 = tokens
        .lines()
        .filter(|line| line.starts_with(' ') && !line.contains("in all"))
        .map(|line| {
            line.split_whitespace()
                .next()
                .unwrap()
                .parse::<f64>()
                .unwrap()
        })
        .sum();
    let last = tokens.lines().last().unwrap();
    let total: f64 = last.split_whitespace().next().unwrap().parse().unwrap();
    assert!(total < 0.0 && (sum - total).abs() < 1e-2, "{tokens}");

    let cut = sample(&["3+4=", "--max-new-tokens", "2"]).succeeded().out;
    assert!(cut.ends_with(" […]\n"), "{cut}");
    sample(&["3+4=", "--max-new-tokens", "100"]).failed(&["max_position_embeddings = 64"]);
    sample(&["3+four="]).failed(&["'f'", "not in the vocabulary"]);
    sample(&["3+4=", "--temperature=-1"]).failed(&["temperature"]);

    // Lines of standard input, answered one by one.
    let mut command = home.command(&["sample", "runs/tiny"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all("3+4=\n\nx\n".as_bytes()).unwrap();
    drop(stdin);
    let said = Said::from(child.wait_with_output().unwrap());
    assert_eq!(said.out, greedy);
    said.failed(&["line 3", "'x'"]);
}

#[test]
fn inspection() {
    let home = Home::new();
    let recipe = tiny();
    let recipe = recipe.to_str().unwrap();
    let fresh = home
        .call(&["inspect", recipe, "--count", "1"])
        .succeeded()
        .out;
    assert!(
        fresh.starts_with("sft step 0: 16 demonstrations with "),
        "{fresh}"
    );
    // The prompt carries no loss, everything after it does, the end of sequence last.
    let line = fresh.lines().last().unwrap();
    let tokens: Vec<&str> = line.split_whitespace().collect();
    let border = tokens.iter().position(|&token| token == "=").unwrap() + 1;
    assert!(
        tokens[..border].iter().all(|token| !token.starts_with('[')),
        "{line}"
    );
    assert!(
        tokens[border..].iter().all(|token| token.starts_with('[')),
        "{line}"
    );
    assert_eq!(tokens.last(), Some(&"[<eos>]"));

    home.train(&[]).succeeded();
    let before = crate::home::snapshot(&home.run());
    // The completions of a step that was trained, if the weights were those: the first step of RL
    // samples from the checkpoint at its beginning.
    let start = home.path("runs/tiny/checkpoints/000060-0sft-000060");
    let start = start.to_str().unwrap();
    let shown = home
        .call(&["inspect", start, "--stage", "rl", "--count", "4"])
        .succeeded()
        .out;
    assert!(
        shown.starts_with("rl step 0: 4 prompts × 4 samples"),
        "{shown}"
    );
    let completions = records(home.run().join("completions.jsonl"));
    let first: Vec<&Value> = completions.iter().filter(|one| one["step"] == 0).collect();
    assert_eq!(first.len(), 2);
    let samples: Vec<&str> = shown
        .lines()
        .filter(|line| line.starts_with("  sample"))
        .collect();
    assert_eq!(samples.len(), 16);
    for (recorded, line) in first.iter().zip(&samples) {
        let number = |key: &str| recorded[key].as_f64().unwrap();
        let expected = [
            format!("reward {:.3}", number("reward")),
            format!("advantage {:+.3}", number("advantage")),
            format!("weight {:.3e}", number("weight")),
            format!("length {} ", recorded["tokens"]),
        ];
        assert!(
            expected.iter().all(|part| line.contains(part)),
            "{recorded} {line}"
        );
    }
    assert!(shown.contains("balanced puts"), "{shown}");
    // Looking changes nothing.
    assert!(crate::home::snapshot(&home.run()) == before);

    home.call(&["inspect", recipe, "--stage", "dpo"])
        .failed(&["dpo", "sft, rl"]);
    home.call(&["inspect", recipe, "--count", "0"])
        .failed(&["--count 0"]);
}

#[test]
fn the_report_needs_no_network() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=2"]).succeeded();
    let report = fs::read_to_string(home.run().join("report.html")).unwrap();
    assert!(report.starts_with("<!doctype html>") || report.starts_with("<!DOCTYPE html>"));
    assert!(report.contains("<svg") && report.trim_end().ends_with("</html>"));
    for outside in [
        "src=\"http",
        "href=\"http",
        "url(http",
        "@import",
        "<link",
        "src='http",
    ] {
        assert!(!report.contains(outside), "{outside}");
    }
}
