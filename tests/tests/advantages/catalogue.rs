//! What must hold of every estimator of the catalogue, for every batch.

use equipoise_advantages::{
    Advantages, CATALOGUE, Error, Group, Level, Needs, Options, Setting, by_name,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// A response: its reward, and for each token seven numbers and whether it is trained.
type Response = (Option<f64>, Vec<([f64; 7], bool)>);

fn build(name: &str, settings: &[(&str, Setting<'_>)]) -> Options {
    let mut options = Options::default();
    for (option, value) in settings {
        options
            .set(option, *value)
            .unwrap_or_else(|e| panic!("{name}: {e}"));
    }
    options
}

/// What an estimator makes of a batch that has every column.
fn estimate(
    name: &str,
    settings: &[(&str, Setting<'_>)],
    batch: &[Vec<Response>],
) -> Result<Advantages, Error> {
    let column = |at: usize| -> Vec<Vec<Vec<f64>>> {
        let of = |r: &Response| r.1.iter().map(|(numbers, _)| numbers[at]).collect();
        batch
            .iter()
            .map(|group| group.iter().map(of).collect())
            .collect()
    };
    let owned: Vec<Vec<Vec<Vec<f64>>>> = (0..7).map(column).collect();
    let views: Vec<Vec<Vec<&[f64]>>> = owned
        .iter()
        .map(|c| {
            c.iter()
                .map(|g| g.iter().map(Vec::as_slice).collect())
                .collect()
        })
        .collect();
    let masks: Vec<Vec<Vec<bool>>> = batch
        .iter()
        .map(|g| {
            g.iter()
                .map(|r| r.1.iter().map(|t| t.1).collect())
                .collect()
        })
        .collect();
    let masks: Vec<Vec<&[bool]>> = masks
        .iter()
        .map(|g| g.iter().map(Vec::as_slice).collect())
        .collect();
    let rewards: Vec<Vec<Option<f64>>> = batch
        .iter()
        .map(|g| g.iter().map(|r| r.0).collect())
        .collect();
    let lengths: Vec<Vec<usize>> = batch
        .iter()
        .map(|g| g.iter().map(|r| r.1.len()).collect())
        .collect();
    let parts: Vec<[&[Option<f64>]; 1]> = rewards.iter().map(|r| [r.as_slice()]).collect();
    let given: Vec<Vec<f64>> = rewards
        .iter()
        .map(|g| g.iter().map(|r| r.unwrap_or(0.0)).collect())
        .collect();
    let mut groups = Vec::new();
    for at in 0..batch.len() {
        let group = Group::new(&rewards[at], &lengths[at])?
            .with_masks(&masks[at])?
            .with_token_rewards(&views[0][at])?
            .with_values(&views[1][at])?
            .with_kl(&views[2][at])?
            .with_logprobs(&views[3][at])?
            .with_probability_squares(&views[4][at])?
            .with_importance(&views[5][at])?
            .with_reward_parts(&parts[at])?
            .with_greedy_reward(Some(0.5))
            .with_prior(0.25);
        groups.push(match name {
            "external" => group.with_advantages(&given[at])?,
            _ => group,
        });
    }
    by_name(name, &build(name, settings))?.estimate(&groups)
}

fn batches(
    numbers: impl Strategy<Value = f64> + Clone,
) -> impl Strategy<Value = Vec<Vec<Response>>> {
    let token = (
        proptest::array::uniform7(numbers.clone()),
        prop::bool::weighted(0.8),
    );
    let response = (prop::option::weighted(0.9, numbers), vec(token, 0..4));
    vec(vec(response, 0..5), 0..4)
}

fn extremes() -> impl Strategy<Value = f64> + Clone {
    prop::sample::select(vec![
        0.0,
        1.0,
        -1.0,
        1e4,
        -1e4,
        1e300,
        -1e300,
        f64::MAX,
        -f64::MAX,
        5e-324,
    ])
}

fn eighths() -> impl Strategy<Value = f64> + Clone {
    (0..17_i32).prop_map(|eighths| f64::from(eighths) / 8.0)
}

proptest! {
    #[test]
    fn finite_for_finite_input(batch in batches(extremes())) {
        for entry in CATALOGUE {
            let found = estimate(entry.name, &[], &batch);
            let negative = batch.iter().flatten().any(|r| r.0.is_some_and(|r| r < 0.0));
            if entry.name == "max_rl" && negative {
                prop_assert!(found.is_err());
                continue;
            }
            let found = found.unwrap();
            prop_assert!(found.values.iter().all(|v| v.is_finite()), "{} {found:?}", entry.name);
            let tokens = [&found.tokens, &found.returns];
            let mut tokens = tokens.into_iter().flatten().flat_map(|t| t.iter()).flatten();
            prop_assert!(tokens.all(|v| v.is_finite()), "{} {found:?}", entry.name);
        }
    }

    #[test]
    fn what_the_entries_say_is_so(batch in batches(eighths())) {
        for entry in CATALOGUE {
            let found = estimate(entry.name, &[], &batch).unwrap();
            // Rewards per token make that of remax an advantage per token.
            if entry.name != "remax" && !batch.is_empty() {
                prop_assert_eq!(found.tokens.is_some(), entry.level == Level::Token, "{}", entry.name);
            }
            let mut rest = &found.values[..];
            for group in &batch {
                let (values, tail) = rest.split_at(group.len());
                rest = tail;
                let total: f64 = values.iter().sum();
                prop_assert!(!entry.zero_sum || total.abs() < 1e-6, "{} {values:?}", entry.name);
                for (value, (reward, _)) in values.iter().zip(group) {
                    prop_assert!(reward.is_some() || *value == 0.0, "{}", entry.name);
                }
            }
        }
    }

    #[test]
    fn order_inside_a_group_does_not_matter(batch in batches(eighths())) {
        let turned: Vec<Vec<Response>> =
            batch.iter().map(|g| g.iter().rev().cloned().collect()).collect();
        for entry in CATALOGUE {
            let plain = estimate(entry.name, &[], &batch).unwrap().values;
            let mut back = estimate(entry.name, &[], &turned).unwrap().values;
            let mut rest = &mut back[..];
            for group in &batch {
                let (of_group, tail) = rest.split_at_mut(group.len());
                rest = tail;
                of_group.reverse();
            }
            for (a, b) in plain.iter().zip(&back) {
                prop_assert!((a - b).abs() < 1e-9 * a.abs().max(1.0), "{} {a} {b}", entry.name);
            }
        }
    }

    #[test]
    fn equal_lambdas_are_gae(batch in batches(eighths()), lambda in 0.0..1.0_f64) {
        let policy = ("lambda_policy", Setting::Number(lambda));
        let both = [policy, ("lambda_value", Setting::Number(lambda))];
        let vapo = estimate("vapo", &both, &batch).unwrap();
        let gae = estimate("gae", &[("lambda", Setting::Number(lambda))], &batch).unwrap();
        prop_assert_eq!(vapo, gae);
    }

    #[test]
    fn without_discount_gae_is_return_less_value(batch in batches(eighths())) {
        let raw = [("whiten", Setting::Flag(false))];
        let gae = estimate("gae", &raw, &batch).unwrap();
        let returns = estimate("reinforce_plus_plus", &raw, &batch).unwrap().tokens.unwrap();
        let (tokens, targets) = (gae.tokens.unwrap(), gae.returns.unwrap());
        for (index, (reward, row)) in batch.iter().flatten().enumerate() {
            for (t, (numbers, trained)) in row.iter().enumerate() {
                let teaches = *trained && reward.is_some();
                let expected = if teaches { returns.response(index)[t] - numbers[1] } else { 0.0 };
                prop_assert!((tokens.response(index)[t] - expected).abs() < 1e-12);
                let target = tokens.response(index)[t] + numbers[1];
                prop_assert!((targets.response(index)[t] - target).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn shifts_and_scales(rewards in vec(-16..17_i32, 2..7), shift in -16..17_i32) {
        let batch = |factor: f64, shift: i32| -> Vec<Vec<Response>> {
            let of = |r: &i32| (Some(f64::from(*r) / 8.0 * factor + f64::from(shift) / 8.0), vec![]);
            vec![rewards.iter().map(of).collect()]
        };
        for name in ["dr_grpo", "rloo", "opo", "batch_mean", "opmd", "asym_re", "grpo", "passk_best"] {
            let plain = estimate(name, &[], &batch(1.0, 0)).unwrap().values;
            let shifted = estimate(name, &[], &batch(1.0, shift)).unwrap().values;
            for (a, b) in plain.iter().zip(&shifted) {
                prop_assert!((a - b).abs() < 1e-9, "{name} {a} {b}");
            }
        }
        for name in ["dr_grpo", "rloo", "opo", "batch_mean"] {
            let plain = estimate(name, &[], &batch(1.0, 0)).unwrap().values;
            let negated = estimate(name, &[], &batch(-2.0, 0)).unwrap().values;
            for (a, b) in plain.iter().zip(&negated) {
                prop_assert!((2.0 * a + b).abs() < 1e-9, "{name} {a} {b}");
            }
        }
    }
}

#[test]
fn long_responses() {
    let token = ([0.0, 0.1, 0.0, -1.0, 0.5, 1.0, 0.0], true);
    let long = vec![vec![
        (Some(1.0), vec![token; 100_000]),
        (Some(0.0), vec![token; 3]),
    ]];
    for entry in CATALOGUE {
        let found = estimate(entry.name, &[], &long).unwrap();
        assert!(found.values.iter().all(|v| v.is_finite()), "{}", entry.name);
    }
}

#[test]
fn needs_are_enforced() {
    let group = Group::new(&[Some(1.0), Some(0.0)], &[1, 1]).unwrap();
    for entry in CATALOGUE {
        let estimator = by_name(entry.name, &Options::default()).unwrap();
        let found = estimator.estimate(&[group]);
        match estimator.needs() == Needs::NOTHING {
            true => assert!(found.is_ok(), "{}", entry.name),
            false => assert!(
                matches!(found, Err(Error::MissingColumn { estimator, .. }) if estimator == entry.name)
            ),
        }
    }
    let options = build("gae", &[("kl_coefficient", Setting::Number(0.1))]);
    assert!(by_name("gae", &options).unwrap().needs().kl);
}

#[test]
fn every_option_of_an_entry_is_one() {
    for entry in CATALOGUE {
        for option in entry.options {
            assert!(Options::NAMES.contains(option), "{} {option}", entry.name);
        }
    }
}
