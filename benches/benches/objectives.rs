//! What the mathematics of a step costs: estimator, reducer and objective of a batch of 512 responses of
//! 4096 tokens, on one core.
//!
//! The aim is 50 ms for one of each together. A forward and backward pass over two million tokens takes
//! minutes on the same core, so anything below is free.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use equipoise_advantages::Group;
use equipoise_aggregation::{Response, batch_weights};
use equipoise_benches::numbers;
use equipoise_objectives::{Advantage, TokenLoss, TokenTerms};

const RESPONSES: usize = 512;
const TOKENS: usize = 4096;
const GROUP: usize = 8;

struct Batch {
    logprobs: Vec<f64>,
    old: Vec<f64>,
    rewards: Vec<Option<f64>>,
    lengths: Vec<usize>,
}

impl Batch {
    fn new() -> Self {
        // Between −1 and 1.
        let random = numbers(2 * RESPONSES * TOKENS + RESPONSES);
        let mut random = random.into_iter().map(f64::from);
        let mut take = |count| random.by_ref().take(count).collect::<Vec<f64>>();
        let old: Vec<f64> = take(RESPONSES * TOKENS)
            .iter()
            .map(|x| 1.5 * (x - 1.0))
            .collect();
        let moves = take(RESPONSES * TOKENS);
        let rewards = take(RESPONSES);
        Self {
            logprobs: old
                .iter()
                .zip(moves)
                .map(|(old, x)| old + 0.3 * x)
                .collect(),
            rewards: rewards
                .iter()
                .map(|x| Some(f64::from(u8::from(*x > 0.0))))
                .collect(),
            lengths: vec![TOKENS; RESPONSES],
            old,
        }
    }

    fn groups(&self) -> Vec<Group<'_>> {
        let rows = self.rewards.chunks(GROUP).zip(self.lengths.chunks(GROUP));
        rows.map(|(rewards, lengths)| Group::new(rewards, lengths).expect("one length a reward"))
            .collect()
    }

    fn terms<'a>(&'a self, advantages: &[f64]) -> Vec<TokenTerms<'a>> {
        let rows = self.logprobs.chunks(TOKENS).zip(self.old.chunks(TOKENS));
        rows.zip(advantages)
            .map(|((logprobs, old), advantage)| {
                TokenTerms::new(logprobs, old, Advantage::Response(*advantage))
                    .expect("one row as long as the other")
            })
            .collect()
    }
}

/// The whole step: GRPO's advantages, a rule's weights, an objective's losses and derivatives.
fn step(criterion: &mut Criterion) {
    let batch = Batch::new();
    let estimator = equipoise_advantages::by_name("grpo", &Default::default()).expect("a name");
    let reducer = equipoise_aggregation::by_name("balanced", &Default::default()).expect("a name");
    let sizes = [GROUP; RESPONSES / GROUP];
    let mut group = criterion.benchmark_group("grpo × balanced ×");
    for entry in equipoise_objectives::CATALOGUE {
        let objective = equipoise_objectives::by_name(entry.name, &Default::default());
        let objective = objective.expect("every objective has defaults");
        let mut out = TokenLoss::new();
        group.bench_function(BenchmarkId::from_parameter(entry.name), |bencher| {
            bencher.iter(|| {
                let advantages = estimator
                    .estimate(&batch.groups())
                    .expect("rewards are there");
                let responses: Vec<Response> = advantages
                    .values
                    .iter()
                    .map(|&advantage| Response {
                        tokens: TOKENS,
                        advantage,
                    })
                    .collect();
                let weights = batch_weights(&*reducer, &responses, &sizes).expect("sizes fit");
                let terms = batch.terms(&advantages.values);
                let marks = objective.marks(&terms, 0);
                let mut loss = 0.0;
                for (at, (terms, weight)) in terms.into_iter().zip(&weights).enumerate() {
                    let terms = match &marks {
                        Some(marks) => terms.with_marks(&marks[at]).expect("one mark a token"),
                        None => terms,
                    };
                    objective.evaluate(&terms, &mut out);
                    loss += weight * out.sum();
                    black_box(&out.gradient);
                }
                black_box(loss)
            });
        });
    }
    group.finish();
}

/// The estimators that need nothing but rewards, and the reducers, without any objective.
fn others(criterion: &mut Criterion) {
    let batch = Batch::new();
    let mut group = criterion.benchmark_group("estimator");
    for entry in equipoise_advantages::CATALOGUE {
        let Ok(estimator) = equipoise_advantages::by_name(entry.name, &Default::default()) else {
            continue;
        };
        if estimator.estimate(&batch.groups()).is_err() {
            continue;
        }
        group.bench_function(BenchmarkId::from_parameter(entry.name), |bencher| {
            bencher.iter(|| black_box(estimator.estimate(&batch.groups())));
        });
    }
    group.finish();

    let random = numbers(2 * RESPONSES);
    let responses: Vec<Response> = random
        .chunks_exact(2)
        .map(|pair| Response {
            tokens: 1 + (f64::from(pair[0].abs()) * TOKENS as f64) as usize,
            advantage: f64::from(pair[1]),
        })
        .collect();
    let sizes = [GROUP; RESPONSES / GROUP];
    let mut group = criterion.benchmark_group("reducer");
    for entry in equipoise_aggregation::CATALOGUE {
        let options = equipoise_aggregation::Options {
            max_tokens: entry.options.contains(&"max_tokens").then_some(TOKENS),
            ..Default::default()
        };
        let reducer = equipoise_aggregation::by_name(entry.name, &options).expect("a name");
        group.bench_function(BenchmarkId::from_parameter(entry.name), |bencher| {
            bencher.iter(|| black_box(batch_weights(&*reducer, &responses, &sizes)));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = step, others
}
criterion_main!(benches);
