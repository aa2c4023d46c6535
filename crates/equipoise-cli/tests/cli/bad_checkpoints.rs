//! Checkpoints that are damaged, or of another model.

use std::fs;
use std::path::Path;

use equipoise_models::{Config, Decoder, OutputHeads};

use crate::home::{Home, Result, checkpoints, newest_checkpoint, snapshot};

/// A finished run.
fn finished() -> Home {
    let home = Home::new();
    home.train(&[]).succeeded();
    home
}

/// Every command that reads the run must fail with these words, and change nothing.
#[track_caller]
fn refused_everywhere(home: &Home, words: &[&str]) {
    let before = snapshot(&home.run());
    let run = home.run();
    let run = run.to_str().unwrap();
    home.train(&["--resume"]).failed(words);
    for command in [
        &["eval", run][..],
        &["sample", run, "1+1="],
        &["inspect", run],
    ] {
        home.call(command).failed(words);
    }
    assert!(snapshot(&home.run()) == before, "files have changed");
}

fn change(path: &Path, how: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    how(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// After each kind of damage the run can be resumed from the checkpoint before, as the error says, and
/// ends as if nothing had happened.
#[test]
fn damage_is_found_and_survived() {
    let home = finished();
    let whole = Result::of(&home.run());

    let last = newest_checkpoint(&home.run());
    let weights = last.join("model.safetensors");
    let middle = fs::metadata(&weights).unwrap().len() as usize / 2;
    change(&weights, |bytes| bytes[middle] ^= 1);
    let name = last.file_name().unwrap().to_str().unwrap();
    refused_everywhere(
        &home,
        &[name, "model.safetensors is not as it was written", "delete"],
    );
    fs::remove_dir_all(&last).unwrap();
    home.train(&["--resume"]).succeeded();
    whole.assert_same(&Result::of(&home.run()));

    change(&last.join("state.json"), |bytes| bytes.truncate(100));
    refused_everywhere(
        &home,
        &[name, "state.json is damaged", "delete this checkpoint"],
    );
    fs::write(last.join("state.json"), "garbage \u{1}").unwrap();
    refused_everywhere(&home, &[name, "state.json is damaged"]);
    fs::remove_file(last.join("state.json")).unwrap();
    refused_everywhere(&home, &[name, "state.json", "No such file"]);
    fs::remove_dir_all(&last).unwrap();
    home.train(&["--resume"]).succeeded();

    fs::remove_file(last.join("optimizer.safetensors")).unwrap();
    refused_everywhere(&home, &[name, "optimizer.safetensors is missing"]);
    fs::remove_dir_all(&last).unwrap();
    home.train(&["--resume"]).succeeded();
    whole.assert_same(&Result::of(&home.run()));
}

#[test]
fn records_that_do_not_fit_the_checkpoint() {
    let home = finished();
    let metrics = home.run().join("metrics.jsonl");
    let whole = fs::read(&metrics).unwrap();
    fs::write(&metrics, &whole[..100]).unwrap();
    home.train(&["--resume"])
        .failed(&["metrics.jsonl", "100 bytes", "records are missing"]);
    assert_eq!(fs::read(&metrics).unwrap().len(), 100);
}

#[test]
fn another_recipe_cannot_resume_a_run() {
    let home = finished();
    let before = snapshot(&home.run());
    for (set, difference) in [
        (
            "model.hidden_size=64",
            "model.hidden_size is 32 there and 64 here",
        ),
        ("seed=1", "seed is 0 there and 1 here"),
        (
            "stage.rl.aggregation=token_mean",
            "stage.rl.aggregation is \"balanced\" there and \"token_mean\" here",
        ),
    ] {
        let said = home.train(&["--resume", "--set", set]);
        said.failed(&["runs/tiny", "another recipe", difference, "--set name="]);
    }
    assert!(snapshot(&home.run()) == before);
}

/// What a run's `recipe.toml` says counts, not how it is written.
#[test]
fn comments_and_order_of_a_recipe_may_change() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=2"]).succeeded();
    let path = home.run().join("recipe.toml");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("[sampler]").unwrap();
    let (sampler, after) = rest.split_once("\n[").unwrap();
    let moved = format!("{before}[{after}\n# Completions are short.\n[sampler]{sampler}\n");
    fs::write(&path, moved).unwrap();
    let resume = ["--resume", "--set", "stage.rl.steps=2"];
    home.train(&resume).succeeded();

    fs::write(
        &path,
        text.replace("max_new_tokens = 24", "max_new_tokens = 23"),
    )
    .unwrap();
    home.train(&resume)
        .failed(&["sampler.max_new_tokens is 23 there and 24 here"]);
}

#[test]
fn the_weights_of_another_model() {
    let (home, other) = (finished(), Home::new());
    other
        .train(&[
            "--set",
            "model.hidden_size=64",
            "--set",
            "stage.sft.steps=5",
        ])
        .succeeded();
    // A model directory, not a run's: no hashes tell the difference, only shapes do.
    let model = home.path("model");
    fs::create_dir(&model).unwrap();
    let (here, there) = (
        newest_checkpoint(&home.run()),
        newest_checkpoint(&other.run()),
    );
    for name in ["config.json", "tokenizer.json"] {
        fs::copy(here.join(name), model.join(name)).unwrap();
    }
    fs::copy(
        there.join("model.safetensors"),
        model.join("model.safetensors"),
    )
    .unwrap();
    let words = [
        "model.safetensors does not fit the model",
        "shape",
        "64",
        "expected",
        "32",
    ];
    home.call(&["sample", "model", "1+1="]).failed(&words);
    let start = ["--set", "model={path = \"model\"}"];
    home.train(&start).failed(&words);

    change(&model.join("model.safetensors"), |bytes| {
        bytes.truncate(1000)
    });
    home.call(&["sample", "model", "1+1="])
        .failed(&["model.safetensors", "damaged"]);
    fs::write(model.join("config.json"), "{").unwrap();
    home.call(&["sample", "model", "1+1="])
        .failed(&["config.json", "damaged"]);
    fs::remove_file(model.join("config.json")).unwrap();
    home.call(&["sample", "model", "1+1="])
        .failed(&["neither a model"]);
}

/// A reward model has no tokens to sample: nobody goes on with one as a policy, and nothing is written.
#[test]
fn a_reward_model_is_no_policy() {
    let home = finished();
    let model = home.path("reward");
    let config = Config::load(&newest_checkpoint(&home.run())).unwrap();
    let config = Config {
        heads: OutputHeads::Score,
        ..config
    };
    let scorer = Decoder::new(config, 0.1, 1).unwrap();
    scorer.save(&model).unwrap();
    let tokenizer = newest_checkpoint(&home.run()).join("tokenizer.json");
    fs::copy(tokenizer, model.join("tokenizer.json")).unwrap();
    let words = [
        "reward is a reward model (…ForSequenceClassification)",
        "no tokens can be sampled from it or trained",
        "a language model (…ForCausalLM)",
        "[reward_model]",
    ];
    let set = ["--set", "model={path=\"reward\"}", "--set", "name=other"];
    let lora = ["--set", "lora={rank=2}"];
    for more in [&[][..], &["--dry-run"], &lora] {
        home.train(&[&set[..], more].concat()).failed(&words);
    }
    assert!(!home.path("runs/other").exists());
    let recipe = crate::home::tiny();
    let recipe = recipe.to_str().unwrap();
    home.call(&["eval", "reward", "--recipe", recipe])
        .failed(&words);
    home.call(&["sample", "reward", "1+1="]).failed(&words);
    // Even before its weights are read.
    fs::remove_file(model.join("model.safetensors")).unwrap();
    home.call(&["sample", "reward", "1+1="]).failed(&words);
}

/// `NAME`, `NAME-2`, …: what is there stays.
#[test]
fn a_second_run_takes_another_directory() {
    let home = finished();
    let before = snapshot(&home.run());
    let said = home.train(&[]).succeeded();
    assert!(
        said.out
            .contains("runs/tiny-2 (runs/tiny already holds a run"),
        "{}",
        said.out
    );
    assert!(snapshot(&home.run()) == before);
    Result::of(&home.run()).assert_same(&Result::of(&home.path("runs/tiny-2")));

    let said = home.train(&["--run-dir", "runs/tiny"]);
    said.failed(&["runs/tiny already holds a run", "--resume"]);
    assert!(snapshot(&home.run()) == before);

    // The newest is resumed: `tiny-2`, which is finished and says so again.
    let said = home.train(&["--resume"]).succeeded();
    assert!(
        said.out.contains("runs/tiny-2, resumed after 72 steps"),
        "{}",
        said.out
    );
    assert_eq!(checkpoints(&home.run()).len(), 3);
}
