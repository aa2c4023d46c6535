//! Writing a model, so that a failed write leaves what was there.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs;
use std::path::Path;

use candle_core::{Tensor, Var};
use half::bf16;
use safetensors::View;
use safetensors::tensor::Dtype;
use serde_json::json;

use super::replace::Replacement;
use super::{CONFIG, INDEX, Sidecars, WEIGHTS, file_error};
use crate::{Decoder, ModelError};

/// The number type of saved weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageType {
    /// As they are trained: nothing is lost.
    #[default]
    F32,
    /// Rounded to nearest even: half the size.
    Bf16,
}

/// How a model is saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaveOptions {
    /// The number type.
    pub storage: StorageType,
    /// The largest file, in bytes (a larger tensor has one of its own). Weights that do not fit into
    /// one are spread over several, with an index.
    pub shard_bytes: u64,
}

impl Default for SaveOptions {
    /// Single precision, in files of 5 GB as transformers cuts them.
    fn default() -> Self {
        Self {
            storage: StorageType::F32,
            shard_bytes: 5_000_000_000,
        }
    }
}

impl Decoder {
    /// Writes `config.json` and `model.safetensors` into a directory, which is made if missing, as
    /// transformers reads them. They take the places of old ones together: a failed write leaves
    /// those, and one that is stopped at any moment leaves the old model or the new one, whichever
    /// the next read finds. An adapter is not written: see
    /// [`save_adapter`](Self::save_adapter) and [`merged`](Self::merged).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save(&self, directory: &Path) -> Result<(), ModelError> {
        self.save_with(directory, &SaveOptions::default())
    }

    /// The same with a choice of number type and file size.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_with(&self, directory: &Path, options: &SaveOptions) -> Result<(), ModelError> {
        self.replacement(directory, options)?.commit()
    }

    /// The same together with what belongs to the model beside it. What the directory has of an
    /// older model and `sidecars` has not, a chat template for example, goes.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn save_whole(
        &self,
        directory: &Path,
        options: &SaveOptions,
        sidecars: &Sidecars,
    ) -> Result<(), ModelError> {
        let mut replacement = self.replacement(directory, options)?;
        sidecars.add_to(&mut replacement)?;
        sidecars.remove_others(&mut replacement);
        replacement.commit()
    }

    /// The files of the model, not in their places yet.
    pub(super) fn replacement(
        &self,
        directory: &Path,
        options: &SaveOptions,
    ) -> Result<Replacement, ModelError> {
        let mut config = self.config().to_file();
        if options.storage == StorageType::Bf16 {
            config["torch_dtype"] = json!("bfloat16");
        }
        let mut replacement = Replacement::new(directory, Some(CONFIG))?;
        replacement.add_bytes(CONFIG, format!("{config:#}\n").as_bytes())?;
        let mut shards: Vec<Vec<(&str, Stored)>> = vec![Vec::new()];
        let mut bytes = 0;
        for (name, var) in self.base().iter() {
            let stored = Stored::new(var, options.storage);
            let size = stored.data_len() as u64;
            if bytes > 0 && bytes + size > options.shard_bytes {
                shards.push(Vec::new());
                bytes = 0;
            }
            bytes += size;
            if let Some(shard) = shards.last_mut() {
                shard.push((name, stored));
            }
        }
        let count = shards.len();
        let file = |at: usize| match count {
            1 => WEIGHTS.to_owned(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", at + 1),
        };
        if count > 1 {
            replacement.add_bytes(INDEX, index(&shards, file).as_bytes())?;
        }
        for (at, shard) in shards.into_iter().enumerate() {
            replacement.add(&file(at), |path| tensors(path, shard))?;
        }
        // What an earlier save of another size left would be read in place of this one.
        replacement.remove(if count > 1 { WEIGHTS } else { INDEX });
        Ok(replacement)
    }
}

fn index(shards: &[Vec<(&str, Stored)>], file: impl Fn(usize) -> String) -> String {
    let total: usize = shards.iter().flatten().map(|(_, s)| s.data_len()).sum();
    let mut map = serde_json::Map::new();
    for (at, shard) in shards.iter().enumerate() {
        map.extend(
            shard
                .iter()
                .map(|(name, _)| ((*name).to_owned(), json!(file(at)))),
        );
    }
    let json = json!({ "metadata": { "total_size": total }, "weight_map": map });
    format!("{json:#}\n")
}

/// Writes named tensors, one after the other: the bytes of a single one exist beside the weights.
pub(super) fn tensors(path: &Path, tensors: Vec<(&str, Stored)>) -> Result<(), ModelError> {
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let failed = |e: safetensors::SafeTensorError| match e {
        safetensors::SafeTensorError::IoError(e) => file_error("write", path, e),
        other => ModelError::Tensor(candle_core::Error::wrap(other)),
    };
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(failed)?;
    let sync = fs::File::open(path).and_then(|file| file.sync_all());
    sync.map_err(|e| file_error("write", path, e))
}

/// A tensor as it is stored.
#[derive(Clone)]
pub(super) struct Stored {
    tensor: Tensor,
    storage: StorageType,
}

impl Stored {
    pub(super) fn new(var: &Var, storage: StorageType) -> Self {
        let tensor = var.as_detached_tensor();
        Self { tensor, storage }
    }
}

impl View for Stored {
    fn dtype(&self) -> Dtype {
        match self.storage {
            StorageType::F32 => Dtype::F32,
            StorageType::Bf16 => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        self.tensor.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let bytes = equipoise_kernels::ops::with_elements(&self.tensor, |values| {
            let mut bytes = Vec::with_capacity(self.data_len());
            for &x in values {
                match self.storage {
                    StorageType::F32 => bytes.extend(x.to_le_bytes()),
                    StorageType::Bf16 => bytes.extend(bf16::from_f32(x).to_le_bytes()),
                }
            }
            bytes
        });
        Cow::Owned(bytes.expect("a decoder's parameters are contiguous f32 on the CPU"))
    }

    fn data_len(&self) -> usize {
        let width = match self.storage {
            StorageType::F32 => 4,
            StorageType::Bf16 => 2,
        };
        self.tensor.elem_count() * width
    }
}
