//! Recipes and data that are wrong: a clear error, and nothing is created.

use std::fs;

use crate::home::{Home, tiny};

/// Trains with these arguments; it must fail with these words, and leave nothing behind.
#[track_caller]
fn refused(arguments: &[&str], words: &[&str]) {
    let home = Home::new();
    home.train(arguments).failed(words);
    assert!(!home.path("runs").exists());
}

#[test]
fn unknown_keys_and_values() {
    refused(
        &["--set", "model.hiden_size=64"],
        &["hiden_size", "did you mean `hidden_size`?"],
    );
    refused(
        &["--set", "modle.hidden_size=64"],
        &["`modle`", "did you mean `model`?"],
    );
    refused(
        &["--set", "stage.rl.aggregation=token_maen"],
        &["stage.rl.aggregation", "did you mean `token_mean`?"],
    );
    refused(
        &["--set", "stage.ppo.steps=1"],
        &["no stage of kind `ppo`", "stage.sft, stage.rl"],
    );
    refused(
        &["--set", "hidden_size"],
        &["--set hidden_size", "key=value"],
    );
}

#[test]
fn an_unknown_key_in_the_file() {
    let home = Home::new();
    let text = fs::read_to_string(tiny()).unwrap();
    let recipe = home.write("r.toml", &text.replace("learning_rate", "learning_rat"));
    let said = home.call(&["train", recipe.to_str().unwrap()]);
    said.failed(&["r.toml", "learning_rat", "did you mean `learning_rate`?"]);
    let recipe = home.write("r.toml", &text.replace("[sampler]", "[sampler"));
    let line = text.lines().position(|line| line == "[sampler]").unwrap() + 1;
    let said = home.call(&["train", recipe.to_str().unwrap()]);
    said.failed(&[&format!("r.toml:{line}:"), "not valid TOML"]);
}

#[test]
fn wrong_types() {
    refused(
        &["--set", "model.hidden_size=large"],
        &["model.hidden_size", "expected a whole number", "\"large\""],
    );
    refused(&["--set", "seed=-1"], &["seed", "not negative"]);
    refused(&["--set", "stage.rl=3"], &["stage.rl"]);
}

#[test]
fn impossible_sizes() {
    refused(
        &["--set", "model.num_key_value_heads=3"],
        &[
            "num_key_value_heads",
            "does not divide",
            "num_attention_heads = 2",
        ],
    );
    refused(
        &["--set", "model.head_dim=15"],
        &["model.head_dim", "is 15", "even"],
    );
    refused(
        &["--set", "model.num_attention_heads=5"],
        &["does not divide hidden_size = 32"],
    );
    refused(
        &["--set", "model.hidden_size=0"],
        &["model.hidden_size", "at least 1"],
    );
}

#[test]
fn contradictions() {
    // A truncated distribution has no importance ratios.
    refused(&["--set", "sampler.top_p=0.9"], &["sampler.top_p"]);
    refused(&["--set", "sampler.temperature=0"], &["temperature"]);
    refused(
        &["--set", "stage.rl.updates_per_rollout=3"],
        &["updates_per_rollout"],
    );
    refused(&["--set", "name=../elsewhere"], &["name", "directory"]);
}

#[test]
fn missing_files() {
    let home = Home::new();
    home.call(&["train", "nowhere.toml"])
        .failed(&["nowhere.toml", "No such file"]);
    home.call(&["eval", "nowhere"])
        .failed(&["nowhere does not exist"]);
    home.call(&["eval", "."])
        .failed(&["neither a model", "nor a run"]);
    home.call(&["inspect", "nowhere.toml"])
        .failed(&["nowhere.toml"]);
    home.train(&["--resume"])
        .failed(&["no run to resume", "runs/tiny"]);
    home.train(&["--resume", "--run-dir", "nowhere"])
        .failed(&["nowhere does not exist"]);
}

/// The tiny recipe with problems from a file.
fn file_recipe(home: &Home, data: &str) -> String {
    let text = fs::read_to_string(tiny()).unwrap();
    let (before, rest) = text.split_once("[data]").unwrap();
    let (_, after) = rest.split_once("[sampler]").unwrap();
    let recipe = format!("{before}[data]\n{data}\n[sampler]{after}");
    home.write("file.toml", &recipe)
        .to_str()
        .unwrap()
        .to_owned()
}

#[test]
fn problems_that_cannot_be_read() {
    let home = Home::new();
    let tokenizer = equipoise_data::Tokenizer::from_alphabet(
        &[
            "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "+", "=", "<think>", "</think>",
        ],
        "<eos>",
    );
    tokenizer
        .unwrap()
        .save(home.path("tokenizer.json"))
        .unwrap();
    let recipe = file_recipe(
        &home,
        "path = \"p.jsonl\"\ntokenizer = \"tokenizer.json\"\nheld_out = 1",
    );
    let train = |words: &[&str]| {
        home.call(&["train", &recipe]).failed(words);
        assert!(!home.path("runs").exists());
    };
    train(&["p.jsonl", "No such file"]);
    let good = "{\"prompt\": \"1+1=\", \"answer\": 2}\n";
    home.write("p.jsonl", "");
    train(&["p.jsonl", "no rows"]);
    home.write(
        "p.jsonl",
        &format!("{good}\n{{\"prompt\": \"1+2=\", \"answer\": \n"),
    );
    train(&["p.jsonl:3:", "not a JSON object"]);
    home.write(
        "p.jsonl",
        &format!("{good}{{\"promt\": \"1+2=\", \"answer\": 3}}\n"),
    );
    train(&["p.jsonl:2", "`promt`"]);
    home.write("p.jsonl", &format!("{good}{{\"prompt\": \"1+2=\"}}\n"));
    train(&["p.jsonl:2", "missing key `answer`"]);
    home.write(
        "p.jsonl",
        &format!("{good}{{\"prompt\": \"1+x=\", \"answer\": 3}}\n"),
    );
    train(&["p.jsonl:2", "'x'", "not in the vocabulary"]);
    home.write(
        "p.jsonl",
        &format!("{good}{{\"prompt\": \"1+2=\", \"answer\": 3}}\n"),
    );
    // Everything can be read, but there is nothing to imitate.
    home.call(&["train", &recipe])
        .failed(&["sft", "no demonstrations", "\"completion\""]);

    home.write("tokenizer.json", "{}");
    home.call(&["train", &recipe])
        .failed(&["tokenizer.json", "not a tokenizer.json"]);
    let recipe = file_recipe(&home, "path = \"p.jsonl\"\nheld_out = 1");
    home.call(&["train", &recipe])
        .failed(&["need a tokenizer", "data.tokenizer"]);
}
