//! Models on disk, in the layout transformers reads: `config.json` and `model.safetensors`.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, TensorView};

use crate::{Config, Decoder, ModelError, Parameters, Policy};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

impl Decoder {
    /// Writes `config.json` and `model.safetensors` into a directory, which is made if missing.
    /// Both are written under temporary names before either is renamed, so a failed write leaves
    /// the old ones.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), ModelError> {
        let error = |source| file_error("write", directory, source);
        fs::create_dir_all(directory).map_err(error)?;
        let config = format!("{:#}\n", self.config().to_json());
        let weights = serialize(self.parameters())?;
        let config = Written::new(directory.join(CONFIG), config.as_bytes())?;
        let weights = Written::new(directory.join(WEIGHTS), &weights)?;
        config.rename()?;
        weights.rename()
    }

    /// Reads a model from a directory with `config.json` and `model.safetensors`. Weights in half
    /// precision are widened.
    ///
    /// # Errors
    /// If a file is missing, damaged, or not of a model this crate knows.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let config = Config::load(directory)?;
        let path = directory.join(WEIGHTS);
        let tensors = read_weights(&path, &config)?;
        Self::from_tensors(config, tensors)
    }

    /// Overwrites the weights by those of another checkpoint of the same model, in place.
    ///
    /// # Errors
    /// As [`Decoder::load`], and if the checkpoint's configuration is another: a model with other
    /// rotary frequencies has weights of the same shapes. On error no weight has changed.
    pub fn load_weights(&self, directory: &Path) -> Result<(), ModelError> {
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
        let tensors = read_weights(&directory.join(WEIGHTS), self.config())?;
        for (name, var) in self.parameters().iter() {
            // Every name is there: `read_weights` checked the list.
            if let Some(tensor) = tensors.get(name) {
                var.set(tensor)?;
            }
        }
        Ok(())
    }
}

impl Config {
    /// Reads the `config.json` of a model's directory.
    ///
    /// # Errors
    /// If it is missing, damaged, or not of a model this crate knows.
    pub fn load(directory: &Path) -> Result<Self, ModelError> {
        let path = directory.join(CONFIG);
        let text = fs::read_to_string(&path).map_err(|e| file_error("read", &path, e))?;
        let json = serde_json::from_str(&text).map_err(|e| ModelError::Malformed {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        Self::from_json(&json, &path)
    }
}

fn file_error(action: &'static str, path: &Path, source: std::io::Error) -> ModelError {
    ModelError::File {
        action,
        path: path.to_owned(),
        source,
    }
}

/// A file that lies complete under a temporary name beside its own; removed unless renamed.
struct Written {
    path: PathBuf,
    temporary: PathBuf,
}

impl Written {
    fn new(path: PathBuf, bytes: &[u8]) -> Result<Self, ModelError> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = PathBuf::from(name);
        let mut file =
            fs::File::create(&temporary).map_err(|e| file_error("write", &temporary, e))?;
        let written = Self { path, temporary };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|e| file_error("write", &written.path, e))?;
        Ok(written)
    }

    fn rename(self) -> Result<(), ModelError> {
        fs::rename(&self.temporary, &self.path).map_err(|e| file_error("write", &self.path, e))
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // After a rename there is nothing left to remove; that a failed attempt may not go away is
        // no second error.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn serialize(parameters: &Parameters) -> Result<Vec<u8>, ModelError> {
    let mut tensors = Vec::with_capacity(parameters.len());
    for (name, var) in parameters.iter() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        let bytes: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        tensors.push((name, var.dims().to_vec(), bytes));
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        // The bytes are four times the elements of the shape, so the view is valid.
        TensorView::new(Dtype::F32, shape.clone(), bytes).map(|view| (*name, view))
    });
    let wrong = |e: safetensors::SafeTensorError| ModelError::Tensor(candle_core::Error::wrap(e));
    let views = views.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata)).map_err(wrong)
}

/// The tensors of a checkpoint, in single precision, checked against the model's list.
fn read_weights(path: &Path, config: &Config) -> Result<HashMap<String, Tensor>, ModelError> {
    let bytes = fs::read(path).map_err(|e| file_error("read", path, e))?;
    let malformed = |reason: String| ModelError::Malformed {
        path: path.to_owned(),
        reason,
    };
    let mut found = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
        .map_err(|e| malformed(e.to_string()))?;
    let mismatch = |reason: String| ModelError::Mismatch {
        path: path.to_owned(),
        reason,
    };
    let mut tensors = HashMap::new();
    for (name, shape) in config.parameter_shapes() {
        let Some(tensor) = found.remove(&name) else {
            return Err(mismatch(format!("{name} is missing")));
        };
        if tensor.dims() != shape {
            let found = tensor.dims();
            return Err(mismatch(format!(
                "{name} has shape {found:?}, expected {shape:?}"
            )));
        }
        if !tensor.dtype().is_float() {
            return Err(malformed(format!(
                "{name} holds {:?}, not floats",
                tensor.dtype()
            )));
        }
        let tensor = tensor.to_dtype(DType::F32)?;
        let values = tensor.flatten_all()?.to_vec1::<f32>()?;
        if values.iter().any(|x| !x.is_finite()) {
            return Err(malformed(format!(
                "{name} holds infinities or what is no number"
            )));
        }
        tensors.insert(name, tensor);
    }
    if config.tie_word_embeddings {
        // Some writers store the tied matrix twice; transformers ignores the second, too.
        found.remove("lm_head.weight");
    }
    match found.keys().min() {
        Some(name) => Err(mismatch(format!("{name} is no parameter of this model"))),
        None => Ok(tensors),
    }
}
