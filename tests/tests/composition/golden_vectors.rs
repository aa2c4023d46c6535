//! The worked example of Balanced Aggregation, from rewards to the loss, with numbers known
//! beforehand to nine decimals.

use equipoise_advantages::estimators::{Baseline, Correction, Grpo, StandardDeviation};
use equipoise_aggregation::rules::{Balanced, DrGrpo, SequenceMean, TokenMean};
use equipoise_aggregation::{Reducer, batch_weights};
use equipoise_objectives::Clip;
use equipoise_objectives::policy::PpoClip;
use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms};
use std::num::NonZeroUsize;

use crate::step::{Backward, Decided, Sampled, decide, micro_batch, whole_batch};

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
    delta: None,
};

const DR_GRPO: DrGrpo = DrGrpo {
    max_tokens: NonZeroUsize::new(8).unwrap(),
};

/// Half a unit of the last decimal printed.
const PRINTED: f64 = 5e-10;

/// The four responses; the old log-probabilities are made up, only the ratios matter.
fn responses(rewards: [f64; 4]) -> Vec<Sampled> {
    let response = |reward, ratios: &[f64]| {
        let old_logprobs: Vec<f64> = (0..ratios.len()).map(|t| -0.3 * t as f64 - 0.1).collect();
        let logprobs = ratios
            .iter()
            .zip(&old_logprobs)
            .map(|(ratio, old)| old + ratio.ln())
            .collect();
        Sampled {
            reward: Some(reward),
            logprobs,
            old_logprobs,
        }
    };
    rewards
        .into_iter()
        .zip(RATIOS)
        .map(|(reward, ratios)| response(reward, ratios))
        .collect()
}

fn grpo(correction: Correction) -> Grpo {
    Grpo {
        baseline: Baseline::Mean,
        std: StandardDeviation::Group,
        correction,
        epsilon: 0.0,
    }
}

fn step(
    rule: &dyn Reducer,
    responses: &[Sampled],
    correction: Correction,
) -> (Vec<Decided>, Backward) {
    let decided = decide(&grpo(correction), rule, responses, &[4]);
    let backward = whole_batch(&OBJECTIVE, responses, &decided);
    (decided, backward)
}

#[track_caller]
fn assert_loss(rule: &dyn Reducer, rewards: [f64; 4], correction: Correction, expected: f64) {
    let (_, backward) = step(rule, &responses(rewards), correction);
    let found = backward.loss;
    assert!((found - expected).abs() < PRINTED, "{rule:?}: {found}");
}

#[track_caller]
fn assert_near(found: impl IntoIterator<Item = f64>, expected: &[f64]) {
    let found: Vec<f64> = found.into_iter().collect();
    let near = |(a, b): (&f64, &f64)| (a - b).abs() < PRINTED;
    assert_eq!(found.len(), expected.len());
    assert!(
        found.iter().zip(expected).all(near),
        "{found:?} {expected:?}"
    );
}

#[test]
fn two_right_population_deviation() {
    let rewards = [1.0, 1.0, 0.0, 0.0];
    let balanced = Balanced::default();
    assert_loss(&SequenceMean, rewards, Correction::Population, 0.061416667);
    assert_loss(&TokenMean, rewards, Correction::Population, -0.091428571);
    assert_loss(&balanced, rewards, Correction::Population, 0.055416667);
    assert_loss(&DR_GRPO, rewards, Correction::Population, -0.040000000);

    let (decided, _) = step(&balanced, &responses(rewards), Correction::Population);
    assert_near(decided.iter().map(|d| d.advantage), &[1.0, 1.0, -1.0, -1.0]);
    assert_near(
        decided.iter().map(|d| d.weight),
        &[0.0625, 0.0625, 0.083333333, 0.083333333],
    );
}

#[test]
fn two_right_sample_deviation() {
    let rewards = [1.0, 1.0, 0.0, 0.0];
    let balanced = Balanced::default();
    assert_loss(&SequenceMean, rewards, Correction::Sample, 0.053188394);
    assert_loss(&TokenMean, rewards, Correction::Sample, -0.079179465);
    assert_loss(&balanced, rewards, Correction::Sample, 0.047992241);
    assert_loss(&DR_GRPO, rewards, Correction::Sample, -0.034641016);

    let (decided, _) = step(&balanced, &responses(rewards), Correction::Sample);
    let a = 0.866025404;
    assert_near(decided.iter().map(|d| d.advantage), &[a, a, -a, -a]);
}

#[test]
fn one_right() {
    let rewards = [1.0, 0.0, 0.0, 0.0];
    let balanced = Balanced::default();
    assert_loss(&SequenceMean, rewards, Correction::Population, 0.055569963);
    assert_loss(&TokenMean, rewards, Correction::Population, 0.129903811);
    assert_loss(&balanced, rewards, Correction::Population, 0.050518149);

    let (decided, _) = step(&balanced, &responses(rewards), Correction::Population);
    let wrong = -0.577350269;
    assert_near(
        decided.iter().map(|d| d.advantage),
        &[1.732050808, wrong, wrong, wrong],
    );
    let wrong = 0.068181818;
    assert_near(
        decided.iter().map(|d| d.weight),
        &[0.083333333, wrong, wrong, wrong],
    );
}

