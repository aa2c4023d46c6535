//! Losses of reward models: against peers, against autograd, against differences, and at the extremes.

use equipoise_objectives::reward_model::{
    BradleyTerry, CalibratedScores, Calibration, InfoNce, PairTerm, PairwiseHinge, plackett_luce,
};
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Peers {
    cases: Vec<Pairs>,
}

#[derive(serde::Deserialize)]
struct Pairs {
    chosen: Vec<f64>,
    rejected: Vec<f64>,
    margin: Vec<f64>,
    centring: f64,
    trl: OfPairs,
    trl_plain: OfPairs,
    openrlhf: OfPairs,
    openrlhf_logexp: OfPairs,
}

#[derive(serde::Deserialize)]
struct OfPairs {
    value: f64,
    by_chosen: Vec<f64>,
    by_rejected: Vec<f64>,
}

#[derive(serde::Deserialize)]
struct Torch {
    scores: Vec<f64>,
    chosen: usize,
    temperature: f64,
    info_nce: OfScores,
    plackett_luce: OfScores,
    six: [f64; 6],
    calibrated: BTreeMap<String, OfScores>,
}

#[derive(serde::Deserialize)]
struct OfScores {
    value: f64,
    derivatives: Vec<f64>,
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= 1e-12 * b.abs().max(1.0),
            "{found:?} {expected:?}"
        );
    }
}

#[test]
fn pairs_agree_with_trl_and_openrlhf() {
    let peers: Peers =
        serde_json::from_str(include_str!("fixtures/reward_model_peers.json")).unwrap();
    for case in peers.cases {
        let count = case.chosen.len() as f64;
        let none = vec![0.0; case.chosen.len()];
        for (centring, margins, expected) in [
            (case.centring, &case.margin, &case.trl),
            (0.0, &none, &case.trl_plain),
            (0.0, &case.margin, &case.openrlhf),
            (0.0, &none, &case.openrlhf_logexp),
        ] {
            let loss = BradleyTerry { centring };
            let rows = case.chosen.iter().zip(&case.rejected).zip(margins);
            let terms: Vec<PairTerm> = rows.map(|((w, l), m)| loss.evaluate(*w, *l, *m)).collect();
            let mean = terms.iter().map(|term| term.value).sum::<f64>() / count;
            assert_close(&[mean], &[expected.value]);
            let column = |f: fn(&PairTerm) -> f64| -> Vec<f64> {
                terms.iter().map(|t| f(t) / count).collect()
            };
            assert_close(&column(|t| t.by_chosen), &expected.by_chosen);
            assert_close(&column(|t| t.by_rejected), &expected.by_rejected);
        }
    }
}

fn calibrated(six: &[f64; 6], mode: Calibration) -> (f64, Vec<f64>) {
    let [
        chosen_high,
        chosen_low,
        rejected_low,
        rejected_high,
        chosen,
        rejected,
    ] = *six;
    let scores = CalibratedScores {
        chosen_high,
        chosen_low,
        rejected_low,
        rejected_high,
        plain: Some([chosen, rejected]),
    };
    let term = mode.evaluate(&scores).unwrap();
    let derivatives = [&term.derivatives[..], &term.plain[..]].concat();
    (term.value, derivatives)
}

fn info_nce(scores: &[f64], chosen: usize, temperature: f64) -> (f64, Vec<f64>) {
    let mut derivatives = vec![0.0; scores.len()];
    let value = InfoNce { temperature }.evaluate(scores, chosen, &mut derivatives);
    (value.unwrap(), derivatives)
}

fn ranking(scores: &[f64]) -> (f64, Vec<f64>) {
    let mut derivatives = vec![0.0; scores.len()];
    (
        plackett_luce(scores, &mut derivatives).unwrap(),
        derivatives,
    )
}

