//! The decoder from outside: gradients, invariance, agreement with transformers, files, bad input.

mod adapter;
mod adapter_config;
mod adapter_files;
mod batch;
mod checkpoint;
mod config;
mod frozen_vocabulary;
mod gradients;
mod heads;
mod invariance;
mod parity;
mod shards;
mod support;
