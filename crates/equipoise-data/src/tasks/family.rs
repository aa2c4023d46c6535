//! The procedural tasks by name, at a level of difficulty.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::{
    Arithmetic, BaseConversion, CalendarArithmetic, CodeTasks, Countdown, LinearEquations,
    LogicPuzzles, NumberSorting, PromptStyle, StringManipulation,
};
use crate::task::Task;

/// The families of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Family {
    /// [`Arithmetic`]
    Arithmetic,
    /// [`Countdown`]
    Countdown,
    /// [`LinearEquations`]
    LinearEquations,
    /// [`NumberSorting`]
    NumberSorting,
    /// [`BaseConversion`]
    BaseConversion,
    /// [`StringManipulation`]
    StringManipulation,
    /// [`LogicPuzzles`]
    LogicPuzzles,
    /// [`CalendarArithmetic`]
    CalendarArithmetic,
    /// [`CodeTasks`]
    CodeTasks,
}

impl Family {
    /// All families.
    pub const ALL: [Self; 9] = [
        Self::Arithmetic,
        Self::Countdown,
        Self::LinearEquations,
        Self::NumberSorting,
        Self::BaseConversion,
        Self::StringManipulation,
        Self::LogicPuzzles,
        Self::CalendarArithmetic,
        Self::CodeTasks,
    ];

    /// The name of the family's [`Task`], in `snake_case`.
    pub fn name(self) -> &'static str {
        self.task(*self.levels().start(), PromptStyle::Compact)
            .name()
    }

    /// The family's levels of difficulty, from the easiest to the hardest.
    pub fn levels(self) -> RangeInclusive<u32> {
        match self {
            Self::Arithmetic => 0..=6,
            Self::Countdown => 0..=4,
            Self::LinearEquations => 1..=LinearEquations::LEVELS,
            Self::NumberSorting => 1..=NumberSorting::LEVELS,
            Self::BaseConversion => 1..=BaseConversion::LEVELS,
            Self::StringManipulation => 1..=StringManipulation::LEVELS,
            Self::LogicPuzzles => 1..=LogicPuzzles::LEVELS,
            Self::CalendarArithmetic => 1..=CalendarArithmetic::LEVELS,
            Self::CodeTasks => 1..=CodeTasks::LEVELS,
        }
    }

    /// The family's task at a level of [`levels`](Self::levels), with its other settings at their
    /// defaults. [`Arithmetic`] and [`Countdown`] have compact prompts only.
    pub fn task(self, difficulty: u32, prompt: PromptStyle) -> Box<dyn Task> {
        match self {
            Self::Arithmetic => Box::new(Arithmetic::difficulty(difficulty)),
            Self::Countdown => Box::new(Countdown::difficulty(difficulty)),
            Self::LinearEquations => Box::new(LinearEquations { difficulty, prompt }),
            Self::NumberSorting => Box::new(NumberSorting { difficulty, prompt }),
            Self::BaseConversion => Box::new(BaseConversion {
                difficulty,
                prompt,
                ..BaseConversion::default()
            }),
            Self::StringManipulation => Box::new(StringManipulation {
                difficulty,
                prompt,
                ..StringManipulation::default()
            }),
            Self::LogicPuzzles => Box::new(LogicPuzzles {
                difficulty,
                prompt,
                ..LogicPuzzles::default()
            }),
            Self::CalendarArithmetic => Box::new(CalendarArithmetic {
                difficulty,
                prompt,
                ..CalendarArithmetic::default()
            }),
            Self::CodeTasks => Box::new(CodeTasks {
                difficulty,
                prompt,
                ..CodeTasks::default()
            }),
        }
    }
}
