//! Configurations: impossible sizes, and settings of a `config.json` that this crate does not do.

use equipoise_models::{Config, Decoder, ModelError};
use serde_json::{Value, json};

use crate::support::{config, decoder};

fn impossible(change: impl FnOnce(&mut Config)) -> String {
    let mut config = config(true);
    change(&mut config);
    let error = config.validate().unwrap_err();
    assert!(matches!(error, ModelError::Config(_)), "{error:?}");
    // What cannot exist is not made, either.
    let made = Decoder::new(config, 0.02, 0).unwrap_err();
    assert_eq!(made.to_string(), error.to_string());
    error.to_string()
}

#[test]
fn impossible_sizes_are_named() {
    config(true).validate().unwrap();
    type Size = fn(&mut Config) -> &mut usize;
    let sizes: [(&str, Size); 8] = [
        ("vocab_size", |c| &mut c.vocab_size),
        ("hidden_size", |c| &mut c.hidden_size),
        ("num_hidden_layers", |c| &mut c.num_hidden_layers),
        ("num_attention_heads", |c| &mut c.num_attention_heads),
        ("num_key_value_heads", |c| &mut c.num_key_value_heads),
        ("head_dim", |c| &mut c.head_dim),
        ("intermediate_size", |c| &mut c.intermediate_size),
        ("max_position_embeddings", |c| {
            &mut c.max_position_embeddings
        }),
    ];
    for (name, field) in sizes {
        let zero = impossible(|c| *field(c) = 0);
        assert_eq!(
            zero,
            format!("impossible model: {name} is 0; it must be positive")
        );
        let huge = impossible(|c| *field(c) = usize::MAX);
        assert!(
            huge.contains(&format!("{name} is {}; the most is", usize::MAX)),
            "{huge}"
        );
    }
    let heads = impossible(|c| c.num_key_value_heads = 3);
    assert!(
        heads.contains("num_key_value_heads (3) must divide num_attention_heads (4)"),
        "{heads}"
    );
    let odd = impossible(|c| c.head_dim = 5);
    assert!(odd.contains("head_dim (5) must be even"), "{odd}");
    for theta in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(impossible(|c| c.rope_theta = theta).contains("rope_theta"));
        assert!(impossible(|c| c.rms_norm_eps = theta).contains("rms_norm_eps"));
    }
    let eos = impossible(|c| c.eos_token_ids = vec![0, 13]);
    assert!(eos.contains("eos_token_id"), "{eos}");
    let table = impossible(|c| {
        c.max_position_embeddings = 1 << 24;
        c.head_dim = 1 << 10;
    });
    assert!(table.contains("max_position_embeddings"), "{table}");
    let scalars = impossible(|c| {
        c.vocab_size = 1 << 24;
        c.hidden_size = 1 << 20;
    });
    assert!(scalars.contains("scalars"), "{scalars}");
}

/// Loads a saved model whose `config.json` was changed.
fn load(change: impl FnOnce(&mut Value)) -> Result<Decoder, ModelError> {
    let directory = tempfile::tempdir().unwrap();
    decoder(true).save(directory.path()).unwrap();
    let path = directory.path().join("config.json");
    let mut json = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(&path, json.to_string()).unwrap();
    let loaded = Decoder::load(directory.path());
    if let Err(error) = &loaded
        && !matches!(error, ModelError::Config(_))
    {
        let message = error.to_string();
        assert!(message.contains("config.json"), "{message}");
    }
    loaded
}

fn load_with(key: &str, value: Value) -> Result<Decoder, ModelError> {
    load(|json| json[key] = value)
}

