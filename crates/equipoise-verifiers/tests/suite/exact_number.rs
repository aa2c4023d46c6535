//! Numbers: every spelling, every place, never a rounding.

use equipoise_verifiers::{ExactNumber, Extraction, Verdict, Verifier};
use proptest::prelude::*;
use serde::Deserialize;

use crate::problem;

fn correct(extraction: Extraction, answer: &str, completion: &str) -> Option<bool> {
    let verdict = ExactNumber { extraction }.verify(&problem(answer), completion);
    if let Verdict::Scored {
        reward,
        correct,
        parts,
    } = &verdict
    {
        let score = f64::from(u8::from(correct.unwrap()));
        assert_eq!(*reward, score);
        assert_eq!(parts.len(), 1);
        assert_eq!((parts[0].score, parts[0].weight), (score, 1.0));
        assert_eq!(parts[0].name, "exact_number");
    }
    verdict.correct()
}

fn after_tag(answer: &str, completion: &str) -> Option<bool> {
    correct(Extraction::AfterTag("</think>".into()), answer, completion)
}

fn last(answer: &str, completion: &str) -> Option<bool> {
    correct(Extraction::LastNumber, answer, completion)
}

#[derive(Deserialize)]
struct Row {
    answer: String,
    completion: String,
    correct: Option<bool>,
}

#[test]
fn python_fractions_agree() {
    let rows: Vec<Row> =
        serde_json::from_str(include_str!("../fixtures/exact_number.json")).unwrap();
    assert!(rows.len() > 500);
    for row in rows {
        let completion = format!("<think></think>{}", row.completion);
        let judged = after_tag(&row.answer, &completion);
        assert_eq!(judged, row.correct, "{} ? {}", row.answer, row.completion);
    }
}

#[test]
fn a_problem_without_a_number_is_unscorable() {
    let verdict = ExactNumber {
        extraction: Extraction::LastNumber,
    }
    .verify(&problem("six"), "6");
    let Verdict::Unscorable { why } = &verdict else {
        panic!("{verdict:?}");
    };
    assert_eq!(why, "problem 7 of test: the answer \"six\" is not a number");
    assert_eq!((verdict.reward(), verdict.correct()), (None, None));
    assert_eq!(last(" 6 ", "6"), Some(true));
}

#[test]
fn after_a_tag_stands_the_number_alone() {
    let cases = [
        ("<think>1+1</think>34", true),
        ("<think>34</think> +34.0\n", true),
        ("</think>3</think>34", true),
        ("<think>34</think>", false),
        ("<think>34", false),
        ("34", false),
        ("<think></think>34 apples", false),
        ("<think></think>=34", false),
        ("<think></think>35", false),
        ("<think></think>34<", false),
        ("", false),
    ];
    for (completion, expected) in cases {
        assert_eq!(after_tag("34", completion), Some(expected), "{completion}");
    }
}

#[test]
fn after_a_marker_stands_the_first_number_of_the_line() {
    let marker = || Extraction::AfterMarker("####".into());
    let cases = [
        ("so\n#### 1,234", true),
        ("#### $1,234 in all", true),
        ("#### 1\n#### 1234.00", true),
        ("####\n1234", false),
        ("#### none", false),
        ("1234", false),
        ("#### 1235 1234", false),
    ];
    for (completion, expected) in cases {
        assert_eq!(
            correct(marker(), "1234", completion),
            Some(expected),
            "{completion}"
        );
    }
}

#[test]
fn the_last_number_is_found_in_prose() {
    let cases = [
        ("34", "The answer is 34.", true),
        ("34", "It is **34**!", true),
        ("34", "1,2,34", true),
        ("1234", "about $1,234.", true),
        ("-3", "so x=-3", true),
        ("-3", "so x = −3", true),
        ("3", "5-3", true),
        ("-3", "5-3", false),
        ("3", "x-3", true),
        ("3", "(5)-3", true),
        ("-3", "5 -3", true),
        ("3", "5 - 3", true),
        ("1/2", "it is 1/2", true),
        ("0.5", "it is 2/4", true),
        ("2", "it is 1/2", false),
        ("0", "3/0", true),
        (".5", "p=.5", true),
        ("5", "1.2.5", true),
        ("1000", "1e3", true),
        ("2", "2em", true),
        ("23", "1,23", true),
        ("2345", "1,2345", true),
        ("7", "no number", false),
        ("7", "7 then 8", false),
    ];
    for (answer, completion, expected) in cases {
        assert_eq!(
            last(answer, completion),
            Some(expected),
            "{answer} ? {completion}"
        );
    }
}

#[test]
fn numbers_beyond_the_limit_are_wrong_not_shortened() {
    let nines = "9".repeat(19_999);
    assert_eq!(last(&nines, &nines), Some(true));
    assert_eq!(last(&nines, &format!("{nines}.0")), Some(true));
    let many = "9".repeat(20_001);
    assert_eq!(last("9", &many), Some(false));
    assert_eq!(last(&nines, &many), Some(false));
    assert_eq!(last(&many, "9"), None);
    // A megabyte of digits is skipped in one piece.
    assert_eq!(last("9", &"9".repeat(1 << 20)), Some(false));
    assert_eq!(last("9", &format!("{many} 9")), Some(true));
}

proptest! {
    #[test]
    fn equal_whole_numbers_and_only_those_are_equal(a in any::<i128>(), step in -2_i128..=2) {
        let b = a.saturating_add(step);
        let judged = after_tag(&a.to_string(), &format!("</think>{b}"));
        prop_assert_eq!(judged, Some(a == b));
    }

    #[test]
    fn a_fraction_in_any_terms_is_the_same(
        n in -100_000_i64..100_000, d in 1_i64..10_000, k in 1_i64..1000, other in 1_i64..10_000,
    ) {
        let answer = format!("{n}/{d}");
        let same = format!("</think>{}/{}", n * k, d * k);
        prop_assert_eq!(after_tag(&answer, &same), Some(true));
        let different = format!("</think>{n}/{other}");
        let expected = n == 0 || d == other;
        prop_assert_eq!(after_tag(&answer, &different), Some(expected));
    }

    #[test]
    fn the_spelling_does_not_matter(n in 0_u64..u64::MAX, zeros in 0_usize..5, scale in 0_u32..9) {
        let answer = format!("{}{n}e-{scale}", "0".repeat(zeros));
        let width = scale as usize + 1;
        let digits = format!("{n:0>width$}");
        let (whole, decimals) = digits.split_at(digits.len() - scale as usize);
        let point = if scale > 0 { "." } else { "" };
        let decimal = format!("</think>{whole}{point}{decimals}");
        prop_assert_eq!(after_tag(&answer, &decimal), Some(true));
        let grouped: Vec<&str> = whole.as_bytes().rchunks(3).rev()
            .map(|chunk| std::str::from_utf8(chunk).unwrap()).collect();
        let grouped = format!("</think>{}{point}{decimals}", grouped.join(","));
        prop_assert_eq!(after_tag(&answer, &grouped), Some(true));
    }
}
