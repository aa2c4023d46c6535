//! What can be wrong with a curriculum.

use thiserror::Error;

/// Why a curriculum could not be made or asked.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CurriculumError {
    /// A setting is outside its range.
    #[error("`{setting}` is {value}; it must be {requirement}")]
    InvalidSetting {
        /// The setting's name.
        setting: &'static str,
        /// The value given.
        value: f64,
        /// What the value has to be.
        requirement: &'static str,
    },
    /// Lists that belong together are not equally long.
    #[error("there are {expected} {what} and {found} {other}; there must be as many")]
    LengthMismatch {
        /// What the first list holds.
        what: &'static str,
        /// Its length.
        expected: usize,
        /// What the other list holds.
        other: &'static str,
        /// Its length.
        found: usize,
    },
    /// There is no item with that number.
    #[error("there is no {what} {index}: there are {count}, counted from 0")]
    OutOfRange {
        /// What is counted.
        what: &'static str,
        /// The number given.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// A list is too short.
    #[error("{found} {what} are too few: at least {needed} are needed")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// A ranking does not name every item exactly once.
    #[error("ranking {ranking} does not name every one of the {items} items exactly once")]
    NotARanking {
        /// The ranking's number, from 0.
        ranking: usize,
        /// How many items there are.
        items: usize,
    },
    /// More is asked for than there is.
    #[error("{what} ask for {asked}, and there are {available}")]
    Infeasible {
        /// What asks.
        what: &'static str,
        /// How many are asked for.
        asked: usize,
        /// How many there are.
        available: usize,
    },
}

impl CurriculumError {
    /// Refuses a setting unless `holds`.
    pub(super) fn check(
        holds: bool,
        setting: &'static str,
        value: f64,
        requirement: &'static str,
    ) -> Result<(), Self> {
        if holds {
            return Ok(());
        }
        Err(Self::InvalidSetting {
            setting,
            value,
            requirement,
        })
    }
}
