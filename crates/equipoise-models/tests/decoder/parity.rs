//! Agreement with transformers: checkpoints, log-probabilities, entropies and gradients as in the
//! fixtures, which `fixtures/qwen3.py` wrote.

use std::path::{Path, PathBuf};

use equipoise_core::Ragged;
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

/// Single precision against double: log-probabilities differ by a few 1e-6.
#[test]
fn log_probabilities_and_entropies_are_those_of_transformers() {
    for name in ["qwen3-tied", "qwen3-untied"] {
        let decoder = Decoder::load(&directory(name)).unwrap();
        let expected = expected(&directory(name));
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

#[test]
fn gradients_are_those_of_transformers() {
    for name in ["qwen3-tied", "qwen3-untied"] {
        let decoder = Decoder::load(&directory(name)).unwrap();
        let expected = expected(&directory(name));
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
        let found = gradients(&decoder, &batch, &need, &cotangents);
        let expected = expected["gradients"].as_object().unwrap();
        assert_eq!(found.len(), expected.len());
        for (parameter, found) in found {
            let expected = numbers(&expected[&parameter]);
            let largest = expected.iter().fold(0.0_f64, |most, g| most.max(g.abs()));
            let what = format!("{name}, gradient of {parameter}");
            close(&what, &found, &expected, 1e-4 * largest);
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
