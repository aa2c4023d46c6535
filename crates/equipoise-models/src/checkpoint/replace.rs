//! Files that take the places of old ones together, so that a stop at any moment, even by a kill or a
//! loss of power, leaves the old ones or the new ones and never a mixture.
//!
//! ```text
//! model.safetensors.tmp, config.json.tmp       written, whole and on the disk
//! .save.json                                   what is left to do; from here on the new files count
//! config.json                                  removed
//! model.safetensors.tmp → model.safetensors    … and every other file
//! config.json.tmp → config.json
//! .save.json                                   removed
//! ```
//!
//! A stop before the list is there leaves the old files. After it, whoever reads or writes the
//! directory does what is left first ([`finish`]), which may itself be stopped and done again. Other
//! programs know of no list; for them there is no model in between, because the file without which a
//! directory holds none goes first and comes last.
//!
//! One process writes a directory at a time.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{file_error, malformed};
use crate::ModelError;

/// The name of the list.
const LIST: &str = ".save.json";
/// What is appended to the name of a file that is not in its place yet.
const TEMPORARY: &str = ".tmp";

/// What is left to do, in the directory's own names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// The file without which the directory holds no model, if it is one of those.
    first_out_last_in: Option<String>,
    /// Other files that take their places.
    replace: Vec<String>,
    /// Files that go.
    remove: Vec<String>,
}

/// One step between files that were prepared and files in their places. Each can be done twice.
#[derive(Debug)]
enum Step {
    Rename {
        from: PathBuf,
        to: PathBuf,
    },
    Remove(PathBuf),
    /// What was done so far reaches the disk before what follows.
    Sync(PathBuf),
}

impl Step {
    fn run(&self) -> Result<(), ModelError> {
        match self {
            Self::Rename { from, to } => match fs::rename(from, to) {
                // Done already, by a save that was stopped.
                Err(error) if error.kind() == ErrorKind::NotFound && to.is_file() => Ok(()),
                other => other.map_err(|e| file_error("write", to, e)),
            },
            Self::Remove(path) => match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    Err(file_error("remove", path, error))
                }
                _ => Ok(()),
            },
            Self::Sync(directory) => {
                // Not every system can; then the order is the file system's.
                let _ = fs::File::open(directory).and_then(|directory| directory.sync_all());
                Ok(())
            }
        }
    }
}

impl List {
    fn steps(&self, directory: &Path) -> Vec<Step> {
        let place = |name: &String| directory.join(name);
        let rename = |name: &String| Step::Rename {
            from: temporary(&place(name)),
            to: place(name),
        };
        let sync = || Step::Sync(directory.to_owned());
        let mut steps = vec![sync()];
        let last = self.first_out_last_in.as_ref();
        // In its place already if only the removal of the list was left.
        let last = last.filter(|name| temporary(&place(name)).exists());
        steps.extend(last.map(|name| Step::Remove(place(name))));
        steps.extend(self.remove.iter().map(|name| Step::Remove(place(name))));
        steps.extend(self.replace.iter().map(rename));
        steps.push(sync());
        steps.extend(last.map(rename));
        steps.push(sync());
        steps.push(Step::Remove(directory.join(LIST)));
        steps
    }
}

/// Does what a save that was stopped has left to do in a directory; most have nothing.
///
/// # Errors
/// If a file cannot be put into its place.
pub(super) fn finish(directory: &Path) -> Result<(), ModelError> {
    let path = directory.join(LIST);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        // A path that is none is the next reader's to name.
        Err(_) => return Ok(()),
    };
    let list: List = serde_json::from_str(&text).map_err(|e| malformed(&path, e.to_string()))?;
    let names = list.replace.iter().chain(&list.remove);
    for name in names.chain(&list.first_out_last_in) {
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(malformed(&path, format!("{name} is no file name")));
        }
    }
    list.steps(directory).iter().try_for_each(Step::run)
}

/// Files that will take their places together.
pub(super) struct Replacement {
    directory: PathBuf,
    list: List,
    files: Vec<Written>,
}

impl Replacement {
    /// Of files of a directory, which is made if missing. `key` is the file without which the
    /// directory holds no model.
    pub(super) fn new(directory: &Path, key: Option<&str>) -> Result<Self, ModelError> {
        fs::create_dir_all(directory).map_err(|e| file_error("write", directory, e))?;
        finish(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
            list: List {
                first_out_last_in: key.map(str::to_owned),
                replace: Vec::new(),
                remove: Vec::new(),
            },
            files: Vec::new(),
        })
    }

    /// A file of a name in the directory, written by `write` under another one.
    pub(super) fn add(
        &mut self,
        name: &str,
        write: impl FnOnce(&Path) -> Result<(), ModelError>,
    ) -> Result<(), ModelError> {
        let written = Written::new(&self.directory.join(name), write)?;
        self.files.push(written);
        if self.list.first_out_last_in.as_deref() != Some(name) {
            self.list.replace.push(name.to_owned());
        }
        Ok(())
    }

    /// The same with its contents.
    pub(super) fn add_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ModelError> {
        self.add(name, |path| write_bytes(path, bytes))
    }

    /// A file that goes, if it is there.
    pub(super) fn remove(&mut self, name: &str) {
        self.list.remove.push(name.to_owned());
    }

    /// The steps that are left once the list has been written under its temporary name.
    fn prepare(&mut self) -> Result<Vec<Step>, ModelError> {
        let text = serde_json::to_string_pretty(&self.list).unwrap_or_default();
        let path = self.directory.join(LIST);
        let list = Written::new(&path, |path| write_bytes(path, text.as_bytes()))?;
        self.files.push(list);
        let begin = Step::Rename {
            from: temporary(&path),
            to: path,
        };
        let mut steps = self.list.steps(&self.directory);
        steps.insert(0, begin);
        // The files are on the disk before the list that says so.
        steps.insert(0, Step::Sync(self.directory.clone()));
        Ok(steps)
    }

    /// Puts all files into their places. After an error either none has moved, or the next one who
    /// reads the directory goes on.
    pub(super) fn commit(mut self) -> Result<(), ModelError> {
        let steps = self.prepare()?;
        let (begin, rest) = steps.split_at(2);
        begin.iter().try_for_each(Step::run)?;
        self.files.iter_mut().for_each(|file| file.kept = true);
        rest.iter().try_for_each(Step::run)
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY);
    PathBuf::from(name)
}

/// Writes a new file and waits until it is on the disk.
fn write_bytes(path: &Path, bytes: &[u8]) -> Result<(), ModelError> {
    let write = |mut file: fs::File| file.write_all(bytes).and_then(|()| file.sync_all());
    let written = fs::File::create(path).and_then(write);
    written.map_err(|e| file_error("write", path, e))
}

/// A file that lies complete under a temporary name beside its own; removed unless it is kept.
struct Written {
    temporary: PathBuf,
    kept: bool,
}

impl Written {
    fn new(
        path: &Path,
        write: impl FnOnce(&Path) -> Result<(), ModelError>,
    ) -> Result<Self, ModelError> {
        let written = Self {
            temporary: temporary(path),
            kept: false,
        };
        write(&written.temporary)?;
        Ok(written)
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.kept {
            // That what is left of a failed attempt may not go away is no second error.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

#[cfg(test)]
mod tests;
