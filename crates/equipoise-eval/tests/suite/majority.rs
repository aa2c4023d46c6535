//! maj@k.

use equipoise_eval::{Ballot, EvalError, Outcomes, Resampling, Vote, majority_at_k};
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Golden {
    votes: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    answers: Vec<Option<String>>,
    right: String,
    k: usize,
    majority: f64,
}

fn ballot(answers: &[Option<String>], right: &str) -> Ballot {
    let vote = |answer: &'_ Option<String>| answer.as_deref().map(str::to_owned);
    let answers: Vec<Option<String>> = answers.iter().map(vote).collect();
    let votes: Vec<Vote<'_>> = answers
        .iter()
        .map(|answer| Vote {
            answer: answer.as_deref(),
            correct: answer.as_deref() == Some(right),
        })
        .collect();
    Ballot::new(&votes, |a, b| a == b)
}

/// Against metrics.py, which goes through every subset.
#[test]
fn agrees_with_every_subset() {
    let golden: Golden = serde_json::from_str(include_str!("../fixtures/metrics.json")).unwrap();
    assert_eq!(golden.votes.len(), 60);
    for case in golden.votes {
        let found =
            ballot(&case.answers, &case.right).majority_at_k(case.k, &Resampling::default());
        close(found.unwrap(), case.majority);
    }
}

#[test]
fn by_hand() {
    let answers = ["a", "a", "b", "b", "c"].map(|answer| Some(answer.to_owned()));
    let ballot = ballot(&answers, "a");
    assert_eq!(ballot.leaders(), ["a", "b"]);
    let at = |k| ballot.majority_at_k(k, &Resampling::default()).unwrap();
    // All five: a and b tie.
    assert_eq!(at(5), 0.5);
    close(at(1), 0.4);
    // Ten pairs: aa 1; ab (4) and ac (2) are ties, ½ each: (1 + 2 + 1) / 10.
    close(at(2), 0.4);
}

#[test]
fn those_who_abstain_are_drawn_but_do_not_vote() {
    let answers = [Some("a".to_owned()), None, None];
    let one = ballot(&answers, "a");
    let at = |k| one.majority_at_k(k, &Resampling::default()).unwrap();
    // Of the three pairs two hold the vote.
    close(at(2), 2.0 / 3.0);
    assert_eq!(at(3), 1.0);
    let silent = ballot(&[None, None], "a");
    assert_eq!(
        silent.majority_at_k(2, &Resampling::default()).unwrap(),
        0.0
    );
    assert!(silent.leaders().is_empty());
    assert!(matches!(
        silent.majority_at_k(3, &Resampling::default()),
        Err(EvalError::OutOfRange { .. })
    ));
}

#[test]
fn several_problems() {
    let outcomes = Outcomes::new([
        ("a", vec![Some(true), Some(true), Some(false)]),
        ("b", vec![Some(false), None, Some(true)]),
        ("c", vec![Some(true), None, None]),
    ])
    .unwrap();
    let text = |answer: &str| Some(answer.to_owned());
    let answers = vec![
        vec![text("1/2"), text("0.5"), text("2")],
        vec![text("3"), text("3"), text("4")],
        vec![text("1"), text("1"), text("1")],
    ];
    let same = |a: &str, b: &str| [a, b] == ["1/2", "0.5"];
    let scores = majority_at_k(&outcomes, &answers, 2, same, &Resampling::default()).unwrap();
    // a: {1/2, 0.5} right, two ties. b: one tie, as the unscorable sample takes no part. c: too few.
    let values = scores.values();
    close(values[0].unwrap(), 2.0 / 3.0);
    close(values[1].unwrap(), 0.5);
    assert_eq!(values[2], None);
    assert_eq!(scores.metric(), "maj@2");
    let short = majority_at_k(&outcomes, &answers[..2], 2, same, &Resampling::default());
    assert!(matches!(
        short,
        Err(EvalError::LengthMismatch {
            first: 3,
            second: 2,
            ..
        })
    ));
}

/// 1200 votes are more than can be counted exactly. Of 601 right ones a majority of 11 has a chance
/// a little above one half.
#[test]
fn many_votes_are_resampled() {
    let answers: Vec<Option<String>> = (0..1200)
        .map(|i| Some(if i < 720 { "a" } else { "b" }.to_owned()))
        .collect();
    let ballot = ballot(&answers, "a");
    let resampling = Resampling::default();
    let found = ballot.majority_at_k(11, &resampling).unwrap();
    // A binomial majority: Σ_{i ≥ 6} C(11, i) 0.6^i 0.4^(11 − i) = 0.7535; drawing without putting
    // back changes the fourth digit. Five standard errors of 20 000 draws are 0.0152.
    assert!((found - 0.7535).abs() < 0.016, "{found}");
    assert_eq!(found, ballot.majority_at_k(11, &resampling).unwrap());
    let other = Resampling {
        seed: 1,
        ..resampling
    };
    assert_ne!(found, ballot.majority_at_k(11, &other).unwrap());
}

proptest! {
    #[test]
    fn bounds_and_extremes(sizes in prop::collection::vec(1_usize..6, 1..6), abstained in 0_usize..4) {
        let mut answers: Vec<Option<String>> = sizes
            .iter()
            .enumerate()
            .flat_map(|(name, &size)| vec![Some(name.to_string()); size])
            .collect();
        answers.resize(answers.len() + abstained, None);
        let n = answers.len();
        // The chances of all answers, and of silence, add up to one.
        for k in 1..=n {
            let chance = |right: &str| {
                ballot(&answers, right).majority_at_k(k, &Resampling::default()).unwrap()
            };
            let sum: f64 = (0..sizes.len()).map(|name| chance(&name.to_string())).sum();
            let silent: f64 = (0..k).map(|j| abstained.saturating_sub(j) as f64 / (n - j) as f64).product();
            prop_assert!((sum + silent - 1.0).abs() < 1e-9, "{k}: {sum} + {silent}");
            // One sample decides for itself.
            if k == 1 {
                prop_assert!((chance("0") - sizes[0] as f64 / n as f64).abs() < 1e-12);
            }
        }
    }
}
