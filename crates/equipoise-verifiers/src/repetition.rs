//! Repeated phrases.

use std::collections::HashSet;
use std::hash::Hash;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::invalid::InvalidOption;
use crate::length::LengthUnit;
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`RepetitionPenalty`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepetitionPenaltyOptions {
    /// n: how many neighbours make one n-gram.
    pub size: usize,
    /// The penalty of a completion in which nothing is new; not negative.
    pub max_penalty: f64,
}

impl Default for RepetitionPenaltyOptions {
    fn default() -> Self {
        Self {
            size: 3,
            max_penalty: 1.0,
        }
    }
}

/// The n-gram repetition penalty of open-r1 and TRL, after arXiv:2502.03373, appendix C.2:
///
/// ```text
/// score = −max_penalty · (1 − different n-grams / all n-grams)
/// ```
///
/// With n = 2 and words, `a b a b a` has four n-grams, two of them different: −½. A completion with
/// fewer than n words gets 0. Words are compared in lower case, as in open-r1; characters and tokens
/// as they are, as in TRL. It says nothing about whether the answer is right.
#[derive(Clone, Debug)]
pub struct RepetitionPenalty {
    options: RepetitionPenaltyOptions,
    unit: LengthUnit,
}

impl RepetitionPenalty {
    /// The verifier with these options, for n-grams of `unit`.
    ///
    /// # Errors
    /// A `size` of 0, or a penalty that is negative or not finite.
    pub fn new(options: RepetitionPenaltyOptions, unit: LengthUnit) -> Result<Self, InvalidOption> {
        let invalid = |option, value: &dyn std::fmt::Display, expected| {
            Err(InvalidOption::new(
                "repetition_penalty",
                option,
                value,
                expected,
            ))
        };
        if options.size == 0 {
            return invalid("size", &0, "positive");
        }
        if !(options.max_penalty.is_finite() && options.max_penalty >= 0.0) {
            return invalid(
                "max_penalty",
                &options.max_penalty,
                "finite and not negative",
            );
        }
        Ok(Self { options, unit })
    }

    /// The numbers of different and of all n-grams.
    fn count(&self, completion: &str) -> (usize, usize) {
        let size = self.options.size;
        match &self.unit {
            LengthUnit::Characters => count(&completion.chars().collect::<Vec<_>>(), size),
            LengthUnit::Words => {
                let lower = completion.to_lowercase();
                count(&lower.split_whitespace().collect::<Vec<_>>(), size)
            }
            LengthUnit::Tokens(tokenize) => count(&tokenize(completion), size),
        }
    }
}

/// The numbers of different and of all runs of `size` neighbours.
fn count<T: Eq + Hash>(items: &[T], size: usize) -> (usize, usize) {
    let different: HashSet<&[T]> = items.windows(size).collect();
    (different.len(), items.windows(size).len())
}

impl Verifier for RepetitionPenalty {
    fn name(&self) -> &str {
        "repetition_penalty"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let (different, all) = self.count(completion);
        // 0 − 0 is 0, where −0 would look odd.
        let score = match all {
            0 => 0.0,
            _ => 0.0 - self.options.max_penalty * ((all - different) as f64 / all as f64),
        };
        let (size, unit) = (self.options.size, self.unit.name());
        Explanation {
            why: format!("{different} of {all} runs of {size} {unit} are different"),
            ..Explanation::of(Verdict::score(self.name(), score))
        }
    }
}
