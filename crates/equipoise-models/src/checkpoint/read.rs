//! The weights of a model, in one file or several.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tensor_file::TensorFile;
use super::{INDEX, WEIGHTS, malformed, mismatch, read_json};
use crate::{Config, ModelError, OutputHeads};

/// How many names a message lists before it says how many more there are.
const LISTED: usize = 4;

/// The open files of a model, which have exactly its tensors, in its shapes.
pub(super) struct Weights {
    files: Vec<TensorFile>,
    /// Which file holds a tensor.
    places: BTreeMap<String, usize>,
}

impl Weights {
    /// Opens the files and compares names and shapes with the configuration's.
    pub(super) fn open(directory: &Path, config: &Config) -> Result<Self, ModelError> {
        let (single, index) = (directory.join(WEIGHTS), directory.join(INDEX));
        let sharded = !single.is_file() && index.is_file();
        let (what, paths) = match sharded {
            true => (index.clone(), shards(directory, &index)?),
            false => (single.clone(), vec![single]),
        };
        let files = paths.iter().map(|path| TensorFile::open(path));
        let files = files.collect::<Result<Vec<_>, _>>()?;
        let mut places = BTreeMap::new();
        for (at, file) in files.iter().enumerate() {
            for name in file.names() {
                if places.insert(name.clone(), at).is_some() {
                    return Err(malformed(
                        &file.path,
                        format!("{name} is in another shard, too"),
                    ));
                }
            }
        }
        let mut weights = Self { files, places };
        weights.check(&what, config)?;
        Ok(weights)
    }

    fn check(&mut self, path: &Path, config: &Config) -> Result<(), ModelError> {
        let shapes: BTreeMap<_, _> = config.parameter_shapes().into_iter().collect();
        let missing = shapes
            .keys()
            .filter(|name| !self.places.contains_key(*name));
        if let Some(names) = listed(missing.map(String::as_str)) {
            return Err(mismatch(path, format!("{names} missing")));
        }
        for (name, expected) in &shapes {
            let file = &self.files[self.places[name]];
            let found = file.shape(name).unwrap_or_default();
            if found != expected {
                return Err(mismatch(
                    &file.path,
                    format!("{name} has shape {found:?}, expected {expected:?}"),
                ));
            }
        }
        // Some writers store the tied matrix twice; transformers ignores the second, too. And a
        // score head's trunk needs no projection.
        if config.tie_word_embeddings || config.heads == OutputHeads::Score {
            self.places.remove("lm_head.weight");
        }
        // Buffers that old versions of transformers stored.
        self.places
            .retain(|name, _| !name.ends_with(".rotary_emb.inv_freq"));
        let extra = self
            .places
            .keys()
            .filter(|name| !shapes.contains_key(*name));
        match listed(extra.map(String::as_str)) {
            Some(names) => Err(mismatch(
                path,
                format!("{names} no parameter of this model"),
            )),
            None => Ok(()),
        }
    }

    /// A tensor's numbers in single precision.
    pub(super) fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        // Checked when the files were opened, so every name of the model has a place.
        let at = self.places.get(name).copied().unwrap_or(0);
        self.files[at].read(name)
    }
}

/// "a is", or "a, b and 3 more are"; nothing for no names.
pub(super) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    match names.len() {
        0 => None,
        1 => Some(format!("{} is", names[0])),
        count if count <= LISTED => Some(format!("{} are", names.join(", "))),
        count => Some(format!(
            "{} and {} more are",
            names[..LISTED].join(", "),
            count - LISTED
        )),
    }
}

/// The files an index names, each once, in order.
fn shards(directory: &Path, index: &Path) -> Result<Vec<PathBuf>, ModelError> {
    let json = read_json(index)?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| malformed(index, "weight_map is missing".to_owned()))?;
    let mut names = std::collections::BTreeSet::new();
    for (tensor, file) in map {
        let plain = file.as_str().filter(|name| {
            let path = Path::new(name);
            path.file_name()
                .is_some_and(|last| last == path.as_os_str())
        });
        let name = plain.ok_or_else(|| {
            malformed(
                index,
                format!("{tensor} is said to be in {file}, which is no file name"),
            )
        })?;
        names.insert(name);
    }
    let paths = names.into_iter().map(|name| {
        let path = directory.join(name);
        match path.is_file() {
            true => Ok(path),
            false => Err(malformed(
                index,
                format!("it names {name}, which is missing"),
            )),
        }
    });
    paths.collect()
}
