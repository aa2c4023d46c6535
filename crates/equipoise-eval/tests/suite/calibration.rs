//! Calibration.

use equipoise_eval::{Bin, Binning, Calibration, EvalError, Prediction};
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Golden {
    calibrations: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    confidence: Vec<f64>,
    correct: Vec<bool>,
    width: Vec<(usize, f64, f64)>,
    mass: Vec<(usize, f64, f64)>,
    ece_width: f64,
    ece_mass: f64,
    auroc: Option<f64>,
    brier: f64,
    murphy: [f64; 3],
    log_loss: f64,
}

fn calibration(confidence: &[f64], correct: &[bool]) -> Calibration {
    let predictions = confidence.iter().zip(correct);
    let predictions: Vec<Prediction> = predictions
        .map(|(&confidence, &correct)| Prediction {
            confidence,
            correct,
        })
        .collect();
    Calibration::new(&predictions).unwrap()
}

fn same_table(bins: &[Bin], expected: &[(usize, f64, f64)]) {
    assert_eq!(bins.len(), expected.len(), "{bins:?}");
    for (bin, (count, confidence, accuracy)) in bins.iter().zip(expected) {
        assert_eq!(bin.count, *count, "{bin:?}");
        close(bin.confidence, *confidence);
        close(bin.accuracy, *accuracy);
    }
}

