//! Confidence in words and numbers.

use equipoise_eval::{
    Confidence, ConfidenceCounts, PHRASES, Scale, stated_confidence, without_confidence,
};
use proptest::prelude::*;

const FOUND: [(&str, f64); 24] = [
    ("Confidence: 85%", 0.85),
    ("confidence: 0.85", 0.85),
    ("CONFIDENCE: 8/10", 0.8),
    ("Confidence: 8 / 10", 0.8),
    ("Confidence: 8 out of 10", 0.8),
    ("Confidence: 85", 0.85),
    ("Confidence: 85.5 %", 0.855),
    ("Confidence: 85\\%", 0.85),
    ("Confidence: 85 percent", 0.85),
    ("Confidence: .5", 0.5),
    ("Confidence: 1.0", 1.0),
    ("Confidence: 0", 0.0),
    ("Confidence: 100", 1.0),
    ("Confidence (0-100): 7", 0.07),
    ("Confidence (from 0 to 10): 7", 0.7),
    ("**Confidence:** 90%", 0.9),
    ("**Confidence**: `90%`", 0.9),
    ("{\"answer\": 3, \"confidence\": 0.4}", 0.4),
    ("My confidence is 70%.", 0.7),
    ("Confidence level: high", 0.8),
    ("Confidence score = 0.25", 0.25),
    ("Confidence: Very high, as I checked it.", 0.9),
    ("Confidence:\n60%", 0.6),
    ("Confidence: 10%\nOn reflection, confidence: 30%", 0.3),
];

const ABSENT: [&str; 8] = [
    "",
    "42",
    "I have confidence in it.",
    "Confidence\n85%",
    "self-confident: 85%",
    "overconfidence: 85%",
    "confidence is key to everything",
    "the confidence of the public",
];

const MALFORMED: [&str; 9] = [
    "Confidence: 8",
    "Confidence: 1",
    "Confidence: 10",
    "Confidence: 130%",
    "Confidence: -5%",
    "Confidence: 11/10",
    "Confidence: 3/0",
    "Confidence: who knows",
    "Confidence:",
];

#[test]
fn three_outcomes() {
    let mut counts = ConfidenceCounts::default();
    let mut read = |text: &str| {
        let confidence = stated_confidence(text, Scale::default());
        counts.add(&confidence);
        confidence
    };
    for (text, expected) in FOUND {
        match read(text) {
            Confidence::Found(found) => {
                assert!((found - expected).abs() < 1e-12, "{text}: {found}")
            }
            other => panic!("{text}: {other:?}"),
        }
    }
    for text in ABSENT {
        assert_eq!(read(text), Confidence::Absent, "{text}");
    }
    for text in MALFORMED {
        let found = read(text);
        assert!(
            matches!(found, Confidence::Malformed { .. }),
            "{text}: {found:?}"
        );
    }
    let expected = ConfidenceCounts {
        found: FOUND.len(),
        absent: ABSENT.len(),
        malformed: MALFORMED.len(),
    };
    assert_eq!(counts, expected);
}

#[test]
fn a_bare_number_is_of_the_scale() {
    let read = |text, scale| stated_confidence(text, scale);
    assert_eq!(read("Confidence: 8", Scale::Ten), Confidence::Found(0.8));
    assert_eq!(
        read("Confidence: 8", Scale::Hundred),
        Confidence::Found(0.08)
    );
    assert_eq!(read("Confidence: 1", Scale::Unit), Confidence::Found(1.0));
    assert!(matches!(
        read("Confidence: 12", Scale::Ten),
        Confidence::Malformed { .. }
    ));
    // What the text says of itself goes before.
    assert_eq!(read("Confidence: 8%", Scale::Ten), Confidence::Found(0.08));
    assert_eq!(
        read("Confidence (0-100): 8", Scale::Ten),
        Confidence::Found(0.08)
    );
}

#[test]
fn phrases_are_chances_and_the_longest_counts() {
    for (phrase, chance) in PHRASES {
        assert!((0.0..=1.0).contains(&chance));
        let found = stated_confidence(&format!("Confidence: {phrase}."), Scale::Unambiguous);
        assert_eq!(found, Confidence::Found(chance), "{phrase}");
    }
}

#[test]
fn the_statement_can_be_taken_out() {
    assert_eq!(
        without_confidence("It is 4.\nConfidence: 85%\n"),
        "It is 4.\n\n"
    );
    assert_eq!(without_confidence("It is 4. **Confidence:** 9"), "It is 4.");
    assert_eq!(without_confidence("It is 4."), "It is 4.");
}

proptest! {
    #[test]
    fn no_text_is_too_odd(before in "\\PC{0,20}", after in "\\PC{0,20}") {
        let text = format!("{before} confidence: {after}");
        if let Confidence::Found(chance) = stated_confidence(&text, Scale::Ten) {
            prop_assert!((0.0..=1.0).contains(&chance));
        }
        without_confidence(&text);
        stated_confidence(&format!("{before}confidence{after}"), Scale::Unambiguous);
    }

    #[test]
    fn percentages_are_read_back(percent in 0_u8..=100) {
        let text = format!("So it is 7.\n\nConfidence: {percent}%");
        let found = stated_confidence(&text, Scale::Unambiguous);
        prop_assert_eq!(found, Confidence::Found(f64::from(percent) / 100.0));
    }
}
