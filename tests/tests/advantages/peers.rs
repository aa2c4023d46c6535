//! Agreement with verl, from `fixtures/estimators_peers.py`.

use equipoise_advantages::{Advantages, Group, Options, Setting, by_name};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

type Matrix = Vec<Vec<f64>>;

#[derive(serde::Deserialize)]
struct Case {
    sizes: Vec<usize>,
    rewards: Vec<Option<f64>>,
    greedy: Vec<f64>,
    lengths: Vec<usize>,
    masks: Vec<Vec<bool>>,
    parts: Vec<Vec<Option<f64>>>,
    weights: Vec<f64>,
    token_rewards: Matrix,
    values: Matrix,
    kl: Matrix,
    logprobs: Matrix,
    squares: Matrix,
    importance: Matrix,
    gamma: f64,
    lambda: f64,
    beta: f64,
    expected: BTreeMap<String, Vec<f64>>,
    tokens: BTreeMap<String, Matrix>,
}

fn views(rows: &Matrix) -> Vec<&[f64]> {
    rows.iter().map(Vec::as_slice).collect()
}

impl Case {
    /// The estimate of a case, with or without rewards per token.
    fn estimate(&self, name: &str, settings: &[(&str, Setting<'_>)], dense: bool) -> Advantages {
        let masks: Vec<&[bool]> = self.masks.iter().map(Vec::as_slice).collect();
        let (rewards, values, kl) = (
            views(&self.token_rewards),
            views(&self.values),
            views(&self.kl),
        );
        let (logprobs, squares) = (views(&self.logprobs), views(&self.squares));
        let importance = views(&self.importance);
        let mut starts = vec![0];
        for size in &self.sizes {
            starts.push(starts[starts.len() - 1] + size);
        }
        let parts: Vec<Vec<&[Option<f64>]>> = starts
            .windows(2)
            .map(|ends| {
                self.parts
                    .iter()
                    .map(|row| &row[ends[0]..ends[1]])
                    .collect()
            })
            .collect();
        let groups: Vec<Group<'_>> = starts
            .windows(2)
            .enumerate()
            .map(|(at, ends)| {
                let rows = ends[0]..ends[1];
                let group = Group::new(&self.rewards[rows.clone()], &self.lengths[rows.clone()])?
                    .with_masks(&masks[rows.clone()])?
                    .with_reward_parts(&parts[at])?
                    .with_reward_weights(&self.weights)?
                    .with_values(&values[rows.clone()])?
                    .with_kl(&kl[rows.clone()])?
                    .with_logprobs(&logprobs[rows.clone()])?
                    .with_probability_squares(&squares[rows.clone()])?
                    .with_importance(&importance[rows.clone()])?
                    .with_greedy_reward(Some(self.greedy[at]));
                match dense {
                    true => group.with_token_rewards(&rewards[rows]),
                    false => Ok(group),
                }
            })
            .collect::<Result<_, equipoise_advantages::Error>>()
            .unwrap();
        let mut options = Options::default();
        for (option, value) in settings {
            options.set(option, *value).unwrap();
        }
        by_name(name, &options).unwrap().estimate(&groups).unwrap()
    }
}

fn close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        let scale = b.abs().max(1.0);
        assert!((a - b).abs() <= tolerance * scale, "{what}: {a} is not {b}");
    }
}

#[test]
fn estimators_agree_with_verl() {
    let fixture: Fixture =
        serde_json::from_str(include_str!("fixtures/estimators_peers.json")).unwrap();
    for (index, case) in fixture.cases.iter().enumerate() {
        for (name, expected) in &case.expected {
            // Whitening divides by counts + 1e-8 in verl, and gdpo is in single precision there.
            let (entry, settings, tolerance): (&str, &[_], f64) = match name.as_str() {
                "gdpo" => (name, &[("normalise", Setting::Word("tokens"))], 1e-5),
                "passk_best_plain" => ("passk_best", &[("std", Setting::Word("none"))], 1e-12),
                "reinforce_plus_plus_baseline" => (name, &[], 1e-7),
                _ => (name, &[], 1e-12),
            };
            let found = case.estimate(entry, settings, false).values;
            close(
                &found,
                expected,
                tolerance,
                &format!("case {index}, {name}"),
            );
        }
        let discount = ("gamma", Setting::Number(case.gamma));
        let beta = ("kl_coefficient", Setting::Number(case.beta));
        let lambda = ("lambda", Setting::Number(case.lambda));
        for (name, expected) in &case.tokens {
            let (entry, settings, tolerance): (&str, Vec<_>, f64) = match name.as_str() {
                "reinforce_plus_plus" => (name, vec![discount, beta], 1e-7),
                "gae" => (name, vec![discount, beta, lambda], 1e-7),
                "gae_returns" => ("gae", vec![discount, beta, lambda], 1e-12),
                "otb_tail" => ("otb", vec![("zero_tail", Setting::Flag(false))], 1e-12),
                _ => (name, vec![], 1e-12),
            };
            let found = case.estimate(entry, &settings, true);
            let found = match name.as_str() {
                "gae_returns" => found.returns.unwrap(),
                _ => found.tokens.unwrap(),
            };
            for (response, (mask, row)) in case.masks.iter().zip(expected).enumerate() {
                let trained = |values: &[f64]| -> Vec<f64> {
                    let both = values.iter().zip(mask);
                    both.filter(|(_, trained)| **trained)
                        .map(|(v, _)| *v)
                        .collect()
                };
                let what = format!("case {index}, {name}, response {response}");
                let found = found.response(response);
                close(&trained(found), &trained(row), tolerance, &what);
            }
        }
    }
}
