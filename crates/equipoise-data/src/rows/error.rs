//! What can be wrong with a data file.

use std::path::PathBuf;

use thiserror::Error;

use super::bad::RowFault;

/// Why data could not be read from a file. Lines and columns count from 1; in a Parquet file, `line`
/// is the number of the row.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
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
    /// A message has a key that means nothing here.
    #[error(
        "{path}:{line}: unknown key `{key}`; known keys: {known}",
        path = path.display(), known = known.join(", ")
    )]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key, with its position: `messages[0].text`.
        key: String,
        /// The keys that would mean something.
        known: Vec<&'static str>,
    },
    /// A row has columns that are neither known, nor mapped, nor ignored.
    #[error(
        "{path}:{line}: unknown {keys} {names}; known keys: {known}; {advice}",
        path = path.display(),
        keys = if columns.len() == 1 { "key" } else { "keys" },
        names = columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
        known = known.join(", ")
    )]
    ExtraColumns {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The columns.
        columns: Vec<String>,
        /// The columns that would mean something.
        known: Vec<String>,
        /// The setting that would make the row readable.
        advice: String,
    },
    /// A key is missing.
    #[error(
        "{path}:{line}: missing key `{key}`{meant}",
        path = path.display(),
        meant = match column {
            Some(column) => format!(", which `columns` reads `{column}` from"),
            None => String::new(),
        }
    )]
    MissingKey {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key, or the alternatives.
        key: String,
        /// The column that the mapping reads from the key, if it is not the key itself.
        column: Option<&'static str>,
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
        expected: String,
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
    /// A row has two of what there may be one of.
    #[error("{path}:{line}: has both `{first}` and `{second}`; keep one", path = path.display())]
    TwoOfOne {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The one key.
        first: String,
        /// The other key.
        second: String,
    },
    /// An answer lacks the marker that the final answer stands behind.
    #[error(
        "{path}:{line}: `{key}` has nothing after {marker:?}; expected the final answer behind the last \
         {marker:?}",
        path = path.display()
    )]
    NoMarker {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
        /// The marker.
        marker: String,
    },
    /// Some texts are strings and others conversations.
    #[error("{path}:{line}: `{key}` is {got}, but {before}; use one form", path = path.display())]
    MixedForms {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The key.
        key: String,
        /// The form it has.
        got: &'static str,
        /// What has the other form.
        before: String,
    },
    /// A prompt could not be counted in tokens.
    #[error("{path}:{line}: {message}", path = path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
        /// What the tokenizer says.
        message: String,
    },
    /// More rows are bad than may be skipped.
    #[error(
        "{path}: {bad} of {rows} rows are bad, more than max_bad_share = {max_share} allows; the first: \
         {first}",
        path = path.display()
    )]
    TooManyBadRows {
        /// The file.
        path: PathBuf,
        /// How many rows are bad.
        bad: usize,
        /// How many rows there are.
        rows: usize,
        /// The largest allowed share of bad rows.
        max_share: f64,
        /// What is wrong with the first.
        first: String,
    },
    /// No problem is left to train on.
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
    /// No row is left after what was skipped, filtered or repeated.
    #[error("{path}: none of its {rows} rows is left: {why}", path = path.display())]
    NothingLeft {
        /// The file.
        path: PathBuf,
        /// How many rows the file has.
        rows: usize,
        /// What became of them.
        why: String,
    },
    /// A setting is impossible.
    #[error("{key} = {got}: {expected}")]
    Setting {
        /// The setting.
        key: String,
        /// What it is.
        got: String,
        /// What it must be.
        expected: String,
    },
    /// The file is Parquet, which this build does not read.
    #[error(
        "{path}: this build reads no Parquet; build with the feature `parquet`, or convert the file to \
         JSONL",
        path = path.display()
    )]
    ParquetNotBuilt {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a readable Parquet file.
    #[error("{path}: not readable as Parquet: {message}", path = path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        message: String,
    },
    /// A saved position does not belong to the file as it is now.
    #[error(
        "{path}: has changed since the position in it was saved ({what}); put the old file back or \
         start anew",
        path = path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        what: String,
    },
}

impl DataError {
    /// What is wrong with the row, if a single row is wrong and reading can go on behind it.
    pub fn fault(&self) -> Option<RowFault> {
        match self {
            Self::NotUtf8 { .. } => Some(RowFault::NotUtf8),
            Self::Malformed { .. } => Some(RowFault::NotJson),
            Self::UnknownKey { .. } | Self::ExtraColumns { .. } => Some(RowFault::UnknownKey),
            Self::MissingKey { .. } => Some(RowFault::MissingKey),
            Self::RepeatedKey { .. } | Self::TwoOfOne { .. } => Some(RowFault::RepeatedKey),
            Self::Value { .. } => Some(RowFault::WrongValue),
            Self::NoMarker { .. } => Some(RowFault::NoMarker),
            Self::MixedForms { .. } => Some(RowFault::MixedForms),
            Self::Tokens { .. } => Some(RowFault::NotTokenizable),
            _ => None,
        }
    }
}
