//! A temporary directory with runs in it, and the program to fill it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;

/// What a program that ended has said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        let said = Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        };
        assert!(!said.err.contains("panicked"), "{said:?}");
        said
    }
}

impl Said {
    /// It must have ended well.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It must have ended with an error that holds all these words.
    #[track_caller]
    pub(crate) fn failed(self, words: &[&str]) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        assert!(self.err.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {}", self.err);
        }
        self
    }
}

/// The directory of one test.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// The directory of the first run of `recipes/tiny.toml`.
    pub(crate) fn run(&self) -> PathBuf {
        self.path("runs/tiny")
    }

    /// `equipoise` with these arguments, in this directory, on two threads.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_equipoise"));
        command
            .args(arguments)
            .current_dir(self.0.path())
            .env("RAYON_NUM_THREADS", "2")
            // So that advice reads as for an installed program.
            .env_remove("CARGO_PKG_NAME")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn call(&self, arguments: &[&str]) -> Said {
        self.command(arguments).output().unwrap().into()
    }

    /// `equipoise train recipes/tiny.toml` with more arguments.
    pub(crate) fn train(&self, arguments: &[&str]) -> Said {
        self.training(arguments).output().unwrap().into()
    }

    pub(crate) fn training(&self, arguments: &[&str]) -> Command {
        let recipe = tiny();
        let mut command = self.command(&["train", recipe.to_str().unwrap()]);
        command.args(arguments);
        command
    }

    /// The same in the background, until `ready` holds; `None` if it has ended before.
    pub(crate) fn train_until(
        &self,
        arguments: &[&str],
        mut ready: impl FnMut() -> bool,
    ) -> Option<Child> {
        let mut command = self.training(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        loop {
            if ready() {
                return Some(child);
            }
            if child.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
    }
}

/// The recipe all these tests train.
pub(crate) fn tiny() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../recipes/tiny.toml")
        .canonicalize()
        .unwrap()
}

pub(crate) fn count_lines(path: &Path) -> usize {
    let bytes = fs::read(path).unwrap_or_default();
    bytes.iter().filter(|&&byte| byte == b'\n').count()
}

/// The checkpoints of a run, oldest first.
pub(crate) fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(run.join("checkpoints")) else {
        return Vec::new();
    };
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

pub(crate) fn newest_checkpoint(run: &Path) -> PathBuf {
    checkpoints(run).pop().expect("a run has a checkpoint")
}

/// Every file below a directory with its contents.
pub(crate) fn snapshot(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![directory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), fs::read(path).unwrap());
            }
        }
    }
    files
}

/// What has to be the same in two runs of one recipe.
#[derive(PartialEq, Eq)]
pub(crate) struct Result {
    files: BTreeMap<String, Vec<u8>>,
}

impl Result {
    /// Of a finished run.
    pub(crate) fn of(run: &Path) -> Self {
        let last = newest_checkpoint(run);
        let mut files = BTreeMap::new();
        for name in ["metrics.jsonl", "completions.jsonl"] {
            files.insert(name.to_owned(), fs::read(run.join(name)).unwrap());
        }
        // All of the checkpoint, its state with its hashes included.
        for (path, bytes) in snapshot(&last) {
            let name = path.strip_prefix(run).unwrap().display().to_string();
            files.insert(name, bytes);
        }
        assert!(files.len() >= 7, "{:?}", files.keys());
        assert!(files["metrics.jsonl"].len() > 10_000 && run.join("report.html").is_file());
        Self { files }
    }

    /// Without the state of the checkpoint, which holds the recipe: for runs of different recipes.
    pub(crate) fn without_state(mut self) -> Self {
        self.files.retain(|name, _| !name.ends_with("state.json"));
        self
    }

    /// Both must be the same; says which file is not.
    #[track_caller]
    pub(crate) fn assert_same(&self, other: &Self) {
        for (name, bytes) in &self.files {
            assert!(Some(bytes) == other.files.get(name), "{name} differs");
        }
        assert_eq!(self.files.len(), other.files.len());
    }
}
