#![doc = include_str!("../README.md")]

mod catalogue;
pub mod diagnostics;
mod error;
mod reducer;
pub mod rules;

pub use catalogue::{CATALOGUE, Entry, Options, by_name};
pub use error::Error;
pub use reducer::{Reducer, Response, Scope, Sign, batch_weights};
