#![doc = include_str!("../README.md")]

pub mod curriculum;
pub mod chat;
mod jsonl;
mod messages;
mod procedural;
mod source;
mod task;
mod tasks;
mod tokenizer;

pub use jsonl::{JsonlError, JsonlOptions, JsonlProblems, JsonlReport, Split};
pub use messages::MessageFormat;
pub use procedural::{Procedural, ProceduralError};
pub use source::{Demonstration, ProblemSource};
pub use task::{EOS, Task, TaskError};
pub use tasks::{
    Arithmetic, BaseConversion, CalendarArithmetic, CalendarQuestion, CodeTasks, Countdown, Family,
    LinearEquations, LogicPuzzles, Mixture, MixtureComponent, NumberSorting, Operator, PromptStyle,
    PuzzleKind, StringManipulation, StringOperation, StyleWeights,
};
pub use tokenizer::{Tokenizer, TokenizerError};
