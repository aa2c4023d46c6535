//! The kernels as functions of slices, on the calling thread.
//!
//! Each works row by row, and a row's result depends on that row alone. The sampler calls these
//! directly; [`crate::ops`] wraps the same functions as differentiable candle operations, so both
//! compute the same bits.

pub mod elementwise;
pub mod log_prob;
pub mod rms_norm;
pub mod rope;
pub mod swiglu;
