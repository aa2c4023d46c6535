//! Contamination.

use equipoise_eval::{Contamination, ContaminationSettings, EvalError};
use proptest::prelude::*;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    n: usize,
    train: Vec<String>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    text: String,
    words: usize,
    grams: usize,
    covered: usize,
    longest: usize,
    duplicate: bool,
}

fn settings(n: usize, threshold: f64) -> ContaminationSettings {
    ContaminationSettings { n, threshold }
}

fn check(test: &[&str], settings: ContaminationSettings) -> Contamination {
    let items = test.iter().enumerate();
    Contamination::new(items.map(|(id, text)| (id.to_string(), *text)), settings).unwrap()
}

/// Against contamination.py: sets of tuples, and every pair of positions.
#[test]
fn agrees_with_sets_of_tuples() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../fixtures/contamination.json")).unwrap();
    assert_eq!(cases.len(), 5);
    let mut duplicates = 0;
    for case in cases {
        let test: Vec<&str> = case.items.iter().map(|item| item.text.as_str()).collect();
        let mut found = check(&test, settings(case.n, 0.0));
        for text in &case.train {
            found.train(text);
        }
        let report = found.report();
        for (found, expected) in report.items.iter().zip(&case.items) {
            let numbers = (
                found.words,
                found.grams,
                found.covered,
                found.longest_match,
                found.duplicate,
            );
            let wanted = (
                expected.words,
                expected.grams,
                expected.covered,
                expected.longest,
                expected.duplicate,
            );
            assert_eq!(numbers, wanted, "n = {}: {:?}", case.n, expected.text);
            duplicates += usize::from(expected.duplicate);
        }
    }
    assert!(duplicates >= 5);
}

#[test]
fn by_hand() {
    let test = [
        "The cat sat on the mat and slept.",
        "A dog ran over the hill.",
        "Short one",
        "Rain fell all day long today.",
    ];
    let mut found = check(&test, settings(4, 0.5));
    found.train("nothing at all in common here");
    found.train("They say: the CAT sat on the mat; and so on.");
    found.train("  rain fell\nALL day long   today.");
    found.train("short   ONE");
    let report = found.report();
    // Five 4-grams: "the cat sat on", "cat sat on the", "sat on the mat", "on the mat and" occur.
    let cat = &report.items[0];
    assert_eq!(
        (
            cat.grams,
            cat.covered,
            cat.longest_match,
            cat.first_document
        ),
        (5, 4, 7, Some(1))
    );
    assert_eq!(cat.share, Some(0.8));
    assert!(cat.flagged && !cat.duplicate);
    let dog = &report.items[1];
    assert_eq!(
        (
            dog.covered,
            dog.longest_match,
            dog.first_document,
            dog.flagged
        ),
        (0, 0, None, false)
    );
    // Too short for an n-gram, and still found.
    let short = &report.items[2];
    assert_eq!(
        (short.grams, short.share, short.duplicate, short.flagged),
        (0, None, true, true)
    );
    assert_eq!(short.first_document, Some(3));
    assert!(report.items[3].duplicate);
    assert_eq!(
        (
            report.flagged,
            report.duplicates,
            report.overlapping,
            report.short
        ),
        (3, 2, 2, 1)
    );
    assert_eq!(
        (report.documents, report.document_words),
        (4, 6 + 11 + 6 + 2)
    );
}

#[test]
fn the_threshold_decides() {
    // Two 2-grams, one of them seen.
    for (threshold, flagged) in [(0.0, true), (0.5, true), (0.51, false), (1.0, false)] {
        let mut found = check(&["one two three"], settings(2, threshold));
        found.train("zero one two four");
        assert_eq!(found.report().items[0].flagged, flagged, "{threshold}");
    }
    let clean = check(&["one two three"], settings(2, 0.0));
    assert_eq!(clean.report().flagged, 0);
}

#[test]
fn a_match_does_not_go_on_into_the_next_item() {
    let mut found = check(&["a b c", "d e f"], settings(2, 0.0));
    found.train("a b c d e f");
    let report = found.report();
    assert_eq!(
        (report.items[0].longest_match, report.items[1].longest_match),
        (3, 3)
    );
}

#[test]
fn what_cannot_be_checked_is_an_error() {
    let none: [(&str, &str); 0] = [];
    let default = ContaminationSettings::default();
    assert_eq!(default.n, 13);
    assert!(matches!(
        Contamination::new(none, default),
        Err(EvalError::TooFew { .. })
    ));
    assert!(Contamination::new([("a", "x")], settings(0, 0.0)).is_err());
    assert!(Contamination::new([("a", "x")], settings(3, 1.5)).is_err());
    assert!(matches!(
        Contamination::new([("a", "x"), ("a", "y")], default),
        Err(EvalError::Duplicate { .. })
    ));
}

proptest! {
    /// A training text that holds an item holds all its n-grams; one that shares no word holds none;
    /// and the order of training texts changes nothing but their numbers.
    #[test]
    fn contained_and_disjoint(
        item in prop::collection::vec("[a-d]", 1..20), around in prop::collection::vec("[a-d]", 0..10), n in 1_usize..6,
    ) {
        let text = item.join(" ");
        let holding = format!("{} {text} {}", around.join(", "), around.join("-"));
        let mut found = check(&[&text], settings(n, 1.0));
        found.train("p q r s t u v w x y z");
        prop_assert_eq!(found.report().items[0].covered, 0);
        found.train(&holding);
        let report = found.report();
        let one = &report.items[0];
        prop_assert_eq!(one.covered, one.grams);
        prop_assert_eq!(one.grams, (item.len() + 1).saturating_sub(n));
        if one.grams > 0 {
            prop_assert_eq!((one.longest_match, one.first_document, one.flagged), (item.len(), Some(1), true));
        }
    }

    #[test]
    fn no_text_is_too_odd(test in "\\PC{0,40}", train in "\\PC{0,40}") {
        let mut found = check(&[&test], settings(2, 0.0));
        found.train(&train);
        found.train(&test);
        prop_assert!(found.report().items[0].duplicate);
    }
}
