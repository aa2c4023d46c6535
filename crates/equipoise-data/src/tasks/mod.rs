//! The procedural tasks.

mod arithmetic;
mod base_conversion;
mod calendar_arithmetic;
mod code_tasks;
mod countdown;
mod family;
mod linear_equations;
mod logic_puzzles;
mod mixture;
mod number_sorting;
mod string_manipulation;
mod wording;

pub use arithmetic::{Arithmetic, Operator, StyleWeights};
pub use base_conversion::BaseConversion;
pub use calendar_arithmetic::{CalendarArithmetic, CalendarQuestion};
pub use code_tasks::CodeTasks;
pub use countdown::Countdown;
pub use family::Family;
pub use linear_equations::LinearEquations;
pub use logic_puzzles::{LogicPuzzles, PuzzleKind};
pub use mixture::{Mixture, MixtureComponent};
pub use number_sorting::NumberSorting;
pub use string_manipulation::{StringManipulation, StringOperation};
pub use wording::PromptStyle;
