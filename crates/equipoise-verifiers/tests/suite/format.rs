//! The form of completions.

use equipoise_verifiers::{Format, Verifier};

use crate::problem;

fn score(open: &str, close: &str, completion: &str) -> f64 {
    let format = Format {
        open: open.to_owned(),
        close: close.to_owned(),
    };
    let verdict = format.verify(&problem("1"), completion);
    assert_eq!(verdict.correct(), None);
    verdict.reward().unwrap()
}

#[test]
fn one_block_and_an_answer() {
    let cases = [
        ("<think>x</think>34", 1.0),
        ("<think></think>34", 1.0),
        (" \n<think>\n</think>\n34 ", 1.0),
        ("<think>x</think>", 0.0),
        ("<think>x</think> \n", 0.0),
        ("<think>x34", 0.0),
        ("x</think>34", 0.0),
        ("</think><think>34", 0.0),
        ("so <think>x</think>34", 0.0),
        ("<think><think>x</think>34", 0.0),
        ("<think>x</think></think>34", 0.0),
        ("<think>x</think>34<think>", 0.0),
        ("<think>x</think><think>y</think>34", 0.0),
        ("34", 0.0),
        ("", 0.0),
    ];
    for (completion, expected) in cases {
        assert_eq!(
            score("<think>", "</think>", completion),
            expected,
            "{completion}"
        );
    }
}

#[test]
fn tags_that_cannot_be_told_apart_match_nothing() {
    for (open, close) in [("", "b"), ("a", ""), ("a", "a"), ("a", "ab"), ("ab", "b")] {
        for completion in ["axb1", "aabb1", "abxab1", "a a 1", "axa1"] {
            assert_eq!(
                score(open, close, completion),
                0.0,
                "{open} {close} {completion}"
            );
        }
    }
}
