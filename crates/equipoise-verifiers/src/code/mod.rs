//! Code that passes tests.

mod answer;
mod calls;
mod compare;
mod extract;
mod streams;

use std::num::NonZero;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::sandbox::Sandbox;
use crate::verdict::{Explanation, Part, Verdict, Verifier};
use answer::Tests;

/// What goes well, or in words what makes a completion unscorable.
type Result<T> = std::result::Result<T, String>;

/// Rewards code that passes tests, in a [`Sandbox`].
///
/// The code is what stands in the completion's last block of code with one of the
/// [`tags`](Self::tags), or else without a tag, or else all of what follows the last `</think>`.
///
/// The problem's answer is JSON, in one of these forms, which may stand side by side:
///
/// ```text
/// {"tests": [{"stdin": "1 2", "stdout": "3"}, …]}             a program; "input" and "output" too
/// {"inputs": ["1 2", …], "outputs": ["3", …]}                 the same, as APPS and TACO have it
/// {"asserts": ["assert f(1) == 2", …], "setup": "import math"}  functions; "test_list" and
///                                                             "test_setup_code" too (MBPP)
/// {"test": "def check(candidate): …", "entry_point": "f"}     as HumanEval has it
/// {"fn_name": "f", "inputs": [[1, 2], …], "outputs": [3, …]}  a function or a method of the class
///                                                             Solution (APPS)
/// ```
///
/// Further keys are ignored. An answer without any test, tests that are no Python, a setup that fails
/// and a missing interpreter are unscorable; code that fails, for whatever reason, scores 0.
///
/// **Programs** must end with the code 0 and print what is expected, but for white space at the ends
/// of lines and empty lines at the end. What is expected never comes near the program.
///
/// **Functions** are called from another sandbox, where the tests run, over a socket. Only the calls
/// and plain data go over it, so the code can neither see what is expected nor touch what decides:
/// leaving the process, printing, replacing `print`, `assert` or `len`, and objects that claim to
/// equal everything gain nothing. The price is that tests see copies: `is` does not hold between
/// values of different calls, what is derived from plain data arrives as plain data, objects of the
/// code's own classes can be used but are equal to plain data never, and a name that the tests use
/// but do not define is taken from the code, as they ask for. Objects of classes that `setup` defines
/// are copied with their attributes.
///
/// This needs Linux; elsewhere tests of functions are unscorable.
///
/// Code that stops to answer fails that test and those after it.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// Where the code runs, and with which limits.
    pub sandbox: Sandbox,
    /// The interpreter and its arguments; the name of the file with the code follows. For functions
    /// it must be Python 3.8 or later.
    pub interpreter: Vec<String>,
    /// The name of the file with the code.
    pub file: String,
    /// The tags of blocks of code, in any case.
    pub tags: Vec<String>,
    /// What passing some of the tests is worth.
    pub reward: CodeReward,
    /// If given, two numbers in an output are the same if they differ by this at most, relative to
    /// the expected one where that is larger than 1.
    pub tolerance: Option<f64>,
    /// How many tests of a program run at the same time; a batch of completions is judged in
    /// parallel anyway.
    pub parallel: NonZero<usize>,
}

/// What passing some of the tests is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CodeReward {
    /// The share of tests that pass.
    PassFraction,
    /// 1 if all tests pass, else 0; nothing runs after the first that fails.
    AllOrNothing,
}

/// One test that has run.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tested {
    /// The test.
    what: String,
    passed: bool,
    /// Why it failed; empty if it did not.
    why: String,
}

impl Code {
    /// Python, all or nothing, exact output, one test at a time.
    pub fn python(sandbox: Sandbox) -> Self {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            sandbox,
            // No packages of the user; the directory of the code comes first in any case.
            interpreter: owned(&["python3", "-s"]),
            file: "solution.py".to_owned(),
            tags: owned(&["python", "python3", "py"]),
            reward: CodeReward::AllOrNothing,
            tolerance: None,
            parallel: streams::ONE,
        }
    }

    /// The program that runs the code, and its arguments.
    fn program(&self) -> Result<(String, Vec<String>)> {
        let (program, arguments) = self
            .interpreter
            .split_first()
            .ok_or("no interpreter is given")?;
        Ok((program.clone(), arguments.to_vec()))
    }

    /// Runs the tests; all of them are in the result unless one failed and nothing else matters.
    fn test(&self, tests: &Tests, code: &str) -> Result<Vec<Tested>> {
        let stop = self.reward == CodeReward::AllOrNothing;
        let mut done = streams::run(self, code, &tests.streams, stop)?;
        let failed = done.iter().any(|test| !test.passed);
        if !tests.calls.is_empty() && (!stop || !failed) {
            done.extend(calls::run(self, code, tests, stop)?);
        }
        Ok(done)
    }

    fn judge(&self, problem: &Problem, completion: &str) -> Explanation {
        let code = extract::code(completion, &self.tags);
        let tests = answer::tests(&problem.answer).map_err(|why| {
            format!(
                "the answer {:?} has no tests: {why}",
                streams::short(&problem.answer)
            )
        });
        let done = tests.and_then(|tests| {
            let all = tests.streams.len() + tests.calls.len();
            Ok((all, self.test(&tests, code)?))
        });
        let (all, done) = match done {
            Ok(done) => done,
            Err(why) => {
                let why = format!("{}: {why}", self.name());
                return Explanation {
                    extracted: Some(code.to_owned()),
                    ..Explanation::of(Verdict::unscorable(problem, why))
                };
            }
        };
        let passed = done.iter().filter(|test| test.passed).count();
        let correct = passed == all;
        let score = match self.reward {
            // At most some thousands, exact as floating point.
            CodeReward::PassFraction => passed as f64 / all as f64,
            CodeReward::AllOrNothing => f64::from(u8::from(correct)),
        };
        let steps = done.iter().map(|test| match test.passed {
            true => format!("passed: {}", test.what),
            false => format!("failed: {}: {}", test.what, test.why),
        });
        Explanation {
            verdict: Verdict::Scored {
                reward: score,
                correct: Some(correct),
                parts: vec![Part {
                    name: self.name().to_owned(),
                    score,
                    weight: 1.0,
                }],
            },
            extracted: Some(code.to_owned()),
            why: match done.iter().find(|test| !test.passed) {
                None => format!("all {all} tests passed"),
                Some(first) => format!(
                    "{passed} of {all} tests passed; the first that failed: {}: {}",
                    first.what, first.why
                ),
            },
            steps: steps.collect(),
        }
    }
}

impl Verifier for Code {
    fn name(&self) -> &str {
        "code"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.judge(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        self.judge(problem, completion)
    }
}
