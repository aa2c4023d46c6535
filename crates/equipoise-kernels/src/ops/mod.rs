//! The kernels as differentiable candle operations.
//!
//! Each takes and returns single-precision tensors on the CPU, contiguous, and has a backward pass;
//! a gradient that cannot be computed is an error, never silently missing. Rows are spread over the
//! current rayon pool in blocks of fixed size, so the number of threads changes no bit.

mod attention;
mod gather;
mod linear;
mod log_prob;
mod rms_norm;
mod rope;
mod swiglu;

pub use attention::attention;
pub use gather::gather_rows;
pub use linear::{linear, linear_add};
pub use log_prob::{LogProbs, log_probs};
pub use rms_norm::rms_norm;
pub use rope::rope;
pub use swiglu::swiglu;

use candle_core::{CpuStorage, Device, Layout, Result, Storage, Tensor};

/// Rows one task works on. Part of the result where rows are summed, so it is a constant.
const ROWS_PER_TASK: usize = 64;

/// The elements of an operand inside a custom operation.
fn elements<'a>(
    name: &str,
    operand: &str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [f32]> {
    let CpuStorage::F32(all) = storage else {
        candle_core::bail!(
            "{name}: {operand} must be f32, not {:?}",
            storage_dtype(storage)
        );
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&all[start..end]),
        None => candle_core::bail!("{name}: {operand} must be contiguous"),
    }
}

fn storage_dtype(storage: &CpuStorage) -> candle_core::DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}

/// Runs `body` on the elements of a contiguous f32 tensor on the CPU, without copying them.
///
/// # Errors
/// If the tensor is of another type, on another device, or not contiguous.
pub fn with_elements<R>(tensor: &Tensor, body: impl FnOnce(&[f32]) -> R) -> Result<R> {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok(body(elements("a kernel", "its operand", storage, layout)?)),
        _ => candle_core::bail!("a CPU kernel was given a tensor on another device"),
    }
}

/// The elements of a gradient, which unlike an operand may arrive in any layout.
fn gradient_elements<R>(gradient: &Tensor, body: impl FnOnce(&[f32]) -> R) -> Result<R> {
    with_elements(&gradient.contiguous()?, body)
}

fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), &Device::Cpu)
}

#[cfg(test)]
mod testing;
