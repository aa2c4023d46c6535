//! Several verifiers in one.

use equipoise_core::Problem;
use thiserror::Error;

use crate::compose::{Child, Composition, Judged, composed_verifier};
use crate::verdict::{Verdict, Verifier};

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
    children: Vec<Child>,
    weights: Vec<f64>,
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
        let (verifiers, weights): (Vec<_>, _) = parts.into_iter().unzip();
        Ok(Self {
            children: Child::list(verifiers),
            weights,
        })
    }
}

impl Composition for Weighted {
    fn children(&self) -> &[Child] {
        &self.children
    }

    fn combine(&self, _: &Problem, _: &str, judged: &Judged) -> Verdict {
        if let Some(unscorable) = judged.unscorable(&self.children) {
            return unscorable;
        }
        let mut total = 0.0;
        for (at, weight) in self.weights.iter().enumerate() {
            total += weight * judged.get(at).and_then(Verdict::reward).unwrap_or(0.0);
        }
        Verdict::Scored {
            reward: total,
            correct: judged.all_correct(),
            parts: judged.parts(&self.children, |at| self.weights[at]),
        }
    }
}

composed_verifier!(Weighted, "weighted");

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
