//! Several verifiers in one.

use equipoise_core::Problem;
use thiserror::Error;

use crate::batch::verify_all;
use crate::verdict::{Explanation, Part, Verdict, Verifier};

/// The weighted sum of several verifiers' rewards.
///
/// ```text
/// reward = Σ_k weight_k · reward_k
/// ```
///
/// The weights are used as they are; choose them with sum 1 for a reward in [0, 1]. The answer is
/// right if every part that looks at the answer says so. If one part cannot judge, the completion is
/// unscorable.
#[derive(Debug)]
pub struct Weighted {
    parts: Vec<(Box<dyn Verifier>, f64)>,
}

impl Weighted {
    /// The composition of `parts`, verifiers with their weights.
    ///
    /// # Errors
    /// No parts, a weight that is negative or not finite, or weights that are all zero.
    pub fn new(parts: Vec<(Box<dyn Verifier>, f64)>) -> Result<Self, InvalidWeights> {
        if parts.is_empty() {
            return Err(InvalidWeights::Empty);
        }
        for (verifier, weight) in &parts {
            if !weight.is_finite() || *weight < 0.0 {
                return Err(InvalidWeights::Weight {
                    name: verifier.name().to_owned(),
                    weight: *weight,
                });
            }
        }
        if parts.iter().all(|(_, weight)| *weight == 0.0) {
            return Err(InvalidWeights::AllZero);
        }
        Ok(Self { parts })
    }

    /// The verdict that the parts' `verdicts`, checked and in order, make together.
    fn sum(&self, problem: &Problem, verdicts: impl Iterator<Item = Verdict>) -> Verdict {
        let mut total = 0.0;
        let mut all_correct = None;
        let mut scored = Vec::with_capacity(self.parts.len());
        for ((verifier, weight), verdict) in self.parts.iter().zip(verdicts) {
            let name = verifier.name();
            match verdict {
                Verdict::Scored {
                    reward, correct, ..
                } => {
                    total += weight * reward;
                    if let Some(correct) = correct {
                        all_correct = Some(all_correct.unwrap_or(true) && correct);
                    }
                    scored.push(Part {
                        name: name.to_owned(),
                        score: reward,
                        weight: *weight,
                    });
                }
                Verdict::Unscorable { why } => {
                    return Verdict::Unscorable {
                        why: format!("{name}: {why}"),
                    };
                }
            }
        }
        Verdict::Scored {
            reward: total,
            correct: all_correct,
            parts: scored,
        }
        .checked(problem, self.name())
    }
}

impl Verifier for Weighted {
    fn name(&self) -> &str {
        "weighted"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        let verdicts = self.parts.iter().map(|(verifier, _)| {
            verifier
                .verify(problem, completion)
                .checked(problem, verifier.name())
        });
        self.sum(problem, verdicts)
    }

    fn verify_batch(&self, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
        let mut columns: Vec<_> = self
            .parts
            .iter()
            .map(|(verifier, _)| verify_all(&**verifier, completions).into_iter())
            .collect();
        completions
            .iter()
            .map(|(problem, _)| self.sum(problem, columns.iter_mut().flat_map(Iterator::next)))
            .collect()
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let parts: Vec<Explanation> = self
            .parts
            .iter()
            .map(|(verifier, _)| verifier.explain(problem, completion))
            .collect();
        let verdict = self.sum(problem, parts.iter().map(|part| part.verdict.clone()));
        let mut explanation = Explanation::of(verdict);
        for ((verifier, weight), part) in self.parts.iter().zip(parts) {
            let name = verifier.name();
            let reward = match part.verdict.reward() {
                Some(reward) => format!("{weight} × {reward}"),
                None => "unscorable".to_owned(),
            };
            explanation
                .steps
                .push(format!("{name}: {reward}: {}", part.why));
            let inner = part.steps.iter().map(|step| format!("{name}: {step}"));
            explanation.steps.extend(inner);
            explanation.extracted = explanation.extracted.or(part.extracted);
        }
        explanation
    }
}

/// Why verifiers cannot be composed with the given weights.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum InvalidWeights {
    /// There is no verifier.
    #[error("a weighted verifier needs at least one part")]
    Empty,
    /// A weight is negative or not finite.
    #[error("the weight of {name} is {weight}; it must be finite and not negative")]
    Weight {
        /// The verifier's name.
        name: String,
        /// Its weight.
        weight: f64,
    },
    /// No part counts.
    #[error("every weight is zero; at least one must be positive")]
    AllZero,
}
