//! Exact comparison of numbers.

use equipoise_core::Problem;

use crate::extraction::Extraction;
use crate::number;
use crate::text::quoted;
use crate::verdict::{Explanation, Verdict, Verifier};

/// Rewards 1 if the completion's number equals the problem's answer, else 0.
///
/// Numbers are compared exactly, as fractions of whole numbers of any size, never as floating
/// point: `0.1` is not `0.10000000000000001`, and `2/4`, `0.5`, `.50` and `5e-1` are the same. What
/// counts as a number:
///
/// ```text
/// sign       + or - or − directly in front
/// digits     0–9, leading zeros allowed, thousands separated by commas (1,234,567) allowed
/// decimals   a point and digits; digits before it may be missing
/// exponent   e or E and a whole number of at most four digits
/// fraction   a/b with b not 0, both without exponent
/// ```
///
/// A completion without a number is wrong; a problem whose answer is no number is unscorable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactNumber {
    /// Where the completion's answer stands.
    pub extraction: Extraction,
}

impl Verifier for ExactNumber {
    fn name(&self) -> &str {
        "exact_number"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let Some(expected) = number::parse(problem.answer.trim()) else {
            let why = format_args!("the answer {:?} is not a number", problem.answer);
            return Explanation::of(Verdict::unscorable(problem, why));
        };
        let place = self.extraction.describe();
        let found = self.extraction.number(completion);
        let (right, why) = match &found {
            None => (false, format!("the completion does not have {place}")),
            Some((text, None)) => (false, format!("{} is not a number", quoted(text))),
            Some((text, Some(given))) => {
                let right = given.equals(&expected);
                let relation = if right { "equals" } else { "does not equal" };
                let (given, answer) = (quoted(text), quoted(&problem.answer));
                (right, format!("{given} {relation} {answer}"))
            }
        };
        Explanation {
            extracted: found.map(|(text, _)| text.to_owned()),
            why,
            steps: vec![format!("looked for {place}")],
            ..Explanation::of(Verdict::answer(self.name(), right))
        }
    }
}
