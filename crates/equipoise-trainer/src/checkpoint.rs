//! Checkpoints: everything a run needs to go on, in one directory that appears all at once.
//!
//! ```text
//! checkpoints/000120-1rl-000080/    steps of the run, place and kind of the stage, its steps
//!     config.json                   the model, in Hugging Face layout
//!     model.safetensors
//!     tokenizer.json
//!     optimizer.safetensors         moments and step count
//!     state.json                    progress, recipe, record positions, a hash of every file above, of
//!                                   the files the run reads its problems from, and of itself
//! ```
//!
//! Nothing in it depends on the clock: the same step of the same run has the same bytes.
//!
//! It is written under a temporary name and renamed, so a directory with this name is whole. One that
//! replaces another of the same name has it moved aside first; stopped in between, that one still
//! counts. Random numbers have addresses, so there is no generator state to keep.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use equipoise_tracking::Positions;
use serde::{Deserialize, Serialize};

use crate::TrainError;

const FOLDER: &str = "checkpoints";
const STATE: &str = "state.json";
/// Of the layout above.
const FORMAT: u32 = 2;
/// How many checkpoints are kept besides the last of each finished stage.
const KEPT: usize = 2;

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// The stage that is next.
    pub stage: usize,
    /// The step of it that is next.
    pub step: u64,
    /// Steps of all stages together.
    pub total_steps: u64,
    /// Training problems used by the stages before this one.
    pub problems: u64,
    /// Demonstrations used by the stages before this one.
    pub demonstrations: u64,
}

/// The contents of `state.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The layout's version.
    pub format: u32,
    /// How far the run has come.
    pub progress: Progress,
    /// Whether the last stage is done.
    pub finished: bool,
    /// How much of each record file belongs to it.
    pub positions: Positions,
    /// The resolved recipe, in TOML.
    pub recipe: String,
    /// The BLAKE3 hash of every file that the run reads again when it is resumed, by the name it has in
    /// the recipe.
    pub inputs: BTreeMap<String, String>,
    /// The BLAKE3 hash of every other file.
    pub files: BTreeMap<String, String>,
    /// The BLAKE3 hash of this file with nothing here.
    pub seal: String,
}

/// What all layouts of `state.json` have.
#[derive(Deserialize)]
struct Layout {
    format: u32,
}

impl Checkpoint {
    /// A checkpoint whose files are yet to be written.
    pub(crate) fn new(
        progress: Progress,
        finished: bool,
        positions: Positions,
        recipe: String,
        inputs: BTreeMap<String, String>,
    ) -> Self {
        Self {
            format: FORMAT,
            progress,
            finished,
            positions,
            recipe,
            inputs,
            files: BTreeMap::new(),
            seal: String::new(),
        }
    }

