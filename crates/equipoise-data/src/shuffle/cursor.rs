//! A position in a stream, small enough for a checkpoint.

use std::fs::File;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::rows::{DataError, FileReport, RowAddress};

/// The position of a [`StreamingShuffle`](super::StreamingShuffle): which epoch and draw it is at,
/// where it reads, and where the rows of its buffer lie. It holds no text; resuming reads the rows
/// again. Its size is that of a few numbers per row of the buffer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    pub(super) seed: u64,
    pub(super) source: u64,
    pub(super) buffer: usize,
    pub(super) epoch: u64,
    /// Items drawn in this epoch.
    pub(super) drawn: u64,
    /// Which file of the epoch's order is being read.
    pub(super) file: usize,
    /// Where in it the next row is.
    pub(super) next: RowAddress,
    /// The rows of the buffer in its order: which file, and where in it.
    pub(super) rows: Vec<(usize, RowAddress)>,
    pub(super) reports: Vec<FileReport>,
    pub(super) files: Vec<Fingerprint>,
}

impl Cursor {
    /// The epoch, from 0.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many items of this epoch were drawn.
    pub fn drawn(&self) -> u64 {
        self.drawn
    }
}

/// What a file's content is recognised by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fingerprint {
    /// Bytes.
    length: u64,
    /// BLAKE3 of all of them, in hexadecimal digits.
    blake3: String,
}

impl Fingerprint {
    /// Reads a file from end to end.
    pub(super) fn of(path: &Path) -> Result<Self, DataError> {
        let io = |source| DataError::Io {
            path: path.to_owned(),
            source,
        };
        let mut hasher = blake3::Hasher::new();
        let file = File::open(path).map_err(io)?;
        hasher.update_reader(file).map_err(io)?;
        Ok(Self {
            length: hasher.count(),
            blake3: hasher.finalize().to_hex().to_string(),
        })
    }

    /// An error if the content is not that of `self` any more.
    pub(super) fn check(&self, now: &Self, path: &Path) -> Result<(), DataError> {
        if self == now {
            return Ok(());
        }
        let what = match (self.length, now.length) {
            (then, now) if then != now => format!("it had {then} bytes and has {now}"),
            (length, _) => format!("it has {length} bytes as before, but others"),
        };
        Err(DataError::Changed {
            path: path.to_owned(),
            what,
        })
    }
}
