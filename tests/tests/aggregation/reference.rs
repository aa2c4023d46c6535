//! Agreement with `fixtures/aggregation.py`, which writes every rule as nested means.

use equipoise_aggregation::rules::{
    Adaptive, Balanced, BalancedMass, DrGrpo, LambdaGrpo, LengthPower, PromptMean, SequenceMean,
    SequenceMeanTokenSum, TokenMean, TokenSum, VlNorm, ZeroAdvantage,
};
use equipoise_aggregation::{Reducer, Response, Scope, batch_weights};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    max_tokens: std::num::NonZeroUsize,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    group_sizes: Vec<usize>,
    responses: Vec<Row>,
    losses: BTreeMap<String, f64>,
}

#[derive(serde::Deserialize)]
struct Row {
    advantage: f64,
    terms: Vec<f64>,
}

#[test]
fn weighted_sums_equal_nested_means() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/aggregation.json")).unwrap();
    let balanced = |scope, zero_advantage| -> Box<dyn Reducer> {
        Box::new(Balanced {
            scope,
            zero_advantage,
        })
    };
    let rules: BTreeMap<&str, Box<dyn Reducer>> = BTreeMap::from([
        ("sequence_mean", Box::new(SequenceMean) as Box<dyn Reducer>),
        ("token_mean", Box::new(TokenMean)),
        (
            "dr_grpo",
            Box::new(DrGrpo {
                max_tokens: fixture.max_tokens,
            }),
        ),
        (
            "balanced_group_neutral",
            balanced(Scope::Group, ZeroAdvantage::Neutral),
        ),
        (
            "balanced_group_negative",
            balanced(Scope::Group, ZeroAdvantage::Negative),
        ),
        (
            "balanced_batch_neutral",
            balanced(Scope::Batch, ZeroAdvantage::Neutral),
        ),
        (
            "balanced_batch_negative",
            balanced(Scope::Batch, ZeroAdvantage::Negative),
        ),
        ("prompt_mean", Box::new(PromptMean)),
        ("sequence_mean_token_sum", Box::new(SequenceMeanTokenSum)),
        ("token_sum", Box::new(TokenSum)),
        ("balanced_mass_group", Box::new(BalancedMass::default())),
        (
            "balanced_mass_batch",
            Box::new(BalancedMass {
                scope: Scope::Batch,
            }),
        ),
        (
            "vl_norm",
            Box::new(VlNorm {
                alpha: 0.75,
                max_tokens: fixture.max_tokens,
            }),
        ),
        (
            "lambda_grpo",
            Box::new(LambdaGrpo {
                lambda: 1.5,
                ..LambdaGrpo::default()
            }),
        ),
        (
            "lambda_grpo_short",
            Box::new(LambdaGrpo {
                lambda: -2.0,
                strength: 0.3,
            }),
        ),
        ("length_power", Box::new(LengthPower { alpha: 0.5 })),
        (
            "length_power_negative",
            Box::new(LengthPower { alpha: -0.7 }),
        ),
        ("adaptive", Box::new(Adaptive::default())),
    ]);
    for (index, case) in fixture.cases.iter().enumerate() {
        let responses: Vec<Response> = case
            .responses
            .iter()
            .map(|row| Response {
                tokens: row.terms.len(),
                advantage: row.advantage,
            })
            .collect();
        assert_eq!(case.losses.len(), rules.len());
        for (name, expected) in &case.losses {
            let rule = &rules[name.as_str()];
            let weights = batch_weights(rule.as_ref(), &responses, &case.group_sizes).unwrap();
            let loss: f64 = case
                .responses
                .iter()
                .zip(&weights)
                .map(|(row, weight)| weight * row.terms.iter().sum::<f64>())
                .sum();
            assert!(
                (loss - expected).abs() < 1e-13 * expected.abs().max(1.0),
                "case {index}, {name}: {loss} is not {expected}"
            );
        }
    }
}
