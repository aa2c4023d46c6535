//! `adapter_model.safetensors`: whatever is wrong with it is said, and nothing has changed.

use std::fs;
use std::path::Path;

use equipoise_models::{Decoder, LoraConfig, ModelError};
use half::bf16;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use tempfile::TempDir;

use crate::support::{damaged, decoder, weights};

const WEIGHTS: &str = "adapter_model.safetensors";
const A: &str = "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight";
const B: &str = "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight";

/// A tensor as a file holds it.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

/// Rank 3 on the modules of 12 outputs and 20 inputs.
fn adapted(seed: u64) -> Decoder {
    let lora = LoraConfig {
        rank: 3,
        target_modules: vec!["down_proj".to_owned()],
        ..LoraConfig::default()
    };
    decoder(false).with_adapter(&lora, seed).unwrap()
}

fn saved() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    adapted(1).save_adapter(path, path).unwrap();
    directory
}

/// Saves an adapter, and rewrites its tensors, each of which `change` may replace by any number of
/// others.
fn rewritten(change: impl Fn(Stored) -> Vec<Stored>) -> TempDir {
    let directory = saved();
    let path = directory.path().join(WEIGHTS);
    let bytes = fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let (dtype, shape) = (view.dtype(), view.shape().to_vec());
        (name, dtype, shape, view.data().to_vec())
    });
    let tensors: Vec<Stored> = tensors.flat_map(change).collect();
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    directory
}

/// Only the tensor of this name is changed.
fn changed(name: &str, change: impl Fn(Stored) -> Vec<Stored>) -> TempDir {
    rewritten(|tensor| match tensor.0 == name {
        true => change(tensor),
        false => vec![tensor],
    })
}

/// The error of both ways to read an adapter, the second of which must change nothing.
fn refusal(directory: &Path) -> ModelError {
    let target = adapted(2);
    let before = weights(&target);
    let in_place = target.load_weights(directory).unwrap_err();
    assert!(weights(&target) == before, "a weight changed: {in_place}");
    let error = decoder(false).load_adapter(directory).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(WEIGHTS), "{text}");
    assert!(in_place.to_string().contains(WEIGHTS), "{in_place}");
    error
}

/// The error, which must be of the kind and have these words.
macro_rules! assert_refused {
    ($directory:expr, $kind:pat, $($words:expr),+) => {{
        let error = refusal($directory.path());
        assert!(matches!(error, $kind), "{error:?}");
        let message = error.to_string();
        $(assert!(message.contains($words), "{message}");)+
    }};
}

#[test]
fn a_missing_tensor() {
    let directory = changed(B, |_| vec![]);
    assert_refused!(directory, ModelError::Mismatch { .. }, B, "is missing");
    // Without its A a module is no part of the adapter, and its B is one too many.
    let directory = changed(A, |_| vec![]);
    assert_refused!(directory, ModelError::Mismatch { .. }, B, "is no part");
    let directory = rewritten(|_| vec![]);
    let error = refusal(directory.path()).to_string();
    assert!(error.contains("no LoRA matrix"), "{error}");
}

#[test]
fn a_tensor_too_many() {
    let directory = changed(A, |(name, dtype, shape, bytes)| {
        let other = (
            name.replace("down_proj", "down_projection"),
            dtype,
            shape.clone(),
            bytes.clone(),
        );
        vec![(name, dtype, shape, bytes), other]
    });
    let words = "down_projection, which is no linear layer";
    assert_refused!(directory, ModelError::Mismatch { .. }, words);
    // What DoRA trains beside the two matrices.
    let directory = changed(A, |(name, dtype, shape, bytes)| {
        let magnitude = (
            name.replace("lora_A.weight", "lora_magnitude_vector"),
            Dtype::F32,
            vec![12],
            vec![0; 48],
        );
        vec![(name, dtype, shape, bytes), magnitude]
    });
    let words = "lora_magnitude_vector is no part";
    assert_refused!(directory, ModelError::Mismatch { .. }, words);
}

#[test]
fn another_shape() {
    let directory = changed(A, |(name, dtype, mut shape, bytes)| {
        shape.reverse();
        vec![(name, dtype, shape, bytes)]
    });
    let words = "has shape [20, 3], expected [3, 20]";
    assert_refused!(directory, ModelError::Mismatch { .. }, A, words);
    let directory = changed(B, |(name, dtype, _, bytes)| {
        vec![(name, dtype, vec![36], bytes)]
    });
    let words = "has shape [36], expected [12, 3]";
    assert_refused!(directory, ModelError::Mismatch { .. }, B, words);
}

#[test]
fn another_number_type() {
    let directory = changed(A, |(name, _, shape, bytes)| {
        vec![(name, Dtype::I32, shape, bytes)]
    });
    let words = "holds I32; weights are F32, BF16 or F16";
    assert_refused!(directory, ModelError::Malformed { .. }, A, words);
    // Half precision is widened.
    let directory = rewritten(|(name, _, shape, bytes)| {
        let (chunks, _) = bytes.as_chunks::<4>();
        let numbers = chunks.iter().map(|&chunk| f32::from_le_bytes(chunk));
        let narrow = numbers.flat_map(|x| bf16::from_f32(x).to_le_bytes());
        vec![(name, Dtype::BF16, shape, narrow.collect())]
    });
    let loaded = decoder(false).load_adapter(directory.path()).unwrap();
    for ((name, loaded), (_, exact)) in weights(&loaded).iter().zip(weights(&adapted(1))) {
        let rounded = exact
            .iter()
            .map(|&bits| bf16::from_f32(f32::from_bits(bits)).to_f32());
        assert!(
            rounded.map(f32::to_bits).eq(loaded.iter().copied()),
            "{name}"
        );
    }
}

#[test]
fn numbers_that_are_none() {
    for wrong in [f32::NAN, f32::NEG_INFINITY] {
        let directory = changed(A, |(name, dtype, shape, mut bytes)| {
            bytes[8..12].copy_from_slice(&wrong.to_le_bytes());
            vec![(name, dtype, shape, bytes)]
        });
        let words = "holds infinities";
        assert_refused!(directory, ModelError::Malformed { .. }, A, words);
    }
}

#[test]
fn a_damaged_file() {
    let directory = saved();
    let path = directory.path().join(WEIGHTS);
    for damaged in damaged(&fs::read(&path).unwrap()) {
        fs::write(&path, damaged).unwrap();
        let error = refusal(directory.path());
        assert!(matches!(error, ModelError::Malformed { .. }), "{error:?}");
    }
    fs::remove_file(&path).unwrap();
    assert_refused!(directory, ModelError::File { .. }, "cannot read");
}

/// An adapter of a model with other sizes, or with more layers.
#[test]
fn another_models_adapter() {
    let mut config = crate::support::config(false);
    config.intermediate_size = 24;
    let wide = Decoder::new(config.clone(), 0.3, 1).unwrap();
    config.intermediate_size = 20;
    config.num_hidden_layers = 3;
    let deep = Decoder::new(config, 0.3, 1).unwrap();
    let lora = adapted(1).adapter().unwrap().clone();
    for (other, words) in [
        (wide, "has shape [3, 24], expected [3, 20]"),
        (deep, "it adapts model.layers.2.mlp.down_proj"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        let other = other.with_adapter(&lora, 1).unwrap();
        other.save_adapter(path, path).unwrap();
        let base = decoder(false);
        let before = weights(&base);
        let error = base.load_adapter(path).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(weights(&base) == before);
    }
}
