//! Tests of functions: statements that call the code under test, which is in another sandbox.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::Tests;
use super::streams::{ending, short};
use super::{Code, Result, Tested};
use crate::sandbox::Command;

const VALUES: &str = include_str!("values.py");
const TESTER: &str = include_str!("tester.py");
const CANDIDATE: &str = include_str!("candidate.py");

/// What the tester says, one a line.
#[derive(Deserialize)]
#[serde(untagged)]
enum Line {
    Test {
        test: usize,
        passed: bool,
        #[serde(default)]
        why: String,
    },
    Broken {
        broken: String,
    },
    Load {
        load: String,
    },
    Began {
        #[serde(rename = "began")]
        _began: bool,
    },
    Done {
        #[serde(rename = "done")]
        _done: bool,
    },
}

/// Runs the tests that call `code`; ends at the first failure if `stop`.
pub(super) fn run(verifier: &Code, code: &str, tests: &Tests, stop: bool) -> Result<Vec<Tested>> {
    let (program, arguments) = verifier.program()?;
    let command = |file: &str, text: &str, job: &Value| {
        let mut arguments = arguments.clone();
        arguments.push(file.to_owned());
        Command {
            program: program.clone(),
            arguments,
            files: vec![
                (file.to_owned(), text.as_bytes().to_vec()),
                (
                    "_equipoise_values.py".to_owned(),
                    VALUES.as_bytes().to_vec(),
                ),
                ("job.json".to_owned(), job.to_string().into_bytes()),
            ],
            stdin: Vec::new(),
        }
    };
    let Tests {
        calls,
        setup,
        entry,
        ..
    } = tests;
    let job = json!({"setup": setup, "tests": calls, "entry": entry, "stop": stop});
    let tester = command("_equipoise_tester.py", TESTER, &job);
    let job = json!({"setup": setup, "code": code});
    let candidate = command("_equipoise_candidate.py", CANDIDATE, &job);
    let (tester, candidate) = verifier
        .sandbox
        .converse(&tester, &candidate)
        .map_err(|error| error.to_string())?;

    let (mut results, mut began, mut load) = (BTreeMap::new(), false, None);
    for line in tester.stderr.split(|byte| *byte == b'\n') {
        match serde_json::from_slice(line) {
            Ok(Line::Test { test, passed, why }) => {
                results.insert(test, (passed, why));
            }
            Ok(Line::Broken { broken }) => return Err(format!("the tests are broken: {broken}")),
            Ok(Line::Load { load: why }) => load = Some(why),
            Ok(Line::Began { .. }) => began = true,
            Ok(Line::Done { .. }) | Err(_) => {}
        }
    }
    if !began {
        let how = ending(&tester);
        return Err(format!(
            "{} did not run the tests: {how}",
            verifier.interpreter.join(" ")
        ));
    }
    // Why there is no result: the first of these that has something to say.
    let tester_ended = tester.ended_by.map(|_| ending(&tester));
    let candidate_ended = candidate.ended_by.map(|_| ending(&candidate));
    let unknown = candidate_ended.or(tester_ended).or(load);
    let mut done = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        let (passed, why) = results.remove(&number).unwrap_or_else(|| {
            let why = unknown.clone();
            (false, why.unwrap_or_else(|| "was not reached".to_owned()))
        });
        done.push(Tested {
            what: call
                .as_str()
                .map_or_else(|| short(&call.to_string()), |text| short(text.trim())),
            passed,
            why,
        });
        if stop && !passed {
            break;
        }
    }
    Ok(done)
}
