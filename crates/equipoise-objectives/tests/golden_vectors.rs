//! From rewards to the loss, through all three crates of numbers: the worked example of Balanced
//! Aggregation.

use equipoise_advantages::estimators::{Correction, Grpo, StandardDeviation};
use equipoise_advantages::{AdvantageEstimator, Group};
use equipoise_aggregation::rules::{Balanced, DrGrpo, SequenceMean, TokenMean};
use equipoise_aggregation::{Reducer, Response, batch_weights};
use equipoise_objectives::policy::PpoClip;
use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms};
use std::num::NonZeroUsize;

const RATIOS: [&[f64]; 4] = [
    &[1.0, 1.1, 0.7],
    &[1.0, 0.9, 1.3, 1.05, 0.75],
    &[1.25, 0.95],
    &[0.8, 1.0, 1.4, 1.1],
];

const OBJECTIVE: PpoClip = PpoClip {
    epsilon_low: 0.2,
    epsilon_high: 0.28,
    dual_clip: None,
};

const DR_GRPO: DrGrpo = DrGrpo {
    max_tokens: NonZeroUsize::new(8).unwrap(),
};

fn advantages(rewards: [f64; 4], correction: Correction) -> Vec<f64> {
    let grpo = Grpo {
        std: StandardDeviation::Group,
        correction,
        epsilon: 0.0,
    };
    let rewards = rewards.map(Some);
    let lengths = RATIOS.map(<[f64]>::len);
    grpo.estimate(&[Group::new(&rewards, &lengths).unwrap()])
        .values
}

/// The loss terms of response `index`, whose old log-probabilities are made up.
fn terms(index: usize, advantage: f64) -> TokenLoss {
    let old: Vec<f64> = (0..RATIOS[index].len())
        .map(|t| -0.3 * t as f64 - 0.1)
        .collect();
    let logprobs: Vec<f64> = RATIOS[index]
        .iter()
        .zip(&old)
        .map(|(ratio, old)| old + ratio.ln())
        .collect();
    let mut out = TokenLoss::new();
    OBJECTIVE.evaluate(
        &TokenTerms::new(&logprobs, &old, advantage).unwrap(),
        &mut out,
    );
    out
}

fn loss(rule: &dyn Reducer, advantages: &[f64]) -> f64 {
    let responses: Vec<Response> = advantages
        .iter()
        .zip(RATIOS)
        .map(|(&advantage, ratios)| Response {
            tokens: ratios.len(),
            advantage,
        })
        .collect();
    let weights = batch_weights(rule, &responses, &[4]).unwrap();
    weights
        .iter()
        .zip(advantages)
        .enumerate()
        .map(|(index, (weight, advantage))| weight * terms(index, *advantage).sum())
        .sum()
}

#[track_caller]
fn assert_loss(rule: &dyn Reducer, rewards: [f64; 4], correction: Correction, expected: f64) {
    let found = loss(rule, &advantages(rewards, correction));
    assert!((found - expected).abs() < 1e-9, "{}: {found}", rule.name());
}

#[test]
fn losses() {
    use Correction::{Population, Sample};
    let balanced = Balanced::default();
    let two_right = [1.0, 1.0, 0.0, 0.0];
    assert_loss(&SequenceMean, two_right, Population, 0.061416667);
    assert_loss(&TokenMean, two_right, Population, -0.091428571);
    assert_loss(&balanced, two_right, Population, 0.055416667);
    assert_loss(&DR_GRPO, two_right, Population, -0.040000000);

    assert_loss(&SequenceMean, two_right, Sample, 0.053188394);
    assert_loss(&TokenMean, two_right, Sample, -0.079179465);
    assert_loss(&balanced, two_right, Sample, 0.047992241);
    assert_loss(&DR_GRPO, two_right, Sample, -0.034641016);

    let one_right = [1.0, 0.0, 0.0, 0.0];
    assert_loss(&SequenceMean, one_right, Population, 0.055569963);
    assert_loss(&TokenMean, one_right, Population, 0.129903811);
    assert_loss(&balanced, one_right, Population, 0.050518149);

    let outer_right = [1.0, 0.0, 0.0, 1.0];
    assert_loss(&SequenceMean, outer_right, Population, 0.032916667);
    assert_loss(&TokenMean, outer_right, Population, 0.019285714);
    assert_loss(&balanced, outer_right, Population, 0.019285714);
}

#[test]
fn gradients() {
    // With advantage 1 only the ratio of 1.3 is clipped; elsewhere the gradient is −r.
    let out = terms(1, 1.0);
    for (found, expected) in out.gradient.iter().zip([-1.0, -0.9, 0.0, -1.05, -0.75]) {
        assert!((found - expected).abs() < 1e-15, "{out:?}");
    }
    assert_eq!((out.count(Clip::High), out.count(Clip::Low)), (1, 0));
    // With advantage −1 only the ratio of 0.75 is, and the gradient is r.
    let out = terms(1, -1.0);
    for (found, expected) in out.gradient.iter().zip([1.0, 0.9, 1.3, 1.05, 0.0]) {
        assert!((found - expected).abs() < 1e-15, "{out:?}");
    }
    assert_eq!((out.count(Clip::High), out.count(Clip::Low)), (0, 1));
}
