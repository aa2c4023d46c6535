//! The lines of a JSONL file.

use std::fs::File;
use std::io::{BufRead, BufReader, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::error::DataError;
use super::object::Object;
use super::reader::{Place, RawRow, RowAddress};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads line by line; holds one line.
#[derive(Debug)]
pub(super) struct JsonlReader {
    path: Arc<Path>,
    file: BufReader<File>,
    position: RowAddress,
    line: Vec<u8>,
}

impl JsonlReader {
    pub(super) fn open(path: Arc<Path>) -> Result<Self, DataError> {
        let file = File::open(&path).map_err(io(&path))?;
        Ok(Self {
            path,
            file: BufReader::new(file),
            position: RowAddress::START,
            line: Vec::new(),
        })
    }

    pub(super) fn seek(&mut self, address: RowAddress) -> Result<(), DataError> {
        let to = SeekFrom::Start(address.offset);
        self.file.seek(to).map_err(io(&self.path))?;
        self.position = address;
        Ok(())
    }

    pub(super) fn position(&self) -> RowAddress {
        self.position
    }

    pub(super) fn next(&mut self) -> Option<Result<RawRow, DataError>> {
        loop {
            self.line.clear();
            match self.file.read_until(b'\n', &mut self.line) {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return Some(Err(io(&self.path)(error))),
            }
            let address = self.position;
            self.position.offset += self.line.len() as u64;
            // A saved position may hold any number.
            self.position.line = self.position.line.saturating_add(1);
            let place = Place {
                path: self.path.clone(),
                line: address.line as usize,
            };
            let bytes = match address.offset {
                0 => self
                    .line
                    .strip_prefix(BYTE_ORDER_MARK)
                    .unwrap_or(&self.line),
                _ => &self.line,
            };
            let Ok(text) = std::str::from_utf8(bytes) else {
                return Some(Err(DataError::NotUtf8 {
                    path: place.path(),
                    line: place.line,
                }));
            };
            // Only the end is cut off, so that columns stay right.
            let text = text.trim_end();
            if !text.is_empty() {
                return Some(object(text, &place).map(|object| RawRow {
                    place,
                    address,
                    object,
                }));
            }
        }
    }
}

/// A row's text as an object.
fn object(text: &str, place: &Place) -> Result<Object, DataError> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // serde_json counts lines from the start of this line of the file; drop its position.
        let message = message.rsplit_once(" at line ").map_or(&*message, |m| m.0);
        DataError::Malformed {
            path: place.path(),
            line: place.line,
            column: error.column(),
            message: message.to_owned(),
        }
    })
}

/// For `map_err`: a file operation that failed.
pub(super) fn io(path: &Path) -> impl Fn(std::io::Error) -> DataError + use<> {
    let path = path.to_path_buf();
    move |source| DataError::Io {
        path: path.clone(),
        source,
    }
}
