//! Agreement with verl's `agg_loss`, under verl's own names for the modes.

use equipoise_aggregation::{Options, Response, batch_weights, by_name, resolve};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    max_tokens: usize,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    terms: Vec<Vec<f64>>,
    losses: BTreeMap<String, f64>,
}

#[test]
fn verl_aggregates_alike() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/aggregation_peers.json")).unwrap();
    for case in &fixture.cases {
        assert_eq!(case.losses.len(), 5);
        let responses: Vec<Response> = case
            .terms
            .iter()
            .map(|terms| Response {
                tokens: terms.len(),
                advantage: 1.0,
            })
            .collect();
        for (mode, expected) in &case.losses {
            let (entry, alias) = resolve(mode).unwrap();
            assert!(alias.unwrap().note.contains("verl"));
            let max_tokens = entry
                .options
                .contains(&"max_tokens")
                .then_some(fixture.max_tokens);
            let options = Options {
                max_tokens,
                ..Options::default()
            };
            let rule = by_name(mode, &options).unwrap();
            let weights = batch_weights(&*rule, &responses, &[responses.len()]).unwrap();
            let rows = case.terms.iter().zip(&weights);
            let loss: f64 = rows
                .map(|(terms, weight)| weight * terms.iter().sum::<f64>())
                .sum();
            // verl adds 1e-8 to the length that it divides by in seq-mean-token-mean.
            let bound = if mode == "seq-mean-token-mean" {
                2e-8
            } else {
                1e-13
            };
            let scale = expected.abs().max(1.0);
            assert!(
                (loss - expected).abs() <= bound * scale,
                "{mode}: {loss} {expected}"
            );
        }
    }
}
