//! Models on disk: what is written comes back, and whatever is wrong with a file is said.

use std::fs;
use std::path::Path;

use equipoise_models::{Decoder, ModelError, Policy};
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{batch, config, damaged, decoder, need, set, weights};

const WEIGHTS: &str = "model.safetensors";

/// A tensor as a file holds it.
type Stored = (String, Dtype, Vec<usize>, Vec<u8>);

fn saved(tied: bool) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    decoder(tied).save(directory.path()).unwrap();
    directory
}

fn stored(directory: &Path) -> Vec<Stored> {
    let bytes = fs::read(directory.join(WEIGHTS)).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<Stored> = file
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            (
                name,
                view.dtype(),
                view.shape().to_vec(),
                view.data().to_vec(),
            )
        })
        .collect();
    tensors.sort_by(|a, b| a.0.cmp(&b.0));
    tensors
}

fn store(directory: &Path, tensors: &[Stored]) {
    let views = tensors.iter().map(|(name, dtype, shape, bytes)| {
        let view = TensorView::new(*dtype, shape.clone(), bytes).unwrap();
        (name.as_str(), view)
    });
    let bytes = safetensors::serialize(views, None).unwrap();
    fs::write(directory.join(WEIGHTS), bytes).unwrap();
}

/// Rewrites the stored tensors, each of which `change` may replace by any number of others.
fn rewrite(directory: &Path, change: impl Fn(Stored) -> Vec<Stored>) {
    let tensors: Vec<Stored> = stored(directory).into_iter().flat_map(change).collect();
    store(directory, &tensors);
}

fn floats(bytes: &[u8]) -> impl Iterator<Item = f32> {
    let (chunks, _) = bytes.as_chunks::<4>();
    chunks.iter().map(|&chunk| f32::from_le_bytes(chunk))
}

/// The error of loading from a directory; overwriting the weights of a model must fail alike, and
/// change nothing.
fn refusal(directory: &Path) -> ModelError {
    let target = decoder(true);
    let before = weights(&target);
    let error = target.load_weights(directory).unwrap_err();
    assert!(weights(&target) == before, "a weight changed: {error}");
    let other = Decoder::load(directory).unwrap_err();
    assert_eq!(other.to_string(), error.to_string());
    error
}

/// The error, which must be of the kind and have these words.
macro_rules! assert_refused {
    ($directory:expr, $kind:pat, $($words:expr),+) => {{
        let error = refusal($directory);
        assert!(matches!(error, $kind), "{error:?}");
        let message = error.to_string();
        $(assert!(message.contains($words), "{message}");)+
    }};
}

#[test]
fn saving_and_loading_changes_no_bit() {
    for tied in [true, false] {
        let (first, second) = (saved(tied), tempfile::tempdir().unwrap());
        let loaded = Decoder::load(first.path()).unwrap();
        assert!(weights(&loaded) == weights(&decoder(tied)));
        assert_eq!(loaded.config(), &config(tied));
        let score = |decoder: &Decoder| decoder.score(&batch(), &need()).unwrap();
        assert_eq!(score(&loaded), score(&decoder(tied)));
        loaded.save(second.path()).unwrap();
        for file in ["config.json", WEIGHTS] {
            let bytes = |directory: &TempDir| fs::read(directory.path().join(file)).unwrap();
            assert!(bytes(&first) == bytes(&second), "{file}");
        }
    }
}

#[test]
fn a_save_leaves_two_files_and_replaces_old_ones() {
    let directory = saved(true);
    let changed = decoder(true);
    let norm = changed.parameters().get("model.norm.weight").unwrap();
    set(norm, vec![0.5; 12]);
    changed.save(directory.path()).unwrap();
    let mut names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["config.json", WEIGHTS]);
    let loaded = Decoder::load(directory.path()).unwrap();
    assert!(weights(&loaded) == weights(&changed));
}

