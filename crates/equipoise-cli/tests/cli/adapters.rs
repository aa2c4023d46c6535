//! An adapter on a model whose weights were drawn: what a run saves is enough to use it.

use std::fs;
use std::path::Path;

use equipoise_models::{Decoder, Need, Policy as _, TokenBatch};
use serde_json::Value;

use crate::home::{Home, Result, newest_checkpoint, snapshot, tiny};

const LORA: [&str; 2] = ["--set", "lora={rank = 4, alpha = 8.0}"];

fn trained() -> Home {
    let home = Home::new();
    home.train(&LORA).succeeded();
    home
}

fn json(text: &str) -> Value {
    let mut value: Value = serde_json::from_str(text).unwrap();
    // Where the model is.
    value.as_object_mut().unwrap().remove("model");
    value
}

fn named_base(adapter: &Path) -> String {
    let text = fs::read_to_string(adapter.join("adapter_config.json")).unwrap();
    let config: Value = serde_json::from_str(&text).unwrap();
    config["base_model_name_or_path"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn the_adapter_and_its_base_are_the_model_that_was_trained() {
    let home = trained();
    let last = newest_checkpoint(&home.run());
    let adapter = last.join("adapter");
    assert_eq!(named_base(&adapter), "runs/tiny/base");

    // The two files of the run, and the merged model beside them.
    let base = Decoder::load(&home.path("runs/tiny/base")).unwrap();
    let adapted = base.load_adapter(&adapter).unwrap();
    let merged = adapted.merged().unwrap();
    let loaded = Decoder::load(&last).unwrap();
    let numbers = |model: &Decoder| -> Vec<Vec<f32>> {
        let vars = model.parameters().iter();
        vars.map(|(_, var)| var.flatten_all().unwrap().to_vec1().unwrap())
            .collect()
    };
    assert!(numbers(&merged) == numbers(&loaded));
    let score = |model: &Decoder| {
        let mut batch = TokenBatch::new();
        batch.push(&[1, 2, 3], &[4, 5, 6, 7]);
        let outputs = model.score(&batch, &Need::at_temperature(1.0)).unwrap();
        outputs.logprobs.values().to_vec()
    };
    assert!(score(&base) != score(&adapted), "the adapter says nothing");

    // The commands find the base by the adapter's name for it, and the numbers are the run's.
    let adapter = adapter.strip_prefix(home.path("")).unwrap();
    let (adapter, recipe) = (adapter.to_str().unwrap(), tiny());
    let recipe = ["--recipe", recipe.to_str().unwrap(), "--json"];
    let by_run = home.call(&["eval", "runs/tiny", "--json"]).succeeded().out;
    let by_adapter = home.call(&[&["eval", adapter][..], &recipe].concat());
    assert_eq!(json(&by_adapter.succeeded().out), json(&by_run));
    let sample = |model| home.call(&["sample", model, "3+4="]).succeeded().out;
    assert_eq!(sample(adapter), sample("runs/tiny"));
    // The base is a model like any other, and another one.
    let by_base = home.call(&[&["eval", "runs/tiny/base"][..], &recipe].concat());
    assert_ne!(json(&by_base.succeeded().out), json(&by_run));
}

#[test]
fn resumed_it_ends_in_the_same_bytes_and_with_the_same_base() {
    let whole = trained();
    let base = |home: &Home| {
        let files = snapshot(&home.path("runs/tiny/base")).into_iter();
        files
            .map(|(path, bytes)| (path.file_name().unwrap().to_owned(), bytes))
            .collect::<Vec<_>>()
    };
    let names: Vec<_> = base(&whole).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["config.json", "model.safetensors", "tokenizer.json"]
    );

    let home = trained();
    let last = newest_checkpoint(&home.run());
    let adapter = snapshot(&last.join("adapter"));
    fs::remove_dir_all(&last).unwrap();
    // As if it had been stopped before it was written.
    fs::remove_dir_all(home.path("runs/tiny/base")).unwrap();
    home.train(&[&LORA[..], &["--resume"]].concat()).succeeded();
    Result::of(&whole.run()).assert_same(&Result::of(&home.run()));
    assert!(snapshot(&last.join("adapter")) == adapter);
    assert!(base(&whole) == base(&home));
}

#[test]
fn a_base_that_is_not_there_or_another_one_is_named() {
    let home = trained();
    let adapter = newest_checkpoint(&home.run()).join("adapter");
    let path = adapter.to_str().unwrap();
    let sample = || home.call(&["sample", path, "3+4="]);
    sample().succeeded();

    let weights = home.path("runs/tiny/base/model.safetensors");
    let bytes = fs::read(&weights).unwrap();
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&weights, changed).unwrap();
    sample().failed(&["runs/tiny/base, are not those that the adapter was trained on"]);
    fs::write(&weights, bytes).unwrap();
    sample().succeeded();

    fs::rename(home.path("runs/tiny/base"), home.path("elsewhere")).unwrap();
    sample().failed(&[
        "is an adapter",
        "\"runs/tiny/base\", is no directory with a model here",
        "base_model_name_or_path",
    ]);
    // The run itself draws it again.
    home.call(&["eval", "runs/tiny", "--problems", "4"])
        .succeeded();
    let config = adapter.join("adapter_config.json");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("runs/tiny/base", "elsewhere")).unwrap();
    sample().succeeded();
}

/// With a directory to start from there is nothing to save a second time.
#[test]
fn a_base_that_has_a_directory_is_not_copied() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=1"]).succeeded();
    fs::rename(newest_checkpoint(&home.run()), home.path("start")).unwrap();
    let set = ["--set", "model={path=\"start\"}", "--set", "name=adapted"];
    home.train(&[&set[..], &LORA].concat()).succeeded();
    let run = home.path("runs/adapted");
    assert!(!run.join("base").exists());
    assert_eq!(
        named_base(&newest_checkpoint(&run).join("adapter")),
        "start"
    );
}
