#![doc = include_str!("../README.md")]

mod adamw;
mod error;
mod norm;
mod optimizer;
mod pass;
mod schedule;
mod state;

pub use adamw::{AdamW, AdamWConfig};
pub use error::OptimError;
pub use norm::{clip_scale, global_norm};
pub use optimizer::{Optimizer, Update};
pub use schedule::{Schedule, ScheduleKind};