#[test]
fn names_and_shapes_are_those_of_qwen3_for_causal_lm() {
    for tied in [true, false] {
        let mut expected = vec![
            ("model.embed_tokens.weight".to_owned(), vec![13, 12]),
            ("model.norm.weight".to_owned(), vec![12]),
        ];
        if !tied {
            expected.push(("lm_head.weight".to_owned(), vec![13, 12]));
        }
        for layer in 0..2 {
            for (name, shape) in [
                ("input_layernorm", vec![12]),
                ("mlp.down_proj", vec![12, 20]),
                ("mlp.gate_proj", vec![20, 12]),
                ("mlp.up_proj", vec![20, 12]),
                ("post_attention_layernorm", vec![12]),
                ("self_attn.k_norm", vec![4]),
                ("self_attn.k_proj", vec![8, 12]),
                ("self_attn.o_proj", vec![12, 16]),
                ("self_attn.q_norm", vec![4]),
                ("self_attn.q_proj", vec![16, 12]),
                ("self_attn.v_proj", vec![8, 12]),
            ] {
                expected.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
        }
        expected.sort();
        let directory = saved(tied);
        let found: Vec<(String, Vec<usize>)> = stored(directory.path())
            .into_iter()
            .map(|(name, dtype, shape, _)| {
                assert_eq!(dtype, Dtype::F32, "{name}");
                (name, shape)
            })
            .collect();
        assert_eq!(found, expected);
        let bytes = fs::read(directory.path().join(WEIGHTS)).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let format = metadata.metadata().as_ref().and_then(|m| m.get("format"));
        assert_eq!(
            format.map(String::as_str),
            Some("pt"),
            "transformers asks for it"
        );
    }
}

#[test]
fn config_json_says_what_transformers_asks_for() {
    let text = fs::read_to_string(saved(true).path().join("config.json")).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "architectures": ["Qwen3ForCausalLM"],
        "model_type": "qwen3",
        "attention_bias": false,
        "eos_token_id": 0,
        "head_dim": 4,
        "hidden_act": "silu",
        "hidden_size": 12,
        "intermediate_size": 20,
        "max_position_embeddings": 32,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-6,
        "rope_theta": 100.0,
        "tie_word_embeddings": true,
        "vocab_size": 13,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&found[key], value, "{key}");
    }
}

#[test]
fn half_precision_is_widened() {
    for dtype in [Dtype::BF16, Dtype::F16] {
        let directory = saved(true);
        rewrite(directory.path(), |(name, _, shape, bytes)| {
            let narrow = floats(&bytes).flat_map(|x| match dtype {
                Dtype::BF16 => bf16::from_f32(x).to_le_bytes(),
                _ => f16::from_f32(x).to_le_bytes(),
            });
            vec![(name, dtype, shape, narrow.collect())]
        });
        let loaded = weights(&Decoder::load(directory.path()).unwrap());
        for ((name, loaded), (_, original)) in loaded.iter().zip(weights(&decoder(true))) {
            for (&loaded, original) in loaded.iter().zip(original) {
                let original = f32::from_bits(original);
                let narrow = match dtype {
                    Dtype::BF16 => bf16::from_f32(original).to_f32(),
                    _ => f16::from_f32(original).to_f32(),
                };
                assert_eq!(f32::from_bits(loaded), narrow, "{name}");
            }
        }
    }
}

#[test]
fn weights_are_overwritten_in_place() {
    let source = decoder(true);
    let norm = source.parameters().get("model.norm.weight").unwrap();
    set(norm, vec![0.5; 12]);
    let directory = tempfile::tempdir().unwrap();
    source.save(directory.path()).unwrap();
    let target = decoder(true);
    let sharing = target.clone();
    target.load_weights(directory.path()).unwrap();
    assert!(weights(&target) == weights(&source));
    assert!(
        weights(&sharing) == weights(&source),
        "clones share the weights"
    );
    let score = |decoder: &Decoder| decoder.score(&batch(), &need()).unwrap();
    assert_eq!(score(&sharing), score(&source));
}

/// The tied matrix stored a second time, as some writers do, is no parameter too many.
#[test]
fn a_second_copy_of_the_tied_matrix_is_passed_over() {
    let directory = saved(true);
    rewrite(directory.path(), |tensor| {
        match tensor.0 == "model.embed_tokens.weight" {
            true => vec![
                (
                    "lm_head.weight".to_owned(),
                    tensor.1,
                    tensor.2.clone(),
                    tensor.3.clone(),
                ),
                tensor,
            ],
            false => vec![tensor],
        }
    });
    let loaded = Decoder::load(directory.path()).unwrap();
    assert!(weights(&loaded) == weights(&decoder(true)));
}

#[test]
fn missing_files_are_named() {
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().join("config.json").display().to_string();
    assert_refused!(empty.path(), ModelError::File { .. }, "cannot read", &path);

    let directory = saved(true);
    fs::remove_file(directory.path().join(WEIGHTS)).unwrap();
    assert_refused!(directory.path(), ModelError::File { .. }, WEIGHTS);
}

#[test]
fn damaged_files_are_named() {
    let directory = saved(true);
    let path = directory.path().join(WEIGHTS);
    for damaged in damaged(&fs::read(&path).unwrap()) {
        fs::write(&path, damaged).unwrap();
        assert_refused!(directory.path(), ModelError::Malformed { .. }, WEIGHTS);
    }
    let directory = saved(true);
    for text in ["", "{\"model_type\": \"qwen3\"", "[1, 2]"] {
        fs::write(directory.path().join("config.json"), text).unwrap();
        let error = refusal(directory.path()).to_string();
        assert!(error.contains("config.json"), "{error}");
    }
}

