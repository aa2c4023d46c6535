//! The engine's settings in a recipe: precision, layers computed again, adapters.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::home::{Home, Result, newest_checkpoint, snapshot};

fn trained(arguments: &[&str]) -> (Home, String) {
    let home = Home::new();
    let out = home.train(arguments).succeeded().out;
    (home, out)
}

fn records(run: &Path, stage: &str) -> Vec<Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).unwrap();
    let all = text.lines().map(|line| serde_json::from_str(line).unwrap());
    all.filter(|record: &Value| record["stage"] == stage)
        .collect()
}

#[test]
fn layers_computed_again_change_no_byte() {
    let (kept, _) = trained(&[]);
    let (again, _) = trained(&["--set", "engine.activation_checkpointing=true"]);
    let result = |home: &Home| Result::of(&home.run()).without_state();
    result(&kept).assert_same(&result(&again));
}

#[test]
fn rounded_operands_are_the_same_ones_in_sampler_and_trainer() {
    let (exact, out) = trained(&[]);
    assert!(!out.contains("precision"), "{out}");
    let (rounded, out) = trained(&["--set", "engine.precision=bf16"]);
    assert!(out.contains("bf16 operands"), "{out}");
    let steps = records(&rounded.run(), "rl");
    assert!(steps.len() >= 12);
    for step in steps {
        if let Some(difference) = step.get("sampler/logprob_difference") {
            assert_eq!(difference, 0.0, "{step}");
        }
    }
    let metrics = |home: &Home| fs::read(home.run().join("metrics.jsonl")).unwrap();
    assert!(metrics(&exact) != metrics(&rounded));
    // Within its precision it learns the same: the loss falls to the same level.
    let last = |home: &Home| {
        let losses = records(&home.run(), "sft").into_iter();
        losses
            .filter_map(|record| record["loss"].as_f64())
            .next_back()
    };
    let (exact, rounded) = (last(&exact).unwrap(), last(&rounded).unwrap());
    assert!(
        (exact - rounded).abs() < 0.1 * exact,
        "{exact} and {rounded}"
    );
}

/// A recipe that trains an adapter on the model in `base`.
fn adapter_recipe(home: &Home, base: &Path) -> String {
    let recipe = format!(
        r#"
name = "tiny"
[model]
path = "{}"
[lora]
rank = 4
alpha = 8.0
target_modules = ["q_proj", "v_proj", "down_proj"]
[data]
task = "arithmetic"
held_out = 16
[data.arithmetic]
operands = [2, 2]
max_value = 9
operators = "+"
styles = {{ direct = 1.0, steps = 1.0 }}
[sampler]
max_new_tokens = 24
[verifier]
kind = "number"
format_weight = 0.1
[[stage]]
kind = "rl"
steps = 24
prompts_per_step = 4
samples_per_prompt = 4
learning_rate = 1e-2
kl_coefficient = 0.1
tokens_per_micro_batch = 128
eval_every = 12
checkpoint_every = 6
"#,
        base.display()
    );
    let path = home.write("adapter.toml", &recipe);
    path.to_str().unwrap().to_owned()
}

