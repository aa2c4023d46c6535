//! Models on disk, in the layout of Hugging Face: `config.json`, weights in safetensors, and what
//! belongs to a model beside them.

mod adapter;
mod adapter_config;
mod read;
mod replace;
mod sidecars;
mod tensor_file;
mod write;

use std::fs;
use std::path::Path;

use candle_core::Device;

use crate::{Config, Decoder, ModelError, Policy};

pub use adapter::adapter_base;
pub use sidecars::Sidecars;
pub use write::{SaveOptions, StorageType};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";

impl Decoder {
    /// Reads a model from a directory: `config.json`, and `model.safetensors` or the shards that
    /// `model.safetensors.index.json` lists. Weights in half precision are widened.
    ///
    /// Files are mapped into memory and widened tensor by tensor, so that the model is all the memory it
    /// takes. (A file that is cut short meanwhile ends the process; one that is too short before is an
    /// error.)
    ///
    /// # Errors
    /// If a file is missing, damaged, or not of a model this crate knows.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let config = Config::load(directory)?;
        let weights = read::Weights::open(directory, &config)?;
        let tensors = config.parameter_shapes().into_iter().map(|(name, shape)| {
            let values = weights.read(&name)?;
            Ok((
                name,
                candle_core::Tensor::from_vec(values, shape, &Device::Cpu)?,
            ))
        });
        Self::from_tensors(config, tensors.collect::<Result<_, ModelError>>()?)
    }

    /// Overwrites the weights by those of another checkpoint of the same model, in place. A model
    /// with an adapter has the adapter's overwritten.
    ///
    /// # Errors
    /// As [`Decoder::load`], and if the checkpoint's configuration is another: a model with other
    /// rotary frequencies has weights of the same shapes. On error no weight has changed.
    pub fn load_weights(&self, directory: &Path) -> Result<(), ModelError> {
        if self.adapter().is_some() {
            return self.load_adapter_weights(directory);
        }
        let (found, expected) = (Config::load(directory)?.to_json(), self.config().to_json());
        for (key, expected) in expected.as_object().into_iter().flatten() {
            let found = &found[key];
            if found != expected {
                return Err(ModelError::Mismatch {
                    path: directory.join(CONFIG),
                    reason: format!("{key} is {found}, expected {expected}"),
                });
            }
        }
        let weights = read::Weights::open(directory, self.config())?;
        // Once to find whatever is wrong, and once more to take it over.
        for (name, _) in self.parameters().iter() {
            weights.read(name)?;
        }
        for (name, var) in self.parameters().iter() {
            let values = weights.read(name)?;
            let tensor = candle_core::Tensor::from_vec(values, var.shape(), &Device::Cpu)?;
            var.set(&tensor)?;
        }
        Ok(())
    }
}

/// Finishes what a save into a directory has left to do after it was stopped; without one nothing
/// happens. Whatever here reads or writes a directory does this first. It is for programs that look
/// at its files themselves.
///
/// # Errors
/// If a file cannot be put into its place.
pub fn finish_save(directory: &Path) -> Result<(), ModelError> {
    replace::finish(directory)
}

impl Config {
    /// Reads the `config.json` of a model's directory.
    ///
    /// # Errors
    /// If it is missing, damaged, or not of a model this crate knows.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        replace::finish(directory)?;
        let path = directory.join(CONFIG);
        Self::from_json(&read_json(&path)?, &path)
    }
}

fn read_json(path: &Path) -> Result<serde_json::Value, ModelError> {
    let text = fs::read_to_string(path).map_err(|e| file_error("read", path, e))?;
    serde_json::from_str(&text).map_err(|e| malformed(path, e.to_string()))
}

fn file_error(action: &'static str, path: &Path, source: std::io::Error) -> ModelError {
    ModelError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

fn malformed(path: &Path, reason: String) -> ModelError {
    ModelError::Malformed {
        path: path.to_owned(),
        reason,
    }
}

fn mismatch(path: &Path, reason: String) -> ModelError {
    ModelError::Mismatch {
        path: path.to_owned(),
        reason,
    }
}
