//! Many completions at once.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use equipoise_core::Problem;
use rayon::prelude::*;

use crate::verdict::{Verdict, Verifier};

/// Judges every completion, in parallel on rayon's current thread pool; the verdicts are in the
/// order of the completions.
///
/// A verifier that panics on a completion, or rewards it with a number that is not finite, makes
/// that completion [`Verdict::Unscorable`] and no other.
pub fn verify_all(verifier: &dyn Verifier, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
    completions
        .par_iter()
        .map(|&(problem, completion)| {
            // A verdict that unwinding prevented is replaced whole, so nothing half-made is seen.
            let verify = AssertUnwindSafe(|| verifier.verify(problem, completion));
            match catch_unwind(verify) {
                Ok(verdict) => verdict.checked(problem, verifier.name()),
                Err(panic) => {
                    let message = message(&*panic);
                    let name = verifier.name();
                    Verdict::unscorable(problem, format_args!("{name} panicked: {message}"))
                }
            }
        })
        .collect()
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
