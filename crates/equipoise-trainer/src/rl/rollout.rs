//! What was sampled in one step, and what the verifier said about it.

use std::time::Instant;

use equipoise_aggregation::Response;
use equipoise_core::{Completion, Finish, Problem, Prompt};
use equipoise_data::curriculum::{Refill, Signal};
use equipoise_samplers::{SampleSpec, Sampler};
use equipoise_tracking::{CompletionRecord, MetricRecord};
use equipoise_verifiers::{Part, Verdict, verify_all};

use crate::evaluate::evaluate;
use crate::gradient::Sequence;
use crate::{Assembly, TrainError};

/// Problems, completions and verdicts of one step; completions lie group after group.
#[derive(Clone, Debug)]
pub struct Rollout {
    problems: Vec<Problem>,
    prompts: Vec<Prompt>,
    samples_per_prompt: usize,
    completions: Vec<Completion>,
    texts: Vec<String>,
    verdicts: Vec<Verdict>,
    /// The reward of the greedy answer to each problem, where an estimator asks for it.
    greedy_rewards: Vec<Option<f64>>,
    /// What dynamic sampling did, if the stage asks for it.
    refill: Option<Refill>,
    seconds_sample: f64,
    seconds_verify: f64,
}

/// One part of the rewards of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct RewardPart {
    /// The verifier's name.
    pub name: String,
    /// Its weight in the reward.
    pub weight: f64,
    /// What it gave each completion, before the weight.
    pub scores: Vec<Option<f64>>,
}

impl Rollout {
    pub(super) fn new(
        assembly: &Assembly,
        sampler: &mut dyn Sampler,
        problems: Vec<Problem>,
        spec: &SampleSpec,
    ) -> Result<Self, TrainError> {
        let prompts = problems
            .iter()
            .map(|problem| assembly.prompt(problem))
            .collect::<Result<Vec<_>, _>>()?;

        let start = Instant::now();
        let completions: Vec<Completion> = sampler
            .sample(&prompts, spec)?
            .into_iter()
            .flatten()
            .collect();
        let seconds_sample = start.elapsed().as_secs_f64();

        let start = Instant::now();
        let texts: Vec<String> = completions
            .iter()
            .map(|one| assembly.tokenizer.decode(&one.tokens))
            .collect();
        let pairs: Vec<(&Problem, &str)> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| (&problems[at / spec.samples_per_prompt], text.as_str()))
            .collect();
        let verdicts = verify_all(&*assembly.verifier, &pairs);
        let seconds_verify = start.elapsed().as_secs_f64();
        Ok(Self {
            problems,
            prompts,
            samples_per_prompt: spec.samples_per_prompt,
            completions,
            texts,
            verdicts,
            greedy_rewards: Vec::new(),
            refill: None,
            seconds_sample,
            seconds_verify,
        })
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> usize {
        self.problems.len()
    }

    /// What the rewards of every group have to teach.
    pub(super) fn signals(&self) -> Vec<Signal> {
        let rewards = self.rewards();
        rewards
            .chunks(self.samples_per_prompt)
            .map(Signal::of)
            .collect()
    }

    /// Leaves only these groups, in this order; all of them exist, and none twice.
    pub(super) fn keep(&mut self, groups: &[usize]) {
        let samples = self.samples_per_prompt;
        let members = || {
            groups
                .iter()
                .flat_map(|group| group * samples..(group + 1) * samples)
        };
        self.problems = groups
            .iter()
            .map(|&group| self.problems[group].clone())
            .collect();
        self.prompts = groups
            .iter()
            .map(|&group| self.prompts[group].clone())
            .collect();
        self.completions = members().map(|at| self.completions[at].clone()).collect();
        self.texts = members().map(|at| self.texts[at].clone()).collect();
        self.verdicts = members().map(|at| self.verdicts[at].clone()).collect();
    }

    /// Adds the groups of another rollout behind its own.
    pub(super) fn append(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.prompts.extend(other.prompts);
        self.completions.extend(other.completions);
        self.texts.extend(other.texts);
        self.verdicts.extend(other.verdicts);
        self.seconds_sample += other.seconds_sample;
        self.seconds_verify += other.seconds_verify;
    }

    /// What became of the groups that were sampled, if those without a signal were sampled again.
    pub fn refill(&self) -> Option<&Refill> {
        self.refill.as_ref()
    }

    /// Says what became of the groups that were sampled.
    pub(super) fn refilled(&mut self, refill: Refill) {
        self.refill = Some(refill);
    }

    /// The completions, group after group.
    pub fn completions(&self) -> &[Completion] {
        &self.completions
    }

    /// What the verifier said, completion by completion.
    pub fn verdicts(&self) -> &[Verdict] {
        &self.verdicts
    }

