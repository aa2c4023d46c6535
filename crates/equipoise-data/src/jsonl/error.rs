//! What can be wrong with a JSONL file.

use std::path::PathBuf;

use thiserror::Error;

/// Why problems could not be read from a file. Lines and columns count from 1.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum JsonlError {
    /// The file could not be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A line is not UTF-8.
    #[error("{path}:{line}: not valid UTF-8; save the file as UTF-8", path = path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The file has no rows.
    #[error(
        r#"{path}: no rows; expected one JSON object per line, such as {{"prompt": "2+2=", "answer": "4"}}"#,
        path = path.display()
    )]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A line is not a JSON object.
    #[error("{path}:{line}:{column}: not a JSON object: {message}", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The byte within the line.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// A row has a key that means nothing here.
    #[error(
        "{path}:{line}: unknown key `{key}`; known keys: {known}",
        path = path.display(), known = known.join(", ")
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
        /// The keys that would mean something.
        known: Vec<&'static str>,
    },
    /// A key is missing.
    #[error("{path}:{line}: missing key `{key}`", path = path.display())]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key, or the alternatives.
        key: &'static str,
    },
    /// A key's value is not what it must be.
    #[error("{path}:{line}: `{key}` is {got}; expected {expected}", path = path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key, with its position inside `messages`: `messages[0].role`.
        key: String,
        /// What the value is.
        got: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A key stands twice in a row.
    #[error("{path}:{line}: key `{key}` appears twice", path = path.display())]
    RepeatedKey {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
    },
    /// A row has both `prompt` and `messages`.
    #[error("{path}:{line}: has both `prompt` and `messages`; keep one", path = path.display())]
    TwoPrompts {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// Every problem is held out.
    #[error(
        "{path}: all of its {problems} different problems are held out; hold out fewer",
        path = path.display()
    )]
    NothingToTrainOn {
        /// The file.
        path: PathBuf,
        /// How many different problems the file has.
        problems: usize,
    },
}
