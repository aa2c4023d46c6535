//! The rows of a Parquet file, as the JSON objects they would be in JSONL.

use std::fmt::{self, Write as _};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::reader::{ReaderIter, TreeBuilder};
use parquet::record::{Field, Row};

use super::error::DataError;
use super::jsonl::io;
use super::object::Object;
use super::reader::{Place, RawRow, RowAddress};

/// How many values of a column are decoded at once.
const BATCH: usize = 256;

/// Reads row by row; holds the pages it decodes.
pub(super) struct ParquetReader {
    path: Arc<Path>,
    file: SerializedFileReader<File>,
    /// The row group behind the one that `rows` is in.
    next_group: usize,
    rows: Option<ReaderIter>,
    /// Rows before the next one.
    before: u64,
}

impl fmt::Debug for ParquetReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetReader")
            .field("path", &self.path)
            .field("before", &self.before)
            .finish_non_exhaustive()
    }
}

impl ParquetReader {
    pub(super) fn open(path: Arc<Path>) -> Result<Self, DataError> {
        let file = File::open(&path).map_err(io(&path))?;
        let file = SerializedFileReader::new(file).map_err(|error| wrong(&path, &error))?;
        Ok(Self {
            path,
            file,
            next_group: 0,
            rows: None,
            before: 0,
        })
    }

    pub(super) fn position(&self) -> RowAddress {
        RowAddress {
            offset: self.before,
            line: self.before + 1,
        }
    }

    pub(super) fn seek(&mut self, address: RowAddress) -> Result<(), DataError> {
        let metadata = self.file.metadata();
        let mut first = 0;
        let mut group = 0;
        while group < metadata.num_row_groups() {
            let rows = metadata.row_group(group).num_rows().max(0) as u64;
            if address.offset < first + rows {
                break;
            }
            first += rows;
            group += 1;
        }
        (self.next_group, self.rows, self.before) = (group, None, first);
        while self.before < address.offset {
            match self.advance() {
                None => break,
                Some(row) => row?,
            };
            self.before += 1;
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Option<Result<RawRow, DataError>> {
        let row = match self.advance()? {
            Ok(row) => row,
            Err(error) => return Some(Err(error)),
        };
        let address = self.position();
        self.before += 1;
        let place = Place {
            path: self.path.clone(),
            line: address.line as usize,
        };
        let mut text = String::new();
        write_group(&row, &mut text);
        let object = serde_json::from_str::<Object>(&text).map_err(|error| DataError::Malformed {
            path: place.path(),
            line: place.line,
            column: error.column(),
            message: error.to_string(),
        });
        Some(object.map(|object| RawRow {
            place,
            address,
            object,
        }))
    }

    /// The next row of this row group or of one behind it.
    fn advance(&mut self) -> Option<Result<Row, DataError>> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
                return Some(row.map_err(|error| wrong(&self.path, &error)));
            }
            if self.next_group == self.file.num_row_groups() {
                return None;
            }
            let schema = self.file.metadata().file_metadata().schema_descr_ptr();
            let group = self.file.get_row_group(self.next_group);
            let builder = TreeBuilder::new().with_batch_size(BATCH);
            match group.and_then(|group| builder.as_iter(schema, &*group)) {
                Ok(rows) => self.rows = Some(rows),
                Err(error) => return Some(Err(wrong(&self.path, &error))),
            }
            self.next_group += 1;
        }
    }
}

fn wrong(path: &Path, error: &ParquetError) -> DataError {
    DataError::Parquet {
        path: path.to_path_buf(),
        message: error.to_string(),
    }
}

/// Writes the fields that are not null as a JSON object.
fn write_group(row: &Row, out: &mut String) {
    out.push('{');
    let mut separator = "";
    for (name, field) in row.get_column_iter() {
        if !matches!(field, Field::Null) {
            out.push_str(separator);
            write_text(name, out);
            out.push(':');
            write_field(field, out);
            separator = ",";
        }
    }
    out.push('}');
}

fn write_text(text: &str, out: &mut String) {
    // Strings are JSON of themselves.
    out.push_str(&serde_json::Value::from(text).to_string());
}

fn write_field(field: &Field, out: &mut String) {
    // Writing into a string cannot fail.
    let _ = match field {
        Field::Null => write!(out, "null"),
        Field::Bool(value) => write!(out, "{value}"),
        Field::Byte(value) => write!(out, "{value}"),
        Field::Short(value) => write!(out, "{value}"),
        Field::Int(value) => write!(out, "{value}"),
        Field::Long(value) => write!(out, "{value}"),
        Field::UByte(value) => write!(out, "{value}"),
        Field::UShort(value) => write!(out, "{value}"),
        Field::UInt(value) => write!(out, "{value}"),
        Field::ULong(value) => write!(out, "{value}"),
        Field::Float(value) if value.is_finite() => write!(out, "{value}"),
        Field::Double(value) if value.is_finite() => write!(out, "{value}"),
        // Shows every digit that the scale has, and a full stop also where it has none.
        Field::Decimal(_) => write!(out, "{}", field.to_string().trim_end_matches('.')),
        Field::Group(row) => {
            write_group(row, out);
            Ok(())
        }
        Field::ListInternal(list) => {
            out.push('[');
            for (index, element) in list.elements().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_field(element, out);
            }
            out.push(']');
            Ok(())
        }
        Field::MapInternal(map) => {
            out.push('{');
            for (index, (key, value)) in map.entries().iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(&plain(key), out);
                out.push(':');
                write_field(value, out);
            }
            out.push('}');
            Ok(())
        }
        other => {
            write_text(&plain(other), out);
            Ok(())
        }
    };
}

/// A field as text without quotes: what strings, bytes and times are in JSON. Bytes that are UTF-8,
/// which old files have for strings, are that text.
fn plain(field: &Field) -> String {
    match field {
        Field::Str(text) => text.clone(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        other => other.to_string(),
    }
}
