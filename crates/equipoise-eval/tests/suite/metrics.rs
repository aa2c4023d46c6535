//! Metrics of repeated samples.

use equipoise_core::Problem;
use equipoise_eval::{
    EvalError, Outcomes, all_of_k, best_at_k, g_pass_at_k, mean_g_pass_at_k, pass_at_k,
};
use equipoise_verifiers::Verdict;
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Golden {
    counts: Vec<Counts>,
    best: Vec<Best>,
}

#[derive(Deserialize)]
struct Counts {
    n: usize,
    correct: usize,
    k: usize,
    tau: f64,
    pass: f64,
    all: f64,
    g_pass: f64,
    mean_g_pass: f64,
}

#[derive(Deserialize)]
struct Best {
    rewards: Vec<f64>,
    k: usize,
    best: f64,
}

fn golden() -> Golden {
    serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap()
}

/// Against metrics.py, which goes through every subset.
#[test]
fn counts_agree_with_every_subset() {
    let golden = golden();
    assert_eq!(golden.counts.len(), 65);
    for Counts {
        n,
        correct,
        k,
        tau,
        pass,
        all,
        g_pass,
        mean_g_pass,
    } in golden.counts
    {
        close(pass_at_k(n, correct, k).unwrap(), pass);
        close(all_of_k(n, correct, k).unwrap(), all);
        close(g_pass_at_k(n, correct, k, tau).unwrap(), g_pass);
        close(mean_g_pass_at_k(n, correct, k).unwrap(), mean_g_pass);
    }
    for Best { rewards, k, best } in golden.best {
        close(best_at_k(&rewards, k).unwrap(), best);
    }
}

#[test]
fn by_hand() {
    // 1 − C(2, 3) / C(5, 3) = 1, and 1 − C(3, 2) / C(5, 2) = 7 / 10.
    assert_eq!(pass_at_k(5, 3, 3).unwrap(), 1.0);
    close(pass_at_k(5, 2, 2).unwrap(), 0.7);
    // C(3, 2) / C(5, 2) = 3 / 10.
    close(all_of_k(5, 3, 2).unwrap(), 0.3);
    // At least ⌈0.55 · 20⌉ = 11 of 20, which are all there are: 11 right ones do, 10 do not.
    assert_eq!(g_pass_at_k(20, 11, 20, 0.55).unwrap(), 1.0);
    assert_eq!(g_pass_at_k(20, 10, 20, 0.55).unwrap(), 0.0);
    // k = 4: thresholds ¾ and 1, so (1 + 0) / 2 for 3 of 4.
    assert_eq!(mean_g_pass_at_k(4, 3, 4).unwrap(), 0.5);
    // Of the pairs of 0, 1, 4: best 1, 4, 4.
    close(best_at_k(&[4.0, 0.0, 1.0], 2).unwrap(), 3.0);
}

#[test]
fn k_that_cannot_be_drawn_is_an_error() {
    for (n, correct, k) in [(4, 1, 5), (4, 1, 0), (0, 0, 1), (4, 5, 1)] {
        let found = [
            pass_at_k(n, correct, k),
            all_of_k(n, correct, k),
            g_pass_at_k(n, correct, k, 0.5),
            mean_g_pass_at_k(n, correct, k),
        ];
        for found in found {
            assert!(
                matches!(found, Err(EvalError::OutOfRange { .. })),
                "{found:?}"
            );
        }
    }
    assert!(best_at_k(&[1.0], 2).is_err());
    assert!(best_at_k(&[1.0, f64::NAN], 1).is_err());
    assert!(g_pass_at_k(4, 1, 2, 1.5).is_err());
    let message = pass_at_k(4, 1, 5).unwrap_err().to_string();
    assert_eq!(
        message,
        "k, of 4 samples, is 5; it must be from 1 to the number of samples"
    );
}

