//! Adapters on disk, in PEFT's layout: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde_json::{Value, json};

use super::read::listed;
use super::tensor_file::TensorFile;
use super::write::{StorageType, Stored, Written, tensors};
use super::{file_error, malformed, mismatch, read_json};
use crate::config::VALUE_HEAD;
use crate::decoder::matrix_name;
use crate::lora::{LoraConfig, modules};
use crate::{Decoder, ModelError, OutputHeads, Parameters, Policy};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// The directory of the base model that an adapter's `adapter_config.json` names, if the directory
/// holds an adapter. A relative path is relative to where the program runs, as for PEFT.
///
/// # Errors
/// If the file is damaged.
pub fn adapter_base(directory: &Path) -> Result<Option<PathBuf>, ModelError> {
    let path = directory.join(CONFIG);
    if !path.is_file() {
        return Ok(None);
    }
    let json = read_json(&path)?;
    match json.get("base_model_name_or_path").and_then(Value::as_str) {
        Some(base) => Ok(Some(base.into())),
        None => Err(malformed(
            &path,
            "base_model_name_or_path must be the base model's directory".to_owned(),
        )),
    }
}

impl Decoder {
    /// Writes the adapter alone, as PEFT reads it. `base` is where its base model is.
    ///
    /// # Errors
    /// If the model has no adapter, or a file cannot be written.
    pub fn save_adapter(&self, directory: &Path, base: &Path) -> Result<(), ModelError> {
        let lora = self.adapter().ok_or_else(no_adapter)?;
        fs::create_dir_all(directory).map_err(|e| file_error("write", directory, e))?;
        let chosen: Vec<String> = modules(self.config().num_hidden_layers)
            .filter(|module| lora.targets(module))
            .collect();
        // PEFT makes a classifier of SEQ_CLS. A value head beside the vocabulary is no classifier: PEFT
        // passes over its tensor and over the key that promises it here.
        let has_head = self.parameters().get("score.weight").is_some();
        let has_score = has_head && self.config().heads == OutputHeads::Score;
        let mut json = json!({
            "peft_type": "LORA",
            "task_type": if has_score { "SEQ_CLS" } else { "CAUSAL_LM" },
            "base_model_name_or_path": base.display().to_string(),
            "r": lora.rank,
            "lora_alpha": lora.alpha,
            "lora_dropout": lora.dropout,
            "use_rslora": lora.rank_stabilised,
            // By their full names, so that no other model's patterns decide.
            "target_modules": chosen,
            "modules_to_save": if has_score { json!(["score"]) } else { Value::Null },
            "bias": "none",
            "fan_in_fan_out": false,
            "inference_mode": true,
        });
        if has_head && !has_score {
            json[VALUE_HEAD] = json!(true);
        }
        let config = Written::new(directory.join(CONFIG), format!("{json:#}\n").as_bytes())?;
        let named: Vec<(String, Stored)> = (self.parameters().iter())
            .map(|(name, var)| (stored_name(name), Stored::new(var, StorageType::F32)))
            .collect();
        let named = named
            .iter()
            .map(|(name, stored)| (name.as_str(), stored.clone()));
        let weights = tensors(directory.join(WEIGHTS), named.collect())?;
        config.rename()?;
        weights.rename()
    }

