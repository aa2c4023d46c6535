//! The cases on which the paper of Balanced Aggregation is silent, one test each.

use equipoise_aggregation::diagnostics::{net_advantage, sign_length_coupling};
use equipoise_aggregation::rules::{Balanced, DrGrpo, SequenceMean, TokenMean, ZeroAdvantage};
use equipoise_aggregation::{Reducer, Response, Scope, Sign, batch_weights};
use std::num::NonZeroUsize;

fn responses<const N: usize>(rows: [(usize, f64); N]) -> [Response; N] {
    rows.map(|(tokens, advantage)| Response { tokens, advantage })
}

fn every_rule() -> Vec<Box<dyn Reducer>> {
    let max_tokens = NonZeroUsize::new(16).unwrap();
    let mut rules: Vec<Box<dyn Reducer>> = vec![
        Box::new(SequenceMean),
        Box::new(TokenMean),
        Box::new(DrGrpo { max_tokens }),
    ];
    for scope in [Scope::Group, Scope::Batch] {
        for zero_advantage in [ZeroAdvantage::Neutral, ZeroAdvantage::Negative] {
            rules.push(Box::new(Balanced {
                scope,
                zero_advantage,
            }));
        }
    }
    rules
}

/// Rewards less their mean, over the population's standard deviation.
fn standardised<const N: usize>(rewards: [f64; N]) -> [f64; N] {
    let count = N as f64;
    let mean = rewards.iter().sum::<f64>() / count;
    let variance = rewards.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / count;
    rewards.map(|reward| (reward - mean) / variance.sqrt())
}

#[test]
fn one_sign_alone_is_the_token_mean() {
    for advantage in [0.5, -0.5] {
        let group = responses([(3, advantage), (5, 2.0 * advantage), (8, advantage)]);
        let weights = Balanced::default().weights(&group);
        assert_eq!(weights, [0.0625; 3]);
        assert_eq!(weights, TokenMean.weights(&group));
    }
}

#[test]
fn a_side_that_is_fully_masked_is_absent() {
    let group = responses([(4, 1.0), (0, -1.0), (0, -1.0)]);
    assert_eq!(Balanced::default().weights(&group), [0.25, 0.0, 0.0]);
}

#[test]
fn zero_advantages_are_neutral_or_negative() {
    // Rewards 1, ½, 0: the middle response has advantage 0.
    let advantages = standardised([1.0, 0.5, 0.0]);
    assert_eq!(advantages[1], 0.0);
    let group = responses([(2, advantages[0]), (10, advantages[1]), (4, advantages[2])]);
    let balanced = |zero_advantage| Balanced {
        zero_advantage,
        ..Balanced::default()
    };

    // The middle response has no weight, but it counts in G = 3.
    let neutral = balanced(ZeroAdvantage::Neutral).weights(&group);
    assert_eq!(neutral, [1.0 / 6.0, 0.0, 1.0 / 12.0]);
    assert!(net_advantage(&group, &neutral).unwrap().abs() < 1e-15);

    // Its ten tokens dilute the four of the negative response: 2/(3·14) each.
    let negative = balanced(ZeroAdvantage::Negative).weights(&group);
    assert_eq!(negative, [1.0 / 6.0, 1.0 / 21.0, 1.0 / 21.0]);
    let net = net_advantage(&group, &negative).unwrap();
    assert!((net - 0.175).abs() < 5e-4, "{net}");
    // By hand: √1.5·(1/3 − 4/21), and the loss is the negated value.
    assert!((net - 1.5_f64.sqrt() / 7.0).abs() < 1e-15, "{net}");
}

#[test]
fn without_signal_the_neutral_rule_has_no_weight() {
    let group = responses([(3, 0.0), (5, -0.0)]);
    assert_eq!(Balanced::default().weights(&group), [0.0, 0.0]);
}

#[test]
fn responses_without_tokens_change_no_weight() {
    let kept = responses([(3, 1.0), (5, -1.0), (2, 0.0), (7, -2.0)]);
    let with_empty = [
        &responses([(0, 1.0)])[..],
        &kept[..1],
        &responses([(0, -1.0)]),
        &kept[1..2],
        // A group of which nothing is left does not count as a group either.
        &responses([(0, 1.0), (0, 0.0)]),
        &kept[2..],
        &responses([(0, f64::NAN)]),
    ]
    .concat();
    for rule in every_rule() {
        let expected = batch_weights(rule.as_ref(), &kept, &[2, 2]).unwrap();
        let weights = batch_weights(rule.as_ref(), &with_empty, &[4, 2, 0, 3]).unwrap();
        let (mut of_kept, mut of_empty) = (Vec::new(), Vec::new());
        for (response, weight) in with_empty.iter().zip(weights) {
            match response.tokens {
                0 => of_empty.push(weight),
                _ => of_kept.push(weight),
            }
        }
        assert_eq!(of_kept, expected, "{rule:?}");
        assert_eq!(of_empty, [0.0; 5], "{rule:?}");
    }
}

#[test]
fn if_nothing_is_left_every_weight_is_zero() {
    for rule in every_rule() {
        let nothing = responses([(0, 1.0), (0, -1.0), (0, 0.0)]);
        assert_eq!(rule.weights(&nothing), [0.0; 3], "{rule:?}");
        assert_eq!(rule.weights(&[]), [0.0; 0], "{rule:?}");
        let weights = batch_weights(rule.as_ref(), &nothing, &[2, 0, 1]).unwrap();
        assert_eq!(weights, [0.0; 3], "{rule:?}");
        assert_eq!(batch_weights(rule.as_ref(), &[], &[]).unwrap(), [0.0; 0]);
    }
}

