//! The code tasks: what the problems expect is what Python computes.

use std::process::Command;

use equipoise_core::{Domain, Stream};
use equipoise_data::{CodeTasks, PromptStyle, Task};
use serde_json::Value;

use crate::evaluator::parts;

/// Runs every solution with its assertions in a namespace of its own.
const RUNNER: &str = "
import json, sys
wrong = 0
for number, (code, asserts) in enumerate(json.load(open(sys.argv[1]))):
    space = {}
    exec(code, space)
    for line in asserts:
        try:
            exec(line, space)
        except Exception as error:
            wrong += 1
            print(number, line, repr(error), code, sep='\\n')
print('wrong:', wrong)
";

#[test]
fn python_agrees_with_every_assertion() {
    if Command::new("python3").arg("--version").output().is_err() {
        eprintln!("SKIPPED: python3 is not installed, so no solution of a code task was run");
        return;
    }
    let mut programs = Vec::new();
    for difficulty in 1..=CodeTasks::LEVELS {
        for number in 0..400 {
            let prompt = match number % 2 {
                0 => PromptStyle::Compact,
                _ => PromptStyle::Text,
            };
            let task = CodeTasks {
                difficulty,
                prompt,
                ..CodeTasks::default()
            };
            let mut stream = Stream::new(14, Domain::Other, [number, difficulty.into(), 0]);
            let problem = task.problem(number, &mut stream);
            let completion = task.demonstration(&problem, &mut stream).unwrap();
            let (_, block) = parts(&completion);
            let code = block.strip_prefix("```python\n").unwrap();
            let code = code.strip_suffix("\n```").unwrap();
            let answer: Value = serde_json::from_str(&problem.answer).unwrap();
            assert_eq!(answer["entry_point"], "f");
            let asserts = answer["asserts"].as_array().unwrap();
            assert_eq!(asserts.len(), 6);
            programs.push(serde_json::json!([code, asserts]));
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("programs.json");
    std::fs::write(&file, serde_json::to_string(&programs).unwrap()).unwrap();
    let output = Command::new("python3")
        .args(["-I", "-c", RUNNER])
        .arg(&file)
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(printed.ends_with("wrong: 0\n"), "{printed}{errors}");
}

#[test]
fn the_tests_of_a_problem_tell_wrong_functions_apart() {
    let task = CodeTasks {
        tests: 4,
        ..CodeTasks::default()
    };
    for number in 0..300 {
        let mut stream = Stream::new(15, Domain::Other, [number, 0, 0]);
        let problem = task.problem(number, &mut stream);
        let answer: Value = serde_json::from_str(&problem.answer).unwrap();
        let asserts = answer["asserts"].as_array().unwrap();
        assert_eq!(asserts.len(), 4);
        let expected = |assert: &Value| {
            let text = assert.as_str().unwrap().split_once(" == ").unwrap().1;
            text.to_owned()
        };
        let first = expected(&asserts[0]);
        assert!(
            asserts.iter().any(|other| expected(other) != first),
            "{problem:?}"
        );
    }
}