    /// Reads an adapter that PEFT or [`save_adapter`](Self::save_adapter) wrote, onto this model.
    ///
    /// # Errors
    /// If a file is missing or damaged, asks for something this crate does not do (DoRA, ranks that
    /// differ between modules, trained biases), or does not fit the model.
    pub fn load_adapter(&self, directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join(CONFIG);
        let json = read_json(&path)?;
        let file = TensorFile::open(&directory.join(WEIGHTS))?;
        let lora = lora(&json, &path, &file)?;
        lora.validate(self.config().num_hidden_layers)?;
        let mut entries = Vec::new();
        for module in modules(self.config().num_hidden_layers).filter(|m| lora.targets(m)) {
            let weight = self.base().get(&format!("{module}.weight"));
            let (outputs, inputs) = match weight {
                Some(weight) => weight.dims2()?,
                None => continue, // every module has a weight
            };
            for (matrix, shape) in [
                ("lora_A", [lora.rank, inputs]),
                ("lora_B", [outputs, lora.rank]),
            ] {
                let name = matrix_name(&module, matrix);
                entries.push((name.clone(), read(&file, &name, &shape)?));
            }
        }
        let score = self.read_score(&json, &path, &file)?;
        let known: BTreeSet<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        let of_score = stored_name("score.weight");
        refuse_others(&file, |name| {
            known.contains(name) || (score.is_some() && name == of_score)
        })?;
        let adapted = self.attach(lora, Parameters::new(entries))?;
        // Last, because the base shares it: nothing has changed if there was an error.
        if let (Some(var), Some(trained)) = (self.base().get("score.weight"), score) {
            var.set(trained.as_tensor())?;
        }
        Ok(adapted)
    }

