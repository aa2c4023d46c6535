//! Agreement with `fixtures/advantages.py`.

use equipoise_advantages::estimators::{Correction, DrGrpo, Grpo, Rloo, StandardDeviation};
use equipoise_advantages::{AdvantageEstimator, Group};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    epsilon: f64,
    cases: Vec<Case>,
}

#[derive(serde::Deserialize)]
struct Case {
    groups: Vec<Vec<Option<f64>>>,
    advantages: BTreeMap<String, Vec<f64>>,
}

#[test]
fn estimators_agree_with_the_reference() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/advantages.json")).unwrap();
    let grpo = |std, correction| -> Box<dyn AdvantageEstimator> {
        Box::new(Grpo {
            std,
            correction,
            epsilon: fixture.epsilon,
            ..Grpo::default()
        })
    };
    let centred = grpo(StandardDeviation::None, Correction::Sample);
    let estimators: BTreeMap<&str, Box<dyn AdvantageEstimator>> = BTreeMap::from([
        ("centred", Box::new(DrGrpo) as Box<dyn AdvantageEstimator>),
        (
            "group_sample",
            grpo(StandardDeviation::Group, Correction::Sample),
        ),
        (
            "group_population",
            grpo(StandardDeviation::Group, Correction::Population),
        ),
        (
            "batch_sample",
            grpo(StandardDeviation::Batch, Correction::Sample),
        ),
        (
            "batch_population",
            grpo(StandardDeviation::Batch, Correction::Population),
        ),
        ("leave_one_out", Box::new(Rloo)),
    ]);
    for (index, case) in fixture.cases.iter().enumerate() {
        let lengths: Vec<Vec<usize>> = case.groups.iter().map(|g| vec![1; g.len()]).collect();
        let groups: Vec<Group<'_>> = case
            .groups
            .iter()
            .zip(&lengths)
            .map(|(rewards, lengths)| Group::new(rewards, lengths).unwrap())
            .collect();
        assert_eq!(case.advantages.len(), estimators.len());
        for (name, expected) in &case.advantages {
            let found = estimators[name.as_str()].estimate(&groups).unwrap().values;
            assert_eq!(found.len(), expected.len());
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (a - b).abs() < 1e-12,
                    "case {index}, {name}: {a} is not {b}"
                );
            }
        }
        assert_eq!(
            centred.estimate(&groups).unwrap().values,
            DrGrpo.estimate(&groups).unwrap().values
        );
    }
}
