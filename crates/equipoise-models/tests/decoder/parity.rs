//! Agreement with transformers: checkpoints, log-probabilities, entropies and gradients as in the
//! fixtures, which `fixtures/models.py` wrote.

use std::path::{Path, PathBuf};

use equipoise_core::Ragged;
use equipoise_kernels::crew::Crew;
use equipoise_models::decoder::decoding::Workspace;
use equipoise_models::{Decoder, Need, Policy, TokenBatch, TokenCotangents};
use serde_json::Value;

use crate::support::gradients;

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn expected(directory: &Path) -> Value {
    let text = std::fs::read_to_string(directory.join("expected.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    let items = value.as_array().unwrap().iter();
    items.map(|x| x.as_f64().unwrap()).collect()
}

fn batch(expected: &Value) -> TokenBatch {
    let mut batch = TokenBatch::new();
    for sequence in expected["sequences"].as_array().unwrap() {
        let tokens: Vec<u32> = numbers(&sequence["tokens"])
            .iter()
            .map(|&id| id as u32)
            .collect();
        let scored = sequence["scored"].as_array().unwrap().iter();
        let scored: Vec<bool> = scored.map(|mark| mark.as_bool().unwrap()).collect();
        batch.push_masked(&tokens, &scored).unwrap();
    }
    batch
}

/// Checks numbers within an absolute tolerance.
fn close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= tolerance,
            "{what}, number {at}: {found}, expected {expected}"
        );
    }
}

/// The language models among the fixtures.
fn language_models() -> Vec<(String, Decoder)> {
    let names = [
        "qwen3-tied",
        "qwen3-untied",
        "qwen3-bias",
        "qwen2-tied",
        "qwen2-yarn",
        "qwen2-sharded-bf16",
        "llama-plain",
        "llama-biases-linear",
        "llama-llama3",
        "llama-yarn-factor",
    ];
    let plain = names.map(|name| (name.to_owned(), Decoder::load(&directory(name)).unwrap()));
    let base = Decoder::load(&directory("lora/base")).unwrap();
    let lora = base.load_adapter(&directory("lora")).unwrap();
    plain
        .into_iter()
        .chain([("lora".to_owned(), lora)])
        .collect()
}

/// Single precision against double: log-probabilities differ by a few 1e-6.
#[test]
fn log_probabilities_and_entropies_are_those_of_transformers() {
    for (name, decoder) in language_models() {
        let expected = expected(&directory(&name));
        for at in expected["outputs"].as_array().unwrap() {
            let temperature = at["temperature"].as_f64().unwrap();
            let need = Need::at_temperature(temperature);
            let outputs = decoder.score(&batch(&expected), &need).unwrap();
            for (key, found) in [
                ("logprobs", &outputs.logprobs),
                ("entropies", &outputs.entropies),
            ] {
                let what = format!("{name}, {key} at temperature {temperature}");
                close(&what, found.values(), &numbers(&at[key]), 1e-5);
            }
        }
    }
}

/// The sampler's way through the weights.
#[test]
fn logits_are_those_of_transformers() {
    for (name, decoder) in language_models() {
        let expected = expected(&directory(&name));
        let sequences = expected["sequences"].as_array().unwrap().iter();
        for (sequence, logits) in sequences.zip(expected["logits"].as_array().unwrap()) {
            let tokens = numbers(&sequence["tokens"]);
            let tokens: Vec<u32> = tokens.iter().map(|&id| id as u32).collect();
            let mut found = vec![0.0; 19];
            decoder
                .with_view(|view| {
                    let mut workspace = Workspace::default();
                    view.prefill(&Crew::alone(), &[&tokens], &mut workspace, &mut found)
                        .unwrap();
                })
                .unwrap();
            let logits = numbers(logits);
            let largest = logits.iter().fold(0.0_f64, |most, z| most.max(z.abs()));
            close(&format!("{name}, logits"), &found, &logits, 1e-5 * largest);
        }
    }
}

fn close_gradients(name: &str, found: Vec<(String, Vec<f32>)>, expected: &Value) {
    let expected = expected["gradients"].as_object().unwrap();
    assert_eq!(found.len(), expected.len(), "{name}");
    for (parameter, found) in found {
        let expected = numbers(&expected[&parameter]);
        let largest = expected.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
        let what = format!("{name}, gradient of {parameter}");
        close(&what, &found, &expected, 1e-4 * largest);
    }
}

