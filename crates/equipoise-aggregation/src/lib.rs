#![doc = include_str!("../README.md")]

mod aliases;
mod catalogue;
pub mod diagnostics;
mod error;
mod options;
mod prompts;
mod reducer;
pub mod rules;
mod sources;
mod sum;

pub use aliases::{ALIASES, Alias, resolve};
pub use catalogue::{CATALOGUE, Entry, by_name};
pub use error::Error;
pub use options::{Options, Setting};
pub use prompts::{batch_weights_by_prompt, pass_rate_weights};
pub use reducer::{Reducer, Response, Scope, Sign, batch_weights};
pub use sources::{Source, mixed_weights};
