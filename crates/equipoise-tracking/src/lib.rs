#![doc = include_str!("../README.md")]

pub mod catalogue;
mod error;
mod jsonl;
mod record;
pub mod report;
mod tracker;

pub use error::TrackingError;
pub use jsonl::{COMPLETIONS_FILE, JsonlTracker, METRICS_FILE, Positions, TIMINGS_FILE};
pub use record::{CompletionRecord, MetricRecord};
pub use tracker::{Event, Tracker, Trackers};
