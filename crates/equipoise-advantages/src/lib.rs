#![doc = include_str!("../README.md")]

mod aliases;
mod catalogue;
mod centre;
mod clip;
mod error;
mod estimator;
pub mod estimators;
mod group;
mod moments;
mod options;
pub mod rewards;
pub mod selection;
mod sum;
mod tokens;
mod words;

pub use aliases::{ALIASES, Alias, resolve};
pub use catalogue::{CATALOGUE, Entry, Level, by_name};
pub use centre::TIE_TOLERANCE;
pub use error::Error;
pub use estimator::{AdvantageEstimator, Advantages, Needs, Report};
pub use group::{Group, Rows};
pub use options::{Options, Setting};
pub use tokens::Tokens;
