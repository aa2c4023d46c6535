//! Accuracy on held-out problems.

use equipoise_core::Problem;
use equipoise_samplers::{Engine, SampleSpec, Sampler};
use equipoise_tracking::MetricRecord;
use equipoise_verifiers::{Verdict, verify_all};

use crate::{Assembly, TrainError};

/// One evaluated answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The problem.
    pub problem: Problem,
    /// What the model wrote.
    pub completion: String,
    /// What the verifier said.
    pub verdict: Verdict,
    /// The number of tokens.
    pub tokens: usize,
}

/// The result of an evaluation: every answer and its verdict.
#[derive(Clone, Debug)]
pub struct Evaluation {
    /// The answers, in the order of the problems; several answers to one problem stand together.
    pub answers: Vec<Answer>,
}

impl Evaluation {
    /// The share of right answers among those that could be scored; `None` if none could.
    pub fn accuracy(&self) -> Option<f64> {
        share(
            self.answers
                .iter()
                .filter_map(|answer| answer.verdict.correct()),
        )
    }

    /// How many answers could not be scored.
    pub fn unscorable(&self) -> usize {
        self.answers
            .iter()
            .filter(|answer| answer.verdict.reward().is_none())
            .count()
    }

    /// The share of answers with the right form, if the verifier looks at it.
    pub fn format(&self) -> Option<f64> {
        let score = |answer: &Answer| match &answer.verdict {
            Verdict::Scored { parts, .. } => parts
                .iter()
                .find(|part| part.name == "format")
                .map(|part| part.score >= 1.0),
            Verdict::Unscorable { .. } => None,
        };
        share(self.answers.iter().filter_map(score))
    }

    /// Tokens per answer; `None` without answers.
    pub fn mean_length(&self) -> Option<f64> {
        let tokens: usize = self.answers.iter().map(|answer| answer.tokens).sum();
        (!self.answers.is_empty()).then(|| tokens as f64 / self.answers.len() as f64)
    }

    /// Writes the numbers into a step's metrics.
    pub(crate) fn record(&self, metrics: &mut MetricRecord) {
        metrics.push_some("held_out/accuracy", self.accuracy());
        metrics.push_some("held_out/format", self.format());
        metrics.push_some("held_out/length", self.mean_length());
    }
}

fn share(marks: impl Iterator<Item = bool>) -> Option<f64> {
    let (count, hits) = marks.fold((0_u32, 0_u32), |(n, k), mark| (n + 1, k + u32::from(mark)));
    (count > 0).then(|| f64::from(hits) / f64::from(count))
}

/// Answers the given problems greedily, once each, and scores the answers.
///
/// # Errors
/// If a prompt cannot be tokenized or is too long, or the model fails.
pub fn evaluate(assembly: &Assembly, problems: &[Problem]) -> Result<Evaluation, TrainError> {
    let spec = SampleSpec {
        samples_per_prompt: 1,
        temperature: 0.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        ..sampling(assembly)
    };
    answer(assembly, problems, &spec)
}

/// Answers each of the given problems `samples` times as the recipe samples in training, and scores
/// the answers: the accuracy is then avg@samples, that of the policy as it acts.
///
/// The random numbers are the same at every evaluation, so two of them differ by the weights alone.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_sampled(
    assembly: &Assembly,
    problems: &[Problem],
    samples: usize,
) -> Result<Evaluation, TrainError> {
    let spec = SampleSpec {
        samples_per_prompt: samples,
        ..sampling(assembly)
    };
    answer(assembly, problems, &spec)
}

/// An evaluation of a stage: `samples` answers a problem, or, for 0, the greedy one.
pub(crate) fn evaluate_stage(
    assembly: &Assembly,
    problems: &[Problem],
    samples: usize,
) -> Result<Evaluation, TrainError> {
    match samples {
        0 => evaluate(assembly, problems),
        _ => evaluate_sampled(assembly, problems, samples),
    }
}

/// As the recipe samples, at an address no training step has.
fn sampling(assembly: &Assembly) -> SampleSpec {
    let sampler = &assembly.recipe.sampler;
    SampleSpec {
        seed: assembly.recipe.seed,
        step: u64::MAX,
        samples_per_prompt: 1,
        temperature: sampler.temperature,
        top_k: sampler.top_k,
        top_p: sampler.top_p,
        min_p: sampler.min_p,
        stop: assembly.stops(),
        max_new_tokens: sampler.max_new_tokens,
    }
}

fn answer(
    assembly: &Assembly,
    problems: &[Problem],
    spec: &SampleSpec,
) -> Result<Evaluation, TrainError> {
    let prompts = problems
        .iter()
        .map(|problem| assembly.prompt(problem))
        .collect::<Result<Vec<_>, _>>()?;
    let mut engine = Engine::new(assembly.decoder.clone());
    let completions = engine.sample(&prompts, spec)?;
    let texts: Vec<(&Problem, String, usize)> = problems
        .iter()
        .zip(&completions)
        .flat_map(|(problem, row)| row.iter().map(move |one| (problem, one)))
        .map(|(problem, one)| {
            (
                problem,
                assembly.tokenizer.decode(&one.tokens),
                one.tokens.len(),
            )
        })
        .collect();
    let pairs: Vec<(&Problem, &str)> = texts
        .iter()
        .map(|(problem, text, _)| (*problem, text.as_str()))
        .collect();
    let verdicts = verify_all(&*assembly.verifier, &pairs);
    let answers =
        texts
            .into_iter()
            .zip(verdicts)
            .map(|((problem, completion, tokens), verdict)| Answer {
                problem: problem.clone(),
                completion,
                verdict,
                tokens,
            });
    Ok(Evaluation {
        answers: answers.collect(),
    })
}

/// Held-out problems for one evaluation: the first `limit`, or all.
pub(crate) fn held_out(assembly: &Assembly, limit: Option<usize>) -> &[Problem] {
    let all = assembly.source.held_out();
    &all[..limit.unwrap_or(all.len()).min(all.len())]
}

/// Whether an evaluation is due before `step`.
pub(crate) fn due(step: u64, every: u64) -> bool {
    every > 0 && step.is_multiple_of(every)
}
