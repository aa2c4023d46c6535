//! Prompts that were there before.

use std::collections::HashSet;

use equipoise_data::{Deduplicator, Duplicates, Seen};
use proptest::prelude::*;

#[test]
fn case_and_space_count_where_they_should() {
    let mut exact = Deduplicator::new(Duplicates::Exact).unwrap();
    assert_eq!(exact.add("A b"), Seen::New);
    assert_eq!(exact.add("a b"), Seen::New);
    assert_eq!(exact.add("A b"), Seen::Same(0));
    let mut normalised = Deduplicator::new(Duplicates::Normalised).unwrap();
    assert_eq!(normalised.add(" Ä\t b\n"), Seen::New);
    assert_eq!(normalised.look("c"), Seen::New);
    assert_eq!(normalised.add("c"), Seen::New);
    assert_eq!(normalised.add("ä B"), Seen::Same(0));
    assert_eq!(normalised.add("C"), Seen::Same(1));
}

#[test]
fn near_by_hand() {
    // Trigrams: 4 of the first, 4 of the second, 3 shared: 3 / 5.
    let (a, b) = (
        "one two three four five six",
        "one two three four five seven",
    );
    for (similarity, seen) in [(0.6, Seen::Near(0)), (0.61, Seen::New)] {
        let rule = Duplicates::Near {
            words: 3,
            similarity,
        };
        let mut prompts = Deduplicator::new(rule).unwrap();
        assert_eq!(prompts.add(a), Seen::New);
        assert_eq!(prompts.add(b), seen);
        assert_eq!(prompts.add(&a.to_uppercase()), Seen::Same(0));
    }
}

#[test]
fn impossible_rules_are_named() {
    let error = |words, similarity| {
        let rule = Duplicates::Near { words, similarity };
        Deduplicator::new(rule).unwrap_err().to_string()
    };
    assert_eq!(error(0, 0.5), "near_words = 0: it must be at least 1");
    let expected = "near_similarity = 0: it must be above 0 and at most 1";
    assert_eq!(error(3, 0.0), expected);
    assert!(error(3, f64::NAN).starts_with("near_similarity = NaN"));
}

/// The sets of n-grams as words, compared in the slow way.
fn similarity(a: &str, b: &str, words: usize) -> f64 {
    fn grams(text: &str, words: usize) -> HashSet<Vec<&str>> {
        let all: Vec<&str> = text.split_whitespace().collect();
        all.windows(words.min(all.len()))
            .map(<[&str]>::to_vec)
            .collect()
    }
    let (a, b) = (grams(a, words), grams(b, words));
    a.intersection(&b).count() as f64 / a.union(&b).count() as f64
}

proptest! {
    /// The index finds exactly what comparing with every earlier prompt finds.
    #[test]
    fn near_agrees_with_comparing_all(
        texts in proptest::collection::vec("[abc]( [abc]){0,9}", 1..40),
        words in 1_usize..4,
        tenths in 1_u32..=10,
    ) {
        let least = f64::from(tenths) / 10.0;
        let mut prompts = Deduplicator::new(Duplicates::Near { words, similarity: least }).unwrap();
        let mut kept: Vec<&String> = Vec::new();
        for text in &texts {
            let near = |earlier: &&String| similarity(earlier, text, words) >= least;
            let expected = match kept.iter().position(|earlier| *earlier == text) {
                Some(at) => Seen::Same(at),
                None => kept.iter().position(near).map_or(Seen::New, Seen::Near),
            };
            prop_assert_eq!(prompts.look(text), expected);
            prop_assert_eq!(prompts.add(text), expected);
            if expected == Seen::New {
                kept.push(text);
            }
        }
    }
}
