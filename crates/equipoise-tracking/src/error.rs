//! What can go wrong while a run is recorded or reported.

use std::io;
use std::path::{Path, PathBuf};

/// Why recording, resuming or reporting failed: what was wrong, in which file, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackingError {
    /// The operating system refused; a full disk arrives here.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was attempted: "create", "write", "read", …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A new run would have written into the files of an earlier one.
    #[error(
        "{} already holds the records of a run: resume that run, or give this one another name",
        path.display()
    )]
    Exists {
        /// The file that is not empty.
        path: PathBuf,
    },
    /// A file ends before the place where a checkpoint says it continues.
    #[error(
        "{} has {length} bytes, but the checkpoint was saved when it had {offset}: records are \
         missing; restore the file, resume from an older checkpoint, or start a new run",
        path.display()
    )]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Its length in bytes.
        length: u64,
        /// The offset the checkpoint names, in bytes.
        offset: u64,
    },
    /// A file has fewer lines than a checkpoint says.
    #[error(
        "{} has {lines} whole lines, but the checkpoint was saved when it had {count}: records are \
         missing; restore the file, resume from an older checkpoint, or start a new run",
        path.display()
    )]
    TooFewLines {
        /// The file.
        path: PathBuf,
        /// Its lines, but for one that a crash left unfinished.
        lines: u64,
        /// The number the checkpoint names.
        count: u64,
    },
    /// The place where a checkpoint says a file continues is in the middle of a line.
    #[error(
        "byte {offset} of {} is inside a line, but the checkpoint says that a record starts there: \
         the file was edited or belongs to another run; restore it or start a new run",
        path.display()
    )]
    NotALine {
        /// The file.
        path: PathBuf,
        /// The offset the checkpoint names, in bytes.
        offset: u64,
    },
    /// A record has no JSON form: a metric twice, or one called like a fixed field.
    #[error("a record of stage \"{stage}\", step {step}, cannot be written as JSON: {source}")]
    Record {
        /// The record's stage.
        stage: String,
        /// The record's step.
        step: u64,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A line of a records file cannot be read.
    #[error("{}:{line}: not a record: {source}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line's number, from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A directory has no records to report.
    #[error(
        "{} has no records of a training step: expected a run's directory, with the file \
         metrics.jsonl in it",
        path.display()
    )]
    Empty {
        /// The directory.
        path: PathBuf,
    },
}

impl TrackingError {
    /// For `map_err`: an operating-system error met while doing `action` to `path`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}
