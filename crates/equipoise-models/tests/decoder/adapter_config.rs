//! `adapter_config.json`: what changes nothing is accepted, and whatever else is refused by name.

use std::path::Path;

use equipoise_models::{Decoder, LoraConfig, ModelError};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use crate::support::{decoder, weights};

/// What PEFT 0.21 writes for an adapter of a language model.
const PEFT: &str = include_str!("../fixtures/lora/adapter_config.json");

/// An adapter of rank 3 on two kinds of modules, with PEFT's `adapter_config.json`.
fn saved() -> (TempDir, Decoder) {
    let lora = LoraConfig {
        rank: 3,
        alpha: 5.0,
        rank_stabilised: true,
        target_modules: vec!["q_proj".to_owned(), "down_proj".to_owned()],
        ..LoraConfig::default()
    };
    let adapted = decoder(false).with_adapter(&lora, 1).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    adapted.save_adapter(path, path).unwrap();
    std::fs::write(path.join("adapter_config.json"), PEFT).unwrap();
    (directory, adapted)
}

fn peft() -> Map<String, Value> {
    serde_json::from_str(PEFT).unwrap()
}

/// Loads the adapter after one key of PEFT's has been set, or removed by `None`.
fn with(directory: &Path, key: &str, value: Option<Value>) -> Result<Decoder, ModelError> {
    let mut json = peft();
    match value {
        Some(value) => json.insert(key.to_owned(), value),
        None => json.remove(key),
    };
    let text = Value::Object(json).to_string();
    std::fs::write(directory.join("adapter_config.json"), text).unwrap();
    decoder(false).load_adapter(directory)
}

#[test]
fn what_peft_writes_is_accepted() {
    let (directory, adapted) = saved();
    let loaded = decoder(false).load_adapter(directory.path()).unwrap();
    assert!(weights(&loaded) == weights(&adapted));
    let lora = loaded.adapter().unwrap();
    assert_eq!((lora.rank, lora.alpha, lora.dropout), (3, 5.0, 0.0));
    assert!(lora.rank_stabilised);
    // Nothing but what says what the adapter is has to be there.
    for key in peft().keys() {
        let found = with(directory.path(), key, None);
        match key.as_str() {
            "peft_type" | "r" | "lora_alpha" => {
                let error = found.unwrap_err().to_string();
                assert!(error.contains(key) && error.contains("nothing"), "{error}");
            }
            "use_rslora" => assert!(!found.unwrap().adapter().unwrap().rank_stabilised),
            _ => assert!(weights(&found.unwrap()) == weights(&adapted), "{key}"),
        }
    }
}

#[test]
fn values_that_change_nothing_are_accepted() {
    let (directory, adapted) = saved();
    for (key, value) in [
        ("init_lora_weights", json!(false)),
        ("init_lora_weights", json!("gaussian")),
        ("init_lora_weights", json!("orthogonal")),
        ("init_lora_weights", Value::Null),
        ("use_dora", Value::Null),
        ("layer_replication", json!([])),
        ("bias", Value::Null),
        ("task_type", json!("SEQ_CLS")),
        ("task_type", Value::Null),
        ("base_model_name_or_path", json!("anyone/anything")),
        ("peft_version", json!("0.99")),
        ("layers_to_transform", json!([0, 1])),
        ("target_modules", json!("all-linear")),
        ("exclude_modules", json!(["lm_head"])),
        ("loftq_config", json!({"loftq_bits": 4})),
        ("qalora_group_size", json!(32)),
        ("megatron_core", json!("other")),
        ("inference_mode", json!(false)),
        ("lora_dropout", json!(0.1)),
        ("lora_dropout", Value::Null),
        ("modules_to_save", json!([])),
        // Version 0.2's.
        ("merge_weights", json!(true)),
        ("enable_lora", Value::Null),
    ] {
        let loaded = with(directory.path(), key, Some(value.clone()));
        let loaded = loaded.unwrap_or_else(|error| panic!("{key} = {value}: {error}"));
        assert!(weights(&loaded) == weights(&adapted), "{key} = {value}");
    }
}

