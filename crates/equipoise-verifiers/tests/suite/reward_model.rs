//! Rewards from a model.

use std::sync::{Arc, Mutex};

use equipoise_core::Problem;
use equipoise_verifiers::{
    RewardModel, RewardModelOptions, Scorer, Transform, Verdict, verify_all,
};

use crate::{problem, reward, unscorable};

/// Scores a completion with the number it is, and remembers the sizes of batches.
#[derive(Default)]
struct Model(Mutex<Vec<usize>>);

impl Scorer for Model {
    fn score(&self, pairs: &[(&str, &str)]) -> Result<Vec<f64>, String> {
        self.0.lock().unwrap().push(pairs.len());
        if pairs.iter().any(|(_, completion)| completion.is_empty()) {
            return Err("out of memory".to_owned());
        }
        let score = |(prompt, completion): &(&str, &str)| {
            assert_eq!(*prompt, "?");
            completion.parse().ok()
        };
        Ok(pairs.iter().filter_map(score).collect())
    }
}

fn with(transform: Transform) -> RewardModel {
    let options = RewardModelOptions {
        batch_size: 2,
        transform,
    };
    RewardModel::new(Arc::new(Model::default()), options).unwrap()
}

#[test]
fn transforms_by_hand() {
    assert_eq!(reward(&with(Transform::None), "", "1.5"), 1.5);
    assert_eq!(reward(&with(Transform::Sigmoid), "", "0"), 0.5);
    // 1 / (1 + e^−ln 3) = 3/4.
    let ln3 = 3_f64.ln().to_string();
    assert!((reward(&with(Transform::Sigmoid), "", &ln3) - 0.75).abs() < 1e-15);
    assert_eq!(reward(&with(Transform::Sigmoid), "", "-inf"), 0.0);
    assert_eq!(reward(&with(Transform::Clip(-1.0, 2.0)), "", "5"), 2.0);
    assert_eq!(reward(&with(Transform::Clip(-1.0, 2.0)), "", "-5"), -1.0);
    let normal = Transform::Normalise {
        mean: 1.0,
        deviation: 2.0,
    };
    assert_eq!(reward(&with(normal), "", "5"), 2.0);
}

#[test]
fn batches_have_the_size_and_a_broken_one_costs_itself() {
    let model = Arc::new(Model::default());
    let options = RewardModelOptions {
        batch_size: 2,
        transform: Transform::None,
    };
    let verifier = RewardModel::new(model.clone(), options).unwrap();
    let one = problem("");
    let texts = ["1", "2", "", "4", "x", "6", "7"];
    let pairs: Vec<(&Problem, &str)> = texts.iter().map(|text| (&one, *text)).collect();
    let verdicts = verify_all(&verifier, &pairs);
    let rewards: Vec<_> = verdicts.iter().map(Verdict::reward).collect();
    assert_eq!(
        rewards,
        [Some(1.0), Some(2.0), None, None, None, None, Some(7.0)]
    );
    assert_eq!(*model.0.lock().unwrap(), [2, 2, 2, 1]);
    let why = |at: usize| match &verdicts[at] {
        Verdict::Unscorable { why } => why.clone(),
        scored => panic!("{scored:?}"),
    };
    assert_eq!(
        why(2),
        "problem 7 of test: the model could not score: out of memory"
    );
    assert!(why(4).contains("the model gave 1 scores for 2 completions"));
}

#[test]
fn a_score_that_is_no_number_never_becomes_a_reward() {
    let normal = Transform::Normalise {
        mean: 0.0,
        deviation: 1.0,
    };
    for transform in [
        Transform::None,
        Transform::Sigmoid,
        Transform::Clip(0.0, 1.0),
        normal,
    ] {
        assert!(unscorable(&with(transform), "", "NaN").contains("the score NaN"));
    }
    assert!(unscorable(&with(Transform::None), "", "inf").contains("the reward inf"));
}

#[test]
fn options_are_checked() {
    let error = |batch_size, transform| {
        let options = RewardModelOptions {
            batch_size,
            transform,
        };
        RewardModel::new(Arc::new(Model::default()), options)
            .unwrap_err()
            .to_string()
    };
    assert!(error(0, Transform::None).contains("batch_size is 0"));
    assert!(error(1, Transform::Clip(2.0, 1.0)).contains("clip from 2 to 1"));
    assert!(error(1, Transform::Clip(f64::NAN, 1.0)).contains("finite"));
    for deviation in [0.0, -1.0] {
        let transform = Transform::Normalise {
            mean: 0.0,
            deviation,
        };
        assert!(error(1, transform).contains("a positive deviation"));
    }
}
