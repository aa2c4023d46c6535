//! How many completions had which outcome.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::verdict::Verdict;

/// Counts of outcomes.
///
/// ```text
/// right                      scored, and the answer is right
/// wrong                      scored, and the answer is wrong or could not be read
/// rewarded_without_answer    scored by verifiers that do not look at the answer
/// unscorable                 the problem or the judge is broken
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcomes {
    /// Right answers.
    pub right: usize,
    /// Wrong answers.
    pub wrong: usize,
    /// Completions rewarded by verifiers that do not look at the answer.
    pub rewarded_without_answer: usize,
    /// Completions that could not be judged, by the kind of reason, the most frequent first; equally
    /// frequent ones in the order in which they came.
    pub unscorable: Vec<Unscorable>,
}

/// Completions that could not be judged for one kind of reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unscorable {
    /// The reason without what differs from one completion to the next: the problem, numbers, and
    /// texts in quotes.
    pub reason: String,
    /// How many there are.
    pub count: usize,
    /// The first of them as the verifier put it.
    pub example: String,
}

impl Outcomes {
    /// The counts of `verdicts`.
    pub fn of<'a>(verdicts: impl IntoIterator<Item = &'a Verdict>) -> Self {
        let mut outcomes = Self::default();
        outcomes.add(verdicts);
        outcomes
    }

    /// Counts more verdicts.
    pub fn add<'a>(&mut self, verdicts: impl IntoIterator<Item = &'a Verdict>) {
        for verdict in verdicts {
            match verdict {
                Verdict::Scored { correct, .. } => match correct {
                    Some(true) => self.right += 1,
                    Some(false) => self.wrong += 1,
                    None => self.rewarded_without_answer += 1,
                },
                Verdict::Unscorable { why } => self.add_unscorable(why),
            }
        }
        // Stable: equally frequent reasons stay in the order in which they came.
        self.unscorable
            .sort_by_key(|reason| std::cmp::Reverse(reason.count));
    }

    fn add_unscorable(&mut self, why: &str) {
        let reason = kind(why);
        match self
            .unscorable
            .iter_mut()
            .find(|known| known.reason == reason)
        {
            Some(known) => known.count += 1,
            None => self.unscorable.push(Unscorable {
                reason,
                count: 1,
                example: why.to_owned(),
            }),
        }
    }

    /// How many completions there are.
    pub fn total(&self) -> usize {
        self.scored() + self.unscorable_count()
    }

    /// How many were scored.
    pub fn scored(&self) -> usize {
        self.right + self.wrong + self.rewarded_without_answer
    }

    /// How many could not be judged.
    pub fn unscorable_count(&self) -> usize {
        self.unscorable.iter().map(|reason| reason.count).sum()
    }

    /// The share of right answers among those that were looked at; `None` if none was.
    pub fn accuracy(&self) -> Option<f64> {
        share(self.right, self.right + self.wrong)
    }

    /// The share of completions that could not be judged; 0 if there are no completions.
    pub fn unscorable_share(&self) -> f64 {
        share(self.unscorable_count(), self.total()).unwrap_or(0.0)
    }

    /// Whether no more than the share `max_share` of the completions could not be judged.
    ///
    /// # Errors
    /// More could not; the error says why, and what to do.
    pub fn check(&self, max_share: f64) -> Result<(), TooManyUnscorable> {
        if self.unscorable_share() <= max_share {
            return Ok(());
        }
        Err(TooManyUnscorable {
            unscorable: self.unscorable_count(),
            total: self.total(),
            max_share,
            reasons: self.unscorable.iter().take(3).cloned().collect(),
        })
    }
}

fn share(count: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| count as f64 / of as f64)
}

/// Too many completions could not be judged for the rest to mean much.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{}", self.message())]
#[non_exhaustive]
pub struct TooManyUnscorable {
    /// How many could not be judged.
    pub unscorable: usize,
    /// Of how many.
    pub total: usize,
    /// The share that was allowed.
    pub max_share: f64,
    /// The three most frequent reasons.
    pub reasons: Vec<Unscorable>,
}

impl TooManyUnscorable {
    fn message(&self) -> String {
        let percent = 100.0 * self.unscorable as f64 / self.total.max(1) as f64;
        let mut message = format!(
            "{} of {} completions ({percent:.1} %) could not be scored, more than the share {} that \
             is allowed; the most frequent reasons:",
            self.unscorable, self.total, self.max_share
        );
        for Unscorable { count, example, .. } in &self.reasons {
            message.push_str(&format!("\n  {count} ×, such as: {example}"));
        }
        message.push_str(
            "\nCheck that the verifier fits the answers of the data and that its judge can be \
             reached; where the data cannot be repaired, put another verifier after it with \
             first_scorable, or allow a greater share",
        );
        message
    }
}

/// A reason without what differs from one completion to the next.
fn kind(why: &str) -> String {
    let mut out = String::with_capacity(why.len());
    let mut rest = why;
    while let Some(next) = rest.chars().next() {
        if let Some(after) = after_problem(rest) {
            rest = after;
        } else if next == '"' {
            out.push_str("\"…\"");
            rest = after_quotes(&rest[1..]);
        } else if next.is_ascii_digit() {
            out.push('#');
            rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        } else {
            out.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

/// What follows `problem 7 of some source: `, the way [`Verdict::unscorable`] names a problem.
fn after_problem(text: &str) -> Option<&str> {
    let rest = text.strip_prefix("problem ")?;
    let number = rest.find(|c: char| !c.is_ascii_digit())?;
    let rest = rest[number..].strip_prefix(" of ")?;
    (number > 0).then_some(rest.split_once(": ")?.1)
}

/// What follows the end of a text in quotes as `{:?}` writes it.
fn after_quotes(text: &str) -> &str {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !escaped => return &text[at + 1..],
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_of_one_kind_are_one() {
        for (why, expected) in [
            (
                "exact_number: problem 7 of a/b.jsonl: the answer \"x\\\"y\" is not a number",
                "exact_number: the answer \"…\" is not a number",
            ),
            (
                "problem 12 of test: status 503 after 4 attempts",
                "status # after # attempts",
            ),
            ("problem of taste", "problem of taste"),
            ("problem 3 of", "problem # of"),
            ("it is \"open", "it is \"…\""),
            ("é 1²", "é #²"),
            ("", ""),
        ] {
            assert_eq!(kind(why), expected);
        }
    }
}