#[test]
fn what_is_not_scored_takes_no_part() {
    let outcomes = Outcomes::new([
        ("a", vec![Some(true), None, Some(false), None]),
        ("b", vec![None, None]),
        ("c", vec![]),
    ])
    .unwrap();
    assert_eq!((outcomes.scored(), outcomes.unscorable()), (2, 4));
    let accuracy = outcomes.accuracy();
    assert_eq!(accuracy.values(), [Some(0.5), None, None]);
    assert_eq!((accuracy.mean(), accuracy.absent()), (Some(0.5), 2));
    assert_eq!(
        outcomes.pass_at_k(2).unwrap().values(),
        [Some(1.0), None, None]
    );
    assert_eq!(outcomes.average_at_k(3).unwrap().mean(), None);
    assert!(outcomes.pass_at_k(0).is_err());
    let error = accuracy.complete().unwrap_err();
    assert!(
        matches!(&error, EvalError::TooFewSamples { problem, scored: 0, needed: 1, .. } if problem == "b")
    );
}

#[test]
fn identifiers_are_unique() {
    let twice = Outcomes::<bool>::new([("a", vec![]), ("a", vec![])]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "the problem a occurs twice; identifiers must be unique"
    );
}

#[test]
fn verdicts_are_outcomes() {
    let problem = Problem {
        id: 1,
        prompt: String::new(),
        answer: String::new(),
        source: "test".to_owned(),
    };
    let verdicts = || {
        vec![
            Verdict::answer("exact", true),
            Verdict::score("length", 0.25),
            Verdict::unscorable(&problem, "broken"),
        ]
    };
    let rewards = Outcomes::rewards([("a", verdicts())]).unwrap();
    assert_eq!(rewards.rows()[0], [Some(1.0), Some(0.25), None]);
    let correct = Outcomes::correct([("a", verdicts())]).unwrap();
    assert_eq!(correct.rows()[0], [Some(true), None, None]);
    assert_eq!(
        rewards.at_least(0.5).rows()[0],
        [Some(true), Some(false), None]
    );
    assert_eq!(rewards.best_at_k(1).unwrap().mean(), Some(0.625));
    assert_eq!(rewards.average_at_k(2).unwrap().mean(), Some(0.625));
}

fn counts() -> impl Strategy<Value = (usize, usize, usize)> {
    (1_usize..60).prop_flat_map(|n| (Just(n), 0..=n, 1..=n))
}

proptest! {
    #[test]
    fn metrics_are_ordered((n, c, k) in counts()) {
        let pass = pass_at_k(n, c, k).unwrap();
        let all = all_of_k(n, c, k).unwrap();
        let average = c as f64 / n as f64;
        prop_assert!(0.0 <= all && all <= average + 1e-12 && average <= pass + 1e-12 && pass <= 1.0);
        // From the easiest threshold to the hardest, G-Pass@k falls from pass@k to pass^k.
        let thresholds: Vec<f64> = (0..=k)
            .map(|i| g_pass_at_k(n, c, k, i as f64 / k as f64).unwrap())
            .collect();
        prop_assert!((thresholds[0] - pass).abs() < 1e-9);
        prop_assert!((thresholds[k] - all).abs() < 1e-9);
        prop_assert!(thresholds.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12));
        // The sum of the tails of a distribution is its mean: k c / n.
        let tails: f64 = thresholds[1..].iter().sum();
        prop_assert!((tails - k as f64 * average).abs() < 1e-8);
    }

    #[test]
    fn right_and_wrong_mirror_each_other((n, c, k) in counts()) {
        let sum = pass_at_k(n, c, k).unwrap() + all_of_k(n, n - c, k).unwrap();
        prop_assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn more_attempts_never_hurt((n, c, k) in counts()) {
        if k < n {
            let (less, more) = (pass_at_k(n, c, k).unwrap(), pass_at_k(n, c, k + 1).unwrap());
            prop_assert!(less <= more + 1e-12);
        }
    }

    #[test]
    fn the_best_of_zeros_and_ones_is_pass((n, c, k) in counts()) {
        let rewards: Vec<f64> = (0..n).map(|i| if i < c { 1.0 } else { 0.0 }).collect();
        let best = best_at_k(&rewards, k).unwrap();
        prop_assert!((best - pass_at_k(n, c, k).unwrap()).abs() < 1e-9);
    }
}
