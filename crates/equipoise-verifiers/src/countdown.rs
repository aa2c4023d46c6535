//! Expressions for the countdown task.

use equipoise_core::Problem;
use serde::Deserialize;

use crate::extraction::after_last;
use crate::rational::Rational;
use crate::text::quoted;
use crate::verdict::{Explanation, Verdict, Verifier};

/// Parentheses may be nested this deep; deeper ones are wrong.
const MAX_DEPTH: u32 = 64;

/// Rewards 1 if the completion ends with an expression over the given numbers that equals the
/// target, else 0.
///
/// The expression is everything after the last occurrence of [`after_tag`](Self::after_tag): whole
/// numbers, `+ - * /`, parentheses and white space, with the usual precedence and no sign in front
/// of a number. It is evaluated exactly, as a fraction; division by zero and intermediate results
/// beyond 128 bits are wrong. The problem's answer is JSON: `{"target":22,"numbers":[3,5,7]}`;
/// anything else is unscorable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountdownExpression {
    /// The tag before the expression, such as `</think>`; empty if the completion is the
    /// expression.
    pub after_tag: String,
    /// Whether every given number must be used; otherwise each may be used at most once.
    pub use_all: bool,
}

/// The problem's answer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    target: i64,
    numbers: Vec<u64>,
}

impl CountdownExpression {
    /// The text that has to be the expression.
    fn expression<'a>(&self, completion: &'a str) -> Option<&'a str> {
        let text = match self.after_tag.as_str() {
            "" => completion,
            tag => after_last(completion, tag)?,
        };
        Some(text.trim())
    }

    /// What is wrong with an expression; `None` if it is right.
    fn complaint(&self, answer: &Answer, expression: &str) -> Option<&'static str> {
        let Some((value, used)) = evaluate(expression) else {
            return Some("is not an expression that has a value");
        };
        let mut left = answer.numbers.clone();
        let all_given = used.iter().all(|number| {
            let position = left.iter().position(|given| given == number);
            position
                .map(|position| left.swap_remove(position))
                .is_some()
        });
        if !all_given {
            Some("uses a number that is not given, or too often")
        } else if self.use_all && !left.is_empty() {
            Some("does not use every number")
        } else if value != Rational::integer(i128::from(answer.target)) {
            Some("does not reach the target")
        } else {
            None
        }
    }
}

impl Verifier for CountdownExpression {
    fn name(&self) -> &str {
        "countdown_expression"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let answer = match serde_json::from_str::<Answer>(&problem.answer) {
            Ok(answer) => answer,
            Err(error) => {
                let why = format_args!(
                    "the answer {:?} is not {{\"target\": …, \"numbers\": […]}}: {error}",
                    problem.answer
                );
                return Explanation::of(Verdict::unscorable(problem, why));
            }
        };
        let expression = self.expression(completion);
        let complaint = match expression {
            Some(text) => self.complaint(&answer, text),
            None => Some("is missing: there is no tag before it"),
        };
        let shown = quoted(expression.unwrap_or_default());
        Explanation {
            extracted: expression.map(str::to_owned),
            why: format!("{shown} {}", complaint.unwrap_or("reaches the target")),
            ..Explanation::of(Verdict::answer(self.name(), complaint.is_none()))
        }
    }
}

/// The value of an expression and the numbers in it; `None` if `text` is not an expression or has
/// no value.
fn evaluate(text: &str) -> Option<(Rational, Vec<u64>)> {
    let mut parser = Parser {
        rest: text.trim_start(),
        used: Vec::new(),
    };
    let value = parser.sum(0)?;
    parser.rest.is_empty().then_some((value, parser.used))
}

/// A recursive-descent parser; `rest` never starts with white space.
struct Parser<'a> {
    rest: &'a str,
    used: Vec<u64>,
}

impl Parser<'_> {
    /// Takes the next character if it is `wanted`.
    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn sum(&mut self, depth: u32) -> Option<Rational> {
        let mut value = self.product(depth)?;
        loop {
            value = if self.take('+') {
                value.add(self.product(depth)?)?
            } else if self.take('-') {
                value.subtract(self.product(depth)?)?
            } else {
                return Some(value);
            };
        }
    }

    fn product(&mut self, depth: u32) -> Option<Rational> {
        let mut value = self.operand(depth)?;
        loop {
            value = if self.take('*') {
                value.multiply(self.operand(depth)?)?
            } else if self.take('/') {
                value.divide(self.operand(depth)?)?
            } else {
                return Some(value);
            };
        }
    }

    fn operand(&mut self, depth: u32) -> Option<Rational> {
        if self.take('(') {
            if depth == MAX_DEPTH {
                return None;
            }
            let value = self.sum(depth + 1)?;
            return self.take(')').then_some(value);
        }
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        let number: u64 = digits.parse().ok()?;
        self.rest = rest.trim_start();
        self.used.push(number);
        Some(Rational::integer(i128::from(number)))
    }
}