    /// A score head that was trained beside the adapter, if this model has one and the file, too.
    fn read_score(
        &self,
        json: &Value,
        path: &Path,
        file: &TensorFile,
    ) -> Result<Option<Var>, ModelError> {
        let name = stored_name("score.weight");
        let saved = json.get("modules_to_save").and_then(Value::as_array);
        let saved = saved.into_iter().flatten().filter_map(Value::as_str);
        // PEFT names both of the names that heads have.
        let known = |module: &&str| matches!(*module, "score" | "classifier");
        if let Some(other) = saved.clone().find(|module| !known(module)) {
            let (path, reason) = (path.display(), "only a score head can be trained beside it");
            let reason = format!("{path}: modules_to_save names {other}; {reason}");
            return Err(ModelError::Unsupported(reason));
        }
        let promised = saved.into_iter().any(|module| module == "score")
            || json.get(VALUE_HEAD).and_then(Value::as_bool) == Some(true);
        match self.base().get("score.weight") {
            Some(var) if promised || file.shape(&name).is_some() => {
                read(file, &name, var.dims()).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// Overwrites the adapter's weights by those of another checkpoint of the same adapter.
    pub(super) fn load_adapter_weights(&self, directory: &Path) -> Result<(), ModelError> {
        let expected = self.adapter().ok_or_else(no_adapter)?;
        let path = directory.join(CONFIG);
        let file = TensorFile::open(&directory.join(WEIGHTS))?;
        let found = lora(&read_json(&path)?, &path, &file)?;
        for (key, found, expected) in [
            ("r", found.rank as f64, expected.rank as f64),
            ("the scale", found.scale(), expected.scale()),
        ] {
            if found != expected {
                return Err(mismatch(
                    &path,
                    format!("{key} is {found}, expected {expected}"),
                ));
            }
        }
        let own = self.parameters().iter().map(|(name, _)| stored_name(name));
        let own: BTreeSet<String> = own.collect();
        refuse_others(&file, |name| own.contains(name))?;
        let tensors = self.parameters().iter().map(|(name, var)| {
            let tensor = read(&file, &stored_name(name), var.dims())?;
            Ok((var, tensor))
        });
        // All are read before one is written.
        for (var, tensor) in tensors.collect::<Result<Vec<_>, ModelError>>()? {
            var.set(tensor.as_tensor())?;
        }
        Ok(())
    }
}

/// The name in the file: PEFT's own for its matrices, and its prefix for the rest.
fn stored_name(name: &str) -> String {
    match name.starts_with("base_model.") {
        true => name.to_owned(),
        false => format!("base_model.model.{name}"),
    }
}

/// A file that holds more than the adapter is another one's.
fn refuse_others(file: &TensorFile, known: impl Fn(&str) -> bool) -> Result<(), ModelError> {
    let names = file.names();
    let others = names.iter().map(String::as_str).filter(|name| !known(name));
    match listed(others) {
        None => Ok(()),
        Some(names) => Err(mismatch(
            &file.path,
            format!("{names} no part of this model's adapter"),
        )),
    }
}

fn no_adapter() -> ModelError {
    ModelError::Config("the model has no adapter".to_owned())
}

fn read(file: &TensorFile, name: &str, shape: &[usize]) -> Result<Var, ModelError> {
    match file.shape(name) {
        None => Err(mismatch(&file.path, format!("{name} is missing"))),
        Some(found) if found != shape => Err(mismatch(
            &file.path,
            format!("{name} has shape {found:?}, expected {shape:?}"),
        )),
        Some(_) => {
            let tensor = Tensor::from_vec(file.read(name)?, shape, &Device::Cpu)?;
            Ok(Var::from_tensor(&tensor)?)
        }
    }
}

/// The settings of an adapter. Which modules it has is read off its tensors: PEFT writes patterns
/// that mean something to other models.
fn lora(json: &Value, path: &Path, file: &TensorFile) -> Result<LoraConfig, ModelError> {
    let unsupported = |reason: String| {
        let path = path.display();
        Err(ModelError::Unsupported(format!("{path}: {reason}")))
    };
    let kind = json.get("peft_type").and_then(Value::as_str);
    if kind != Some("LORA") {
        let found = kind.unwrap_or("nothing");
        return unsupported(format!("peft_type is {found}; only LORA is supported"));
    }
    for key in ["use_dora", "fan_in_fan_out", "use_qalora", "lora_bias"] {
        if json.get(key) == Some(&Value::Bool(true)) {
            return unsupported(format!("{key} = true; only false is supported"));
        }
    }
    // Others (PiSSA, OLoRA, CorDA, LoftQ) change the base when the adapter is put on it.
    match json.get("init_lora_weights") {
        None | Some(Value::Null | Value::Bool(_)) => {}
        Some(Value::String(way)) if way == "gaussian" => {}
        Some(way) => {
            return unsupported(format!(
                "init_lora_weights is {way}, which changes the base; supported are true, false and \
                 \"gaussian\""
            ));
        }
    }
    // Every one of these makes another computation of the same matrices.
    for key in [
        "alora_invocation_tokens",
        "layer_replication",
        "arrow_config",
        "target_parameters",
        "trainable_token_indices",
        "use_bdlora",
        "kasa_config",
        "velora_config",
        "monteclora_config",
    ] {
        let found = json.get(key).unwrap_or(&Value::Null);
        let is_empty = match found {
            Value::Null | Value::Bool(false) => true,
            Value::Array(items) => items.is_empty(),
            Value::Object(items) => items.is_empty(),
            _ => false,
        };
        if !is_empty {
            return unsupported(format!("{key} is {found}; it must be absent or null"));
        }
    }
    for key in ["rank_pattern", "alpha_pattern"] {
        if json
            .get(key)
            .and_then(Value::as_object)
            .is_some_and(|o| !o.is_empty())
        {
            return unsupported(format!("{key} gives modules ranks of their own"));
        }
    }
    let bias = json.get("bias").and_then(Value::as_str).unwrap_or("none");
    if bias != "none" {
        return unsupported(format!("bias is {bias}; only \"none\" is supported"));
    }
    let number = |key: &str| {
        let found = json.get(key);
        found.and_then(Value::as_f64).ok_or_else(|| {
            let found = found.map_or("nothing".to_owned(), Value::to_string);
            malformed(path, format!("{key} must be a number, found {found}"))
        })
    };
    let rank = number("r")?;
    if rank.fract() != 0.0 || rank < 1.0 {
        return Err(malformed(
            path,
            format!("r must be a positive whole number, found {rank}"),
        ));
    }
    let names = file.names();
    let module = |name: &String| {
        let inner = name.strip_prefix("base_model.model.")?;
        Some(inner.strip_suffix(".lora_A.weight")?.to_owned())
    };
    Ok(LoraConfig {
        rank: rank as usize,
        alpha: number("lora_alpha")?,
        rank_stabilised: json.get("use_rslora") == Some(&Value::Bool(true)),
        dropout: json
            .get("lora_dropout")
            .and_then(Value::as_f64)
            .unwrap_or(0.0),
        target_modules: names.iter().filter_map(module).collect(),
    })
}
