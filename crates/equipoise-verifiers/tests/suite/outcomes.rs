//! Counts of outcomes.

use equipoise_verifiers::{Outcomes, Verdict};

use crate::problem;

fn verdicts() -> Vec<Verdict> {
    let mut broken = problem("x");
    let mut verdicts = vec![
        Verdict::answer("a", true),
        Verdict::answer("a", false),
        Verdict::answer("a", false),
        Verdict::score("b", 0.3),
        Verdict::unscorable(&broken, "status 503 (attempt 5 of 5)"),
    ];
    for (id, answer) in [(1, "x"), (2, "y"), (3, "z: w")] {
        broken.id = id;
        verdicts.push(Verdict::unscorable(
            &broken,
            format!("the answer {answer:?} is no number"),
        ));
    }
    verdicts
}

#[test]
fn outcomes_are_counted() {
    let outcomes = Outcomes::of(&verdicts());
    assert_eq!(
        (
            outcomes.right,
            outcomes.wrong,
            outcomes.rewarded_without_answer
        ),
        (1, 2, 1)
    );
    assert_eq!(
        (
            outcomes.total(),
            outcomes.scored(),
            outcomes.unscorable_count()
        ),
        (8, 4, 4)
    );
    assert_eq!(outcomes.accuracy(), Some(1.0 / 3.0));
    assert_eq!(outcomes.unscorable_share(), 0.5);
    let reasons: Vec<_> = outcomes
        .unscorable
        .iter()
        .map(|one| (one.reason.as_str(), one.count, one.example.as_str()))
        .collect();
    assert_eq!(
        reasons,
        [
            (
                "the answer \"…\" is no number",
                3,
                "problem 1 of test: the answer \"x\" is no number"
            ),
            (
                "status # (attempt # of #)",
                1,
                "problem 7 of test: status 503 (attempt 5 of 5)"
            ),
        ]
    );
}

#[test]
fn in_parts_it_is_the_same() {
    let all = verdicts();
    for cut in 0..=all.len() {
        let mut parts = Outcomes::of(&all[..cut]);
        parts.add(&all[cut..]);
        assert_eq!(parts, Outcomes::of(&all), "{cut}");
    }
}

#[test]
fn too_many_unscorable_is_explained() {
    let outcomes = Outcomes::of(&verdicts());
    assert_eq!(outcomes.check(0.5), Ok(()));
    let message = outcomes.check(0.25).unwrap_err().to_string();
    assert!(
        message.starts_with(
            "4 of 8 completions (50.0 %) could not be scored, more than the share 0.25 that is \
             allowed; the most frequent reasons:\n  3 ×, such as: problem 1 of test: the answer \
             \"x\" is no number\n  1 ×, such as: problem 7 of test: status 503"
        ),
        "{message}"
    );
    assert!(
        message.contains("Check that the verifier fits"),
        "{message}"
    );
    assert_eq!(Outcomes::default().check(0.0), Ok(()));
    assert_eq!(Outcomes::default().accuracy(), None);
}
