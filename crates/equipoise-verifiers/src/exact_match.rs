//! Answers that are the same text.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::text::{Normalisation, TextExtraction, quoted};
use crate::verdict::{Explanation, Verdict, Verifier};

/// Rewards 1 if the completion's answer is the problem's, text for text, else 0.
///
/// Which differences do not count [`Normalisation`] says. A completion that has no such place as
/// [`extraction`](Self::extraction) says is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExactMatch {
    /// Where in the completion the answer stands.
    pub extraction: TextExtraction,
    /// Which differences do not count.
    pub normalisation: Normalisation,
    /// Whether the problem's answer is a JSON list of answers of which each is right, `["Rome",
    /// "Roma"]`. One that is no such list is then unscorable.
    pub alternatives: bool,
}

/// How answers in text are taken from the completion and the problem.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AnswerOptions {
    pub(crate) extraction: TextExtraction,
    pub(crate) alternatives: bool,
}

impl Verifier for ExactMatch {
    fn name(&self) -> &str {
        "exact_match"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let expected = match expected(problem, self.alternatives) {
            Ok(expected) => expected,
            Err(unscorable) => return Explanation::of(unscorable),
        };
        let place = self.extraction.describe();
        let Some(given) = self.extraction.find(completion) else {
            return Explanation {
                why: format!("the completion has no such place as {place}"),
                ..Explanation::of(Verdict::answer(self.name(), false))
            };
        };
        let given_normal = self.normalisation.apply(given);
        let mut steps = vec![format!("{place}, normalised: {}", quoted(&given_normal))];
        let mut right = false;
        for one in &expected {
            let normal = self.normalisation.apply(one);
            steps.push(format!("expected, normalised: {}", quoted(&normal)));
            right |= normal == given_normal;
        }
        let relation = if right { "is" } else { "is not" };
        Explanation {
            extracted: Some(given.to_owned()),
            why: format!("{} {relation} {}", quoted(given), quoted(&problem.answer)),
            steps,
            ..Explanation::of(Verdict::answer(self.name(), right))
        }
    }
}

/// The answers that are right; the verdict if they cannot be read.
pub(crate) fn expected(problem: &Problem, alternatives: bool) -> Result<Vec<String>, Verdict> {
    if !alternatives {
        return Ok(vec![problem.answer.clone()]);
    }
    match serde_json::from_str::<Vec<String>>(&problem.answer) {
        Ok(all) if !all.is_empty() => Ok(all),
        _ => {
            let answer = quoted(&problem.answer);
            let why = format_args!("the answer {answer} is not a JSON list of texts");
            Err(Verdict::unscorable(problem, why))
        }
    }
}
