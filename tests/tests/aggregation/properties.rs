//! What must hold for every batch.

use equipoise_aggregation::diagnostics::{diagnose, mass_by_sign, sign_length_coupling};
use equipoise_aggregation::rules::{
    Adaptive, Balanced, BalancedMass, DrGrpo, LambdaGrpo, LengthPower, PromptMean, SequenceMean,
    SequenceMeanTokenSum, TokenMean, TokenSum, VlNorm, ZeroAdvantage,
};
use equipoise_aggregation::{Reducer, Response, Scope, batch_weights};
use proptest::collection::vec;
use proptest::prelude::*;
use std::num::NonZeroUsize;

fn every_rule() -> Vec<Box<dyn Reducer>> {
    let max_tokens = NonZeroUsize::new(16).unwrap();
    let mut rules: Vec<Box<dyn Reducer>> = vec![
        Box::new(SequenceMean),
        Box::new(TokenMean),
        Box::new(DrGrpo { max_tokens }),
        Box::new(PromptMean),
        Box::new(SequenceMeanTokenSum),
        Box::new(TokenSum),
        Box::new(Adaptive::default()),
    ];
    for alpha in [-2.0, 0.0, 0.5, 1.0, 300.0] {
        rules.push(Box::new(LengthPower { alpha }));
    }
    for alpha in [0.0, 0.75, 1.0, 300.0] {
        rules.push(Box::new(VlNorm { alpha, max_tokens }));
    }
    for (lambda, strength) in [(0.0, 1.0), (1.0, 1.0 / 9.0), (-3.0, 1.0), (1e300, 1e300)] {
        rules.push(Box::new(LambdaGrpo { lambda, strength }));
    }
    for scope in [Scope::Group, Scope::Batch] {
        rules.push(Box::new(BalancedMass { scope }));
    }
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

/// Any response at all, absurd ones included.
fn any_response() -> impl Strategy<Value = Response> {
    let tokens = prop_oneof![Just(0), 1_usize..50, Just(usize::MAX)];
    let advantage = prop_oneof![Just(0.0), -2.0..2.0, prop::num::f64::ANY];
    (tokens, advantage).prop_map(|(tokens, advantage)| Response { tokens, advantage })
}

/// A response with tokens and a sign.
fn signed_response() -> impl Strategy<Value = Response> {
    (1_usize..60, any::<bool>()).prop_map(|(tokens, positive)| Response {
        tokens,
        advantage: if positive { 1.0 } else { -1.0 },
    })
}

fn groups<S: Strategy<Value = Response>>(
    response: impl Fn() -> S,
) -> impl Strategy<Value = Vec<Vec<Response>>> {
    vec(vec(response(), 1..7), 1..5)
}

/// A group with rewards 0 and 1 of which both occur, standardised by the population's deviation,
/// together with c = √(p(1 − p)).
fn binary_group() -> impl Strategy<Value = (Vec<Response>, f64)> {
    vec((1_usize..60, any::<bool>()), 2..9)
        .prop_filter("both rewards occur", |rows| {
            rows.iter().any(|row| row.1) && rows.iter().any(|row| !row.1)
        })
        .prop_map(|rows| {
            let p = rows.iter().filter(|row| row.1).count() as f64 / rows.len() as f64;
            let responses = rows
                .iter()
                .map(|&(tokens, rewarded)| Response {
                    tokens,
                    advantage: if rewarded {
                        ((1.0 - p) / p).sqrt()
                    } else {
                        -(p / (1.0 - p)).sqrt()
                    },
                })
                .collect();
            (responses, (p * (1.0 - p)).sqrt())
        })
}

fn flatten(groups: &[Vec<Response>]) -> (Vec<Response>, Vec<usize>) {
    (groups.concat(), groups.iter().map(Vec::len).collect())
}

fn total_mass(responses: &[Response], weights: &[f64]) -> f64 {
    let masses = responses
        .iter()
        .zip(weights)
        .map(|(r, w)| r.tokens as f64 * w);
    masses.sum()
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.collect();
    values.iter().sum::<f64>() / values.len() as f64
}

/// A deterministic stand-in for the term of token `token` of response `response`.
fn unit_term(response: usize, token: usize) -> f64 {
    1.0 + ((response * 31 + token * 7) as f64).sin() / 3.0
}

/// The mean unit term over the tokens of the responses on one side, and over the responses' own means.
fn side_means(responses: &[Response], positive: bool) -> (f64, f64, f64) {
    let side: Vec<(usize, &Response)> = responses
        .iter()
        .enumerate()
        .filter(|(_, response)| (response.advantage > 0.0) == positive)
        .collect();
    let terms = |&(index, response): &(usize, &Response)| -> Vec<f64> {
        (0..response.tokens).map(|t| unit_term(index, t)).collect()
    };
    let length = mean(side.iter().map(|(_, response)| response.tokens as f64));
    let by_token = mean(side.iter().flat_map(&terms));
    let by_sequence = mean(side.iter().map(|row| mean(terms(row).into_iter())));
    (length, by_token, by_sequence)
}

/// Σ_i w_i A_i Σ_t δ_it.
fn objective(responses: &[Response], weights: &[f64]) -> f64 {
    let rows = responses.iter().zip(weights).enumerate();
    rows.map(|(index, (response, weight))| {
        let terms: f64 = (0..response.tokens).map(|t| unit_term(index, t)).sum();
        weight * response.advantage * terms
    })
    .sum()
}

proptest! {
    #[test]
    fn weights_are_finite_and_zero_without_tokens(groups in groups(any_response)) {
        let (responses, sizes) = flatten(&groups);
        for rule in every_rule() {
            let weights = batch_weights(rule.as_ref(), &responses, &sizes).unwrap();
            for (response, weight) in responses.iter().zip(&weights) {
                prop_assert!(weight.is_finite() && *weight >= 0.0, "{rule:?} {weights:?}");
                prop_assert!(response.tokens > 0 || *weight == 0.0, "{rule:?} {weights:?}");
            }
            let found = diagnose(rule.name(), &responses, &sizes, &weights).unwrap();
            let statistics = [
                found.length_variation,
                found.length_gap,
                found.relative_length_gap,
                found.net_advantage,
                found.coupling,
                found.token_coupling,
            ];
            prop_assert!(statistics.into_iter().flatten().all(f64::is_finite), "{found:?}");
            if let Some(quarters) = found.mass_by_length {
                let sum: f64 = quarters.iter().sum();
                prop_assert!((sum - 1.0).abs() < 1e-9, "{found:?}");
            }
            prop_assert!(!found.to_string().contains("NaN"));
        }
    }

    #[test]
    fn mass_is_one_for_means(groups in groups(signed_response)) {
        let (responses, sizes) = flatten(&groups);
        // The others are sums, or divided by a constant, or weigh responses by design.
        let others = ["dr_grpo", "vl_norm", "lambda_grpo", "token_sum", "sequence_mean_token_sum"];
        for rule in every_rule().iter().filter(|rule| !others.contains(&rule.name())) {
            let weights = batch_weights(rule.as_ref(), &responses, &sizes).unwrap();
            prop_assert!((total_mass(&responses, &weights) - 1.0).abs() < 1e-12, "{rule:?}");
        }
    }

    #[test]
    fn balanced_mass_of_a_sign_is_its_share_of_the_responses(group in vec(signed_response(), 1..12)) {
        let weights = Balanced::default().weights(&group);
        let positives = group.iter().filter(|response| response.advantage > 0.0).count();
        let shares = mass_by_sign(&group, &weights).unwrap();
        let expected = positives as f64 / group.len() as f64;
        prop_assert!((shares.positive - expected).abs() < 1e-12);
        // Inside a sign every token has the same weight.
        for (a, weight) in group.iter().zip(&weights) {
            for (b, other) in group.iter().zip(&weights) {
                prop_assert!(a.advantage != b.advantage || weight == other);
            }
        }
    }

    #[test]
    fn equal_lengths_make_the_means_coincide(
        signs in vec(any::<bool>(), 1..12),
        tokens in 1_usize..100,
    ) {
        let advantage = |positive| if positive { 1.0 } else { -1.0 };
        let group: Vec<Response> = signs
            .into_iter()
            .map(|positive| Response { tokens, advantage: advantage(positive) })
            .collect();
        let expected = 1.0 / (group.len() * tokens) as f64;
        let rules: [&dyn Reducer; 8] = [
            &SequenceMean,
            &TokenMean,
            &PromptMean,
            &Balanced::default(),
            &BalancedMass::default(),
            &LengthPower { alpha: 0.3 },
            &LambdaGrpo::default(),
            &Adaptive::default(),
        ];
        for rule in rules {
            for weight in rule.weights(&group) {
                prop_assert!((weight - expected).abs() < 1e-12 * expected, "{rule:?}");
            }
        }
    }

    #[test]
    fn equal_lengths_inside_each_sign_make_balanced_the_sequence_mean(
        positives in 1_usize..6,
        negatives in 1_usize..6,
        lengths in (1_usize..50, 1_usize..50),
    ) {
        let positive = Response { tokens: lengths.0, advantage: 1.0 };
        let negative = Response { tokens: lengths.1, advantage: -1.0 };
        let group = [vec![positive; positives], vec![negative; negatives]].concat();
        let sequence = SequenceMean.weights(&group);
        for (a, b) in Balanced::default().weights(&group).iter().zip(sequence) {
            prop_assert!((a - b).abs() < 1e-12 * b);
        }
    }

    #[test]
    fn order_inside_a_group_does_not_matter(
        group in vec(any_response(), 1..8),
        turn in 0_usize..8,
    ) {
        let turn = turn % group.len();
        let mut turned = group.clone();
        turned.rotate_left(turn);
        for rule in every_rule() {
            let mut expected = rule.weights(&group);
            expected.rotate_left(turn);
            for (a, b) in rule.weights(&turned).iter().zip(expected) {
                // Sums of lengths may round differently in another order, and the exponentials of
                // λ-GRPO multiply that by the size of their exponents, up to 1e9 here.
                let bound = if rule.name() == "lambda_grpo" { 1e-5 } else { 1e-14 };
                prop_assert!((a - b).abs() <= bound * b, "{rule:?} {a:e} {b:e}");
            }
        }
    }

    #[test]
    fn any_cut_into_micro_batches_gives_the_same_loss(
        groups in groups(signed_response),
        borders in vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let (responses, sizes) = flatten(&groups);
        let mut cuts: Vec<usize> = borders.iter().map(|b| b.index(responses.len() + 1)).collect();
        cuts.extend([0, responses.len()]);
        cuts.sort_unstable();
        for rule in every_rule() {
            let weights = batch_weights(rule.as_ref(), &responses, &sizes).unwrap();
            let micro_batch = |from: usize, to: usize| -> f64 {
                (from..to)
                    .flat_map(|i| (0..responses[i].tokens).map(move |t| (i, t)))
                    .map(|(i, t)| weights[i] * unit_term(i, t) * responses[i].advantage)
                    .sum()
            };
            let loss: f64 = cuts.windows(2).map(|pair| micro_batch(pair[0], pair[1])).sum();
            let scale = total_mass(&responses, &weights).max(1.0);
            let whole = objective(&responses, &weights);
            prop_assert!((loss - whole).abs() < 1e-12 * scale, "{rule:?}");
        }
    }

    /// The three closed forms of the paper's analysis, for rewards 0 and 1.
    #[test]
    fn closed_forms_of_the_objective((group, c) in binary_group()) {
        let (length_positive, positive_by_token, positive_by_sequence) = side_means(&group, true);
        let (length_negative, negative_by_token, negative_by_sequence) = side_means(&group, false);
        let length = mean(group.iter().map(|response| response.tokens as f64));
        let cases: [(&dyn Reducer, f64); 3] = [
            (
                &TokenMean,
                c / length
                    * (length_positive * positive_by_token - length_negative * negative_by_token),
            ),
            (&SequenceMean, c * (positive_by_sequence - negative_by_sequence)),
            (&Balanced::default(), c * (positive_by_token - negative_by_token)),
        ];
        for (rule, expected) in cases {
            let found = objective(&group, &rule.weights(&group));
            prop_assert!((found - expected).abs() < 1e-12, "{rule:?}: {found} {expected}");
        }
    }

    #[test]
    fn coupling_is_the_papers_term_for_tokens_and_nothing_for_the_balanced(
        (group, c) in binary_group(),
    ) {
        let (length_positive, ..) = side_means(&group, true);
        let (length_negative, ..) = side_means(&group, false);
        let length = mean(group.iter().map(|response| response.tokens as f64));
        let expected = c / length * (length_positive - length_negative);
        let coupling = |rule: &dyn Reducer| {
            sign_length_coupling(&group, &rule.weights(&group)).unwrap()
        };
        let dr_grpo = DrGrpo { max_tokens: NonZeroUsize::new(100).unwrap() };
        prop_assert!((coupling(&TokenMean) - expected).abs() < 1e-12);
        prop_assert!((coupling(&dr_grpo) - expected).abs() < 1e-12);
        prop_assert!(coupling(&SequenceMean).abs() < 1e-12);
        prop_assert!(coupling(&Balanced::default()).abs() < 1e-12);
    }

    /// The two forms of the definition, for any advantages and any weights.
    #[test]
    fn coupling_is_a_covariance_over_a_mean(
        rows in vec((1_usize..60, -3.0..3.0_f64, 0.01..2.0_f64), 2..9),
    ) {
        let group: Vec<Response> = rows
            .iter()
            .map(|&(tokens, advantage, _)| Response { tokens, advantage })
            .collect();
        let weights: Vec<f64> = rows.iter().map(|row| row.2).collect();
        if let Some(found) = sign_length_coupling(&group, &weights) {
            let masses: Vec<f64> = rows.iter().map(|row| row.0 as f64 * row.2).collect();
            let mean_mass = mean(masses.iter().copied());
            let mean_advantage = mean(rows.iter().map(|row| row.1));
            let covariance = mean(
                rows.iter()
                    .zip(&masses)
                    .map(|(row, mass)| (mass - mean_mass) * (row.1 - mean_advantage)),
            );
            prop_assert!((found - covariance / mean_mass).abs() < 1e-12);
        }
    }
}
