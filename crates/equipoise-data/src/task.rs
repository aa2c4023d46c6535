//! What a procedural task is.

use equipoise_core::{Problem, Stream};
use thiserror::Error;

/// A family of problems with exact answers, made from random numbers.
///
/// Both methods that draw are pure functions of their arguments; a task holds settings and nothing
/// else.
pub trait Task: Send + Sync + std::fmt::Debug {
    /// The task's name, in `snake_case`.
    fn name(&self) -> &'static str;

    /// Every symbol that prompts, demonstrations and the model's answers are made of, tags such as
    /// `<think>` as one symbol each, and [`EOS`] among them; no symbol twice, and always
    /// in the same order. It is what a tokenizer is built from.
    fn alphabet(&self) -> Vec<String>;

    /// A problem drawn from `stream`, with the given id.
    fn problem(&self, id: u64, stream: &mut Stream) -> Problem;

    /// A completion that solves `problem`, without the end-of-sequence token; `None` if `problem` is
    /// not one of this task's.
    fn demonstration(&self, problem: &Problem, stream: &mut Stream) -> Option<String>;

    /// The verifier that its answers are made for, by the name a recipe gives it: `exact_number`,
    /// `exact_match` (the text after the thought is the answer, character by character), `math`,
    /// `code` or `countdown`.
    fn verifier(&self) -> &'static str {
        "exact_number"
    }

    /// Whether problems can be drawn with these settings.
    ///
    /// # Errors
    /// The first setting that is impossible.
    fn validate(&self) -> Result<(), TaskError>;
}

/// The end-of-sequence symbol of every procedural task.
pub const EOS: &str = "<eos>";

/// The symbol before the chain of thought.
pub(crate) const THINK_OPEN: &str = "<think>";

/// The symbol after the chain of thought.
pub(crate) const THINK_CLOSE: &str = "</think>";

/// The tags, the end-of-sequence symbol and the digits, then `others`.
pub(crate) fn alphabet(others: &str) -> Vec<String> {
    let tags = [EOS, THINK_OPEN, THINK_CLOSE].map(String::from);
    let characters = ('0'..='9').chain(others.chars()).map(String::from);
    tags.into_iter().chain(characters).collect()
}

/// A completion: the thought, then the answer.
pub(crate) fn completion(thought: &str, answer: &str) -> String {
    format!("{THINK_OPEN}{thought}{THINK_CLOSE}{answer}")
}

/// A problem of the task `name`.
pub(crate) fn problem(name: &str, id: u64, prompt: String, answer: String) -> Problem {
    Problem {
        id,
        prompt,
        answer,
        source: name.to_owned(),
    }
}

/// A setting of a task that no problem can satisfy.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{task}.{field} = {got}: {expected}")]
pub struct TaskError {
    /// The task's name.
    pub task: &'static str,
    /// The setting's name.
    pub field: &'static str,
    /// What it is.
    pub got: String,
    /// What it must be.
    pub expected: String,
}

impl TaskError {
    /// Refuses a difficulty that is not from 1 to `most`.
    pub(crate) fn check_difficulty(
        task: &'static str,
        difficulty: u32,
        most: u32,
    ) -> Result<(), Self> {
        if (1..=most).contains(&difficulty) {
            return Ok(());
        }
        Err(Self {
            task,
            field: "difficulty",
            got: difficulty.to_string(),
            expected: format!("from 1 to {most}"),
        })
    }

    /// Refuses an empty list of kinds to draw from.
    pub(crate) fn check_any<T>(
        task: &'static str,
        field: &'static str,
        items: &[T],
    ) -> Result<(), Self> {
        if !items.is_empty() {
            return Ok(());
        }
        Err(Self {
            task,
            field,
            got: "[]".to_owned(),
            expected: "at least one".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn _assert(_: &dyn Task) {}
    }
}
