//! What is wrong with the options of a verifier.

use std::fmt::Display;

use thiserror::Error;

/// An option of a verifier that has no meaning.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{verifier}: {option} is {value}; it must be {expected}")]
#[non_exhaustive]
pub struct InvalidOption {
    /// The verifier's name.
    pub verifier: &'static str,
    /// The option's name.
    pub option: &'static str,
    /// What it was, as text.
    pub value: String,
    /// What would be right.
    pub expected: String,
}

impl InvalidOption {
    pub(crate) fn new(
        verifier: &'static str,
        option: &'static str,
        value: impl Display,
        expected: impl Display,
    ) -> Self {
        Self {
            verifier,
            option,
            value: value.to_string(),
            expected: expected.to_string(),
        }
    }
}

/// Fails unless every one of `numbers`, options with their values, is finite.
pub(crate) fn finite(
    verifier: &'static str,
    numbers: &[(&'static str, f64)],
) -> Result<(), InvalidOption> {
    match numbers.iter().find(|(_, value)| !value.is_finite()) {
        Some((option, value)) => Err(InvalidOption::new(verifier, option, value, "finite")),
        None => Ok(()),
    }
}

/// Fails unless `value` lies in [0, 1].
pub(crate) fn share(
    verifier: &'static str,
    option: &'static str,
    value: f64,
) -> Result<(), InvalidOption> {
    if (0.0..=1.0).contains(&value) {
        return Ok(());
    }
    Err(InvalidOption::new(verifier, option, value, "from 0 to 1"))
}
