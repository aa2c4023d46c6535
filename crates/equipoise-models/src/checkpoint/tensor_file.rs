//! One safetensors file, mapped into memory and read tensor by tensor.

use std::fs::File;
use std::io::Read as _;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use equipoise_kernels::runtime::Mapped;

use half::{bf16, f16};
use rayon::prelude::*;
use safetensors::tensor::{Dtype, Metadata};

use super::{file_error, malformed};
use crate::ModelError;

/// As in the safetensors crate: no header is longer.
const LONGEST_HEADER: u64 = 100_000_000;

/// Numbers one task widens.
const PIECE: usize = 1 << 16;

/// The bytes of a file: mapped, or read where that is not possible.
enum Bytes {
    Mapped(Mapped),
    Read(Vec<u8>),
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Mapped(bytes) => bytes,
            Self::Read(bytes) => bytes,
        }
    }
}

/// An open file whose header has been checked.
pub(super) struct TensorFile {
    pub(super) path: PathBuf,
    bytes: Bytes,
    metadata: Metadata,
    /// Where the tensors' bytes start.
    start: u64,
}

impl TensorFile {
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let failed = |e| file_error("read", path, e);
        let mut file = File::open(path).map_err(failed)?;
        let bytes = match Mapped::new(&file) {
            Ok(mapped) => Bytes::Mapped(mapped),
            Err(_) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).map_err(failed)?;
                Bytes::Read(bytes)
            }
        };
        let length = bytes.len() as u64;
        let Some((prefix, _)) = bytes.split_first_chunk::<8>() else {
            return Err(malformed(
                path,
                format!("{length} bytes are no safetensors file"),
            ));
        };
        let header = u64::from_le_bytes(*prefix);
        if header > LONGEST_HEADER || header > length - 8 {
            return Err(malformed(
                path,
                format!("its header should be {header} bytes long, the file has {length}"),
            ));
        }
        let metadata: Metadata = serde_json::from_slice(&bytes[8..8 + header as usize])
            .map_err(|e| malformed(path, format!("its header: {e}")))?;
        let start = 8 + header;
        let expected = start.saturating_add(metadata.data_len() as u64);
        if expected != length {
            return Err(malformed(
                path,
                format!(
                    "it should be {expected} bytes long and is {length}: cut short, or appended to"
                ),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            bytes,
            metadata,
            start,
        })
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.metadata.offset_keys()
    }

    pub(super) fn shape(&self, name: &str) -> Option<&[usize]> {
        Some(&self.metadata.info(name)?.shape)
    }

    /// The numbers of a tensor, widened to single precision, all finite.
    pub(super) fn read(&self, name: &str) -> Result<Vec<f32>, ModelError> {
        let wrong = |reason: String| malformed(&self.path, reason);
        let info = self
            .metadata
            .info(name)
            .ok_or_else(|| wrong(format!("{name} is missing")))?;
        let width = match info.dtype {
            Dtype::F32 => 4,
            Dtype::BF16 | Dtype::F16 => 2,
            other => {
                return Err(wrong(format!(
                    "{name} holds {other:?}; weights are F32, BF16 or F16"
                )));
            }
        };
        let start = self.start as usize;
        let place = start + info.data_offsets.0..start + info.data_offsets.1;
        let bytes = &self.bytes[place.clone()];
        let mut values = vec![0.0; bytes.len() / width];
        let finite = match info.dtype {
            Dtype::F32 => widen(bytes, &mut values, f32::from_le_bytes),
            Dtype::BF16 => widen(bytes, &mut values, |x| bf16::from_le_bytes(x).to_f32()),
            _ => widen(bytes, &mut values, |x| f16::from_le_bytes(x).to_f32()),
        };
        if let Bytes::Mapped(mapped) = &self.bytes {
            // The raw bytes of a matrix do not stay beside its numbers.
            mapped.release(place);
        }
        if !finite {
            return Err(wrong(format!(
                "{name} holds infinities or what is no number"
            )));
        }
        Ok(values)
    }
}

/// Turns N bytes at a time into a number; whether all are finite.
fn widen<const N: usize>(
    bytes: &[u8],
    values: &mut [f32],
    number: impl Fn([u8; N]) -> f32 + Sync,
) -> bool {
    let (words, _) = bytes.as_chunks::<N>();
    let pieces = words.par_chunks(PIECE).zip(values.par_chunks_mut(PIECE));
    let finite = pieces.map(|(words, values)| {
        for (value, &word) in values.iter_mut().zip(words) {
            *value = number(word);
        }
        values.iter().all(|x| x.is_finite())
    });
    finite.reduce(|| true, |one, other| one && other)
}
