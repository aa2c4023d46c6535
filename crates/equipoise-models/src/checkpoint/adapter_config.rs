//! The keys of `adapter_config.json`: every one is known to change nothing, or is refused.
//!
//! The keys are those that PEFT writes up to version 0.21 (`LoraConfig` and `PeftConfig` in
//! `peft/tuners/lora/config.py` and `peft/config.py`), two that version 0.2 wrote, and one of this
//! crate's own.

use std::path::Path;

use serde_json::Value;

use super::tensor_file::TensorFile;
use super::{malformed, mismatch};
use crate::ModelError;
use crate::config::VALUE_HEAD;
use crate::lora::LoraConfig;

/// What may stand at a key.
enum Accepted {
    /// Anything: it says where something came from or how it was made, or it is read elsewhere.
    Anything,
    /// Nothing that is switched on: absent, null, false, or an empty list or table. The text is what
    /// anything else would mean.
    Nothing(&'static str),
    /// Absent, null, or one of these.
    OneOf(&'static [&'static str], &'static str),
}

use Accepted::{Anything, Nothing, OneOf};

const KEYS: [(&str, Accepted); 44] = [
    // Where it came from.
    ("auto_mapping", Anything),
    ("base_model_name_or_path", Anything),
    ("inference_mode", Anything),
    ("peft_version", Anything),
    ("revision", Anything),
    // Read by this crate, with a check of their own.
    ("peft_type", Anything),
    ("r", Anything),
    ("lora_alpha", Anything),
    ("lora_dropout", Anything),
    ("use_rslora", Anything),
    ("modules_to_save", Anything),
    ("init_lora_weights", Anything),
    (VALUE_HEAD, Anything),
    // Which modules have an adapter: that is read off the tensors.
    ("target_modules", Anything),
    ("exclude_modules", Anything),
    ("layers_to_transform", Anything),
    ("layers_pattern", Anything),
    // How init_lora_weights drew the first values, where it names this way.
    ("loftq_config", Anything),
    ("eva_config", Anything),
    ("corda_config", Anything),
    ("lora_ga_config", Anything),
    // Without effect as long as another key is not switched on.
    ("qalora_group_size", Anything),
    ("megatron_core", Anything),
    ("merge_weights", Anything),
    (
        "task_type",
        OneOf(
            &["CAUSAL_LM", "SEQ_CLS"],
            "is the adapter of a model with another head",
        ),
    ),
    (
        "bias",
        OneOf(&["none"], "has the base's biases trained, too"),
    ),
    (
        "use_dora",
        Nothing("rescales every row of the adapted weight (DoRA)"),
    ),
    (
        "fan_in_fan_out",
        Nothing("has the base's weights transposed"),
    ),
    (
        "use_qalora",
        Nothing("pools the adapter's inputs in groups (QALoRA)"),
    ),
    ("lora_bias", Nothing("adds a bias to the adapter's outputs")),
    (
        "alora_invocation_tokens",
        Nothing("has the adapter act only after these tokens (aLoRA)"),
    ),
    (
        "layer_replication",
        Nothing("makes a deeper model of the base by repeating layers"),
    ),
    (
        "arrow_config",
        Nothing("routes every token to some of several adapters (Arrow)"),
    ),
    (
        "target_parameters",
        Nothing("adapts tensors that are no linear layers"),
    ),
    (
        "trainable_token_indices",
        Nothing("has rows of the embedding trained, too"),
    ),
    (
        "ensure_weight_tying",
        Nothing("adapts the embedding and the vocabulary projection as one"),
    ),
    ("use_bdlora", Nothing("has matrices of blocks (BD-LoRA)")),
    (
        "kasa_config",
        Nothing("cuts the base's singular values and adds trained ones (KaSA)"),
    ),
    (
        "velora_config",
        Nothing("has gradients of compressed inputs (VeLoRA)"),
    ),
    (
        "monteclora_config",
        Nothing("draws the adapter's weights anew in every pass (MonteCLoRA)"),
    ),
    (
        "megatron_config",
        Nothing("adapts the parallel layers of Megatron"),
    ),
    ("rank_pattern", Nothing("gives modules ranks of their own")),
    (
        "alpha_pattern",
        Nothing("gives modules scales of their own"),
    ),
    ("enable_lora", Nothing("adapts parts of a fused projection")),
];

/// The settings of an adapter. Which modules it has is read off its tensors: PEFT writes patterns
/// that mean something to other models.
pub(super) fn lora(json: &Value, path: &Path, file: &TensorFile) -> Result<LoraConfig, ModelError> {
    let Some(keys) = json.as_object() else {
        return Err(malformed(
            path,
            format!("expected a table of keys, found {json}"),
        ));
    };
    // First, because the keys of another method are others.
    match json.get("peft_type").and_then(Value::as_str) {
        Some("LORA") => {}
        kind => {
            let found = kind.unwrap_or("nothing");
            let reason = format!("peft_type is {found}; only LORA is supported");
            return Err(unsupported(path, &reason));
        }
    }
    for (key, found) in keys {
        check(key, found).map_err(|reason| unsupported(path, &reason))?;
    }
    check_initialisation(json.get("init_lora_weights"))
        .map_err(|reason| unsupported(path, &reason))?;
    let numbers = Numbers { json, path };
    let names = file.names();
    let module = |name: &String| {
        let inner = name.strip_prefix("base_model.model.")?;
        Some(inner.strip_suffix(".lora_A.weight")?.to_owned())
    };
    let modules: Vec<String> = names.iter().filter_map(module).collect();
    if modules.is_empty() {
        let reason = "it holds no LoRA matrix (base_model.model.….lora_A.weight)";
        return Err(mismatch(&file.path, reason.to_owned()));
    }
    Ok(LoraConfig {
        rank: numbers.rank()?,
        alpha: numbers.number("lora_alpha", None)?,
        rank_stabilised: numbers.flag("use_rslora")?,
        dropout: numbers.number("lora_dropout", Some(0.0))?,
        target_modules: modules,
    })
}

fn unsupported(path: &Path, reason: &str) -> ModelError {
    ModelError::Unsupported(format!("{}: {reason}", path.display()))
}

/// Whether a key leaves the adapter what it is; the reason if not.
fn check(key: &str, found: &Value) -> Result<(), String> {
    let Some((_, accepted)) = KEYS.iter().find(|(known, _)| *known == key) else {
        return Err(format!(
            "{key} = {found} is a key this version does not know, and it may change what the adapter's \
             matrices mean; remove it only if it does not"
        ));
    };
    match accepted {
        Anything => Ok(()),
        Nothing(_) if is_off(found) => Ok(()),
        Nothing(meaning) => Err(format!(
            "{key} is {found}, which {meaning}; it must be absent, false or null"
        )),
        OneOf(..) if found.is_null() => Ok(()),
        OneOf(values, meaning) => match found.as_str() {
            Some(found) if values.contains(&found) => Ok(()),
            _ => Err(format!(
                "{key} is {found}, which {meaning}; supported are {}",
                values.join(", ")
            )),
        },
    }
}

fn is_off(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    }
}