#[test]
fn masked_tokens_are_not_in_the_denominator() {
    // A response of ten tokens of which a mask leaves four is a response of four.
    let group = responses([(4, 1.0), (8, -1.0)]);
    assert_eq!(Balanced::default().weights(&group), [0.125, 0.0625]);
}

#[test]
fn per_token_advantages_count_by_the_sign_of_their_mean() {
    let response = Response::from_token_advantages(&[1.0, -0.25, -0.25, -1.5]);
    assert_eq!(response.tokens, 4);
    assert_eq!(response.advantage, -0.25);
    assert_eq!(response.sign(), Sign::Negative);
    let empty = Response::from_token_advantages(&[]);
    assert_eq!((empty.tokens, empty.advantage), (0, 0.0));
}

#[test]
fn graded_rewards_leave_the_coupling_inside_a_sign() {
    let advantages = standardised([1.0, 0.6, 0.1, 0.0]);
    for (found, expected) in advantages.iter().zip([1.43, 0.43, -0.81, -1.06]) {
        assert!((found - expected).abs() < 6e-3, "{advantages:?}");
    }
    let group = responses([
        (2, advantages[0]),
        (20, advantages[1]),
        (3, advantages[2]),
        (30, advantages[3]),
    ]);
    let net = |rule: &dyn Reducer| net_advantage(&group, &rule.weights(&group)).unwrap();
    assert!((net(&Balanced::default()) + 0.254).abs() < 5e-4);
    assert!((net(&TokenMean) + 0.410).abs() < 5e-4);
    assert!(net(&SequenceMean).abs() < 1e-15);
}

#[test]
fn weights_do_not_depend_on_the_size_of_an_advantage() {
    let small = responses([(3, 1e-9), (5, -1e-9), (2, -1e-9)]);
    let large = responses([(3, 1e9), (5, -4.0), (2, -1e-3)]);
    for rule in every_rule() {
        assert_eq!(rule.weights(&small), rule.weights(&large), "{rule:?}");
    }
}

#[test]
fn advantages_that_are_not_finite_have_no_side() {
    let group = responses([(2, 1.0), (6, f64::NAN), (5, f64::INFINITY), (4, -1.0)]);
    for zero_advantage in [ZeroAdvantage::Neutral, ZeroAdvantage::Negative] {
        let rule = Balanced {
            zero_advantage,
            ..Balanced::default()
        };
        assert_eq!(rule.weights(&group), [0.125, 0.0, 0.0, 0.0625]);
    }
    for rule in every_rule() {
        let weights = rule.weights(&group);
        assert!(
            weights.iter().all(|w| w.is_finite()),
            "{rule:?} {weights:?}"
        );
    }
}

#[test]
fn pooling_a_prompt_and_pooling_the_batch_differ() {
    let batch = responses([(2, 1.0), (2, -1.0), (6, 1.0), (2, -1.0)]);
    let weights = |scope| {
        let rule = Balanced {
            scope,
            ..Balanced::default()
        };
        batch_weights(&rule, &batch, &[2, 2]).unwrap()
    };
    // Two groups of two: every response has mass ¼.
    assert_eq!(weights(Scope::Group), [0.125, 0.125, 0.25 / 6.0, 0.125]);
    // One pool: n₊/(N T₊) = 2/(4·8), n₋/(N T₋) = 2/(4·4).
    assert_eq!(weights(Scope::Batch), [0.0625, 0.125, 0.0625, 0.125]);
}

#[test]
fn in_groups_of_two_balanced_is_the_sequence_mean() {
    let batch = responses([(3, 1.0), (11, -1.0), (4, -1.0), (9, 1.0)]);
    let balanced = batch_weights(&Balanced::default(), &batch, &[2, 2]).unwrap();
    let sequence = batch_weights(&SequenceMean, &batch, &[2, 2]).unwrap();
    for (a, b) in balanced.iter().zip(&sequence) {
        assert!((a - b).abs() < 1e-16, "{balanced:?} {sequence:?}");
    }
    // With two responses of one sign it is not.
    let batch = responses([(3, 1.0), (11, -1.0), (4, -1.0)]);
    let balanced = Balanced::default().weights(&batch);
    assert!((balanced[1] - SequenceMean.weights(&batch)[1]).abs() > 0.01);
}

/// What goes wrong without weights for the whole step: token means of micro-batches, averaged.
#[test]
fn normalising_inside_a_micro_batch_is_another_rule() {
    let batch = responses([(2, 1.0), (6, -1.0)]);
    let whole = batch_weights(&TokenMean, &batch, &[2]).unwrap();
    assert_eq!(whole, [0.125, 0.125]);
    let micro: Vec<f64> = batch
        .chunks(1)
        .flat_map(|chunk| TokenMean.weights(chunk))
        .map(|weight| weight / 2.0)
        .collect();
    // Token aggregation has silently become sequence aggregation.
    assert_eq!(micro, SequenceMean.weights(&batch));
    assert_eq!(sign_length_coupling(&batch, &micro), Some(0.0));
    assert_eq!(sign_length_coupling(&batch, &whole), Some(-0.5));
}
