#![doc = include_str!("../README.md")]

mod batch;
mod checkpoint;
mod config;
pub mod decoder;
mod error;
mod parameters;
mod policy;

pub use batch::{Need, TokenBatch, TokenCotangents, TokenOutputs};
pub use config::Config;
pub use decoder::{Decoder, Dropout};
pub use error::ModelError;
pub use parameters::{Gradients, Parameters};
pub use policy::{Policy, Tape};