#[test]
fn the_others_agree_with_autograd() {
    let cases: Vec<Torch> =
        serde_json::from_str(include_str!("fixtures/reward_model_torch.json")).unwrap();
    for case in cases {
        let check = |(value, derivatives): (f64, Vec<f64>), expected: &OfScores| {
            assert_close(&[value], &[expected.value]);
            assert_close(&derivatives, &expected.derivatives);
        };
        check(
            info_nce(&case.scores, case.chosen, case.temperature),
            &case.info_nce,
        );
        check(ranking(&case.scores), &case.plackett_luce);
        assert_eq!(case.calibrated.len(), 4);
        for (mode, expected) in &case.calibrated {
            check(calibrated(&case.six, mode.parse().unwrap()), expected);
        }
    }
}

#[test]
fn numbers_of_the_papers() {
    // JudgeBiasBench: chosen 1.0 against 0.2 and −0.5 at T = 0.5.
    let (value, _) = info_nce(&[1.0, 0.2, -0.5], 0, 0.5);
    assert!((value - 0.224_489_514_2).abs() < 1e-10);
    let (value, _) = info_nce(&[0.2, 1.0, -0.5], 1, 0.5);
    assert!((value - 0.224_489_514_2).abs() < 1e-10);
    // PPO-M: high and low confidence of the chosen, low and high of the rejected text.
    let six = [1.2, 0.7, -0.1, 0.4, 0.0, 0.0];
    let (value, _) = calibrated(&six, Calibration::Default);
    assert!((value - 1.448_153_968_4).abs() < 1e-10);
    let (value, _) = calibrated(&[0.3; 6], Calibration::Default);
    assert!((value - 1.386_294_361_1).abs() < 1e-10);
}

const STEP: f64 = 1e-5;

/// Whether `f` returns its own derivatives, by central differences.
fn differentiates(f: impl Fn(&[f64]) -> (f64, Vec<f64>), at: &[f64]) -> Result<(), TestCaseError> {
    let (_, derivatives) = f(at);
    for index in 0..at.len() {
        let moved = |step: f64| {
            let mut at = at.to_vec();
            at[index] += step;
            f(&at).0
        };
        let expected = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let found = derivatives[index];
        prop_assert!(
            (found - expected).abs() <= 1e-6 * expected.abs().max(1.0),
            "{} {}",
            found,
            expected
        );
    }
    Ok(())
}

fn pair(term: PairTerm) -> (f64, Vec<f64>) {
    (term.value, vec![term.by_chosen, term.by_rejected])
}

