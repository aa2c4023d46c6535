//! Answers that are nearly the same text.

use std::collections::HashMap;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::exact_match::expected;
use crate::invalid::{InvalidOption, share};
use crate::text::{Normalisation, TextExtraction, quoted};
use crate::verdict::{Explanation, Part, Verdict, Verifier};

/// Only so many characters of an answer are compared by letters, which bounds the time: the distance
/// takes as many steps as the product of the two lengths.
const MAX_CHARACTERS: usize = 8192;

/// How alike two texts are, from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// The F₁ of SQuAD (arXiv:1606.05250): with m words in common, counted as often as they stand in
    /// both,
    ///
    /// ```text
    /// precision = m / words given    recall = m / words expected
    /// F₁ = 2 · precision · recall / (precision + recall)
    /// ```
    ///
    /// 0 for m = 0, unless both have no words, which is 1.
    #[default]
    TokenF1,
    /// 1 − d/l, where d is the number of characters to insert, remove or replace (Levenshtein, 1966)
    /// and l the length of the longer text; 1 for two empty texts.
    Levenshtein,
    /// The similarity of Jaro and Winkler (1990), for short texts such as names; more for texts that
    /// begin alike.
    JaroWinkler,
}

impl Similarity {
    /// The similarity of `given` and `expected`, in [0, 1]. By letters, only the first 8192
    /// characters of each are compared.
    pub fn of(self, given: &str, expected: &str) -> f64 {
        let cut = |text: &str| -> String { text.chars().take(MAX_CHARACTERS).collect() };
        match self {
            Self::TokenF1 => token_f1(given, expected),
            Self::Levenshtein => strsim::normalized_levenshtein(&cut(given), &cut(expected)),
            Self::JaroWinkler => strsim::jaro_winkler(&cut(given), &cut(expected)),
        }
    }
}

fn token_f1(given: &str, expected: &str) -> f64 {
    let mut left: HashMap<&str, usize> = HashMap::new();
    let (mut wanted, mut had, mut common) = (0_usize, 0_usize, 0_usize);
    for word in expected.split_whitespace() {
        *left.entry(word).or_default() += 1;
        wanted += 1;
    }
    for word in given.split_whitespace() {
        had += 1;
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if wanted == 0 || had == 0 {
        return f64::from(u8::from(wanted == had));
    }
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (common as f64 / had as f64, common as f64 / wanted as f64);
    2.0 * precision * recall / (precision + recall)
}

/// The options of [`FuzzyMatch`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FuzzyMatchOptions {
    /// Where in the completion the answer stands.
    pub extraction: TextExtraction,
    /// How alike two answers are.
    pub similarity: Similarity,
    /// The least similarity of a right answer.
    pub threshold: f64,
    /// Whether the similarity is the reward; otherwise it is 1 for a right answer and 0 for a wrong
    /// one.
    pub graded: bool,
    /// Whether the problem's answer is a JSON list of answers, of which the most similar counts.
    pub alternatives: bool,
}

impl Default for FuzzyMatchOptions {
    fn default() -> Self {
        Self {
            extraction: TextExtraction::Whole,
            similarity: Similarity::TokenF1,
            threshold: 1.0,
            graded: true,
            alternatives: false,
        }
    }
}

/// Rewards a completion by how alike its answer and the problem's are, from 0 to 1.
///
/// By default it is the F₁ of SQuAD, graded, with the answer being right if it is 1. A completion
/// without the place where the answer should stand is wrong, with 0.
#[derive(Clone, Debug)]
pub struct FuzzyMatch {
    options: FuzzyMatchOptions,
    normalisation: Normalisation,
}

impl FuzzyMatch {
    /// The verifier with these options, where the differences of `normalisation` do not count.
    ///
    /// # Errors
    /// A threshold outside [0, 1].
    pub fn new(
        options: FuzzyMatchOptions,
        normalisation: Normalisation,
    ) -> Result<Self, InvalidOption> {
        share("fuzzy_match", "threshold", options.threshold)?;
        Ok(Self {
            options,
            normalisation,
        })
    }

    fn verdict(&self, similarity: f64) -> Verdict {
        let right = similarity >= self.options.threshold;
        let reward = match self.options.graded {
            true => similarity,
            false => f64::from(u8::from(right)),
        };
        Verdict::Scored {
            reward,
            correct: Some(right),
            parts: vec![Part {
                name: self.name().to_owned(),
                score: reward,
                weight: 1.0,
            }],
        }
    }
}

impl Verifier for FuzzyMatch {
    fn name(&self) -> &str {
        "fuzzy_match"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let expected = match expected(problem, self.options.alternatives) {
            Ok(expected) => expected,
            Err(unscorable) => return Explanation::of(unscorable),
        };
        let place = self.options.extraction.describe();
        let Some(given) = self.options.extraction.find(completion) else {
            return Explanation {
                why: format!("the completion has no such place as {place}"),
                ..Explanation::of(Verdict::answer(self.name(), false))
            };
        };
        let given_normal = self.normalisation.apply(given);
        let mut steps = vec![format!("{place}, normalised: {}", quoted(&given_normal))];
        let mut best = 0.0_f64;
        for one in &expected {
            let normal = self.normalisation.apply(one);
            let similarity = self.options.similarity.of(&given_normal, &normal);
            steps.push(format!(
                "similarity to {}: {similarity:.4}",
                quoted(&normal)
            ));
            best = best.max(similarity);
        }
        let threshold = self.options.threshold;
        Explanation {
            extracted: Some(given.to_owned()),
            why: format!("similarity {best:.4}, right from {threshold}"),
            steps,
            ..Explanation::of(self.verdict(best))
        }
    }
}
