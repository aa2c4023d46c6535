//! The files that belong to a model beside its weights: tokenizer, chat template, generation
//! settings. They are carried along byte for byte.

use std::fs;
use std::path::Path;

use super::file_error;
use super::replace::{Replacement, finish};
use crate::ModelError;

/// What Hugging Face's tools write beside the weights.
const NAMES: [&str; 10] = [
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
];

/// The contents of such files, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sidecars {
    files: Vec<(&'static str, Vec<u8>)>,
}

impl Sidecars {
    /// Reads those that are in a directory; none has to be.
    ///
    /// # Errors
    /// If one is there and cannot be read.
    pub fn read(directory: &Path) -> Result<Self, ModelError> {
        finish(directory)?;
        let mut files = Vec::new();
        for name in NAMES {
            let path = directory.join(name);
            match fs::read(&path) {
                Ok(bytes) => files.push((name, bytes)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(file_error("read", &path, error)),
            }
        }
        Ok(Self { files })
    }

    /// Writes them into a directory, which is made if missing, all of them or none. To write them
    /// together with their model there is [`Decoder::save_whole`](crate::Decoder::save_whole).
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, directory: &Path) -> Result<(), ModelError> {
        let mut replacement = Replacement::new(directory, None)?;
        self.add_to(&mut replacement)?;
        replacement.commit()
    }

    pub(super) fn add_to(&self, replacement: &mut Replacement) -> Result<(), ModelError> {
        let mut files = self.files.iter();
        files.try_for_each(|(name, bytes)| replacement.add_bytes(name, bytes))
    }

    /// Has those that are not here go.
    pub(super) fn remove_others(&self, replacement: &mut Replacement) {
        let others = NAMES.iter().filter(|name| self.get(name).is_none());
        others.for_each(|name| replacement.remove(name));
    }

    /// The same with a `tokenizer.json` of this text in place of the files of a tokenizer there may
    /// be.
    #[must_use]
    pub fn with_tokenizer(&self, json: String) -> Self {
        let mut changed = self.without_tokenizer();
        // In the order of the names, so that what is read back is equal.
        let tokenizer = ("tokenizer.json", json.into_bytes());
        changed.files.insert(0, tokenizer);
        changed
    }

    /// The same without the files that make up a tokenizer, for a model that has got another one. What
    /// has nothing to do with token ids' texts stays.
    #[must_use]
    pub fn without_tokenizer(&self) -> Self {
        let kept = [
            "chat_template.jinja",
            "chat_template.json",
            "generation_config.json",
        ];
        let files = self.files.iter().filter(|(file, _)| kept.contains(file));
        Self {
            files: files.cloned().collect(),
        }
    }

    /// A file's contents.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        let file = self.files.iter().find(|(file, _)| *file == name);
        file.map(|(_, bytes)| bytes.as_slice())
    }

    /// The tokens that end a text according to `generation_config.json`; none if it says nothing.
    pub fn generation_stops(&self) -> Vec<u32> {
        let json = self.get("generation_config.json");
        let json: Option<serde_json::Value> =
            json.and_then(|bytes| serde_json::from_slice(bytes).ok());
        let id = |value: &serde_json::Value| u32::try_from(value.as_u64()?).ok();
        match json.as_ref().and_then(|json| json.get("eos_token_id")) {
            Some(serde_json::Value::Array(ids)) => ids.iter().filter_map(id).collect(),
            one => one.and_then(id).into_iter().collect(),
        }
    }
}
