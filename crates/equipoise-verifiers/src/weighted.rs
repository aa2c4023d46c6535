//! Several verifiers in one.

use equipoise_core::Problem;
use thiserror::Error;

use crate::verdict::{Part, Verdict, Verifier};

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
}

impl Verifier for Weighted {
    fn name(&self) -> &str {
        "weighted"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        let mut total = 0.0;
        let mut all_correct = None;
        let mut scored = Vec::with_capacity(self.parts.len());
        for (verifier, weight) in &self.parts {
            let name = verifier.name();
            match verifier.verify(problem, completion).checked(problem, name) {
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
