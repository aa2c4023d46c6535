//! Many completions at once.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use equipoise_core::Problem;
use rayon::prelude::*;

use crate::verdict::{Explanation, Verdict, Verifier};

/// Judges every completion with [`Verifier::verify_batch`]; the verdicts are in the order of the
/// completions.
///
/// A verifier that panics on a completion, or rewards it with a number that is not finite, makes
/// that completion [`Verdict::Unscorable`] and no other. One whose own `verify_batch` panics, or
/// answers with another number of verdicts, makes all of them unscorable.
pub fn verify_all(verifier: &dyn Verifier, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
    let name = verifier.name();
    let verdicts = whole(completions, name, "verdicts", || {
        verifier.verify_batch(completions)
    });
    let problems = completions.iter().map(|(problem, _)| problem);
    match verdicts {
        Ok(verdicts) => verdicts
            .into_iter()
            .zip(problems)
            .map(|(verdict, problem)| verdict.checked(problem, name))
            .collect(),
        Err(broken) => problems
            .map(|problem| Verdict::unscorable(problem, &broken))
            .collect(),
    }
}

/// Judges every completion with [`Verifier::explain_batch`]: [`verify_all`] for people, with the same
/// care for verifiers that panic.
pub fn explain_all(verifier: &dyn Verifier, completions: &[(&Problem, &str)]) -> Vec<Explanation> {
    let name = verifier.name();
    let explanations = whole(completions, name, "explanations", || {
        verifier.explain_batch(completions)
    });
    let problems = completions.iter().map(|(problem, _)| problem);
    match explanations {
        Ok(explanations) => explanations
            .into_iter()
            .zip(problems)
            .map(|(explanation, problem)| explanation.checked(problem, name))
            .collect(),
        Err(broken) => problems
            .map(|problem| Explanation::of(Verdict::unscorable(problem, &broken)))
            .collect(),
    }
}

/// What `judge` says of a batch, `what` for each completion; why it is not usable if it panics or says
/// more or less.
fn whole<T>(
    completions: &[(&Problem, &str)],
    name: &str,
    what: &str,
    judge: impl FnOnce() -> Vec<T>,
) -> Result<Vec<T>, String> {
    // What unwinding prevented is replaced whole, so nothing half-made is seen.
    match catch_unwind(AssertUnwindSafe(judge)) {
        Ok(said) if said.len() == completions.len() => Ok(said),
        Ok(said) => {
            let (got, asked) = (said.len(), completions.len());
            Err(format!("{name} gave {got} {what} on {asked} completions"))
        }
        Err(panic) => Err(format!("{name} panicked: {}", message(&*panic))),
    }
}

/// [`Verifier::explain`] on every completion, in parallel, where a panic costs one verdict.
pub(crate) fn explain_one_by_one<V: Verifier + ?Sized>(
    verifier: &V,
    completions: &[(&Problem, &str)],
) -> Vec<Explanation> {
    completions
        .par_iter()
        .map(|&(problem, completion)| {
            let explain = || verifier.explain(problem, completion);
            caught(verifier, problem, explain).unwrap_or_else(Explanation::of)
        })
        .collect()
}

/// [`Verifier::verify`] on every completion, in parallel, where a panic costs one verdict.
pub(crate) fn one_by_one<V: Verifier + ?Sized>(
    verifier: &V,
    completions: &[(&Problem, &str)],
) -> Vec<Verdict> {
    completions
        .par_iter()
        .map(|&(problem, completion)| {
            let verify = || verifier.verify(problem, completion);
            caught(verifier, problem, verify).unwrap_or_else(|unscorable| unscorable)
        })
        .collect()
}

/// What `judge` says; the verdict on `problem` if it panics.
fn caught<V: Verifier + ?Sized, T>(
    verifier: &V,
    problem: &Problem,
    judge: impl FnOnce() -> T,
) -> Result<T, Verdict> {
    catch_unwind(AssertUnwindSafe(judge)).map_err(|panic| {
        let (name, message) = (verifier.name(), message(&*panic));
        Verdict::unscorable(problem, format_args!("{name} panicked: {message}"))
    })
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}
