//! What can be wrong with a request to this crate.

use std::fmt;

/// Why a group or an estimator could not be had.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A group has not one length per reward.
    LengthCount {
        /// The number of rewards.
        rewards: usize,
        /// The number of lengths.
        lengths: usize,
    },
    /// A column of a group has not one row per response, or a row not one entry per token.
    ColumnShape {
        /// What the column holds.
        column: &'static str,
        /// The response whose row it is, counted from 0 in the group; `None` for the number of rows.
        response: Option<usize>,
        /// The number of rows or of entries there must be.
        expected: usize,
        /// The number there is.
        found: usize,
    },
    /// An estimator needs a column that a group does not have.
    MissingColumn {
        /// The estimator's name.
        estimator: &'static str,
        /// What the column holds.
        column: &'static str,
        /// The group without it, counted from 0.
        group: usize,
    },
    /// An estimator cannot work with a number that it was given.
    InvalidInput {
        /// The estimator's name.
        estimator: &'static str,
        /// The group, counted from 0.
        group: usize,
        /// What is wrong, and what would be right.
        what: &'static str,
    },
    /// No estimator of the catalogue has this name.
    UnknownEstimator {
        /// The name asked for.
        name: String,
        /// Every name there is.
        known: Vec<&'static str>,
    },
    /// An option was given to an estimator on which it has no effect.
    OptionWithoutEffect {
        /// The estimator's name, and the other option that takes the effect away, if it is one.
        estimator: &'static str,
        /// The option's name.
        option: &'static str,
        /// The options that would have an effect.
        accepted: &'static [&'static str],
    },
    /// An option's value is outside its range.
    InvalidOption {
        /// The estimator's name.
        estimator: &'static str,
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
            Self::LengthCount { rewards, lengths } => write!(
                f,
                "a group has {rewards} rewards and {lengths} lengths; \
                 there must be one length per reward"
            ),
            Self::ColumnShape {
                column,
                response: None,
                expected,
                found,
            } => write!(
                f,
                "the {column} of a group have {found} rows for {expected}; \
                 there must be as many as the group has"
            ),
            Self::ColumnShape {
                column,
                response: Some(response),
                expected,
                found,
            } => write!(
                f,
                "row {response} of the {column} of a group has {found} entries; it must have {expected}"
            ),
            Self::MissingColumn {
                estimator,
                column,
                group,
            } => write!(
                f,
                "advantage estimator `{estimator}` needs the {column}, which group {group} does not have"
            ),
            Self::InvalidInput {
                estimator,
                group,
                what,
            } => write!(
                f,
                "advantage estimator `{estimator}`, group {group}: {what}"
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
            Self::UnknownEstimator { name, known } => write!(
                f,
                "unknown advantage estimator `{name}`; the estimators are {}",
                quoted(known)
            ),
            Self::OptionWithoutEffect {
                estimator,
                option,
                accepted,
            } => {
                write!(
                    f,
                    "option `{option}` has no effect on advantage estimator `{estimator}`"
                )?;
                match accepted {
                    [] => write!(f, ", which has no options; remove it"),
                    _ => write!(f, "; its options are {}", quoted(accepted)),
                }
            }
            Self::InvalidOption {
                estimator,
                option,
                value,
                requirement,
            } => write!(
                f,
                "option `{option}` of advantage estimator `{estimator}` is {value}; \
                 it must be {requirement}"
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
        }
    }
}

impl std::error::Error for Error {}

/// The words in back quotes, with commas between them.
fn quoted(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    words.join(", ")
}