    /// Writes a checkpoint into a run's directory; `fill` writes all files but the state. Older
    /// checkpoints go, except the newest few and the last of each stage.
    pub(crate) fn write(
        mut self,
        run: &Path,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<PathBuf, TrainError> {
        let folder = folder(run);
        let temporary = hidden(&folder, name, TEMPORARY);
        let target = folder.join(name);
        remove(&temporary)?;
        fs::create_dir_all(&temporary).map_err(TrainError::file("create", &temporary))?;
        let result = fill(&temporary).and_then(|()| {
            self.files = hashes(&temporary)?;
            self.seal = self.hash(&target)?;
            let state = self.json(&target)?;
            let path = temporary.join(STATE);
            let mut file = fs::File::create(&path).map_err(TrainError::file("create", &path))?;
            file.write_all(state.as_bytes())
                .and_then(|()| file.sync_all())
                .map_err(TrainError::file("write", &path))?;
            // The same step may be saved twice: on its turn, and when it turns out to be the last of
            // its stage. The old one is moved away whole, so that what is there is always whole.
            let old = hidden(&folder, name, OLD);
            if target.exists() {
                remove(&old)?;
                fs::rename(&target, &old).map_err(TrainError::file("replace", &target))?;
            }
            fs::rename(&temporary, &target).map_err(TrainError::file("write", &target))?;
            remove(&old)
        });
        if let Err(error) = result {
            // What is left of the attempt is of no use; that it may stay is no second error.
            let _ = fs::remove_dir_all(&temporary);
            return Err(error);
        }
        prune(&folder)?;
        Ok(target)
    }

    /// Reads a checkpoint's state and checks every file against its hash.
    ///
    /// # Errors
    /// If a file is missing or not as it was written.
    pub fn read(directory: &Path) -> Result<Self, TrainError> {
        let fail = |reason: String| TrainError::Checkpoint {
            path: directory.to_owned(),
            reason,
        };
        let path = directory.join(STATE);
        let text = fs::read_to_string(&path).map_err(TrainError::file("read", &path))?;
        let damaged = |error| fail(format!("{STATE} is damaged ({error}); {ADVICE}"));
        // Before the rest, which another layout need not have.
        let Layout { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format != FORMAT {
            return Err(fail(format!(
                "it has layout {format}, and this version reads {FORMAT}: use the version that wrote it, or \
                 start a new run"
            )));
        }
        let state: Self = serde_json::from_str(&text).map_err(damaged)?;
        if state.hash(directory)? != state.seal {
            return Err(fail(format!("{STATE} is not as it was written; {ADVICE}")));
        }
        compare(directory, &state.files, ADVICE)?;
        Ok(state)
    }

    fn json(&self, path: &Path) -> Result<String, TrainError> {
        serde_json::to_string_pretty(self).map_err(|error| TrainError::Checkpoint {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// The hash of the state itself.
    fn hash(&self, path: &Path) -> Result<String, TrainError> {
        let unsealed = Self {
            seal: String::new(),
            ..self.clone()
        };
        Ok(blake3::hash(unsealed.json(path)?.as_bytes())
            .to_hex()
            .to_string())
    }
}

const ADVICE: &str = "delete this checkpoint to go on from the one before it";

/// The newest checkpoint of a run, if there is one.
///
/// # Errors
/// If the directory cannot be read.
pub(crate) fn newest(run: &Path) -> Result<Option<PathBuf>, TrainError> {
    Ok(all(&folder(run))?.pop())
}

/// Where a run keeps its checkpoints.
pub(crate) fn folder(run: &Path) -> PathBuf {
    run.join(FOLDER)
}

/// Not whole yet.
const TEMPORARY: &str = "tmp";
/// Whole, and moved aside for another one of the same name.
const OLD: &str = "old";
/// About to be removed, and perhaps not whole any more.
const REMOVED: &str = "removed";

/// A directory for a checkpoint that is being moved.
fn hidden(folder: &Path, name: &str, what: &str) -> PathBuf {
    folder.join(format!(".{name}.{what}"))
}

/// What [`hidden`] was made of.
fn visible(path: &Path) -> Option<(&str, &str)> {
    let name = path.file_name()?.to_str()?;
    let (name, what) = name.strip_prefix('.')?.rsplit_once('.')?;
    [TEMPORARY, OLD, REMOVED]
        .contains(&what)
        .then_some((name, what))
}

/// The steps of the run and the stage a checkpoint's name begins with; `None` for a directory that is
/// something else, which is left alone.
fn parse(path: &Path) -> Option<(u64, String)> {
    let name = match visible(path) {
        // Stopped before the new one was in its place.
        Some((name, OLD)) if !path.with_file_name(name).exists() => name,
        _ => path.file_name()?.to_str()?,
    };
    let mut parts = name.split('-');
    let steps = parts.next()?.parse().ok()?;
    let stage = parts.next()?;
    let step: Result<u64, _> = parts.next()?.parse();
    let ours =
        step.is_ok() && parts.next().is_none() && stage.starts_with(|c: char| c.is_ascii_digit());
    ours.then(|| (steps, stage.to_owned()))
}

/// The checkpoints of a run, oldest first.
fn all(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for path in entries(folder)? {
        if let Some(place) = parse(&path).filter(|_| path.is_dir()) {
            found.push((place, path));
        }
    }
    found.sort();
    Ok(found.into_iter().map(|(_, path)| path).collect())
}

/// Removes a directory if it is there.
fn remove(directory: &Path) -> Result<(), TrainError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::file("remove", directory)(error))
        }
        _ => Ok(()),
    }
}

/// Removes old checkpoints. The last one before another stage begins stays.
fn prune(folder: &Path) -> Result<(), TrainError> {
    let all = all(folder)?;
    let kind = |path: &PathBuf| parse(path).map(|(_, stage)| stage);
    for (at, path) in all.iter().enumerate().take(all.len().saturating_sub(KEPT)) {
        if kind(path) == kind(&all[at + 1]) {
            // A directory with its name stays whole to the end.
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let removed = hidden(folder, &name, REMOVED);
            remove(&removed)?;
            fs::rename(path, &removed).map_err(TrainError::file("remove", path))?;
            remove(&removed)?;
        }
    }
    // What a run that was stopped had not moved to its end.
    for path in entries(folder)? {
        let leftover = |(name, _): (&str, &str)| parse(&folder.join(name)).is_some();
        if parse(&path).is_none() && visible(&path).is_some_and(leftover) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, TrainError> {
    let entries = fs::read_dir(folder).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        paths.collect()
    });
    entries.map_err(TrainError::file("read", folder))
}

/// Checks the files of a directory against their hashes.
fn compare(
    directory: &Path,
    files: &BTreeMap<String, String>,
    advice: &str,
) -> Result<(), TrainError> {
    let found = hashes(directory)?;
    for (name, hash) in files {
        let what = match found.get(name) {
            Some(other) if other == hash => continue,
            Some(_) => "is not as it was written",
            None => "is missing",
        };
        return Err(TrainError::Checkpoint {
            path: directory.to_owned(),
            reason: format!("{name} {what}; {advice}"),
        });
    }
    Ok(())
}

/// Writes the hashes of a directory's files beside them, for [`check_seal`].
pub(crate) fn seal(directory: &Path) -> Result<(), TrainError> {
    let path = directory.join(STATE);
    let text = serde_json::to_string_pretty(&hashes(directory)?).unwrap_or_default();
    fs::write(&path, text).map_err(TrainError::file("write", &path))
}

/// Checks that the files of a sealed directory are as they were written.
pub(crate) fn check_seal(directory: &Path, advice: &str) -> Result<(), TrainError> {
    let path = directory.join(STATE);
    let text = fs::read_to_string(&path).map_err(TrainError::file("read", &path))?;
    let files = serde_json::from_str(&text).map_err(|error| TrainError::Checkpoint {
        path: directory.to_owned(),
        reason: format!("{STATE} is damaged ({error}); {advice}"),
    })?;
    compare(directory, &files, advice)
}

/// The hash of every file, those of directories inside under their relative names.
fn hashes(directory: &Path) -> Result<BTreeMap<String, String>, TrainError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).map_err(TrainError::file("read", directory))? {
        let path = entry.map_err(TrainError::file("read", directory))?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        if name == STATE {
            continue;
        }
        if path.is_dir() {
            let inside = hashes(&path)?.into_iter();
            found.extend(inside.map(|(file, hash)| (format!("{name}/{file}"), hash)));
            continue;
        }
        found.insert(name, hash_file(&path)?);
    }
    Ok(found)
}

/// The BLAKE3 hash of a file.
pub(crate) fn hash_file(path: &Path) -> Result<String, TrainError> {
    let file = fs::File::open(path).map_err(TrainError::file("read", path))?;
    let mut hasher = blake3::Hasher::new();
    hasher
        .update_reader(file)
        .map_err(TrainError::file("read", path))?;
    Ok(hasher.finalize().to_hex().to_string())
}

#[cfg(test)]
mod tests;
