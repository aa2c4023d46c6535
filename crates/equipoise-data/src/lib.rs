#![doc = include_str!("../README.md")]

pub mod chat;
pub mod curriculum;
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
pub use mixture::SourceMixture;
pub use problems::{
    DataReport, FileOptions, FileProblems, FileSource, ProblemRow, ProblemSchema, PromptFormat,
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
pub use tasks::{
    Arithmetic, BaseConversion, CalendarArithmetic, CalendarQuestion, CodeTasks, Countdown, Family,
    LinearEquations, LogicPuzzles, Mixture, MixtureComponent, NumberSorting, Operator, PromptStyle,
    PuzzleKind, StringManipulation, StringOperation, StyleWeights,
};
pub use tokenizer::{Tokenizer, TokenizerError};
