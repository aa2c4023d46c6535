//! Small Python functions, to be written from a description and tested on examples.

mod step;
mod value;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};
use step::{Kind, LIST_STEPS, OPENINGS, REDUCERS, Step, TEXT_ENDS, TEXT_STEPS};
use value::{Input, Value};

/// Code tasks: a function `f` of a number, a list or a string, described step by step.
///
/// ```text
/// compact   f(n):digits 7,divisible 3,sum=
/// text      Write a Python function f(n) that takes a positive whole number n and does this: make
///           the list of the digits of n in base 7, the most significant digit first; keep only the
///           elements divisible by 3; return the sum of the elements. …
/// ```
///
/// The steps are digits in a base, sequences as Fibonacci's, divisors, filters, sums, greatest common
/// divisors, palindromes, Caesar's cipher, run-length encoding and more. The answer is what the
/// `code` verifier needs, as JSON: calls with what they return, computed here and not in Python.
///
/// ```text
/// {"asserts":["assert f(12) == 0","assert f(24) == 6",…],"entry_point":"f"}
/// ```
///
/// Two problems with the same steps are the same problem, whatever they are tested on; the tests are
/// no part of the prompt. The tests of one problem differ in what they expect, and for every step one
/// of them fails if just that step is left out.
///
/// # Demonstrations
///
/// The steps in few characters, then the function in a fenced block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CodeTasks {
    /// From 1 to 6; default 1. One less is the number of steps between making the list, if there is
    /// one to be made, and the last step.
    pub difficulty: u32,
    /// The number of tests of a problem, from 2 to 32; default 6.
    pub tests: usize,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for CodeTasks {
    fn default() -> Self {
        Self {
            difficulty: 1,
            tests: 6,
            prompt: PromptStyle::default(),
        }
    }
}

/// The [`Problem::answer`] of a [`CodeTasks`] problem.
#[derive(Serialize)]
struct Answer {
    asserts: Vec<String>,
    entry_point: &'static str,
}

const WORDING: Wording = Wording {
    compact: "f({}):{}=",
    text: instructed!(
        "Write a Python function f({}) that takes {} and does this: {}.",
        "the function, as a Python code block"
    ),
};

/// The end of a description in words whose last step does not return something by itself.
const RETURN: &str = "; return the result";

/// How often steps are drawn anew because the tests would not tell them from others.
const ATTEMPTS: u32 = 2000;

/// A function: what it takes, and what it does.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Function {
    input: Input,
    steps: Vec<Step>,
}

impl Function {
    fn draw(level: u32, stream: &mut Stream) -> Self {
        let input = stream.choose(&Input::ALL).copied().unwrap_or(Input::List);
        let between = level.clamp(1, CodeTasks::LEVELS) - 1;
        let mut steps = Vec::new();
        let mut add = |kinds: &[Kind], count: u32, stream: &mut Stream| {
            for _ in 0..count {
                let kind = stream.choose(kinds).copied();
                steps.extend(kind.map(|kind| Step::draw(kind, stream)));
            }
        };
        let as_list = match input {
            Input::Number => {
                add(&OPENINGS, 1, stream);
                true
            }
            Input::List => true,
            Input::Text => stream.below(2) == 0,
        };
        if input == Input::Text {
            // Half of the steps before the letters become numbers, half after.
            let before = if as_list { between / 2 } else { between };
            add(&TEXT_STEPS, before.max(1), stream);
            match as_list {
                true => add(&[Kind::Positions], 1, stream),
                false => add(&TEXT_ENDS, 1, stream),
            }
        }
        if as_list {
            let after = match input {
                Input::Number => between,
                Input::List => between + 1,
                Input::Text => between - between / 2,
            };
            add(&LIST_STEPS, after, stream);
            // One list in four is returned as it is.
            if after == 0 || stream.below(4) > 0 {
                add(&REDUCERS, 1, stream);
            }
        }
        Self { input, steps }
    }

    fn write(&self, style: PromptStyle) -> String {
        let steps: Vec<String> = self.steps.iter().map(|step| step.write(style)).collect();
        let name = self.input.name();
        match style {
            PromptStyle::Compact => WORDING.write(style, &[name, &steps.join(",")]),
            PromptStyle::Text => {
                let steps = steps.join("; ");
                let steps = match self.returns() {
                    true => steps,
                    false => format!("{steps}{RETURN}"),
                };
                WORDING.write(style, &[name, self.input.description(), &steps])
            }
        }
    }

