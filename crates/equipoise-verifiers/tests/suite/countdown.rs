//! Countdown expressions: exact values, and the given numbers only.

use equipoise_verifiers::{CountdownExpression, Verdict, Verifier};
use proptest::prelude::*;

use crate::problem;

fn verifier(use_all: bool) -> CountdownExpression {
    CountdownExpression {
        after_tag: "</think>".to_owned(),
        use_all,
    }
}

fn correct(use_all: bool, target: i64, numbers: &[u64], expression: &str) -> Option<bool> {
    let answer = format!(r#"{{"target":{target},"numbers":{numbers:?}}}"#);
    let completion = format!("<think>1+1=2</think>{expression}");
    verifier(use_all)
        .verify(&problem(&answer), &completion)
        .correct()
}

#[test]
fn expressions_are_evaluated_exactly() {
    let cases: [(i64, &[u64], &str, bool); 24] = [
        (22, &[3, 5, 7], "3*5+7", true),
        (22, &[3, 5, 7], " 7 + 5 * 3 ", true),
        (22, &[3, 5, 7], "(3*5)+7", true),
        (36, &[3, 5, 7], "3*5+7", false),
        (36, &[3, 5, 7], "3*(5+7)", true),
        // 8 / (3 − 8/3) = 24, by way of 1/3.
        (24, &[3, 3, 8, 8], "8/(3-8/3)", true),
        (1, &[2, 3, 3], "3-2", false),
        (-1, &[2, 3], "2-3", true),
        (1, &[8, 4, 2], "8/4/2", true),
        (4, &[8, 4, 2], "8/(4/2)", true),
        (2, &[8, 4, 2], "8-4-2", true),
        (2, &[5, 2], "5/2", false),
        (0, &[5, 5, 1], "1/(5-5)", false),
        (5, &[5], "5", true),
        (5, &[5], "((((5))))", true),
        (5, &[5], "05", true),
        (5, &[5], "-5", false),
        (5, &[5], "(5", false),
        (5, &[5], "5)", false),
        (5, &[5], "5=5", false),
        (10, &[5], "5+5", false),
        (10, &[5, 5], "5+5", true),
        (6, &[5], "6", false),
        (5, &[5], "", false),
    ];
    for (target, numbers, expression, expected) in cases {
        let judged = correct(true, target, numbers, expression);
        assert_eq!(
            judged,
            Some(expected),
            "{numbers:?} > {target} = {expression}"
        );
    }
}

#[test]
fn numbers_may_be_left_over_only_if_allowed() {
    assert_eq!(correct(false, 15, &[3, 5, 7], "3*5"), Some(true));
    assert_eq!(correct(true, 15, &[3, 5, 7], "3*5"), Some(false));
    assert_eq!(correct(false, 9, &[3, 5, 7], "3*3"), Some(false));
}

#[test]
fn overflow_and_depth_are_wrong() {
    let large = [u64::MAX; 3];
    let product = format!("{0}*{0}*{0}", u64::MAX);
    assert_eq!(correct(true, 1, &large, &product), Some(false));
    let more = format!("{}0", u64::MAX);
    assert_eq!(correct(true, 1, &[1], &more), Some(false));
    let nested = |depth: usize| format!("{}5{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(correct(true, 5, &[5], &nested(64)), Some(true));
    assert_eq!(correct(true, 5, &[5], &nested(65)), Some(false));
    assert_eq!(correct(true, 5, &[5], &nested(1_000_000)), Some(false));
}

#[test]
fn the_expression_follows_the_tag() {
    let answer = problem(r#"{"target":8,"numbers":[3,5]}"#);
    assert_eq!(verifier(true).verify(&answer, "3+5").correct(), Some(false));
    let bare = CountdownExpression {
        after_tag: String::new(),
        use_all: true,
    };
    assert_eq!(bare.verify(&answer, "3+5").reward(), Some(1.0));
}

#[test]
fn a_broken_answer_is_unscorable() {
    for answer in [
        "8",
        "",
        "{\"target\":8}",
        "{\"target\":8,\"numbers\":[3],\"x\":1}",
        "{\"target\":8.5,\"numbers\":[3]}",
    ] {
        let verdict = verifier(true).verify(&problem(answer), "</think>3+5");
        let Verdict::Unscorable { why } = verdict else {
            panic!("{answer}: {verdict:?}");
        };
        assert!(why.starts_with("problem 7 of test: the answer"), "{why}");
    }
}

proptest! {
    /// Addition and multiplication of small numbers against plain integer arithmetic, with the
    /// precedence written out.
    #[test]
    fn values_agree_with_integers(a in 0_i64..99, b in 0_i64..99, c in 0_i64..99, d in 1_i64..99) {
        let numbers: Vec<u64> = [a, b, c, d].iter().map(|n| n.unsigned_abs()).collect();
        let plain = a + b * c - d;
        let shape = format!("{a}+{b}*{c}-{d}");
        prop_assert_eq!(correct(true, plain, &numbers, &shape), Some(true));
        prop_assert_eq!(correct(true, plain + 1, &numbers, &shape), Some(false));
        let grouped = format!("({a}+{b})*{c}-{d}");
        prop_assert_eq!(correct(true, (a + b) * c - d, &numbers, &grouped), Some(true));
        // (a·d + b·d) / d = a + b needs d twice, exactly.
        let twice: Vec<u64> = [a, d, b, d, d].iter().map(|n| n.unsigned_abs()).collect();
        let divided = format!("({a}*{d}+{b}*{d})/{d}");
        prop_assert_eq!(correct(true, a + b, &twice, &divided), Some(true));
    }
}
