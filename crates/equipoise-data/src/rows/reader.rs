//! The rows of a file, one after the other, whatever its format.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::error::DataError;
use super::jsonl::JsonlReader;
use super::object::Object;
#[cfg(feature = "parquet")]
use super::parquet::ParquetReader;

/// Where a row lies in its file, so that it can be read again without what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowAddress {
    /// JSONL: bytes before the row's line. Parquet: rows before it.
    pub offset: u64,
    /// The number of the line (Parquet: of the row), from 1.
    pub line: u64,
}

impl RowAddress {
    /// The beginning of a file.
    pub const START: Self = Self { offset: 0, line: 1 };
}

/// A row before its columns mean anything: its keys, and its values as they are written.
#[derive(Clone, Debug)]
pub struct RawRow {
    pub(super) place: Place,
    pub(super) address: RowAddress,
    pub(super) object: Object,
}

/// The file and line of a row, as errors name it.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) path: Arc<Path>,
    pub(super) line: usize,
}

impl Place {
    pub(super) fn path(&self) -> PathBuf {
        self.path.to_path_buf()
    }
}

impl RawRow {
    /// Where the row lies in its file.
    pub fn address(&self) -> RowAddress {
        self.address
    }

    /// The names of the row's columns, in the order of the file.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        self.object.0.iter().map(|(key, _)| key.as_str())
    }

    /// The JSON text of a column as it is written; of a column that stands twice, the first.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.object.get(column).map(RawValue::get)
    }

    /// The error that a tokenizer refuses the row's prompt.
    pub(crate) fn tokens(&self, message: String) -> DataError {
        DataError::Tokens {
            path: self.place.path(),
            line: self.place.line,
            message,
        }
    }

    /// The file and line, as `file:line`.
    pub fn location(&self) -> String {
        format!("{}:{}", self.place.path.display(), self.place.line)
    }
}

/// The rows of a file in order. A file named `*.parquet` is read as Parquet, which needs the feature
/// `parquet`; every other one as JSONL.
///
/// JSONL has one JSON object per line. Blank lines, a byte-order mark and Windows line ends are
/// allowed. In Parquet, null values at the top and inside of structures are keys that are missing;
/// lists are arrays, integers and decimals keep every digit, and times are text.
///
/// After an error that concerns one row ([`DataError::fault`]), the next row follows; every other
/// error is the last item. A file without rows is an error.
#[derive(Debug)]
pub struct RowReader {
    format: Format,
    ended: bool,
    /// Whether a row was seen, or need not be.
    any: bool,
    path: Arc<Path>,
}

#[derive(Debug)]
enum Format {
    Jsonl(JsonlReader),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetReader>),
}

impl RowReader {
    /// Opens a file at its beginning.
    ///
    /// # Errors
    /// A file that cannot be opened, or is Parquet without the feature.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path: Arc<Path> = path.as_ref().into();
        let is_parquet = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        let format = if is_parquet {
            #[cfg(feature = "parquet")]
            let format = Format::Parquet(Box::new(ParquetReader::open(path.clone())?));
            #[cfg(not(feature = "parquet"))]
            return Err(DataError::ParquetNotBuilt {
                path: path.to_path_buf(),
            });
            #[cfg(feature = "parquet")]
            format
        } else {
            Format::Jsonl(JsonlReader::open(path.clone())?)
        };
        Ok(Self {
            format,
            ended: false,
            any: false,
            path,
        })
    }

    /// Goes to a row: the next one is the one at `address`, or the first behind it.
    ///
    /// # Errors
    /// If the file cannot be read there.
    pub fn seek(&mut self, address: RowAddress) -> Result<(), DataError> {
        (self.ended, self.any) = (false, true);
        match &mut self.format {
            Format::Jsonl(reader) => reader.seek(address),
            #[cfg(feature = "parquet")]
            Format::Parquet(reader) => reader.seek(address),
        }
    }

    /// Where the next row is looked for.
    pub fn next_address(&self) -> RowAddress {
        match &self.format {
            Format::Jsonl(reader) => reader.position(),
            #[cfg(feature = "parquet")]
            Format::Parquet(reader) => reader.position(),
        }
    }
}

impl Iterator for RowReader {
    type Item = Result<RawRow, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = match &mut self.format {
            Format::Jsonl(reader) => reader.next(),
            #[cfg(feature = "parquet")]
            Format::Parquet(reader) => reader.next(),
        };
        match &next {
            None => self.ended = true,
            Some(Err(error)) if error.fault().is_none() => self.ended = true,
            Some(_) => self.any = true,
        }
        if next.is_none() && !self.any {
            let path = self.path.to_path_buf();
            return Some(Err(DataError::Empty { path }));
        }
        next
    }
}