#[test]
fn weights_that_are_no_numbers_are_refused() {
    for wrong in [f32::NAN, f32::INFINITY] {
        let directory = saved(true);
        rewrite(directory.path(), |(name, dtype, shape, mut bytes)| {
            if name == "model.norm.weight" {
                bytes[8..12].copy_from_slice(&wrong.to_le_bytes());
            }
            vec![(name, dtype, shape, bytes)]
        });
        let kind = "model.norm.weight holds infinities";
        assert_refused!(directory.path(), ModelError::Malformed { .. }, kind);
    }
    let directory = saved(true);
    rewrite(directory.path(), |(name, dtype, shape, bytes)| {
        let dtype = match name == "model.norm.weight" {
            true => Dtype::U32,
            false => dtype,
        };
        vec![(name, dtype, shape, bytes)]
    });
    let kind = "model.norm.weight holds U32; weights are F32, BF16 or F16";
    assert_refused!(directory.path(), ModelError::Malformed { .. }, kind);
}

#[test]
fn tensors_of_another_model_are_named() {
    const NAME: &str = "model.layers.1.self_attn.k_proj.weight";
    let missing = saved(true);
    rewrite(missing.path(), |tensor| match tensor.0 == NAME {
        true => vec![],
        false => vec![tensor],
    });
    let words = "model.layers.1.self_attn.k_proj.weight is missing";
    assert_refused!(missing.path(), ModelError::Mismatch { .. }, words, WEIGHTS);

    let extra = saved(true);
    rewrite(extra.path(), |tensor| match tensor.0 == NAME {
        true => vec![
            (
                format!("{NAME}.lora_A"),
                tensor.1,
                tensor.2.clone(),
                tensor.3.clone(),
            ),
            tensor,
        ],
        false => vec![tensor],
    });
    let words = "k_proj.weight.lora_A is no parameter of this model";
    assert_refused!(extra.path(), ModelError::Mismatch { .. }, words);

    let turned = saved(true);
    rewrite(turned.path(), |(name, dtype, mut shape, bytes)| {
        if name == NAME {
            shape.reverse();
        }
        vec![(name, dtype, shape, bytes)]
    });
    let words = "has shape [12, 8], expected [8, 12]";
    assert_refused!(turned.path(), ModelError::Mismatch { .. }, NAME, words);
}

/// Weights of the same shapes that mean something else.
#[test]
fn weights_are_not_taken_from_another_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let mut other = config(true);
    other.rope_theta = 10_000.0;
    let other = Decoder::new(other, 0.3, 11).unwrap();
    other.save(directory.path()).unwrap();
    let target = decoder(true);
    let before = weights(&target);
    let error = target.load_weights(directory.path()).unwrap_err();
    assert!(matches!(error, ModelError::Mismatch { .. }));
    let message = error.to_string();
    assert!(
        message.contains("rope_theta is 10000.0, expected 100.0"),
        "{message}"
    );
    assert!(weights(&target) == before);
}

/// A directory where a temporary file has to be made stops the write even of a superuser.
#[test]
fn a_failed_save_leaves_the_old_model() {
    for blocked in ["config.json", WEIGHTS] {
        let directory = saved(true);
        fs::create_dir(directory.path().join(format!("{blocked}.tmp"))).unwrap();
        let mut larger = config(true);
        larger.num_hidden_layers = 3;
        let larger = Decoder::new(larger, 0.3, 1).unwrap();
        let error = larger.save(directory.path()).unwrap_err();
        let write = matches!(
            error,
            ModelError::File {
                action: "write",
                ..
            }
        );
        assert!(write && error.to_string().contains(blocked), "{error}");
        let kept = Decoder::load(directory.path()).unwrap();
        assert!(weights(&kept) == weights(&decoder(true)), "{blocked}");
        assert_eq!(kept.config(), &config(true));
        // Nothing but the two files and what blocked the write.
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a file");
    fs::write(&file, "kept").unwrap();
    let error = decoder(true).save(&file).unwrap_err();
    assert!(error.to_string().contains("a file"), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
}

/// A checkpoint in which every byte of the header is damaged in turn never makes a model with other
/// weights silently, and never panics.
#[test]
fn no_damage_of_the_header_panics() {
    let directory = saved(true);
    let path = directory.path().join(WEIGHTS);
    let whole = fs::read(&path).unwrap();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let shapes = |decoder: &Decoder| -> Vec<Vec<usize>> {
        let vars = decoder.parameters().iter();
        vars.map(|(_, var)| var.dims().to_vec()).collect()
    };
    for at in (0..8 + length).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x05;
        fs::write(&path, &damaged).unwrap();
        if let Ok(loaded) = Decoder::load(directory.path()) {
            // Damage in the header's free text changes no tensor; anywhere else it is noticed.
            assert_eq!(shapes(&loaded), shapes(&decoder(true)), "byte {at}");
            assert!(weights(&loaded) == weights(&decoder(true)), "byte {at}");
        }
    }
}
