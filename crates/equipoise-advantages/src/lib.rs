#![doc = include_str!("../README.md")]

mod catalogue;
mod centre;
mod compensated;
mod error;
mod estimator;
pub mod estimators;
mod group;
pub mod rewards;
pub mod selection;

pub use catalogue::{CATALOGUE, Entry, Options, by_name};
pub use centre::TIE_TOLERANCE;
pub use error::Error;
pub use estimator::{AdvantageEstimator, Advantages, Report};
pub use group::Group;
