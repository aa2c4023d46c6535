#![doc = include_str!("../README.md")]

mod dedup;
mod filter;
mod messages;
mod mixture;
mod problems;
mod procedural;
mod rows;
mod shuffle;
mod source;
mod task;
mod tasks;
mod tokenizer;

pub use dedup::{Deduplicator, Duplicates, Seen};
pub use filter::{FilterReason, Filters, TokenCount, TokenLimit};
pub use messages::MessageFormat;
pub use mixture::Mixture;
pub use problems::{
    DataReport, FileOptions, FileProblems, FileSource, ProblemRow, ProblemSchema, PromptStyle,
    Split,
};
pub use procedural::{Procedural, ProceduralError};
pub use rows::{
    BadReason, BadRows, DataError, Example, ExampleKind, ExtraColumns, FileReport, Located,
    Mapping, OnBadRow, RawRow, Row, RowAddress, RowFault, RowOptions, RowReader, RowSchema, Text,
    TypedRows,
};
pub use shuffle::{Cursor, MixedCursor, ShuffleOptions, StreamingMixture, StreamingShuffle};
pub use source::{Demonstration, ProblemSource};
pub use task::{EOS, Task, TaskError};
pub use tasks::{Arithmetic, Countdown, Operator, StyleWeights};
pub use tokenizer::{Tokenizer, TokenizerError};
