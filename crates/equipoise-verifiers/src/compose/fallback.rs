//! Verifiers that stand in for each other.

use equipoise_core::Problem;

use super::extremes::{NoVerifiers, some};
use super::{Child, Composition, Judged, composed_verifier};
use crate::verdict::{Verdict, Verifier};

/// The verdict of the first of several verifiers that can judge: a judge, say, for the problems
/// whose answers a rule cannot read.
///
/// Those after it are not asked. Its reward is a part of weight 1, and whether the answer is right it
/// says alone. A completion that none can judge is unscorable, with every reason.
#[derive(Debug)]
pub struct FirstScorable(Vec<Child>);

impl FirstScorable {
    /// The first of `verifiers` that can judge.
    ///
    /// # Errors
    /// There are none.
    pub fn new(verifiers: Vec<Box<dyn Verifier>>) -> Result<Self, NoVerifiers> {
        Ok(Self(some("first_scorable", verifiers)?))
    }
}

impl Composition for FirstScorable {
    fn children(&self) -> &[Child] {
        &self.0
    }

    fn next(&self, judged: &Judged) -> Option<usize> {
        let asked = judged.asked();
        let last = judged.get(asked.wrapping_sub(1));
        let scored = last.is_some_and(|verdict| verdict.reward().is_some());
        (!scored && asked < self.0.len()).then_some(asked)
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        let mut reasons = Vec::new();
        for (at, child) in self.0.iter().enumerate() {
            match judged.get(at) {
                Some(Verdict::Scored {
                    reward, correct, ..
                }) => {
                    return Verdict::Scored {
                        reward: *reward,
                        correct: *correct,
                        parts: judged.parts(&self.0, |_| 1.0),
                    };
                }
                Some(Verdict::Unscorable { why }) => {
                    reasons.push(format!("{}: {why}", child.name()));
                }
                None => {}
            }
        }
        Verdict::Unscorable {
            why: reasons.join("; "),
        }
    }
}

composed_verifier!(FirstScorable, "first_scorable");
