//! The decoder from outside: gradients, invariance, agreement with transformers, files, bad input.

mod batch;
mod checkpoint;
mod config;
mod gradients;
mod invariance;
mod parity;
mod support;
