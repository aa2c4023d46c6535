//! A regular expression.

use equipoise_core::Problem;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::invalid::InvalidOption;
use crate::text::quoted;
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`Pattern`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternOptions {
    /// The regular expression, in the syntax of the crate `regex`; `(?s)` in front lets `.` match
    /// line breaks, and `(?i)` ignores case.
    pub pattern: String,
    /// Whether it has to match the whole completion; otherwise a part of it is enough.
    #[serde(default)]
    pub whole: bool,
    /// Whether a completion that does not match is the one that is rewarded.
    #[serde(default)]
    pub forbidden: bool,
}

/// Rewards 1 if the completion matches a regular expression, else 0.
///
/// The time is linear in the length of the completion, whatever the expression (finite automata; no
/// back-references, no look-around), so no completion can make it hang. It says nothing about
/// whether the answer is right.
#[derive(Clone, Debug)]
pub struct Pattern {
    regex: Regex,
    options: PatternOptions,
}

impl Pattern {
    /// The verifier with these options.
    ///
    /// # Errors
    /// The pattern is no regular expression, or too large once compiled.
    pub fn new(options: PatternOptions) -> Result<Self, InvalidOption> {
        let mut regex = compile("pattern", "pattern", &options.pattern)?;
        if options.whole {
            // The line break closes a comment at the end of a pattern with `(?x)`, where it means
            // nothing; elsewhere it would have to match.
            let plain = format!(r"\A(?:{})\z", options.pattern);
            let commented = format!("\\A(?:{}\n)\\z", options.pattern);
            regex = Regex::new(&plain)
                .or_else(|_| Regex::new(&commented))
                .map_err(|error| invalid("pattern", "pattern", &options.pattern, &error))?;
        }
        Ok(Self { regex, options })
    }
}

/// The regular expression that an option holds.
pub(crate) fn compile(
    verifier: &'static str,
    option: &'static str,
    pattern: &str,
) -> Result<Regex, InvalidOption> {
    Regex::new(pattern).map_err(|error| invalid(verifier, option, pattern, &error))
}

fn invalid(
    verifier: &'static str,
    option: &'static str,
    pattern: &str,
    error: &regex::Error,
) -> InvalidOption {
    let expected = format!("a regular expression: {error}");
    InvalidOption::new(verifier, option, quoted(pattern), expected)
}

impl Verifier for Pattern {
    fn name(&self) -> &str {
        "pattern"
    }

    fn verify(&self, _: &Problem, completion: &str) -> Verdict {
        let right = self.regex.is_match(completion) != self.options.forbidden;
        Verdict::score(self.name(), f64::from(u8::from(right)))
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let found = self.regex.find(completion);
        let pattern = &self.options.pattern;
        let why = match (found, self.options.whole) {
            (Some(_), true) => format!("the completion matches {pattern:?}"),
            (Some(at), false) => format!("{pattern:?} matches at byte {}", at.start()),
            (None, true) => format!("the completion as a whole does not match {pattern:?}"),
            (None, false) => format!("nothing in the completion matches {pattern:?}"),
        };
        Explanation {
            extracted: found.map(|found| found.as_str().to_owned()),
            why,
            ..Explanation::of(self.verify(problem, completion))
        }
    }
}