    /// The completions as text, without the end-of-sequence token.
    pub fn texts(&self) -> &[String] {
        &self.texts
    }

    /// The prompt of completion `at` in token ids.
    ///
    /// # Panics
    /// If there is no such completion.
    pub fn prompt(&self, at: usize) -> &Prompt {
        &self.prompts[at / self.samples_per_prompt]
    }

    /// The problem of completion `at`.
    ///
    /// # Panics
    /// If there is no such completion.
    pub fn problem(&self, at: usize) -> &Problem {
        &self.problems[at / self.samples_per_prompt]
    }

    /// The rewards; `None` where a completion could not be scored.
    pub fn rewards(&self) -> Vec<Option<f64>> {
        self.verdicts.iter().map(Verdict::reward).collect()
    }

    /// Answers every problem of the rollout once more, greedily, and keeps the rewards.
    pub(super) fn answer_greedily(&mut self, assembly: &Assembly) -> Result<(), TrainError> {
        let start = Instant::now();
        let answers = evaluate(assembly, &self.problems)?.answers;
        let rewards = answers.iter().map(|answer| answer.verdict.reward());
        self.greedy_rewards = rewards.collect();
        self.seconds_sample += start.elapsed().as_secs_f64();
        Ok(())
    }

    /// The reward of the greedy answer to each problem; empty unless an estimator asked for it.
    pub fn greedy_rewards(&self) -> &[Option<f64>] {
        &self.greedy_rewards
    }

    /// What the rewards are made of, part by part in the order in which the verifier names them; a
    /// completion without the part, or that could not be scored, has none.
    pub fn reward_parts(&self) -> Vec<RewardPart> {
        let mut all: Vec<RewardPart> = Vec::new();
        for (at, verdict) in self.verdicts.iter().enumerate() {
            let Verdict::Scored { parts, .. } = verdict else {
                continue;
            };
            for part in parts {
                let known = all.iter().position(|known| known.name == part.name);
                let place = known.unwrap_or_else(|| {
                    all.push(RewardPart {
                        name: part.name.clone(),
                        weight: part.weight,
                        scores: vec![None; self.verdicts.len()],
                    });
                    all.len() - 1
                });
                all[place].scores[at] = Some(part.score);
            }
        }
        all
    }

    /// The number of tokens of each completion.
    pub fn lengths(&self) -> Vec<usize> {
        self.completions
            .iter()
            .map(|completion| completion.tokens.len())
            .collect()
    }

    /// How many completions were cut off.
    pub fn truncated(&self) -> usize {
        self.completions
            .iter()
            .filter(|one| one.finish == Finish::Length)
            .count()
    }

    /// What goes through the model: prompt and response of every completion, the response of a
    /// masked one left out.
    pub(super) fn sequences(&self, responses: &[Response]) -> Vec<Sequence<'_>> {
        let rows = self.completions.iter().zip(responses).enumerate();
        rows.map(|(at, (completion, response))| Sequence {
            prompt: &self.prompt(at).tokens,
            response: &completion.tokens[..response.tokens],
        })
        .collect()
    }

    /// The first `limit` completions for the record.
    pub(super) fn records(
        &self,
        stage: &str,
        step: u64,
        responses: &[Response],
        weights: &[f64],
        limit: usize,
    ) -> Vec<CompletionRecord> {
        let count = limit.min(self.completions.len());
        let record = |at: usize| {
            let (parts, unscorable) = match &self.verdicts[at] {
                Verdict::Scored { parts, .. } => (named(parts), None),
                Verdict::Unscorable { why } => (Vec::new(), Some(why.clone())),
            };
            let problem = self.problem(at);
            CompletionRecord {
                stage: stage.to_owned(),
                step,
                problem: problem.id,
                sample: (at % self.samples_per_prompt) as u32,
                prompt: problem.prompt.clone(),
                completion: self.texts[at].clone(),
                answer: problem.answer.clone(),
                reward: self.verdicts[at].reward(),
                parts,
                unscorable,
                advantage: responses[at].advantage,
                weight: weights[at],
                tokens: responses[at].tokens,
                finish: self.completions[at].finish,
            }
        };
        (0..count).map(record).collect()
    }

    pub(super) fn timings(&self, timings: &mut MetricRecord) {
        let tokens: usize = self.lengths().iter().sum();
        timings.push("seconds/sample", self.seconds_sample);
        timings.push("seconds/verify", self.seconds_verify);
        timings.push(
            "tokens_per_second/sample",
            tokens as f64 / self.seconds_sample,
        );
    }
}

fn named(parts: &[Part]) -> Vec<(String, f64)> {
    parts
        .iter()
        .map(|part| (part.name.clone(), part.score))
        .collect()
}