/// Against statistics_reference.py: every pair for AUROC, every bin by comparison.
#[test]
fn agrees_with_the_definitions() {
    let text = include_str!("../fixtures/statistics_reference.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert_eq!(golden.calibrations.len(), 12);
    for case in golden.calibrations {
        let found = calibration(&case.confidence, &case.correct);
        let (width, mass) = (Binning::EqualWidth(10), Binning::EqualMass(5));
        same_table(&found.reliability(width).unwrap(), &case.width);
        same_table(&found.reliability(mass).unwrap(), &case.mass);
        close(found.expected_error(width).unwrap(), case.ece_width);
        close(found.expected_error(mass).unwrap(), case.ece_mass);
        assert_eq!(found.auroc().is_some(), case.auroc.is_some());
        close(found.auroc().unwrap_or(0.0), case.auroc.unwrap_or(0.0));
        close(found.brier(), case.brier);
        let murphy = found.murphy(Binning::Distinct).unwrap();
        close(murphy.reliability, case.murphy[0]);
        close(murphy.resolution, case.murphy[1]);
        close(murphy.uncertainty, case.murphy[2]);
        assert!(murphy.within_variance < 1e-15 && murphy.within_covariance.abs() < 1e-15);
        close(found.log_loss(1e-6).unwrap(), case.log_loss);
    }
}

/// The case of PPO-M and PPO-C (arXiv:2410.09724): bins (0.2, 0.3], (0.7, 0.8] and (0.8, 0.9] with gaps
/// 0.3, 0.2 and 0.4: (0.3 + 0.2 + 2 · 0.4) / 4.
#[test]
fn by_hand() {
    let found = calibration(&[0.9, 0.9, 0.8, 0.3], &[true, false, true, false]);
    close(
        found.expected_error(Binning::EqualWidth(10)).unwrap(),
        0.325,
    );
    close(found.maximum_error(Binning::EqualWidth(10)).unwrap(), 0.4);
    close(found.accuracy(), 0.5);
    close(found.confidence(), 0.725);
    // Pairs right > wrong: 0.9 ties 0.9, 0.9 > 0.3, 0.8 < 0.9, 0.8 > 0.3: (½ + 1 + 0 + 1) / 4.
    close(found.auroc().unwrap(), 0.625);
    // 0.01 + 0.81 + 0.04 + 0.09 over 4.
    close(found.brier(), 0.2375);
    // Reliability (2 · 0.16 + 0.04 + 0.09) / 4, resolution (0 + ¼ + ¼) / 4, uncertainty ¼.
    let murphy = found.murphy(Binning::Distinct).unwrap();
    close(murphy.reliability, 0.1125);
    close(murphy.resolution, 0.125);
    close(murphy.uncertainty, 0.25);
    close(murphy.brier(), 0.2375);
    close(murphy.skill().unwrap(), 0.05);
    let expected = -(0.9_f64.ln() + 0.1_f64.ln() + 0.8_f64.ln() + 0.7_f64.ln()) / 4.0;
    close(found.log_loss(0.0).unwrap(), expected);
}

#[test]
fn borders_belong_to_the_bin_below() {
    let tenths: Vec<f64> = (0..=10).map(|i| f64::from(i) / 10.0).collect();
    let found = calibration(&tenths, &[true; 11]);
    let bins = found.reliability(Binning::EqualWidth(10)).unwrap();
    // 0 and 0.1 share the first bin.
    let counts: Vec<usize> = bins.iter().map(|bin| bin.count).collect();
    assert_eq!(counts, [2, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
    assert_eq!(
        (bins[6].low, bins[6].high, bins[6].confidence),
        (0.6, 0.7, 0.7)
    );
}

#[test]
fn equal_confidences_are_never_parted() {
    let found = calibration(
        &[0.5, 0.5, 0.5, 0.5, 0.9],
        &[true, true, false, false, true],
    );
    let bins = found.reliability(Binning::EqualMass(5)).unwrap();
    assert_eq!(bins.iter().map(|bin| bin.count).collect::<Vec<_>>(), [4, 1]);
    assert_eq!((bins[0].low, bins[0].high), (0.5, 0.5));
}

#[test]
fn what_has_no_answer_says_so() {
    assert!(matches!(
        Calibration::new(&[]),
        Err(EvalError::TooFew { .. })
    ));
    let outside = [Prediction {
        confidence: 1.2,
        correct: true,
    }];
    let error = Calibration::new(&outside).unwrap_err().to_string();
    assert_eq!(
        error,
        "the confidence of prediction 0 is 1.2; it must be in [0, 1]"
    );
    let all_right = calibration(&[0.5, 0.7], &[true, true]);
    assert_eq!(all_right.auroc(), None);
    assert_eq!(all_right.murphy(Binning::Distinct).unwrap().skill(), None);
    assert!(all_right.expected_error(Binning::EqualWidth(0)).is_err());
    assert!(all_right.expected_error(Binning::EqualMass(0)).is_err());
    assert!(all_right.log_loss(0.5).is_err());
    let sure = calibration(&[1.0], &[false]);
    assert_eq!(sure.log_loss(0.0).unwrap(), f64::INFINITY);
    assert!(sure.log_loss(1e-9).unwrap().is_finite());
}

fn predictions() -> impl Strategy<Value = Vec<Prediction>> {
    // Coarse numbers, so that ties occur.
    let one = (0_u8..=20, any::<bool>()).prop_map(|(twentieths, correct)| Prediction {
        confidence: f64::from(twentieths) / 20.0,
        correct,
    });
    prop::collection::vec(one, 1..60)
}

proptest! {
    #[test]
    fn murphys_parts_add_up(predictions in predictions(), bins in 1_usize..12) {
        let found = Calibration::new(&predictions).unwrap();
        for binning in [Binning::Distinct, Binning::EqualWidth(bins), Binning::EqualMass(bins)] {
            let parts = found.murphy(binning).unwrap();
            prop_assert!((parts.brier() - found.brier()).abs() < 1e-12, "{binning:?}");
        }
    }

    #[test]
    fn every_prediction_is_in_one_bin(predictions in predictions(), bins in 1_usize..12) {
        let found = Calibration::new(&predictions).unwrap();
        for binning in [Binning::Distinct, Binning::EqualWidth(bins), Binning::EqualMass(bins)] {
            let table = found.reliability(binning).unwrap();
            prop_assert_eq!(table.iter().map(|bin| bin.count).sum::<usize>(), predictions.len());
            prop_assert!(table.iter().all(|bin| bin.low <= bin.confidence + 1e-12 && bin.confidence <= bin.high + 1e-12));
            prop_assert!(table.windows(2).all(|pair| pair[0].high <= pair[1].low + 1e-12));
            let error = found.expected_error(binning).unwrap();
            // Bins can only cancel: the gap of all together is the least error.
            prop_assert!((found.accuracy() - found.confidence()).abs() <= error + 1e-12);
            prop_assert!(error <= found.maximum_error(binning).unwrap() + 1e-12);
        }
    }

    #[test]
    fn order_does_not_matter(predictions in predictions()) {
        let (forth, mut back) = (Calibration::new(&predictions).unwrap(), predictions);
        back.reverse();
        prop_assert_eq!(forth, Calibration::new(&back).unwrap());
    }

    #[test]
    fn auroc_is_antisymmetric(predictions in predictions()) {
        let found = Calibration::new(&predictions).unwrap().auroc();
        let swapped: Vec<Prediction> = predictions
            .iter()
            .map(|one| Prediction { correct: !one.correct, ..*one })
            .collect();
        let swapped = Calibration::new(&swapped).unwrap().auroc();
        prop_assert_eq!(found.is_some(), swapped.is_some());
        prop_assert!((found.unwrap_or(0.5) + swapped.unwrap_or(0.5) - 1.0).abs() < 1e-12);
    }
}
