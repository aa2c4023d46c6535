//! Tests of programs: what they print for an input.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::answer::Stream;
use super::{Code, Result, Tested, compare};
use crate::sandbox::{Command, Exit, Outcome};

/// Runs `code` on every test, in order; ends at the first failure if `stop`.
pub(super) fn run(
    verifier: &Code,
    code: &str,
    tests: &[Stream],
    stop: bool,
) -> Result<Vec<Tested>> {
    let workers = verifier.parallel.get().min(tests.len());
    if workers <= 1 {
        let mut done = Vec::new();
        for test in tests {
            done.push(one(verifier, code, test)?);
            if stop && done.last().is_some_and(|test| !test.passed) {
                break;
            }
        }
        return Ok(done);
    }
    let (next, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let done: Mutex<Vec<_>> = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(number) else {
                        break;
                    };
                    let tested = one(verifier, code, test);
                    if tested
                        .as_ref()
                        .map_or(true, |tested| stop && !tested.passed)
                    {
                        over.store(true, Ordering::Relaxed);
                    }
                    let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                    done.push((number, tested));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, tested)| tested).collect()
}

/// How many tests may run at the same time if nothing else is said.
pub(super) const ONE: NonZero<usize> = NonZero::<usize>::MIN;

fn one(verifier: &Code, code: &str, test: &Stream) -> Result<Tested> {
    let (program, mut arguments) = verifier.program()?;
    arguments.push(verifier.file.clone());
    let outcome = verifier.sandbox.run(&Command {
        program,
        arguments,
        files: vec![(verifier.file.clone(), code.as_bytes().to_vec())],
        stdin: test.stdin.as_bytes().to_vec(),
    });
    let outcome = outcome.map_err(|error| error.to_string())?;
    let why = if !outcome.succeeded() {
        ending(&outcome)
    } else {
        match std::str::from_utf8(&outcome.stdout) {
            Ok(given) if compare::same(given, &test.stdout, verifier.tolerance) => String::new(),
            Ok(given) => format!("printed {:?}", short(given)),
            Err(_) => "printed what is no text".to_owned(),
        }
    };
    Ok(Tested {
        what: format!("input {:?}", short(&test.stdin)),
        passed: why.is_empty(),
        why,
    })
}

/// In words how a command ended that should not have ended like that.
pub(super) fn ending(outcome: &Outcome) -> String {
    let how = match (outcome.ended_by, outcome.exit) {
        (Some(limit), _) => format!("ended by {limit}"),
        (None, Exit::Code(code)) => format!("ended with the code {code}"),
        (None, Exit::Signal(signal)) => format!("ended by the signal {signal}"),
        (None, Exit::Killed) => "ended its sandbox".to_owned(),
    };
    let stderr = String::from_utf8_lossy(&outcome.stderr);
    match stderr.lines().rfind(|line| !line.trim().is_empty()) {
        Some(last) => format!("{how}: {}", short(last)),
        None => how,
    }
}

/// The beginning of a text.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 200;
    let mut characters = text.chars();
    let mut short: String = characters.by_ref().take(LONGEST).collect();
    if characters.next().is_some() {
        short.push('…');
    }
    short
}
