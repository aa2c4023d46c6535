//! Rows of data files, and what they mean: JSONL and Parquet, column names, and the types of examples.

mod advice;
mod bad;
mod error;
mod example;
mod jsonl;
mod mapping;
mod object;
#[cfg(feature = "parquet")]
mod parquet;
mod preference;
mod reader;
mod row;
mod schema;
mod typed;

pub use bad::{BadReason, BadRows, FileReport, OnBadRow, RowFault};
pub use error::DataError;
pub use example::{Example, ExampleKind, Text};
pub use mapping::{ExtraColumns, Mapping};
pub use reader::{RawRow, RowAddress, RowReader};
pub use row::Row;
pub use schema::RowSchema;
pub use typed::{Located, RowOptions, TypedRows};

pub(crate) use typed::Pipeline;