/// Every trained parameter, whether the activations were kept or computed again.
#[test]
fn gradients_are_those_of_transformers() {
    for (name, decoder) in language_models() {
        let expected = expected(&directory(&name));
        let batch = batch(&expected);
        let last = expected["outputs"].as_array().unwrap().last().unwrap();
        let need = Need::at_temperature(last["temperature"].as_f64().unwrap());
        let mut offsets = vec![0];
        for length in batch.scored_lengths() {
            offsets.push(offsets.last().unwrap() + length);
        }
        let ragged = |key: &str| {
            let values = numbers(&expected["cotangents"][key]);
            let values = values.iter().map(|&x| x as f32).collect();
            Ragged::from_parts(values, offsets.clone()).unwrap()
        };
        let cotangents = TokenCotangents {
            logprobs: ragged("logprobs"),
            entropies: Some(ragged("entropies")),
            ..TokenCotangents::default()
        };
        let kept = gradients(&decoder, &batch, &need, &cotangents);
        let again = decoder.with_activation_checkpointing(true);
        assert!(
            gradients(&again, &batch, &need, &cotangents) == kept,
            "{name}"
        );
        close_gradients(&name, kept, &expected);
    }
}

#[test]
fn a_reward_model_is_that_of_transformers() {
    let decoder = Decoder::load(&directory("llama-reward")).unwrap();
    let expected = expected(&directory("llama-reward"));
    let mut batch = TokenBatch::new();
    for sequence in expected["sequences"].as_array().unwrap() {
        let tokens = numbers(&sequence["tokens"]);
        let tokens: Vec<u32> = tokens.iter().map(|&id| id as u32).collect();
        batch.push(&tokens, &[]);
    }
    let need = Need::at_temperature(1.0).with_sequence_scores();
    let tape = decoder.forward(&batch, &need).unwrap();
    let scores = tape.outputs().sequence_scores.clone().unwrap();
    close("scores", &scores, &numbers(&expected["scores"]), 1e-5);
    let cotangents = numbers(&expected["cotangents"]);
    let cotangents = TokenCotangents {
        logprobs: tape.outputs().logprobs.clone(),
        sequence_scores: Some(cotangents.iter().map(|&c| c as f32).collect()),
        ..TokenCotangents::default()
    };
    let found = gradients(&decoder, &batch, &need, &cotangents);
    close_gradients("llama-reward", found, &expected);
    // It has nothing to sample from.
    let error = decoder.with_view(|_| ()).unwrap_err();
    assert!(error.to_string().contains("no vocabulary"), "{error}");
}

#[test]
fn rotary_frequencies_are_those_of_transformers() {
    let text = std::fs::read_to_string(directory("rope.json")).unwrap();
    let cases: Value = serde_json::from_str(&text).unwrap();
    for case in cases.as_array().unwrap() {
        // Through a configuration file, so that the reading is tested, too.
        let saved = tempfile::tempdir().unwrap();
        std::fs::copy(
            directory("llama-plain").join("config.json"),
            saved.path().join("config.json"),
        )
        .unwrap();
        let path = saved.path().join("config.json");
        let mut json: Value =
            serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        json["rope_parameters"] = case["rope"].clone();
        std::fs::write(&path, json.to_string()).unwrap();
        let config = equipoise_models::Config::load(saved.path()).unwrap();
        let head_dim = case["head_dim"].as_u64().unwrap() as usize;
        let scaling = &config.rope_scaling;
        let (found, factor) = scaling.frequencies(head_dim, config.rope_theta);
        let rope = &case["rope"];
        assert!(
            (factor - case["factor"].as_f64().unwrap()).abs() < 1e-7,
            "{rope}"
        );
        let expected = numbers(&case["frequencies"]);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            // transformers computes in single precision.
            assert!(
                (found / expected - 1.0).abs() < 2e-6,
                "{rope}: {found}, {expected}"
            );
        }
    }
}

/// The bytes of transformers' own weights come back, so a run can start from its checkpoints and
/// end in them.
#[test]
fn a_checkpoint_of_transformers_survives_loading_and_saving() {
    for name in ["qwen3-tied", "qwen3-untied"] {
        let saved = tempfile::tempdir().unwrap();
        let decoder = Decoder::load(&directory(name)).unwrap();
        decoder.save(saved.path()).unwrap();
        let weights =
            |directory: &Path| std::fs::read(directory.join("model.safetensors")).unwrap();
        let (theirs, ours) = (weights(&directory(name)), weights(saved.path()));
        let parse = |bytes: &[u8]| {
            let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
            let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = file
                .tensors()
                .into_iter()
                .map(|(name, view)| (name, view.shape().to_vec(), view.data().to_vec()))
                .collect();
            tensors.sort();
            tensors
        };
        assert!(parse(&theirs) == parse(&ours));
        let again = Decoder::load(saved.path()).unwrap();
        assert_eq!(again.config(), decoder.config());
    }
}
