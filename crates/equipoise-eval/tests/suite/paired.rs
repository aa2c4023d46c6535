//! Comparison of two checkpoints.

use equipoise_eval::{
    Bootstrap, EvalError, Pairing, Scores, minimum_detectable_effect, normal_test, problems_needed,
    sign_flip_test, sign_test,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Golden {
    tests: Vec<Flips>,
    signs: Vec<Signs>,
}

#[derive(Deserialize)]
struct Flips {
    differences: Vec<f64>,
    sign: f64,
    flips: f64,
}

#[derive(Deserialize)]
struct Signs {
    positive: usize,
    negative: usize,
    p: f64,
}

fn scores(problems: &[(&str, Option<f64>)]) -> Scores {
    Scores::new("accuracy", problems.iter().copied()).unwrap()
}

/// Against statistics_reference.py: whole numbers, and every sign.
#[test]
fn tests_agree_with_enumeration() {
    let text = include_str!("../fixtures/statistics_reference.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert_eq!((golden.tests.len(), golden.signs.len()), (20, 8));
    for case in golden.tests {
        close(sign_flip_test(&case.differences, 1, 0).unwrap(), case.flips);
        let count = |sign: f64| case.differences.iter().filter(|d| **d * sign > 0.0).count();
        close(sign_test(count(1.0), count(-1.0)), case.sign);
    }
    for case in golden.signs {
        let found = sign_test(case.positive, case.negative);
        assert!(
            (found / case.p - 1.0).abs() < 1e-9,
            "{found}, not {}",
            case.p
        );
    }
}

/// Ten problems, three of them now right and one now wrong.
#[test]
fn by_hand() {
    let names: Vec<String> = (0..10).map(|i| i.to_string()).collect();
    let of = |right: [u8; 10]| {
        let values = right.map(|right| Some(f64::from(right)));
        Scores::new("accuracy", names.iter().cloned().zip(values)).unwrap()
    };
    let first = of([1, 1, 1, 1, 0, 0, 0, 0, 0, 0]);
    let second = of([0, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    let comparison = Pairing::new(&first, &second)
        .complete()
        .unwrap()
        .compare(&Bootstrap::default())
        .unwrap();
    close(comparison.difference, 0.2);
    assert_eq!((comparison.better, comparison.worse), (3, 1));
    // McNemar: 2 (1 + 4) / 16.
    close(comparison.p_sign, 0.625);
    // Of 16 signs of four equal sizes, |sum| ≥ 2 unless two and two: 10 / 16.
    close(comparison.p_permutation, 0.625);
    // Variance (4 − 10 · 0.04) / 9 = 0.4, standard error 0.2, effect 0.2 / √0.4.
    close(comparison.standard_error, 0.2);
    close(comparison.effect.unwrap(), 0.2 / 0.4_f64.sqrt());
    close(
        comparison.minimum_detectable,
        0.2 * (1.959_963_984_540_054 + 0.841_621_233_572_914_3),
    );
    // First: mean 0.4; second: 0.6; both right in 3: cov 0.3 − 0.24 = 0.06, over 0.24.
    close(comparison.correlation.unwrap(), 0.25);
    assert!(comparison.interval.low < 0.0 && comparison.interval.high > 0.2);
    assert!(comparison.p_bootstrap > 0.2);
}

#[test]
fn problems_are_matched_by_name() {
    let first = scores(&[
        ("a", Some(1.0)),
        ("b", Some(0.0)),
        ("c", Some(0.5)),
        ("d", None),
    ]);
    let second = scores(&[
        ("c", Some(1.0)),
        ("e", Some(1.0)),
        ("a", Some(0.25)),
        ("d", Some(1.0)),
    ]);
    let pairing = Pairing::new(&first, &second);
    assert_eq!(pairing.ids(), ["a", "c"]);
    assert_eq!(pairing.differences(), [-0.75, 0.5]);
    assert_eq!(
        (pairing.only_first(), pairing.only_second()),
        (&["b".to_owned()][..], &["e".to_owned(), "d".to_owned()][..])
    );
    let comparison = pairing.compare(&Bootstrap::default()).unwrap();
    assert_eq!(
        (
            comparison.problems,
            comparison.only_first,
            comparison.only_second
        ),
        (2, 1, 2)
    );
    let error = pairing.complete().unwrap_err();
    assert_eq!(
        error.to_string(),
        "1 problems are only in the first result and 2 only in the second, for example b; compare \
         results on the same problems"
    );
    let alone = Pairing::new(&scores(&[("a", Some(1.0))]), &scores(&[("a", Some(1.0))]));
    let error = alone.compare(&Bootstrap::default());
    assert!(matches!(
        error,
        Err(EvalError::TooFew {
            least: 2,
            found: 1,
            ..
        })
    ));
}

#[test]
fn equal_checkpoints_differ_by_nothing() {
    let same = scores(&[("a", Some(1.0)), ("b", Some(0.0)), ("c", Some(0.5))]);
    let comparison = Pairing::new(&same, &same)
        .compare(&Bootstrap::default())
        .unwrap();
    assert_eq!(comparison.difference, 0.0);
    assert_eq!(
        (
            comparison.p_bootstrap,
            comparison.p_permutation,
            comparison.p_sign
        ),
        (1.0, 1.0, 1.0)
    );
    assert_eq!(
        (comparison.effect, comparison.minimum_detectable),
        (None, 0.0)
    );
}

#[test]
fn power_by_hand() {
    // (1.959964 + 0.841621)² · 0.25 / 0.0025 = 784.89: 785 problems to see 5 points at σ = ½.
    assert_eq!(problems_needed(0.05, 0.5, 0.05, 0.8).unwrap(), 785);
    let error = 0.5 / 785_f64.sqrt();
    assert!(minimum_detectable_effect(error, 0.05, 0.8).unwrap() <= 0.05);
    assert!(problems_needed(0.0, 0.5, 0.05, 0.8).is_err());
    assert!(minimum_detectable_effect(0.1, 0.0, 0.8).is_err());
    assert!(minimum_detectable_effect(0.1, 0.05, 1.0).is_err());
    close(normal_test(1.959_963_984_540_054, 1.0), 0.05);
    assert_eq!(normal_test(0.0, 0.0), 1.0);
}

/// Forty differences, all of one size: the drawn signs are binomial, and the exact test is the sign
/// test.
#[test]
fn drawn_signs_agree_with_the_exact_test() {
    let differences: Vec<f64> = (0..40).map(|i| if i < 26 { 1.0 } else { -1.0 }).collect();
    let drawn = sign_flip_test(&differences, 20_000, 4).unwrap();
    let exact = sign_test(26, 14);
    assert!(
        (drawn - exact).abs() < 5.0 * (exact / 20_000.0_f64).sqrt(),
        "{drawn} {exact}"
    );
    assert_eq!(drawn, sign_flip_test(&differences, 20_000, 4).unwrap());
    assert!(sign_flip_test(&differences, 0, 4).is_err());
}

proptest! {
    #[test]
    fn swapping_the_sides_turns_the_sign(values in prop::collection::vec((0.0..1.0_f64, 0.0..1.0_f64), 2..12)) {
        let side = |of: fn(&(f64, f64)) -> f64| {
            let values = values.iter().map(of).enumerate();
            Scores::new("m", values.map(|(id, value)| (id.to_string(), Some(value)))).unwrap()
        };
        let (first, second) = (side(|pair| pair.0), side(|pair| pair.1));
        let bootstrap = Bootstrap { resamples: 100, ..Bootstrap::default() };
        let there = Pairing::new(&first, &second).compare(&bootstrap).unwrap();
        let back = Pairing::new(&second, &first).compare(&bootstrap).unwrap();
        prop_assert!((there.difference + back.difference).abs() < 1e-12);
        prop_assert!((there.p_permutation - back.p_permutation).abs() < 1e-12);
        prop_assert_eq!(there.p_sign, back.p_sign);
        for p in [there.p_bootstrap, there.p_permutation, there.p_sign] {
            prop_assert!(0.0 < p && p <= 1.0);
        }
    }
}
