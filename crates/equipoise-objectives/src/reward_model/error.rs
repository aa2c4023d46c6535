//! What can be wrong with the scores of a comparison.

use std::fmt;

/// Why a reward model's loss could not be evaluated.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// There is not one place for a derivative per score.
    LengthMismatch {
        /// The number of scores.
        scores: usize,
        /// The number of derivatives.
        derivatives: usize,
    },
    /// The index of the chosen text is not that of a score.
    NoSuchCandidate {
        /// The index.
        chosen: usize,
        /// The number of scores.
        scores: usize,
    },
    /// A temperature is not a positive finite number.
    InvalidTemperature {
        /// The temperature.
        temperature: f64,
    },
    /// [`Calibration::Combined`](super::Calibration::Combined) compares the texts without a confidence
    /// too, and their scores are not given.
    PlainScoresMissing,
    /// A word names no [`Calibration`](super::Calibration).
    UnknownCalibration {
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
                scores,
                derivatives,
            } => write!(
                f,
                "there are {scores} scores and room for {derivatives} derivatives; \
                 there must be one per score"
            ),
            Self::NoSuchCandidate { chosen, scores } => {
                write!(f, "candidate {chosen} is chosen out of {scores}")
            }
            Self::InvalidTemperature { temperature } => write!(
                f,
                "the temperature is {temperature}; it must be a finite number greater than 0"
            ),
            Self::PlainScoresMissing => f.write_str(
                "calibration `combined` needs the scores of the texts without a confidence",
            ),
            Self::UnknownCalibration { value, known } => {
                let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
                write!(
                    f,
                    "unknown calibration `{value}`; the values are {}",
                    known.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for Error {}
