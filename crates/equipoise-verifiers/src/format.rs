//! The form of a completion.

use equipoise_core::Problem;

use crate::verdict::{Explanation, Verdict, Verifier};

/// Rewards 1 if the completion is one block between two tags followed by an answer, else 0:
///
/// ```text
/// <think>…</think>34
/// ```
///
/// Nothing but white space may stand before the opening tag, each tag appears exactly once, and
/// something other than white space follows the closing tag. The block may be empty. The verifier
/// says nothing about whether the answer is right. Tags that are empty, or of which one contains the
/// other, cannot be told apart, and no completion has the form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The opening tag, such as `<think>`.
    pub open: String,
    /// The closing tag, such as `</think>`.
    pub close: String,
}

impl Format {
    /// Whether `completion` has the form.
    fn matches(&self, completion: &str) -> bool {
        let (open, close) = (self.open.as_str(), self.close.as_str());
        let split = |text: &str| -> Option<bool> {
            let rest = text.trim_start().strip_prefix(open)?;
            let (block, answer) = rest.split_once(close)?;
            let once = [block, answer]
                .iter()
                .all(|part| !part.contains(open) && !part.contains(close));
            Some(once && !answer.trim().is_empty())
        };
        let distinct = !open.contains(close) && !close.contains(open);
        distinct && split(completion).unwrap_or(false)
    }
}

impl Verifier for Format {
    fn name(&self) -> &str {
        "format"
    }

    fn verify(&self, _: &Problem, completion: &str) -> Verdict {
        let score = f64::from(u8::from(self.matches(completion)));
        Verdict::score(self.name(), score)
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let verdict = self.verify(problem, completion);
        let Self { open, close } = self;
        let has = if self.matches(completion) {
            "has"
        } else {
            "does not have"
        };
        let count = |tag: &str| match tag {
            "" => 0,
            tag => completion.matches(tag).count(),
        };
        let count = |tag: &String| format!("{tag}: {} times", count(tag));
        Explanation {
            why: format!("the completion {has} the form {open}…{close} and an answer"),
            steps: vec![count(open), count(close)],
            ..Explanation::of(verdict)
        }
    }
}
