//! One safetensors file, read tensor by tensor.

use std::cell::RefCell;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::tensor::{Dtype, Metadata};

use super::{file_error, malformed};
use crate::ModelError;

/// As in the safetensors crate: no header is longer.
const LONGEST_HEADER: u64 = 100_000_000;

/// An open file whose header has been checked.
pub(super) struct TensorFile {
    pub(super) path: PathBuf,
    file: RefCell<File>,
    metadata: Metadata,
    /// Where the tensors' bytes start.
    start: u64,
}

impl TensorFile {
    pub(super) fn open(path: &Path) -> Result<Self, ModelError> {
        let failed = |e| file_error("read", path, e);
        let mut file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let mut prefix = [0; 8];
        if length < 8 {
            return Err(malformed(
                path,
                format!("{length} bytes are no safetensors file"),
            ));
        }
        file.read_exact(&mut prefix).map_err(failed)?;
        let header = u64::from_le_bytes(prefix);
        if header > LONGEST_HEADER || header > length - 8 {
            return Err(malformed(
                path,
                format!("its header should be {header} bytes long, the file has {length}"),
            ));
        }
        let mut bytes = vec![0; header as usize];
        file.read_exact(&mut bytes).map_err(failed)?;
        let metadata: Metadata = serde_json::from_slice(&bytes)
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
            file: RefCell::new(file),
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
        let (from, to) = info.data_offsets;
        let mut values = Vec::with_capacity((to - from) / width);
        let mut file = self.file.borrow_mut();
        let failed = |e| file_error("read", &self.path, e);
        file.seek(SeekFrom::Start(self.start + from as u64))
            .map_err(failed)?;
        // A piece at a time: the raw bytes of a large matrix never exist beside its numbers.
        let mut piece = vec![0; (1 << 20).min(to - from)];
        let mut left = to - from;
        while left > 0 {
            let piece = &mut piece[..left.min(1 << 20)];
            file.read_exact(piece).map_err(failed)?;
            match info.dtype {
                Dtype::F32 => {
                    let (chunks, _) = piece.as_chunks::<4>();
                    values.extend(chunks.iter().map(|&x| f32::from_le_bytes(x)));
                }
                Dtype::BF16 => {
                    let (chunks, _) = piece.as_chunks::<2>();
                    values.extend(chunks.iter().map(|&x| bf16::from_le_bytes(x).to_f32()));
                }
                _ => {
                    let (chunks, _) = piece.as_chunks::<2>();
                    values.extend(chunks.iter().map(|&x| f16::from_le_bytes(x).to_f32()));
                }
            }
            left -= piece.len();
        }
        if values.iter().any(|x| !x.is_finite()) {
            return Err(wrong(format!(
                "{name} holds infinities or what is no number"
            )));
        }
        Ok(values)
    }
}
