//! Losses that fit a reward model to preferences.
//!
//! A reward model gives a text one number, its score. These losses are functions of the scores of a few
//! texts that people have compared, and return value and derivative by each score. Over a batch the terms
//! are averaged by the caller; nothing is reduced here.
//!
//! A constant added to every score changes no loss but the centring term of [`BradleyTerry`]: scores mean
//! something only by their differences.
//!
//! Differences of scores are cut off at ±1e150, so that every value is finite for finite scores; up to
//! there nothing is approximated. A NaN is passed on.

mod bradley_terry;
mod calibrated;
mod error;
mod hinge;
mod info_nce;
mod plackett_luce;

pub use bradley_terry::{BradleyTerry, PairTerm};
pub use calibrated::{CalibratedScores, CalibratedTerm, Calibration};
pub use error::Error;
pub use hinge::PairwiseHinge;
pub use info_nce::InfoNce;
pub use plackett_luce::plackett_luce;

use crate::numeric::{log_sigmoid, sigmoid};

/// Differences are cut off here, far beyond any score, so that no square overflows.
const LARGEST_DIFFERENCE: f64 = 1e150;

/// a − b, cut off.
fn difference(a: f64, b: f64) -> f64 {
    (a - b).clamp(-LARGEST_DIFFERENCE, LARGEST_DIFFERENCE)
}

/// −log σ(x) and its derivative −σ(−x).
fn negative_log_sigmoid(x: f64) -> (f64, f64) {
    (-log_sigmoid(x), -sigmoid(-x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::LN_2;

    #[test]
    fn log_sigmoid_is_stable() {
        assert_eq!(negative_log_sigmoid(0.0), (LN_2, -0.5));
        assert_eq!(negative_log_sigmoid(1e150), (0.0, 0.0));
        assert_eq!(negative_log_sigmoid(-1e150), (1e150, -1.0));
        // In the tail, −log σ(x) is exp(−x) to all digits.
        assert_eq!(negative_log_sigmoid(50.0).0, (-50.0_f64).exp());
        let (value, derivative) = negative_log_sigmoid(f64::NAN);
        assert!(value.is_nan() && derivative.is_nan());
    }
}