    fn read(prompt: &str) -> Option<Self> {
        let (style, name, steps) = match WORDING.read(prompt)?[..] {
            [name, _, steps] => (PromptStyle::Text, name, steps),
            [name, steps] => (PromptStyle::Compact, name, steps),
            _ => return None,
        };
        let (steps, separator) = match style {
            PromptStyle::Compact => (steps, ","),
            PromptStyle::Text => (steps.trim_end_matches(RETURN), "; "),
        };
        let steps = steps.split(separator).map(|step| Step::read(style, step));
        let steps: Vec<Step> = steps.collect::<Option<_>>()?;
        let input = Input::ALL.into_iter().find(|input| input.name() == name)?;
        Some(Self { input, steps })
    }

    /// Whether the last step returns something by itself.
    fn returns(&self) -> bool {
        self.steps.last().is_some_and(|step| step.python().1)
    }

    fn call(&self, argument: Value) -> Option<Value> {
        let mut steps = self.steps.iter();
        steps.try_fold(argument, |value, step| step.apply(value))
    }

    /// Calls with different arguments, as Python statements; `None` if they would all return the same,
    /// or none of them would show that a step was left out.
    fn asserts(&self, count: usize, stream: &mut Stream) -> Option<Vec<String>> {
        let mut asserts = Vec::new();
        let mut calls: Vec<(Value, Value)> = Vec::new();
        for _ in 0..20 * count {
            if asserts.len() == count {
                break;
            }
            let argument = self.input.draw(stream);
            let result = self.call(argument.clone())?;
            let written = format!("assert f({argument}) == {result}");
            if !asserts.contains(&written) {
                asserts.push(written);
                calls.push((argument, result));
            }
        }
        let differ = calls.iter().any(|(_, result)| *result != calls[0].1);
        let shown = (0..self.steps.len()).all(|step| self.shows(step, &calls));
        (differ && shown && asserts.len() == count).then_some(asserts)
    }

    /// Whether one of the calls would return something else without that step, or nothing at all.
    fn shows(&self, step: usize, calls: &[(Value, Value)]) -> bool {
        let mut shorter = self.clone();
        shorter.steps.remove(step);
        let mut calls = calls.iter();
        calls.any(|(argument, result)| shorter.call(argument.clone()).as_ref() != Some(result))
    }

    /// The function in Python.
    fn python(&self) -> String {
        let mut lines = vec![format!("def f({}):", self.input.name())];
        for step in &self.steps {
            lines.extend(step.python().0.lines().map(|line| format!("    {line}")));
        }
        if !self.returns() {
            let makes_list = |step: &Step| step.kind == Kind::Positions;
            let result = match self.input {
                Input::Text if !self.steps.iter().any(makes_list) => "s",
                _ => "xs",
            };
            lines.push(format!("    return {result}"));
        }
        lines.join("\n")
    }
}

impl CodeTasks {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "code_tasks";
}

impl Task for CodeTasks {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt
            .alphabet("abcdefghijklmnopqrstuvwxyz \n`'()[]:;=+-*/%<>!.,_")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let drawn = (0..ATTEMPTS).find_map(|_| {
            let function = Function::draw(self.difficulty, stream);
            let asserts = function.asserts(self.tests, stream)?;
            Some((function, asserts))
        });
        let (function, asserts) = drawn.unwrap_or_else(|| {
            let function = Function {
                input: Input::List,
                steps: vec![Step::draw(Kind::Sum, stream)],
            };
            (function, vec!["assert f([1, 2]) == 3".to_owned()])
        });
        let answer = serde_json::to_string(&Answer {
            asserts,
            entry_point: "f",
        });
        // Strings always become JSON.
        let prompt = function.write(self.prompt);
        problem(Self::NAME, id, prompt, answer.unwrap_or_default())
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let function = Function::read(&problem.prompt)?;
        let steps = function.steps.iter();
        let thought: Vec<String> = steps.map(|step| step.write(PromptStyle::Compact)).collect();
        let code = format!("```python\n{}\n```", function.python());
        Some(completion(&thought.join(";"), &code))
    }

    fn verifier(&self) -> &'static str {
        "code"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)?;
        if (2..=32).contains(&self.tests) {
            return Ok(());
        }
        Err(TaskError {
            task: Self::NAME,
            field: "tests",
            got: self.tests.to_string(),
            expected: "from 2 to 32".to_owned(),
        })
    }
}