#[test]
fn what_changes_the_computation_is_refused_by_name() {
    let (directory, _) = saved();
    for (key, value, meaning) in [
        ("peft_type", json!("IA3"), "only LORA is supported"),
        ("use_dora", json!(true), "rescales every row"),
        ("fan_in_fan_out", json!(true), "transposed"),
        ("use_qalora", json!(true), "in groups"),
        ("lora_bias", json!(true), "adds a bias"),
        ("bias", json!("all"), "the base's biases trained"),
        ("bias", json!("lora_only"), "the base's biases trained"),
        ("task_type", json!("TOKEN_CLS"), "another head"),
        (
            "alora_invocation_tokens",
            json!([1]),
            "only after these tokens",
        ),
        ("layer_replication", json!([[0, 1]]), "repeating layers"),
        ("arrow_config", json!({"top_k": 3}), "several adapters"),
        ("target_parameters", json!(["x"]), "no linear layers"),
        (
            "trainable_token_indices",
            json!([7]),
            "rows of the embedding",
        ),
        ("ensure_weight_tying", json!(true), "as one"),
        ("use_bdlora", json!({"nblocks": 2}), "of blocks"),
        ("kasa_config", json!({"beta": 0.1}), "singular values"),
        ("velora_config", json!({"scale": 1.0}), "compressed inputs"),
        (
            "monteclora_config",
            json!({"num_samples": 8}),
            "in every pass",
        ),
        ("megatron_config", json!({"tp": 2}), "Megatron"),
        ("rank_pattern", json!({"q_proj": 2}), "ranks of their own"),
        ("alpha_pattern", json!({"q_proj": 2}), "scales of their own"),
        ("enable_lora", json!([true, false]), "fused projection"),
        ("init_lora_weights", json!("pissa"), "changes the base"),
        (
            "init_lora_weights",
            json!("pissa_niter_4"),
            "changes the base",
        ),
        ("init_lora_weights", json!("olora"), "changes the base"),
        ("init_lora_weights", json!("corda"), "changes the base"),
        ("init_lora_weights", json!("loftq"), "changes the base"),
        ("init_lora_weights", json!("lora_ga"), "changes the base"),
        ("init_lora_weights", json!("eva"), "spreads the ranks"),
        ("init_lora_weights", json!("mica"), "trains A alone"),
        ("init_lora_weights", json!("next_year"), "does not know"),
        ("init_lora_weights", json!(3), "does not know"),
        ("modules_to_save", json!(["lm_head"]), "only a score head"),
        ("modules_to_save", json!([3]), "only a score head"),
        ("lora_magic", json!(null), "does not know"),
        ("lora_magic", json!(1), "does not know"),
    ] {
        let error = with(directory.path(), key, Some(value.clone())).unwrap_err();
        assert!(matches!(error, ModelError::Unsupported(_)), "{error:?}");
        let error = error.to_string();
        let found = value.as_str().map_or(value.to_string(), str::to_owned);
        for word in [key, meaning, "adapter_config.json"] {
            assert!(error.contains(word), "{word:?} is not in {error}");
        }
        let names = value.is_null() || value.is_array() || error.contains(&found);
        assert!(names, "{found:?} is not in {error}");
    }
}

/// A number that is none, or not the kind it has to be, is an error and never another number.
#[test]
fn values_of_the_wrong_type_are_named() {
    let (directory, _) = saved();
    for (key, value, expected) in [
        ("r", json!(8.9), "a positive whole number, found 8.9"),
        ("r", json!("8"), "a positive whole number, found \"8\""),
        ("r", json!(0), "a positive whole number, found 0"),
        ("r", json!(-3), "a positive whole number, found -3"),
        ("r", Value::Null, "a positive whole number, found null"),
        ("r", json!([3]), "a positive whole number, found [3]"),
        ("r", json!(true), "a positive whole number, found true"),
        ("lora_alpha", json!("16"), "a number, found \"16\""),
        ("lora_alpha", Value::Null, "a number, found null"),
        ("lora_dropout", json!("0.1"), "a number, found \"0.1\""),
        ("use_rslora", json!("true"), "true or false, found \"true\""),
        ("use_rslora", json!(1), "true or false, found 1"),
        (
            "modules_to_save",
            json!("score"),
            "null or a list of names, found \"score\"",
        ),
        (
            "equipoise_value_head",
            json!("yes"),
            "true or false, found \"yes\"",
        ),
    ] {
        let error = with(directory.path(), key, Some(value)).unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }), "{error:?}");
        let error = error.to_string();
        assert!(
            error.contains(&format!("{key} must be {expected}")),
            "{error}"
        );
    }
    for (key, value, words) in [
        ("lora_dropout", json!(1.0), "the dropout is 1"),
        ("lora_alpha", json!(0), "alpha is 0"),
        ("r", json!(65537), "the rank is 65537"),
        ("r", json!(4), "has shape [3, "),
    ] {
        let error = with(directory.path(), key, Some(value)).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    for text in ["[]", "3", "{", ""] {
        std::fs::write(directory.path().join("adapter_config.json"), text).unwrap();
        let error = decoder(false).load_adapter(directory.path()).unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }), "{error:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever key a later version invents, it is refused, and the error names it.
    #[test]
    fn an_unknown_key_is_never_passed_over(key in "[a-z_]{1,12}", value in any::<Option<bool>>()) {
        prop_assume!(!peft().contains_key(&key));
        prop_assume!(!["enable_lora", "merge_weights"].contains(&key.as_str()));
        let (directory, _) = saved();
        let error = with(directory.path(), &key, Some(json!(value))).unwrap_err();
        prop_assert!(error.to_string().contains(&format!("{key} = ")), "{}", error);
    }
}