proptest! {
    #[test]
    fn derivatives_are_central_differences(
        scores in vec(-4.0..4.0_f64, 6),
        margin in 0.0..2.0_f64,
        centring in 0.0..1.0_f64,
        temperature in 0.3..3.0_f64,
        chosen in 0..6_usize,
    ) {
        let loss = BradleyTerry { centring };
        differentiates(|s| pair(loss.evaluate(s[0], s[1], margin)), &scores[..2])?;
        let hinge = PairwiseHinge { margin };
        if (scores[0] - scores[1] - margin).abs() > 1e-3 {
            differentiates(|s| pair(hinge.evaluate(s[0], s[1])), &scores[..2])?;
        }
        differentiates(|s| info_nce(s, chosen, temperature), &scores)?;
        differentiates(ranking, &scores)?;
        for mode in ["default", "combined", "variant", "kwise"] {
            let mode: Calibration = mode.parse().unwrap();
            differentiates(|s| calibrated(s.try_into().unwrap(), mode), &scores)?;
        }
    }

    /// Scores mean something by their differences only.
    #[test]
    fn a_common_shift_changes_nothing(scores in vec(-4.0..4.0_f64, 6), shift in -50.0..50.0_f64) {
        let shifted: Vec<f64> = scores.iter().map(|score| score + shift).collect();
        let close = |(a, da): (f64, Vec<f64>), (b, db): (f64, Vec<f64>)| {
            (a - b).abs() < 1e-11
                && da.iter().zip(&db).all(|(a, b)| (a - b).abs() < 1e-11)
                && da.iter().sum::<f64>().abs() < 1e-12
        };
        let plain = BradleyTerry::default();
        prop_assert!(close(
            pair(plain.evaluate(scores[0], scores[1], 0.5)),
            pair(plain.evaluate(shifted[0], shifted[1], 0.5)),
        ));
        prop_assert!(close(info_nce(&scores, 2, 0.5), info_nce(&shifted, 2, 0.5)));
        prop_assert!(close(ranking(&scores), ranking(&shifted)));
        let six = |scores: &[f64]| calibrated(scores.try_into().unwrap(), Calibration::Combined);
        prop_assert!(close(six(&scores), six(&shifted)));
    }

    /// Two texts are a pair under every model; the order of the others does not matter to InfoNCE.
    #[test]
    fn special_cases(scores in vec(-9.0..9.0_f64, 5), chosen in 0..5_usize) {
        let expected = pair(BradleyTerry::default().evaluate(scores[0], scores[1], 0.0));
        for found in [info_nce(&scores[..2], 0, 1.0), ranking(&scores[..2])] {
            prop_assert!((found.0 - expected.0).abs() < 1e-13);
            prop_assert!((found.1[0] - expected.1[0]).abs() < 1e-14);
        }
        let mut reversed = scores.clone();
        reversed.reverse();
        let (value, mut derivatives) = info_nce(&reversed, 4 - chosen, 0.5);
        derivatives.reverse();
        let (expected, by_score) = info_nce(&scores, chosen, 0.5);
        prop_assert!((value - expected).abs() < 1e-12);
        prop_assert!(derivatives.iter().zip(&by_score).all(|(a, b)| (a - b).abs() < 1e-12));
        prop_assert_eq!(info_nce(&scores[..1], 0, 0.5), (0.0, vec![0.0]));
        prop_assert_eq!(ranking(&scores[..1]), (0.0, vec![0.0]));
    }

    #[test]
    fn everything_is_finite(
        scores in vec(
            prop_oneof![
                -1e6..1e6_f64,
                Just(f64::MAX),
                Just(-f64::MAX),
                prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
            ],
            6,
        ),
        centring in prop_oneof![Just(0.0), Just(0.01), Just(f64::MAX)],
        temperature in prop_oneof![Just(0.5), Just(f64::MIN_POSITIVE), Just(f64::MAX)],
    ) {
        let mut found = vec![
            pair(BradleyTerry { centring }.evaluate(scores[0], scores[1], scores[2])),
            pair(PairwiseHinge { margin: scores[2] }.evaluate(scores[0], scores[1])),
            info_nce(&scores, 3, temperature),
            ranking(&scores),
        ];
        for mode in ["default", "combined", "variant", "kwise"] {
            found.push(calibrated(scores[..].try_into().unwrap(), mode.parse().unwrap()));
        }
        for (value, derivatives) in found {
            prop_assert!(value.is_finite() && value >= 0.0, "{}", value);
            prop_assert!(derivatives.iter().all(|d| d.is_finite()), "{:?}", derivatives);
        }
    }
}

#[test]
fn nan_is_passed_on() {
    let nan = f64::NAN;
    assert!(
        BradleyTerry::default()
            .evaluate(nan, 0.0, 0.0)
            .value
            .is_nan()
    );
    assert!(PairwiseHinge::default().evaluate(nan, 0.0).value.is_nan());
    assert!(info_nce(&[0.0, nan], 0, 1.0).0.is_nan());
    assert!(ranking(&[0.0, nan]).0.is_nan());
}

#[test]
fn wrong_requests_are_refused() {
    let loss = InfoNce::default();
    assert!(loss.evaluate(&[0.0], 1, &mut [0.0]).is_err());
    assert!(loss.evaluate(&[0.0], 0, &mut []).is_err());
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(
            InfoNce { temperature }
                .evaluate(&[0.0], 0, &mut [0.0])
                .is_err()
        );
    }
    assert!(plackett_luce(&[0.0], &mut []).is_err());
    assert_eq!(plackett_luce(&[], &mut []), Ok(0.0));
}
