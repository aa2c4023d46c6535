//! Agreement with verl and TRL: losses, gradients, divergences, corrections, choices of tokens.

use equipoise_objectives::mismatch::{
    Correction, Divergence, Mode, OffPolicySequenceMask, Pooling, RatioLevel, Rejection,
};
use equipoise_objectives::{
    KlEstimator, KlTerm, Options, Setting, TokenLoss, TokenTerms, ValueLoss, by_name,
    top_entropy_marks,
};
use std::collections::{BTreeMap, BTreeSet};

#[derive(serde::Deserialize)]
struct Fixture {
    policy: Vec<Policy>,
    divergences: Vec<Kl>,
    values: Vec<Value>,
    corrections: Vec<Weights>,
    rejections: Vec<Rejected>,
    masks: Vec<Masks>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/policy_peers.json")).unwrap()
}

#[track_caller]
fn assert_close(found: f64, expected: f64, bound: f64, what: &str) {
    let scale = expected.abs().max(1.0);
    assert!(
        (found - expected).abs() <= bound * scale,
        "{what}: {found} is not {expected}"
    );
}

#[derive(serde::Deserialize)]
struct Policy {
    source: String,
    objective: String,
    options: BTreeMap<String, f64>,
    weights: Vec<f64>,
    logprobs: Vec<Vec<f64>>,
    old: Vec<Vec<f64>>,
    advantages: Vec<Vec<f64>>,
    multipliers: Option<Vec<Vec<f64>>>,
    loss: f64,
    gradient: Vec<Vec<f64>>,
}

#[test]
fn policy_losses_and_their_gradients() {
    let mut covered = BTreeSet::new();
    for case in fixture().policy {
        let mut options = Options::default();
        for (name, value) in &case.options {
            options.set(name, Setting::Number(*value)).unwrap();
        }
        let objective = by_name(&case.objective, &options).unwrap();
        let terms: Vec<TokenTerms<'_>> = (0..case.logprobs.len())
            .map(|at| {
                let advantages = &case.advantages[at][..];
                TokenTerms::new(&case.logprobs[at], &case.old[at], advantages).unwrap()
            })
            .collect();
        let marks = objective.marks(&terms, 0);
        let mut out = TokenLoss::new();
        let mut loss = 0.0;
        for (at, mut terms) in terms.into_iter().enumerate() {
            if let Some(marks) = &marks {
                terms = terms.with_marks(&marks[at]).unwrap();
            }
            if let Some(multipliers) = &case.multipliers {
                terms = terms.with_multipliers(&multipliers[at]).unwrap();
            }
            objective.evaluate(&terms, &mut out);
            loss += case.weights[at] * out.sum();
            // TRL has sapo's temperatures in single precision; verl adds 1e-8 to the lengths that it
            // divides by in gmpo and in the sequence mean.
            let bound = match case.source.contains("trl sapo") {
                true => 1e-7,
                false => 3e-8,
            };
            for (found, expected) in out.gradient.iter().zip(&case.gradient[at]) {
                let what = format!("{} gradient", case.source);
                assert_close(case.weights[at] * found, *expected, bound, &what);
            }
        }
        assert_close(loss, case.loss, 1e-7, &case.source);
        covered.insert(case.source);
    }
    assert!(covered.len() >= 19, "{covered:?}");
}

#[derive(serde::Deserialize)]
struct Kl {
    source: String,
    estimator: String,
    importance: bool,
    coefficient: f64,
    logprob: f64,
    old: f64,
    reference: f64,
    value: f64,
    derivative: f64,
}

#[test]
fn divergences_and_their_derivatives() {
    for case in fixture().divergences {
        let estimator: KlEstimator = case.estimator.parse().unwrap();
        let term = KlTerm {
            coefficient: case.coefficient,
            importance: case.importance,
            ..KlTerm::new(estimator)
        };
        let found = term.evaluate(case.logprob, case.reference, case.old, 0.0);
        assert_close(found.value, case.value, 1e-12, &case.source);
        assert_close(found.derivative, case.derivative, 1e-12, &case.source);
    }
}

