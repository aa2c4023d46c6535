#![doc = include_str!("../README.md")]

mod batch;
mod checkpoint;
mod config;
pub mod decoder;
mod error;
mod lora;
mod parameters;
mod policy;

pub use batch::{Need, TokenBatch, TokenCotangents, TokenOutputs};
pub use checkpoint::{SaveOptions, Sidecars, StorageType, adapter_base, finish_save};
pub use config::{Config, Family, Llama3, OutputHeads, RopeScaling, Yarn};
pub use decoder::{Decoder, Dropout};
pub use equipoise_kernels::gemm::Precision;
pub use error::ModelError;
pub use lora::LoraConfig;
pub use parameters::{Gradients, Parameters};
pub use policy::{Policy, Tape};
