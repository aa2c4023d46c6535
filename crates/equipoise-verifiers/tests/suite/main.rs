//! The crate's tests.

mod composition;
mod countdown;
mod exact_number;
mod format;
mod never_panics;
mod sandbox;

use equipoise_core::Problem;

/// A problem with the given answer.
fn problem(answer: &str) -> Problem {
    Problem {
        id: 7,
        prompt: "?".to_owned(),
        answer: answer.to_owned(),
        source: "test".to_owned(),
    }
}
