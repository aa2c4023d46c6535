//! What can be wrong with a selection.

use std::fmt;

/// Why a selection could not be made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Rows that belong together are not equally long.
    LengthMismatch {
        /// What the first row holds.
        what: &'static str,
        /// Its length.
        expected: usize,
        /// What the other row holds.
        other: &'static str,
        /// Its length.
        found: usize,
    },
    /// There are fewer uniform numbers than choices to be made.
    NotEnoughUniforms {
        /// The number of choices.
        needed: usize,
        /// The number of uniform numbers.
        found: usize,
    },
    /// A setting is outside its range.
    InvalidSetting {
        /// The setting's name.
        setting: &'static str,
        /// The value given.
        value: f64,
        /// What the value has to be.
        requirement: &'static str,
    },
    /// A word is none of those a setting accepts.
    UnknownValue {
        /// The setting's name.
        setting: &'static str,
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
                expected,
                other,
                found,
            } => write!(
                f,
                "there are {expected} {what} and {found} {other}; there must be as many"
            ),
            Self::NotEnoughUniforms { needed, found } => write!(
                f,
                "{needed} choices need as many uniform numbers; there are {found}"
            ),
            Self::InvalidSetting {
                setting,
                value,
                requirement,
            } => write!(f, "`{setting}` is {value}; it must be {requirement}"),
            Self::UnknownValue {
                setting,
                value,
                known,
            } => {
                let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
                write!(
                    f,
                    "unknown value `{value}` of `{setting}`; the values are {}",
                    known.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// Refuses rows of different lengths.
pub(super) fn check(
    (what, expected): (&'static str, usize),
    (other, found): (&'static str, usize),
) -> Result<(), Error> {
    if expected == found {
        return Ok(());
    }
    Err(Error::LengthMismatch {
        what,
        expected,
        other,
        found,
    })
}
