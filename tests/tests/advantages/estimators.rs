//! Agreement with `fixtures/estimators.py`.

use equipoise_advantages::{Group, Options, Setting, by_name};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    groups: Vec<Vec<Option<f64>>>,
    priors: Vec<f64>,
    parts: Vec<Vec<Vec<Option<f64>>>>,
    weights: Vec<f64>,
    expected: BTreeMap<String, Vec<f64>>,
}

#[test]
fn estimators_agree_with_the_reference() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/estimators.json")).unwrap();
    for (index, case) in fixture.cases.iter().enumerate() {
        let lengths = [1; 8];
        let parts: Vec<Vec<&[Option<f64>]>> = case
            .parts
            .iter()
            .map(|rows| rows.iter().map(Vec::as_slice).collect())
            .collect();
        let groups: Vec<Group<'_>> = case
            .groups
            .iter()
            .enumerate()
            .map(|(at, rewards)| {
                Group::new(rewards, &lengths[..rewards.len()])?
                    .with_prior(case.priors[at])
                    .with_reward_parts(&parts[at])?
                    .with_reward_weights(&case.weights)
            })
            .collect::<Result<_, _>>()
            .unwrap();
        for (name, expected) in &case.expected {
            let (entry, settings): (&str, &[_]) = match name.as_str() {
                "pass_k" | "pass_k_enumerated" => (
                    "pass_k",
                    &[
                        ("k", Setting::Number(2.0)),
                        ("epsilon", Setting::Number(0.0)),
                    ],
                ),
                "spo_plain" => ("spo", &[("normalise", Setting::Word("none"))]),
                "gdpo" => (name, &[("epsilon", Setting::Number(1e-4))]),
                _ => (name, &[]),
            };
            let mut options = Options::default();
            for (option, value) in settings {
                options.set(option, *value).unwrap();
            }
            let estimator = by_name(entry, &options).unwrap();
            let found = estimator.estimate(&groups).unwrap().values;
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (a - b).abs() < 1e-11,
                    "case {index}, {name}: {a} is not {b}"
                );
            }
        }
    }
}
