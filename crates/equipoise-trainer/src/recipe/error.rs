//! What can be wrong with a recipe.

use std::fmt;
use std::path::PathBuf;

/// What is wrong with a recipe, where, and what would be right.
///
/// `origin` is the file, or the `--set` argument that the offending value came from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("{}: cannot read the recipe: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{origin}:{line}:{column}: not valid TOML: {message}\n    {text}")]
    Syntax {
        /// The file.
        origin: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
        /// What the parser says.
        message: String,
        /// The line itself.
        text: String,
    },
    /// A key that does not exist.
    #[error("{origin}: unknown key `{key}` in [{table}]{}; the keys are {}",
            did_you_mean(suggestion.as_deref()), join(valid))]
    UnknownKey {
        /// Where it came from.
        origin: String,
        /// The table it is in; `recipe` for the top level.
        table: String,
        /// The key.
        key: String,
        /// A key that exists and looks similar.
        suggestion: Option<String>,
        /// All keys of the table.
        valid: Vec<String>,
    },
    /// A word that is not among the choices.
    #[error("{origin}: {key}: unknown value \"{value}\"{}; the choices are {}",
            did_you_mean(suggestion.as_deref()), join(valid))]
    UnknownValue {
        /// Where it came from.
        origin: String,
        /// The full key.
        key: String,
        /// The word.
        value: String,
        /// A choice that looks similar.
        suggestion: Option<String>,
        /// All choices.
        valid: Vec<String>,
    },
    /// A value of another type than the key has.
    #[error("{origin}: {key}: expected {expected}, found {found}")]
    WrongType {
        /// Where it came from.
        origin: String,
        /// The full key.
        key: String,
        /// What the key holds.
        expected: String,
        /// What was there.
        found: String,
    },
    /// A key without a default is not set.
    #[error("{origin}: the key `{key}` is missing in [{table}]")]
    MissingKey {
        /// The file.
        origin: String,
        /// The table it belongs to; `recipe` for the top level.
        table: String,
        /// The key.
        key: String,
    },
    /// Everything has the right type, but the run is impossible. Holds every problem found.
    #[error("{origin}: {}", listed(problems))]
    Invalid {
        /// The file.
        origin: String,
        /// The problems.
        problems: Vec<Problem>,
    },
    /// A `--set` argument that addresses nothing.
    #[error("--set {argument}: {what}")]
    Override {
        /// The argument.
        argument: String,
        /// What is wrong with it.
        what: String,
    },
    /// A recipe that TOML cannot hold.
    #[error("recipe {name} cannot be written as TOML: {what}")]
    Unwritable {
        /// The name of the recipe.
        name: String,
        /// Why.
        what: String,
    },
}

/// One reason why a run is impossible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The full key, such as `stage.rl.steps`.
    pub key: String,
    /// What is wrong with its value, and what would be right.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.what)
    }
}

/// The one of `candidates` most similar to `word`, if any is similar enough to be meant.
pub(super) fn nearest(word: &str, candidates: &[String]) -> Option<String> {
    candidates
        .iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(similarity, _)| *similarity > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.clone())
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map_or_else(String::new, |word| format!(", did you mean `{word}`?"))
}

fn join(words: &[String]) -> String {
    words.join(", ")
}

fn listed(problems: &[Problem]) -> String {
    match problems {
        [problem] => problem.to_string(),
        many => {
            let lines: Vec<String> = many.iter().map(|one| format!("\n  {one}")).collect();
            format!("{} problems{}", many.len(), lines.concat())
        }
    }
}
