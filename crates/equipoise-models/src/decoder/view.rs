//! The weights as slices: the trainer's own memory, not a copy.

use std::convert::Infallible;
use std::ops::Deref as _;

use candle_core::{CpuStorage, Storage, Tensor};

use super::weights::Weights;
use crate::ModelError;

/// A parameter where it is stored.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    /// Shares the variable's memory, without a graph.
    pub(crate) tensor: Tensor,
    /// Its place among the trainable parameters; `None` if it is frozen.
    pub(crate) index: Option<usize>,
}

/// A parameter as numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers<'a> {
    pub(crate) values: &'a [f32],
    /// Rows of a matrix; the length of a vector.
    pub(crate) rows: usize,
    /// Columns of a matrix; 1 for a vector.
    pub(crate) columns: usize,
    /// A matrix may have a single column, too: an adapter's of rank 1.
    pub(crate) is_matrix: bool,
    /// As [`Stored::index`].
    pub(crate) index: Option<usize>,
}

/// Lends all weights to `body`. They cannot be written meanwhile: an optimiser waits.
///
/// # Errors
/// If a weight is not single precision in the CPU's memory.
pub(crate) fn lend<R>(
    weights: &Weights<Stored>,
    body: impl FnOnce(&Weights<Numbers<'_>>) -> R,
) -> Result<R, ModelError> {
    let mut stored = Vec::new();
    let Ok(_) = weights.try_map::<_, Infallible>(|parameter| {
        stored.push(parameter);
        Ok(())
    });
    let guards: Vec<_> = stored
        .iter()
        .map(|parameter| parameter.tensor.storage_and_layout())
        .collect();
    let mut next = guards.iter().zip(&stored);
    let numbers = weights.try_map(|_| {
        // Both walks visit the parameters in the same order, so there is always one left.
        let found = next.next().and_then(|((storage, layout), parameter)| {
            let (CpuStorage::F32(all), (start, end)) = (
                match storage.deref() {
                    Storage::Cpu(storage) => storage,
                    _ => return None,
                },
                layout.contiguous_offsets()?,
            ) else {
                return None;
            };
            let (rows, columns, is_matrix) = match parameter.tensor.dims() {
                [rows, columns] => (*rows, *columns, true),
                _ => (parameter.tensor.elem_count(), 1, false),
            };
            Some(Numbers {
                values: &all[start..end],
                rows,
                columns,
                is_matrix,
                index: parameter.index,
            })
        });
        let unsupported = || "the engine needs contiguous f32 weights on the CPU".to_owned();
        found.ok_or_else(|| ModelError::Unsupported(unsupported()))
    })?;
    Ok(body(&numbers))
}