#[derive(serde::Deserialize)]
struct Value {
    value: f64,
    old: f64,
    target: f64,
    clip: f64,
    loss: f64,
    derivative: f64,
}

#[test]
fn value_losses_and_their_derivatives() {
    for case in fixture().values {
        let loss = ValueLoss {
            clip: Some(case.clip),
        };
        let found = loss.evaluate(case.value, case.old, case.target);
        assert_close(found.value, case.loss, 1e-12, "value");
        assert_close(found.derivative, case.derivative, 1e-12, "derivative");
    }
}

#[derive(serde::Deserialize)]
struct Weights {
    old: Vec<Vec<f64>>,
    sampler: Vec<Vec<f64>>,
    level: String,
    min: Option<f64>,
    max: Option<f64>,
    weights: Vec<Vec<f64>>,
}

#[test]
fn importance_weights() {
    for case in fixture().corrections {
        let correction = Correction {
            level: match case.level.as_str() {
                "token" => RatioLevel::Token,
                _ => RatioLevel::Sequence,
            },
            mode: match case.min {
                Some(_) => Mode::Mask,
                None => Mode::Truncate,
            },
            min: case.min,
            max: case.max,
        };
        let mut found = Vec::new();
        for (at, expected) in case.weights.iter().enumerate() {
            correction
                .multipliers(&case.old[at], &case.sampler[at], &mut found)
                .unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                assert_close(*found, *expected, 1e-12, &case.level);
            }
        }
    }
}

#[derive(serde::Deserialize)]
struct Rejected {
    old: Vec<Vec<f64>>,
    sampler: Vec<Vec<f64>>,
    option: String,
    bounds: Vec<f64>,
    kept: Vec<Vec<bool>>,
}

#[test]
fn rejections() {
    for case in fixture().rejections {
        let divergence = match &case.option[case.option.len() - 2..] {
            "k1" => Divergence::K1,
            "k2" => Divergence::K2,
            _ => Divergence::K3,
        };
        let pooling = match &case.option[..case.option.len() - 3] {
            "token" => Pooling::Token,
            "seq_sum" => Pooling::Sum,
            "seq_mean" => Pooling::Mean,
            _ => Pooling::Largest,
        };
        let (min, max) = match case.bounds[..] {
            // verl takes the logarithms of a pair.
            [low, high] => (Some(low.ln()), Some(high.ln())),
            _ => (None, case.bounds.first().copied()),
        };
        let rule = Rejection {
            divergence,
            pooling,
            min,
            max,
        };
        let mut found = Vec::new();
        for (at, expected) in case.kept.iter().enumerate() {
            rule.keep(&case.old[at], &case.sampler[at], &mut found)
                .unwrap();
            assert_eq!(&found, expected, "{}", case.option);
        }
    }
}

#[derive(serde::Deserialize)]
struct Masks {
    logprobs: Vec<Vec<f64>>,
    sampler: Vec<Vec<f64>>,
    advantages: Vec<Vec<f64>>,
    threshold: f64,
    kept: Vec<bool>,
    entropies: Vec<Vec<f64>>,
    share: f64,
    marks: Vec<Vec<bool>>,
}

#[test]
fn off_policy_responses_and_undecided_tokens() {
    for case in fixture().masks {
        let mask = OffPolicySequenceMask {
            threshold: case.threshold,
        };
        for (at, expected) in case.kept.iter().enumerate() {
            let advantage = case.advantages[at][0];
            let kept = mask.keeps(&case.logprobs[at], &case.sampler[at], advantage);
            assert_eq!(kept.unwrap(), *expected);
        }
        let rows: Vec<&[f64]> = case.entropies.iter().map(Vec::as_slice).collect();
        assert_eq!(top_entropy_marks(&rows, case.share).unwrap(), case.marks);
    }
}