/// The mean length of right and wrong answers is the same, 3.5.
#[test]
fn outer_two_right() {
    let rewards = [1.0, 0.0, 0.0, 1.0];
    let balanced = Balanced::default();
    assert_loss(&SequenceMean, rewards, Correction::Population, 0.032916667);
    assert_loss(&TokenMean, rewards, Correction::Population, 0.019285714);
    assert_loss(&balanced, rewards, Correction::Population, 0.019285714);
}

/// Its reward counts in the group's mean; its tokens, and itself, count in no weight.
#[test]
fn a_response_is_fully_masked() {
    let mut responses = responses([1.0, 1.0, 0.0, 0.0]);
    responses[3].logprobs.clear();
    responses[3].old_logprobs.clear();
    let (decided, backward) = step(&Balanced::default(), &responses, Correction::Population);
    assert_near([backward.loss], &[-0.281666667]);
    assert_near(decided.iter().map(|d| d.advantage), &[1.0, 1.0, -1.0, -1.0]);
    assert_near(
        decided.iter().map(|d| d.weight),
        &[0.083333333, 0.083333333, 0.166666667, 0.0],
    );
}

/// What the model back-propagates: −w r A, and nothing where the ratio is clipped.
#[test]
fn coefficients() {
    let responses = responses([1.0, 1.0, 0.0, 0.0]);
    let (_, backward) = step(&Balanced::default(), &responses, Correction::Population);
    let [o1, o2, o3, o4] = &backward.coefficients[..] else {
        panic!("{backward:?}");
    };
    // Right answers weigh 1/16 a token. Of the ratios only 1.3 is beyond a bound that matters.
    assert_near(o1.iter().map(|c| 16.0 * c), &[-1.0, -1.1, -0.7]);
    assert_near(
        o2.iter().map(|c| 16.0 * c),
        &[-1.0, -0.9, 0.0, -1.05, -0.75],
    );
    // Wrong ones 1/12. The ratio of 0.8 is on the bound itself, so it may go either way.
    assert_near(o3.iter().map(|c| 12.0 * c), &[1.25, 0.95]);
    assert_near(o4[1..].iter().map(|c| 12.0 * c), &[1.0, 1.4, 1.1]);
}

#[test]
fn clips() {
    let responses = responses([0.0; 4]);
    let evaluate = |advantage| {
        let mut out = TokenLoss::new();
        let (new, old) = (&responses[1].logprobs, &responses[1].old_logprobs);
        OBJECTIVE.evaluate(&TokenTerms::new(new, old, advantage).unwrap(), &mut out);
        out
    };
    // With advantage 1 only the ratio of 1.3 is clipped; elsewhere the gradient is −r.
    let out = evaluate(1.0);
    for (found, expected) in out.gradient.iter().zip([-1.0, -0.9, 0.0, -1.05, -0.75]) {
        assert!((found - expected).abs() < 1e-15, "{out:?}");
    }
    assert_eq!((out.count(Clip::High), out.count(Clip::Low)), (1, 0));
    // With advantage −1 only the ratio of 0.75 is, and the gradient is r.
    let out = evaluate(-1.0);
    for (found, expected) in out.gradient.iter().zip([1.0, 0.9, 1.3, 1.05, 0.0]) {
        assert!((found - expected).abs() < 1e-15, "{out:?}");
    }
    assert_eq!((out.count(Clip::High), out.count(Clip::Low)), (0, 1));
}

/// Why weights belong to the whole step. Normalised inside micro-batches of one response and then
/// averaged, the token mean has the loss of the sequence mean; normalised inside micro-batches that
/// happen to hold one sign each, it has that of Balanced Aggregation.
#[test]
fn normalising_inside_micro_batches_is_another_rule() {
    let responses = responses([1.0, 1.0, 0.0, 0.0]);
    let (decided, backward) = step(&TokenMean, &responses, Correction::Population);
    assert_near([backward.loss], &[-0.091428571]);
    let mistaken = |size: usize| -> f64 {
        let losses = responses.chunks(size).zip(decided.chunks(size));
        let mean = losses.map(|(responses, decided)| {
            let measured: Vec<_> = responses
                .iter()
                .zip(decided)
                .map(|(response, decided)| equipoise_aggregation::Response {
                    tokens: response.tokens(),
                    advantage: decided.advantage,
                })
                .collect();
            let weights = batch_weights(&TokenMean, &measured, &[size]).unwrap();
            let rows = responses.iter().zip(decided).zip(weights);
            let rows = rows.map(|((response, decided), weight)| {
                let advantage = decided.advantage;
                (response, Decided { advantage, weight })
            });
            micro_batch(&OBJECTIVE, rows).loss * size as f64 / 4.0
        });
        mean.sum()
    };
    assert_near([mistaken(4)], &[-0.091428571]);
    assert_near([mistaken(1)], &[0.061416667]);
    assert_near([mistaken(2)], &[0.055416667]);
}
