//! Losses and weights of a small worked example under every rule, with numbers known beforehand.
//!
//! Four responses with fixed importance ratios; the clipped policy-gradient terms are computed here,
//! so that nothing but the weights comes from the crate.

use equipoise_aggregation::rules::{Balanced, DrGrpo, SequenceMean, TokenMean};
use equipoise_aggregation::{Reducer, Response, batch_weights};
use std::num::NonZeroUsize;

const EPSILON_LOW: f64 = 0.2;
const EPSILON_HIGH: f64 = 0.28;

const RATIOS: [&[f64]; 4] = [
    &[1.0, 1.1, 0.7],
    &[1.0, 0.9, 1.3, 1.05, 0.75],
    &[1.25, 0.95],
    &[0.8, 1.0, 1.4, 1.1],
];

const DR_GRPO: DrGrpo = DrGrpo {
    max_tokens: NonZeroUsize::new(8).unwrap(),
};

/// The negated clipped objective of one token.
fn clipped_term(ratio: f64, advantage: f64) -> f64 {
    let clipped = ratio.clamp(1.0 - EPSILON_LOW, 1.0 + EPSILON_HIGH);
    -(ratio * advantage).min(clipped * advantage)
}

/// The rewards less their mean, over their standard deviation with the given divisor.
fn standardised(rewards: [f64; 4], divisor: f64) -> [f64; 4] {
    let mean = rewards.iter().sum::<f64>() / 4.0;
    let squares: f64 = rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
    rewards.map(|reward| (reward - mean) / (squares / divisor).sqrt())
}

fn responses(advantages: [f64; 4], lengths: [usize; 4]) -> Vec<Response> {
    advantages
        .into_iter()
        .zip(lengths)
        .map(|(advantage, tokens)| Response { tokens, advantage })
        .collect()
}

fn loss(rule: &dyn Reducer, advantages: [f64; 4], lengths: [usize; 4]) -> f64 {
    let weights = batch_weights(rule, &responses(advantages, lengths), &[4]).unwrap();
    let mut loss = 0.0;
    for response in 0..4 {
        for &ratio in &RATIOS[response][..lengths[response]] {
            loss += weights[response] * clipped_term(ratio, advantages[response]);
        }
    }
    loss
}

const LENGTHS: [usize; 4] = [3, 5, 2, 4];

#[track_caller]
fn assert_losses(advantages: [f64; 4], expected: [(&dyn Reducer, f64); 4]) {
    for (rule, value) in expected {
        let found = loss(rule, advantages, LENGTHS);
        assert!((found - value).abs() < 1e-9, "{}: {found}", rule.name());
    }
}

#[track_caller]
fn assert_weights(advantages: [f64; 4], lengths: [usize; 4], expected: [f64; 4]) {
    let rule = Balanced::default();
    let weights = batch_weights(&rule, &responses(advantages, lengths), &[4]).unwrap();
    for (found, value) in weights.iter().zip(expected) {
        assert!((found - value).abs() < 1e-9, "{weights:?}");
    }
}

#[test]
fn two_right_two_wrong_population_deviation() {
    let advantages = standardised([1.0, 1.0, 0.0, 0.0], 4.0);
    assert_eq!(advantages, [1.0, 1.0, -1.0, -1.0]);
    assert_losses(
        advantages,
        [
            (&SequenceMean, 0.061416667),
            (&TokenMean, -0.091428571),
            (&Balanced::default(), 0.055416667),
            (&DR_GRPO, -0.040000000),
        ],
    );
    assert_weights(
        advantages,
        LENGTHS,
        [0.0625, 0.0625, 0.083333333333, 0.083333333333],
    );
}

#[test]
fn two_right_two_wrong_sample_deviation() {
    let advantages = standardised([1.0, 1.0, 0.0, 0.0], 3.0);
    assert!((advantages[0] - 0.866025404).abs() < 1e-9);
    assert_losses(
        advantages,
        [
            (&SequenceMean, 0.053188394),
            (&TokenMean, -0.079179465),
            (&Balanced::default(), 0.047992241),
            (&DR_GRPO, -0.034641016),
        ],
    );
}

#[test]
fn one_right_three_wrong() {
    let advantages = standardised([1.0, 0.0, 0.0, 0.0], 4.0);
    assert!((advantages[0] - 1.732050808).abs() < 1e-9);
    assert!((advantages[1] + 0.577350269).abs() < 1e-9);
    for (rule, value) in [
        (&SequenceMean as &dyn Reducer, 0.055569963),
        (&TokenMean, 0.129903811),
        (&Balanced::default(), 0.050518149),
    ] {
        let found = loss(rule, advantages, LENGTHS);
        assert!((found - value).abs() < 1e-9, "{}: {found}", rule.name());
    }
    let negative = 0.068181818182;
    assert_weights(
        advantages,
        LENGTHS,
        [0.083333333333, negative, negative, negative],
    );
}

#[test]
fn equal_mean_lengths_make_balanced_the_token_mean() {
    let advantages = standardised([1.0, 0.0, 0.0, 1.0], 4.0);
    for (rule, value) in [
        (&SequenceMean as &dyn Reducer, 0.032916667),
        (&TokenMean, 0.019285714),
        (&Balanced::default(), 0.019285714),
    ] {
        let found = loss(rule, advantages, LENGTHS);
        assert!((found - value).abs() < 1e-9, "{}: {found}", rule.name());
    }
}

#[test]
fn a_fully_masked_response_counts_nowhere() {
    let advantages = standardised([1.0, 1.0, 0.0, 0.0], 4.0);
    let lengths = [3, 5, 2, 0];
    let found = loss(&Balanced::default(), advantages, lengths);
    assert!((found + 0.281666667).abs() < 1e-9, "{found}");
    assert_weights(
        advantages,
        lengths,
        [0.083333333333, 0.083333333333, 0.166666666667, 0.0],
    );
}
