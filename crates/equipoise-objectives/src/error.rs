//! What can be wrong with a request to this crate.

use std::fmt;

/// Why terms could not be evaluated or an objective could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Another row of numbers has not one entry per log-probability.
    LengthMismatch {
        /// What the other row holds.
        what: &'static str,
        /// The number of log-probabilities.
        logprobs: usize,
        /// The number of entries of the other row.
        found: usize,
    },
    /// No objective of the catalogue has this name.
    UnknownObjective {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<&'static str>,
    },
    /// An option was given to an objective on which it has no effect.
    OptionWithoutEffect {
        /// The objective's name.
        objective: &'static str,
        /// The option's name.
        option: &'static str,
        /// The options that the objective does have.
        accepted: &'static [&'static str],
    },
    /// An option's value is outside its range.
    InvalidOption {
        /// The objective's name.
        objective: &'static str,
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// What the value has to be.
        requirement: &'static str,
    },
    /// No option has this name.
    UnknownOption {
        /// The name given.
        option: String,
        /// Every name there is.
        known: &'static [&'static str],
    },
    /// An option's value is of the wrong kind.
    WrongKind {
        /// The option's name.
        option: &'static str,
        /// The kind of value that it takes.
        expected: &'static str,
        /// What was given.
        found: String,
    },
    /// A word is none of those an option accepts.
    UnknownValue {
        /// The option's name.
        option: &'static str,
        /// The word given.
        value: String,
        /// The words accepted.
        known: &'static [&'static str],
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch {
                what,
                logprobs,
                found,
            } => write!(
                f,
                "a response has {logprobs} log-probabilities and {found} {what}; \
                 there must be one per token"
            ),
            Self::UnknownObjective { name, known } => write!(
                f,
                "unknown policy objective `{name}`; the objectives are {}",
                quoted(known)
            ),
            Self::OptionWithoutEffect {
                objective,
                option,
                accepted,
            } => {
                write!(
                    f,
                    "option `{option}` has no effect on policy objective `{objective}`"
                )?;
                match accepted {
                    [] => write!(f, ", which has no options; remove it"),
                    _ => write!(f, "; its options are {}", quoted(accepted)),
                }
            }
            Self::InvalidOption {
                objective,
                option,
                value,
                requirement,
            } => write!(
                f,
                "option `{option}` of policy objective `{objective}` is {value}; \
                 it must be {requirement}"
            ),
            Self::UnknownOption { option, known } => write!(
                f,
                "there is no option `{option}`; the options are {}",
                quoted(known)
            ),
            Self::WrongKind {
                option,
                expected,
                found,
            } => write!(f, "option `{option}` is {found}; it must be {expected}"),
            Self::UnknownValue {
                option,
                value,
                known,
            } => write!(
                f,
                "unknown value `{value}` of option `{option}`; the values are {}",
                quoted(known)
            ),
        }
    }
}

impl std::error::Error for Error {}

/// The words in back quotes, with commas between them.
fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
