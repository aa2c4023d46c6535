//! What a verifier is, and what it says.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

/// Judges completions.
///
/// A verifier has no way to fail: whatever the text, it answers with a [`Verdict`]. An answer that
/// is wrong, an answer that cannot be read and a judge that cannot judge are kept apart, because a
/// policy must not be punished for the last of them.
pub trait Verifier: Send + Sync + std::fmt::Debug {
    /// The verifier's name, in `snake_case`; it names the part of a composed reward.
    fn name(&self) -> &str;

    /// Judges `completion`, the text a model produced for `problem`, without the prompt and without
    /// the end-of-sequence token.
    fn verify(&self, problem: &Problem, completion: &str) -> Verdict;

    /// Judges many completions; the verdicts are in their order, and each is what
    /// [`verify`](Self::verify) says of that completion alone.
    ///
    /// By default every completion is a task of rayon's current thread pool. A verifier that waits
    /// for others, such as a judge behind a network, or that works on batches, such as a reward
    /// model, does better. [`verify_all`](crate::verify_all) is the way to call it.
    fn verify_batch(&self, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
        crate::batch::one_by_one(self, completions)
    }

    /// What [`verify`](Self::verify) says, and how it was decided: for people, not for training.
    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        Explanation::of(self.verify(problem, completion))
    }

    /// [`explain`](Self::explain) for many completions, in their order.
    ///
    /// By default every completion is a task of rayon's current thread pool.
    /// [`explain_all`](crate::explain_all) is the way to call it.
    fn explain_batch(&self, completions: &[(&Problem, &str)]) -> Vec<Explanation> {
        crate::batch::explain_one_by_one(self, completions)
    }
}

/// A verdict with the way to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// What was decided.
    pub verdict: Verdict,
    /// What the verifier took for the completion's answer; `None` if it found none, or looks for
    /// none.
    pub extracted: Option<String>,
    /// The decision in one sentence.
    pub why: String,
    /// What led to it, in order: one thing that was tried or found each.
    pub steps: Vec<String>,
}

impl Explanation {
    /// The explanation of a verdict that has nothing to add: its outcome in words.
    pub fn of(verdict: Verdict) -> Self {
        let why = match &verdict {
            Verdict::Scored {
                correct: Some(true),
                ..
            } => "right".to_owned(),
            Verdict::Scored {
                correct: Some(false),
                ..
            } => "wrong".to_owned(),
            Verdict::Scored { reward, .. } => format!("rewarded with {reward}"),
            Verdict::Unscorable { why } => why.clone(),
        };
        Self {
            verdict,
            extracted: None,
            why,
            steps: Vec::new(),
        }
    }

    /// The same if the numbers of the verdict are finite, that of [`Verdict::Unscorable`] otherwise.
    pub(crate) fn checked(self, problem: &Problem, verifier: &str) -> Self {
        match self.verdict.reward() {
            Some(reward) if !reward.is_finite() => Self {
                steps: self.steps,
                ..Self::of(self.verdict.checked(problem, verifier))
            },
            _ => self,
        }
    }
}

/// What a verifier says about a completion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The completion was judged, rightly or wrongly answered.
    Scored {
        /// The number that training raises; finite.
        reward: f64,
        /// Whether the answer is right, whatever the reward says about form or length; `None` from a
        /// verifier that does not look at the answer.
        correct: Option<bool>,
        /// What the reward is made of.
        parts: Vec<Part>,
    },
    /// The completion could not be judged: a broken problem, or a broken judge. It takes no part in
    /// training or in averages.
    Unscorable {
        /// Why, with the problem's name.
        why: String,
    },
}

/// One part of a reward.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// The verifier's name.
    pub name: String,
    /// What it gave, before the weight.
    pub score: f64,
    /// Its weight in the reward.
    pub weight: f64,
}

impl Verdict {
    /// The verdict of a verifier that looks at the answer alone: 1 for a right one, 0 for a wrong
    /// one.
    pub fn answer(name: &str, correct: bool) -> Self {
        let score = f64::from(u8::from(correct));
        Self::Scored {
            reward: score,
            correct: Some(correct),
            parts: vec![Part {
                name: name.to_owned(),
                score,
                weight: 1.0,
            }],
        }
    }

    /// The verdict of a verifier that does not look at the answer.
    pub fn score(name: &str, score: f64) -> Self {
        Self::Scored {
            reward: score,
            correct: None,
            parts: vec![Part {
                name: name.to_owned(),
                score,
                weight: 1.0,
            }],
        }
    }

    /// The verdict that `problem` cannot be judged.
    pub fn unscorable(problem: &Problem, why: impl std::fmt::Display) -> Self {
        Self::Unscorable {
            why: format!("problem {} of {}: {why}", problem.id, problem.source),
        }
    }

    /// The reward; `None` if the completion could not be judged.
    pub fn reward(&self) -> Option<f64> {
        match self {
            Self::Scored { reward, .. } => Some(*reward),
            Self::Unscorable { .. } => None,
        }
    }

    /// Whether the answer is right; `None` if the completion could not be judged or nothing looked
    /// at the answer.
    pub fn correct(&self) -> Option<bool> {
        match self {
            Self::Scored { correct, .. } => *correct,
            Self::Unscorable { .. } => None,
        }
    }

    /// The same verdict if its numbers are finite, [`Verdict::Unscorable`] otherwise: a reward that
    /// is not a number would spread over every weight of the model.
    pub(crate) fn checked(self, problem: &Problem, verifier: &str) -> Self {
        match self {
            Self::Scored { reward, .. } if !reward.is_finite() => {
                Self::unscorable(problem, format_args!("{verifier} gave the reward {reward}"))
            }
            verdict => verdict,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trait_is_object_safe() {
        fn _assert(_: &dyn Verifier) {}
    }
}