#[test]
fn an_adapter_from_a_checkpoint_to_a_merged_model() {
    let (home, _) = trained(&[]);
    let base = newest_checkpoint(&home.run());
    let before = snapshot(&base);
    let recipe = adapter_recipe(&home, &base);
    let train = |arguments: &[&str]| {
        let mut all = vec!["train", &recipe, "--run-dir", "adapted"];
        all.extend(arguments);
        home.call(&all).succeeded().out
    };
    let out = train(&[]);
    assert!(out.contains("adapter    rank 4, scale 2.000"), "{out}");

    // The reference is the base with the adapter off: nothing diverges before the first step, to the
    // last bit, and then it does.
    let run = home.path("adapted");
    let steps = records(&run, "rl");
    let divergence: Vec<f64> = (steps.iter())
        .filter_map(|step| step.get("kl/reference")?.as_f64())
        .collect();
    assert_eq!(divergence[0], 0.0);
    assert!(divergence.iter().any(|&kl| kl > 0.0), "{divergence:?}");
    for step in &steps {
        if let Some(difference) = step.get("sampler/logprob_difference") {
            assert_eq!(difference, 0.0, "{step}");
        }
    }
    assert!(before == snapshot(&base), "the base was written to");

    // A checkpoint has the merged model and, by itself, the adapter as PEFT keeps it.
    let last = newest_checkpoint(&run);
    let config = fs::read_to_string(last.join("adapter/adapter_config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(
        (&config["peft_type"], &config["r"]),
        (&"LORA".into(), &4.into())
    );
    assert!(last.join("adapter/adapter_model.safetensors").is_file());
    let merged = fs::read(last.join("model.safetensors")).unwrap();
    assert!(merged != fs::read(base.join("model.safetensors")).unwrap());
    home.call(&["eval", "adapted", "--problems", "8"])
        .succeeded();

    // Taken up from a checkpoint in the middle it ends in the same bytes.
    let whole = snapshot(&last);
    let metrics = fs::read(run.join("metrics.jsonl")).unwrap();
    for checkpoint in crate::home::checkpoints(&run) {
        if checkpoint == last {
            fs::remove_dir_all(checkpoint).unwrap();
        }
    }
    train(&["--resume"]);
    let again = snapshot(&newest_checkpoint(&run));
    let differs = |name: &&std::path::PathBuf| whole.get(*name) != again.get(*name);
    let names: Vec<_> = whole.keys().chain(again.keys()).filter(differs).collect();
    assert!(names.is_empty(), "after a resume differ {names:?}");
    assert!(metrics == fs::read(run.join("metrics.jsonl")).unwrap());

    // An adapter says nothing without the weights it was trained on.
    let weights = base.join("model.safetensors");
    let mut changed = fs::read(&weights).unwrap();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(&weights, changed).unwrap();
    let resume = ["train", &recipe, "--run-dir", "adapted", "--resume"];
    for arguments in [&resume[..], &["eval", "adapted", "--problems", "8"]] {
        home.call(arguments)
            .failed(&["are not those that the adapter was trained on"]);
    }
}

/// `recipes/lora.toml`, on a smaller base and in fewer steps.
#[test]
fn a_run_is_the_base_of_an_adapter() {
    let (home, _) = trained(&[]);
    let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/lora.toml");
    let recipe = recipe.to_str().unwrap();
    let shorter = [
        "data.held_out=16",
        "data.arithmetic={operands=[2,2],max_value=9,operators='+'}",
        "sampler.max_new_tokens=24",
        "stage.rl.steps=6",
        "stage.rl.prompts_per_step=4",
    ];
    let mut arguments = vec!["train", recipe];
    arguments.extend(shorter.iter().flat_map(|set| ["--set", set]));
    home.call(&arguments).failed(&[
        "model.path",
        "runs/arithmetic",
        "nor a run with a checkpoint",
    ]);
    arguments.extend(["--set", "model.path=runs/tiny"]);
    let out = home.call(&arguments).succeeded().out;
    assert!(out.contains("adapter    rank 8, scale 2.000"), "{out}");

    // PEFT finds the base where the run found it.
    let last = newest_checkpoint(&home.path("runs/lora"));
    let config = fs::read_to_string(last.join("adapter/adapter_config.json")).unwrap();
    let config: Value = serde_json::from_str(&config).unwrap();
    let base = home.path(config["base_model_name_or_path"].as_str().unwrap());
    assert_eq!(base, newest_checkpoint(&home.run()));
    home.call(&["eval", "runs/lora", "--problems", "8"])
        .succeeded();
}

/// More tokens than the model has embeddings for.
#[test]
fn a_tokenizer_that_does_not_fit_is_refused_before_anything_is_written() {
    let (home, _) = trained(&[]);
    let base = newest_checkpoint(&home.run());
    let recipe = adapter_recipe(&home, &base);
    let text = fs::read_to_string(base.join("tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_str(&text).unwrap();
    let vocabulary = tokenizer["model"]["vocab"].as_object_mut().unwrap();
    let count = vocabulary.len();
    for id in count..count + 40 {
        vocabulary.insert(format!("more{id}"), id.into());
    }
    let larger = home.write("larger.json", &tokenizer.to_string());
    let set = format!("data.tokenizer={}", larger.display());
    let said = home.call(&["train", &recipe, "--run-dir", "refused", "--set", &set]);
    said.failed(&["the tokenizer has", "tokens and the model only"]);
    assert!(!home.path("refused").exists());
}
