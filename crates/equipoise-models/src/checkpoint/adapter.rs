//! Adapters on disk, in PEFT's layout: `adapter_config.json` and `adapter_model.safetensors`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor, Var};
use serde_json::{Value, json};

use super::adapter_config::lora;
use super::read::listed;
use super::replace::{Replacement, finish};
use super::tensor_file::TensorFile;
use super::write::{StorageType, Stored, tensors};
use super::{malformed, mismatch, read_json};
use crate::config::VALUE_HEAD;
use crate::decoder::matrix_name;
use crate::lora::modules;
use crate::{Decoder, ModelError, OutputHeads, Parameters, Policy};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// The directory of the base model that an adapter's `adapter_config.json` names, if the directory
/// holds an adapter. A relative path is relative to where the program runs, as for PEFT.
///
/// # Errors
/// If the file is damaged.
pub fn adapter_base(directory: &Path) -> Result<Option<PathBuf>, ModelError> {
    finish(directory)?;
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
    /// Writes the adapter alone, as PEFT reads it, both files of it or none. `base` is where its base
    /// model is.
    ///
    /// # Errors
    /// If the model has no adapter, or a file cannot be written.
    pub fn save_adapter(&self, directory: &Path, base: &Path) -> Result<(), ModelError> {
        self.adapter_replacement(directory, base)?.commit()
    }

    /// The files of the adapter, not in their places yet.
    pub(super) fn adapter_replacement(
        &self,
        directory: &Path,
        base: &Path,
    ) -> Result<Replacement, ModelError> {
        let lora = self.adapter().ok_or_else(no_adapter)?;
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
        let mut replacement = Replacement::new(directory, Some(CONFIG))?;
        replacement.add_bytes(CONFIG, format!("{json:#}\n").as_bytes())?;
        let named: Vec<(String, Stored)> = (self.parameters().iter())
            .map(|(name, var)| (stored_name(name), Stored::new(var, StorageType::F32)))
            .collect();
        let named = named
            .iter()
            .map(|(name, stored)| (name.as_str(), stored.clone()));
        replacement.add(WEIGHTS, |path| tensors(path, named.collect()))?;
        Ok(replacement)
    }

    /// Reads an adapter that PEFT or [`save_adapter`](Self::save_adapter) wrote, onto this model.
    ///
    /// # Errors
    /// If a file is missing or damaged, asks for something this crate does not do (DoRA, ranks that
    /// differ between modules, trained biases), or does not fit the model.
    pub fn load_adapter(&self, directory: &Path) -> Result<Self, ModelError> {
        finish(directory)?;
        let path = directory.join(CONFIG);
        let json = read_json(&path)?;
        let file = TensorFile::open(&directory.join(WEIGHTS))?;
        let lora = lora(&json, &path, &file)?;
        let layers = self.config().num_hidden_layers;
        if let Some(module) = lora.unmatched(layers) {
            let reason = format!("it adapts {module}, which is no linear layer of this model");
            return Err(mismatch(&file.path, reason));
        }
        lora.validate(layers)?;
        let mut entries = Vec::new();
        for module in modules(layers).filter(|m| lora.targets(m)) {
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
        // PEFT names both of the names that heads have.
        let mut promised = false;
        match json.get("modules_to_save").unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::Array(modules) => {
                for module in modules {
                    promised |= match module.as_str() {
                        Some("score") => true,
                        Some("classifier") => false,
                        _ => {
                            return Err(ModelError::Unsupported(format!(
                                "{}: modules_to_save names {module}; only a score head can be trained \
                                 beside an adapter",
                                path.display()
                            )));
                        }
                    };
                }
            }
            found => {
                let reason =
                    format!("modules_to_save must be null or a list of names, found {found}");
                return Err(malformed(path, reason));
            }
        }
        match json.get(VALUE_HEAD).unwrap_or(&Value::Null) {
            Value::Null => {}
            Value::Bool(head) => promised |= head,
            found => {
                let reason = format!("{VALUE_HEAD} must be true or false, found {found}");
                return Err(malformed(path, reason));
            }
        }
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
        finish(directory)?;
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