#[test]
fn what_this_crate_does_not_do_is_refused() {
    let longrope = json!({ "rope_type": "longrope", "factor": 4.0 });
    for (key, value, words) in [
        (
            "model_type",
            json!("mamba"),
            "model_type is mamba; known are \"qwen2\", \"qwen3\", \"llama\"",
        ),
        (
            "architectures",
            json!(["Qwen3ForTokenClassification"]),
            "names Qwen3ForTokenClassification",
        ),
        ("quantization_config", json!({ "bits": 4 }), "quantised"),
        ("model_type", json!(3), "model_type is nothing"),
        (
            "use_sliding_window",
            json!(true),
            "use_sliding_window = true",
        ),
        (
            "layer_types",
            json!(["full_attention", "sliding_attention"]),
            "layer_types has \"sliding_attention\"",
        ),
        ("hidden_act", json!("gelu"), "hidden_act is gelu"),
        (
            "partial_rotary_factor",
            json!(0.5),
            "partial_rotary_factor is 0.5, not 1",
        ),
        (
            "rope_parameters",
            json!({ "rope_type": "default", "partial_rotary_factor": 0.25 }),
            "partial_rotary_factor is 0.25, not 1",
        ),
        ("attention_dropout", json!(0.1), "attention_dropout is 0.1"),
        (
            "rope_scaling",
            json!({ "type": "dynamic", "factor": 2.0 }),
            "rope_type is \"dynamic\"",
        ),
        (
            "rope_parameters",
            longrope,
            "rope_type is \"longrope\"; known are \"default\", \"linear\"",
        ),
    ] {
        let error = load_with(key, value).unwrap_err();
        assert!(matches!(error, ModelError::Unsupported(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// An empty new object does not hide what the old one says.
#[test]
fn both_places_of_the_rotary_settings_are_read() {
    let error = load(|json| {
        json["rope_parameters"] = Value::Null;
        json["rope_scaling"] = json!({ "type": "dynamic" });
    });
    assert!(matches!(error, Err(ModelError::Unsupported(_))));
    let new = load(|json| {
        json.as_object_mut().unwrap().remove("rope_theta");
        json["rope_parameters"] = json!({ "rope_type": "default", "rope_theta": 77.0 });
    });
    assert_eq!(new.unwrap().config().rope_theta, 77.0);
}

#[test]
fn values_of_the_wrong_type_are_refused() {
    for (key, value, words) in [
        (
            "hidden_size",
            json!("12"),
            "hidden_size must be a whole number, found \"12\"",
        ),
        (
            "vocab_size",
            json!(-1),
            "vocab_size must be a whole number, found -1",
        ),
        (
            "rms_norm_eps",
            Value::Null,
            "rms_norm_eps must be a number, found null",
        ),
        (
            "tie_word_embeddings",
            json!("true"),
            "tie_word_embeddings must be true or false",
        ),
        (
            "attention_bias",
            json!(1),
            "attention_bias must be true or false",
        ),
        (
            "eos_token_id",
            json!([1, "2"]),
            "eos_token_id must be a token id, a list of them, or null",
        ),
        (
            "eos_token_id",
            json!(4_294_967_297_u64),
            "eos_token_id must be a token id, a list of them, or null",
        ),
    ] {
        let error = load_with(key, value).unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let missing = load(|json| {
        json.as_object_mut().unwrap().remove("hidden_size");
    });
    let missing = missing.unwrap_err().to_string();
    assert!(
        missing.contains("hidden_size must be a whole number, found nothing"),
        "{missing}"
    );
    let eos = load_with("eos_token_id", Value::Null).unwrap();
    assert_eq!(eos.config().eos_token_ids, [0_u32; 0]);
}

#[test]
fn impossible_sizes_in_a_file_are_refused() {
    for (key, value) in [
        ("num_key_value_heads", 3_u64),
        ("head_dim", 5),
        ("num_hidden_layers", 1 << 60),
        ("max_position_embeddings", 1 << 60),
        ("vocab_size", 1 << 60),
    ] {
        let error = load_with(key, json!(value)).unwrap_err();
        assert!(matches!(error, ModelError::Config(_)), "{error:?}");
        assert!(error.to_string().contains(key), "{error}");
    }
}

#[test]
fn the_seed_alone_decides_the_initial_weights() {
    let weights = |seed| crate::support::weights(&Decoder::new(config(true), 0.02, seed).unwrap());
    assert!(weights(1) == weights(1));
    assert!(weights(1) != weights(2));
    let spread: Vec<f32> = weights(1)
        .iter()
        .filter(|(name, _)| !name.ends_with("norm.weight"))
        .flat_map(|(_, bits)| bits.iter().map(|&bits| f32::from_bits(bits)))
        .collect();
    let variance = spread.iter().map(|x| x * x).sum::<f32>() / spread.len() as f32;
    assert!((variance.sqrt() - 0.02).abs() < 0.001, "{variance}");
}
