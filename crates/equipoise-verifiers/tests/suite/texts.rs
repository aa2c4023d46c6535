//! Exact and fuzzy comparison of text.

use equipoise_verifiers::{
    ExactMatch, FuzzyMatch, FuzzyMatchOptions, Normalisation, Similarity, TextExtraction, Verifier,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{problem, reward, unscorable};

#[test]
fn exact_match_by_hand() {
    let plain = ExactMatch::default();
    let squad = ExactMatch {
        normalisation: Normalisation::SQUAD,
        ..Default::default()
    };
    for (answer, completion, plainly, loosely) in [
        ("Paris", " Paris\n", 1.0, 1.0),
        ("Paris", "paris", 0.0, 1.0),
        ("Paris", "Paris.", 0.0, 1.0),
        ("Eiffel Tower", "The  Eiffel Tower", 0.0, 1.0),
        ("Eiffel  Tower", "Eiffel Tower", 1.0, 1.0),
        ("ﬁve ２", "five 2", 1.0, 0.0),
        ("Paris", "It is Paris", 0.0, 0.0),
        ("", "", 1.0, 1.0),
    ] {
        assert_eq!(
            reward(&plain, answer, completion),
            plainly,
            "{answer} {completion}"
        );
        assert_eq!(
            reward(&squad, answer, completion),
            loosely,
            "{answer} {completion}"
        );
    }
    let line = TextExtraction::AfterMarker("Answer:".into());
    let after = ExactMatch {
        extraction: line,
        ..Default::default()
    };
    assert_eq!(reward(&after, "Rome", "No.\nAnswer: Rome \nbye"), 1.0);
    assert_eq!(reward(&after, "Rome", "Rome"), 0.0);
    let said = after.explain(&problem("Rome"), "Answer: Roma");
    assert_eq!(said.extracted.as_deref(), Some("Roma"));
    assert_eq!(said.why, "\"Roma\" is not \"Rome\"");
    assert_eq!(said.verdict.correct(), Some(false));
}

#[test]
fn alternatives_are_a_list() {
    let any = ExactMatch {
        alternatives: true,
        ..Default::default()
    };
    assert_eq!(reward(&any, r#"["Rome", "Roma"]"#, "Roma"), 1.0);
    assert_eq!(reward(&any, r#"["Rome", "Roma"]"#, "Rom"), 0.0);
    for broken in ["Rome", "[]", "[1]", r#"{"a": "b"}"#] {
        assert!(unscorable(&any, broken, "Rome").contains("is not a JSON list of texts"));
    }
}

fn fuzzy(similarity: Similarity) -> FuzzyMatch {
    let options = FuzzyMatchOptions {
        similarity,
        threshold: 0.5,
        ..Default::default()
    };
    FuzzyMatch::new(options, Normalisation::default()).unwrap()
}

#[track_caller]
fn near(given: f64, expected: f64) {
    assert!((given - expected).abs() < 1e-12, "{given} {expected}");
}

#[test]
fn similarities_by_hand() {
    // 2 words in common of 3 given and 4 expected: P = 2/3, R = 1/2, F₁ = 4/7.
    near(Similarity::TokenF1.of("a b c", "b c d e"), 4.0 / 7.0);
    near(Similarity::TokenF1.of("a a", "a"), 2.0 / 3.0);
    near(Similarity::TokenF1.of("", ""), 1.0);
    near(Similarity::TokenF1.of("a", ""), 0.0);
    // kitten, sitting: 3 edits, 7 letters.
    near(Similarity::Levenshtein.of("kitten", "sitting"), 4.0 / 7.0);
    near(Similarity::Levenshtein.of("", ""), 1.0);
    // Winkler's example: m = 6, t = 1, ℓ = 3: 17/18 + 3·0.1·(1 − 17/18) = 0.9611….
    near(
        Similarity::JaroWinkler.of("MARTHA", "MARHTA"),
        17.0 / 18.0 + 0.3 / 18.0,
    );
}

#[test]
fn similarity_is_the_reward_and_a_threshold_decides() {
    let f1 = fuzzy(Similarity::TokenF1);
    near(reward(&f1, "b c d e", "a b c"), 4.0 / 7.0);
    assert_eq!(
        f1.verify(&problem("b c d e"), "a b c").correct(),
        Some(true)
    );
    let binary = FuzzyMatchOptions {
        graded: false,
        threshold: 0.6,
        ..Default::default()
    };
    let binary = FuzzyMatch::new(binary, Normalisation::default()).unwrap();
    let verdict = binary.verify(&problem("b c d e"), "a b c");
    assert_eq!(
        (verdict.reward(), verdict.correct()),
        (Some(0.0), Some(false))
    );
    let options = FuzzyMatchOptions {
        alternatives: true,
        ..Default::default()
    };
    let best = FuzzyMatch::new(options, Normalisation::default()).unwrap();
    near(reward(&best, r#"["x", "b c d e"]"#, "a b c"), 4.0 / 7.0);
    let options = FuzzyMatchOptions {
        extraction: TextExtraction::AfterTag("</think>".into()),
        threshold: 0.0,
        ..Default::default()
    };
    let after = FuzzyMatch::new(options, Normalisation::default()).unwrap();
    let missing = after.verify(&problem("a"), "a");
    assert_eq!(
        (missing.reward(), missing.correct()),
        (Some(0.0), Some(false))
    );
    let wrong = FuzzyMatchOptions {
        threshold: 1.5,
        ..Default::default()
    };
    let error = FuzzyMatch::new(wrong, Normalisation::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "fuzzy_match: threshold is 1.5; it must be from 0 to 1"
    );
}

#[test]
fn squad_agrees_with_its_evaluation() {
    let golden: Value = serde_json::from_str(include_str!("../fixtures/rewards.json")).unwrap();
    let f1 = FuzzyMatch::new(FuzzyMatchOptions::default(), Normalisation::SQUAD).unwrap();
    for row in golden["squad"].as_array().unwrap() {
        let text = |key: &str| row[key].as_str().unwrap();
        assert_eq!(
            Normalisation::SQUAD.apply(text("given")),
            text("normalised")
        );
        near(
            reward(&f1, text("expected"), text("given")),
            row["f1"].as_f64().unwrap(),
        );
    }
}

/// The distance takes the product of the lengths; here it would be 10¹² steps.
#[test]
fn long_texts_are_cut() {
    let long = "ab".repeat(500_000);
    near(reward(&fuzzy(Similarity::Levenshtein), &long, &long), 1.0);
    near(reward(&fuzzy(Similarity::JaroWinkler), &long, &long), 1.0);
}

proptest! {
    #[test]
    fn similarities_are_shares_and_symmetric(a in "[ab é]{0,12}", b in "[ab é]{0,12}") {
        for similarity in [Similarity::TokenF1, Similarity::Levenshtein, Similarity::JaroWinkler] {
            let one = similarity.of(&a, &b);
            prop_assert!((0.0..=1.0).contains(&one));
            prop_assert!((one - similarity.of(&b, &a)).abs() < 1e-12);
            prop_assert_eq!(similarity.of(&a, &a), 1.0);
        }
    }

    #[test]
    fn normalising_twice_changes_nothing(text in any::<String>()) {
        for normalisation in [Normalisation::default(), Normalisation::SQUAD] {
            let once = normalisation.apply(&text);
            prop_assert_eq!(normalisation.apply(&once), once);
        }
    }
}
