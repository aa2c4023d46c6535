//! Blocks between tags, in order.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::invalid::InvalidOption;
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`Tags`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagsOptions {
    /// The names of the tags in their order: `["think", "answer"]` stands for
    /// `<think>…</think><answer>…</answer>`.
    pub tags: Vec<String>,
    /// Whether text other than white space may stand before, between and after the blocks.
    #[serde(default)]
    pub text_outside: bool,
    /// Whether a completion that has only some of the tags is rewarded in part.
    #[serde(default)]
    pub partial: bool,
}

/// Rewards 1 if the completion consists of blocks between given tags, each exactly once and in
/// order, else 0:
///
/// ```text
/// <think>…</think><answer>…</answer>
/// ```
///
/// With partial credit, where n is the number of blocks, each with two marks, one that opens it and
/// one that closes it:
///
/// ```text
/// score = (marks that stand exactly once + (1 if all of the form is right, else 0)) / (2n + 1)
/// ```
///
/// (The count of marks is TRL's and open-r1's `tag_count_reward`, which rewards marks in a wrong
/// order fully; here the form as a whole is the last part.) It says nothing about whether the answer
/// is right.
#[derive(Clone, Debug)]
pub struct Tags {
    /// Opening and closing marks in the order in which they have to stand.
    marks: Vec<String>,
    options: TagsOptions,
}

impl Tags {
    /// The verifier with these options.
    ///
    /// # Errors
    /// No tags, a name twice, or a name that is empty or has white space, `<`, `>` or `/` in it.
    pub fn new(options: TagsOptions) -> Result<Self, InvalidOption> {
        let invalid = |value: &str, expected| InvalidOption::new("tags", "tags", value, expected);
        if options.tags.is_empty() {
            return Err(invalid("empty", "a list of at least one name"));
        }
        for (at, tag) in options.tags.iter().enumerate() {
            let odd = |c: char| c.is_whitespace() || "<>/".contains(c);
            if tag.is_empty() || tag.contains(odd) {
                let name = "names without white space, `<`, `>` and `/`";
                return Err(invalid(&format!("{tag:?}"), name));
            }
            if options.tags[..at].contains(tag) {
                return Err(invalid(&format!("{tag:?} twice"), "different names"));
            }
        }
        let marks = options
            .tags
            .iter()
            .flat_map(|tag| [format!("<{tag}>"), format!("</{tag}>")])
            .collect();
        Ok(Self { marks, options })
    }

    /// How often each mark stands in `completion`.
    fn counts(&self, completion: &str) -> Vec<usize> {
        let count = |mark: &String| completion.matches(mark.as_str()).count();
        self.marks.iter().map(count).collect()
    }

    /// What is wrong with the form of a completion in which the marks stand `counts` times.
    fn complaint(&self, completion: &str, counts: &[usize]) -> Option<String> {
        for (mark, count) in self.marks.iter().zip(counts) {
            if *count != 1 {
                return Some(format!("{mark} stands {count} times, not once"));
            }
        }
        let mut rest = completion;
        for (at, mark) in self.marks.iter().enumerate() {
            let Some((before, after)) = rest.split_once(mark.as_str()) else {
                let last = &self.marks[at.saturating_sub(1)];
                return Some(format!("{mark} stands before {last}, not after it"));
            };
            // Before a mark that opens is outside.
            if at % 2 == 0 && self.is_forbidden(before) {
                return Some(format!("there is text before {mark}"));
            }
            rest = after;
        }
        self.is_forbidden(rest)
            .then(|| "there is text after the last block".to_owned())
    }

    fn is_forbidden(&self, outside: &str) -> bool {
        !self.options.text_outside && !outside.trim().is_empty()
    }

    fn score(&self, counts: &[usize], complaint: Option<&str>) -> f64 {
        let whole = usize::from(complaint.is_none());
        if !self.options.partial {
            return whole as f64;
        }
        let once = counts.iter().filter(|count| **count == 1).count();
        (once + whole) as f64 / (counts.len() + 1) as f64
    }
}

impl Verifier for Tags {
    fn name(&self) -> &str {
        "tags"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let counts = self.counts(completion);
        let complaint = self.complaint(completion, &counts);
        let score = self.score(&counts, complaint.as_deref());
        let steps = self
            .marks
            .iter()
            .zip(&counts)
            .map(|(mark, count)| format!("{mark}: {count}"))
            .collect();
        Explanation {
            why: complaint.unwrap_or_else(|| "every tag once, in order".to_owned()),
            steps,
            ..Explanation::of(Verdict::score(self.name(), score))
        }
    }
}