/// The first values are in the file, or trained away. What matters is whether the base was changed
/// when they were drawn.
fn check_initialisation(way: Option<&Value>) -> Result<(), String> {
    let Some(way) = way else { return Ok(()) };
    let meaning = match way {
        Value::Null | Value::Bool(_) => return Ok(()),
        Value::String(name) => match name.as_str() {
            "gaussian" | "orthogonal" => return Ok(()),
            "eva" => "spreads the ranks over the modules (EVA)",
            "mica" => "trains A alone, from other values of B (MiCA)",
            name if name.starts_with("pissa") => CHANGED,
            "olora" | "corda" | "loftq" | "lora_ga" => CHANGED,
            _ => "this version does not know; it may change the base",
        },
        _ => "this version does not know; it may change the base",
    };
    Err(format!(
        "init_lora_weights is {way}, which {meaning}; supported are true, false, \"gaussian\" and \
         \"orthogonal\""
    ))
}

const CHANGED: &str = "changes the base, so that the adapter fits no other";

/// Values that have to be of a type.
struct Numbers<'a> {
    json: &'a Value,
    path: &'a Path,
}

impl Numbers<'_> {
    fn wrong(&self, key: &str, expected: &str) -> ModelError {
        let found = self.json.get(key);
        let found = found.map_or("nothing".to_owned(), Value::to_string);
        malformed(
            self.path,
            format!("{key} must be {expected}, found {found}"),
        )
    }

    fn rank(&self) -> Result<usize, ModelError> {
        let found = self.json.get("r").and_then(Value::as_u64);
        let rank = found.and_then(|rank| usize::try_from(rank).ok());
        rank.filter(|&rank| rank > 0)
            .ok_or_else(|| self.wrong("r", "a positive whole number"))
    }

    fn number(&self, key: &str, absent: Option<f64>) -> Result<f64, ModelError> {
        let found = self.json.get(key);
        match (found.unwrap_or(&Value::Null), absent) {
            (Value::Null, Some(absent)) => Ok(absent),
            (found, _) => found.as_f64().ok_or_else(|| self.wrong(key, "a number")),
        }
    }

    fn flag(&self, key: &str) -> Result<bool, ModelError> {
        match self.json.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(self.wrong(key, "true or false")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once() {
        for (at, (key, _)) in KEYS.iter().enumerate() {
            assert!(KEYS[..at].iter().all(|(other, _)| other != key), "{key}");
        }
    }
}
