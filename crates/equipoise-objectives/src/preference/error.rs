//! What can be wrong with a request for a preference loss, or with what it is given.

use std::fmt;

/// Why a preference loss could not be had or could not be evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Two rows that belong together have not the same length.
    LengthMismatch {
        /// What the second row holds.
        what: &'static str,
        /// The length of the first row.
        expected: usize,
        /// The length of the second row.
        found: usize,
    },
    /// The loss compares with a reference model, and a sequence came without its log-probabilities.
    MissingReference,
    /// The loss trains on a gold response as well, and a pair came without one.
    MissingGold,
    /// A batch of one example has no mismatched completions.
    BatchOfOne,
    /// A segment number is not below the number of segments.
    UnknownSegment {
        /// The number given.
        segment: usize,
        /// The number of segments.
        segments: usize,
    },
    /// No loss of the catalogue has this name.
    UnknownLoss {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<&'static str>,
    },
    /// An option was given to a loss on which it has no effect.
    OptionWithoutEffect {
        /// The loss's name.
        loss: &'static str,
        /// The option's name.
        option: &'static str,
        /// The options that the loss does have.
        accepted: &'static [&'static str],
    },
    /// An option's value is outside its range.
    InvalidOption {
        /// The loss's name.
        loss: &'static str,
        /// The option's name.
        option: &'static str,
        /// The value given.
        value: String,
        /// What the value has to be.
        requirement: &'static str,
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
    /// No option has this name.
    UnknownOption {
        /// The name given.
        option: String,
        /// Every name there is.
        known: &'static [&'static str],
    },
    /// An option was given a value of another kind.
    WrongKind {
        /// The option's name.
        option: &'static str,
        /// What the value has to be: "a number", "a word", "true or false".
        expected: &'static str,
        /// What was given.
        found: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMismatch {
                what,
                expected,
                found,
            } => write!(f, "there are {found} {what}; there must be {expected}"),
            Self::MissingReference => write!(
                f,
                "this preference loss needs the reference's log-probabilities"
            ),
            Self::MissingGold => write!(
                f,
                "this preference loss needs a gold response beside the pair"
            ),
            Self::BatchOfOne => write!(
                f,
                "a batch of one example has no mismatched completions; use at least two"
            ),
            Self::UnknownSegment { segment, segments } => write!(
                f,
                "a token lies in segment {segment}, and there are {segments}, counted from 0"
            ),
            Self::UnknownLoss { name, known } => write!(
                f,
                "unknown preference loss `{name}`; the losses are {}",
                quoted(known)
            ),
            Self::OptionWithoutEffect {
                loss,
                option,
                accepted,
            } => {
                write!(
                    f,
                    "option `{option}` has no effect on preference loss `{loss}`"
                )?;
                match accepted {
                    [] => write!(f, ", which has no options; remove it"),
                    _ => write!(f, "; its options are {}", quoted(accepted)),
                }
            }
            Self::InvalidOption {
                loss,
                option,
                value,
                requirement,
            } => write!(
                f,
                "option `{option}` of preference loss `{loss}` is {value}; it must be {requirement}"
            ),
            Self::UnknownValue {
                option,
                value,
                known,
            } => write!(
                f,
                "unknown value `{value}` of option `{option}`; the values are {}",
                quoted(known)
            ),
            Self::UnknownOption { option, known } => write!(
                f,
                "unknown option `{option}`; the options are {}",
                quoted(known)
            ),
            Self::WrongKind {
                option,
                expected,
                found,
            } => write!(f, "option `{option}` is {found}; it must be {expected}"),
        }
    }
}

impl std::error::Error for Error {}

/// The words in back quotes, with commas between them.
fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
