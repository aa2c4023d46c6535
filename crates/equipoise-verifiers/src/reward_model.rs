//! A model that scores completions.

use std::fmt;
use std::sync::Arc;

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};

use crate::invalid::{InvalidOption, finite};
use crate::verdict::{Explanation, Verdict, Verifier};

/// Scores completions by a model, many at once.
///
/// This crate knows no tensor; whoever has a model implements it.
pub trait Scorer: Send + Sync {
    /// One score for each pair of a prompt and a completion, in their order.
    ///
    /// # Errors
    /// Why none of them could be scored.
    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f64>, String>;
}

/// What becomes of a model's score s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transform {
    /// s.
    #[default]
    None,
    /// 1 / (1 + e⁻ˢ): the probability that a model of Bradley and Terry gives the completion against
    /// one of score 0.
    Sigmoid,
    /// s, but at least the first and at most the second number.
    Clip(f64, f64),
    /// (s − mean) / deviation, with the mean and the standard deviation of scores that are known
    /// before, such as those of the completions the policy starts from.
    Normalise {
        /// The mean.
        mean: f64,
        /// The standard deviation.
        deviation: f64,
    },
}

impl Transform {
    /// What becomes of `score`.
    pub fn apply(self, score: f64) -> f64 {
        match self {
            Self::None => score,
            Self::Sigmoid => 1.0 / (1.0 + (-score).exp()),
            Self::Clip(low, high) => score.max(low).min(high),
            Self::Normalise { mean, deviation } => (score - mean) / deviation,
        }
    }

    fn check(self) -> Result<(), InvalidOption> {
        const NAME: &str = "reward_model";
        let (first, second) = match self {
            Self::None | Self::Sigmoid => return Ok(()),
            Self::Clip(low, high) => (low, high),
            Self::Normalise { mean, deviation } => (mean, deviation),
        };
        finite(NAME, &[("transform", first), ("transform", second)])?;
        match self {
            Self::Clip(low, high) if low > high => {
                let value = format!("clip from {low} to {high}");
                Err(InvalidOption::new(
                    NAME,
                    "transform",
                    value,
                    "a range that is not empty",
                ))
            }
            Self::Normalise { deviation, .. } if deviation <= 0.0 => {
                let value = format!("a deviation of {deviation}");
                Err(InvalidOption::new(
                    NAME,
                    "transform",
                    value,
                    "one with a positive deviation",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The options of [`RewardModel`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RewardModelOptions {
    /// The most completions that are given to the model at once.
    pub batch_size: usize,
    /// What becomes of its scores.
    pub transform: Transform,
}

impl Default for RewardModelOptions {
    fn default() -> Self {
        Self {
            batch_size: 32,
            transform: Transform::None,
        }
    }
}

/// The reward a model gives.
///
/// A batch that the model cannot score, or a score that is not finite, makes completions unscorable.
/// A NaN stays one through every transform, so that it cannot pass for a reward. It says nothing
/// about whether the answer is right.
#[derive(Clone)]
pub struct RewardModel {
    scorer: Arc<dyn Scorer>,
    options: RewardModelOptions,
}

impl fmt::Debug for RewardModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("RewardModel");
        debug
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl RewardModel {
    /// The rewards of `scorer`.
    ///
    /// # Errors
    /// A batch size of 0, or a transform with numbers that have no meaning.
    pub fn new(
        scorer: Arc<dyn Scorer>,
        options: RewardModelOptions,
    ) -> Result<Self, InvalidOption> {
        if options.batch_size == 0 {
            return Err(InvalidOption::new(
                "reward_model",
                "batch_size",
                0,
                "positive",
            ));
        }
        options.transform.check()?;
        Ok(Self { scorer, options })
    }

    /// One score or one reason for each pair.
    fn scores(&self, pairs: &[(&str, &str)]) -> Vec<Result<f64, String>> {
        let why = match self.scorer.score(pairs) {
            Ok(scores) if scores.len() == pairs.len() => {
                return scores.into_iter().map(Ok).collect();
            }
            Ok(scores) => format!(
                "the model gave {} scores for {} completions",
                scores.len(),
                pairs.len()
            ),
            Err(why) => format!("the model could not score: {why}"),
        };
        vec![Err(why); pairs.len()]
    }

    fn verdict(&self, problem: &Problem, score: Result<f64, String>) -> Verdict {
        match score {
            Ok(score) if score.is_nan() => {
                Verdict::unscorable(problem, "the model gave the score NaN")
            }
            Ok(score) => Verdict::score(self.name(), self.options.transform.apply(score))
                .checked(problem, self.name()),
            Err(why) => Verdict::unscorable(problem, why),
        }
    }
}

impl Verifier for RewardModel {
    fn name(&self) -> &str {
        "reward_model"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn verify_batch(&self, completions: &[(&Problem, &str)]) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(completions.len());
        for batch in completions.chunks(self.options.batch_size) {
            let pairs: Vec<(&str, &str)> = batch
                .iter()
                .map(|(problem, completion)| (problem.prompt.as_str(), *completion))
                .collect();
            let scores = batch.iter().zip(self.scores(&pairs));
            verdicts.extend(scores.map(|((problem, _), score)| self.verdict(problem, score)));
        }
        verdicts
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let pairs = [(problem.prompt.as_str(), completion)];
        let score = self
            .scores(&pairs)
            .pop()
            .unwrap_or_else(|| Err("no score".to_owned()));
        let steps = score
            .iter()
            .map(|score| format!("the model's score: {score}"))
            .collect();
        let explanation = Explanation::of(self.verdict(problem, score));
        Explanation {
            steps,
            ..explanation
        }
    }
}
