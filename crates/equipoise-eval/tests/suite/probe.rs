//! Probes of shortcuts.

use equipoise_eval::probe::{
    ProbedPair, feature_means, markdown_marks, randomised_feature_drop, shortcut_probe,
};
use equipoise_eval::{Bootstrap, EvalError};

use crate::close;

fn pair(id: usize, scores: (f64, f64), features: (f64, f64)) -> ProbedPair {
    ProbedPair {
        id: id.to_string(),
        chosen: scores.0,
        rejected: scores.1,
        chosen_feature: features.0,
        rejected_feature: features.1,
    }
}

/// A reward that is the length: right wherever the better answer is longer, and only there.
#[test]
fn a_reward_that_is_the_feature() {
    let features = [(3.0, 1.0), (5.0, 2.0), (2.0, 4.0), (7.0, 7.0)];
    let pairs: Vec<ProbedPair> = (0..).zip(features).map(|(id, f)| pair(id, f, f)).collect();
    let probe = shortcut_probe(&pairs, &Bootstrap::default()).unwrap();
    // Two right, one wrong, one tie.
    close(probe.accuracy.value, 0.625);
    close(probe.feature_alone.value, 0.625);
    assert_eq!(probe.aligned.unwrap().value, 1.0);
    assert_eq!(probe.opposed.unwrap().value, 0.0);
    close(probe.correlation.unwrap(), 1.0);
    assert_eq!(feature_means(&pairs).unwrap(), (4.25, 3.5));
}

#[test]
fn a_reward_that_reads() {
    let features = [(3.0, 1.0), (5.0, 2.0), (2.0, 4.0)];
    let pairs: Vec<ProbedPair> = (0..)
        .zip(features)
        .map(|(id, f)| pair(id, (1.0, 0.0), f))
        .collect();
    let probe = shortcut_probe(&pairs, &Bootstrap::default()).unwrap();
    assert_eq!(
        (probe.aligned.unwrap().value, probe.opposed.unwrap().value),
        (1.0, 1.0)
    );
    assert_eq!(probe.correlation, None);
    let aligned = shortcut_probe(&pairs[..2], &Bootstrap::default()).unwrap();
    assert_eq!(aligned.opposed, None);
}

#[test]
fn randomising_costs_who_relies_on_it() {
    let bootstrap = Bootstrap::default();
    let drop = |score: &dyn Fn(usize, bool) -> (f64, f64)| {
        randomised_feature_drop(400, score, &bootstrap).unwrap()
    };
    // Looks at the feature alone: wrong whenever the coin put it into the worse answer.
    let relies = drop(&|_, swapped| if swapped { (0.0, 1.0) } else { (1.0, 0.0) });
    assert!((relies.value + 0.5).abs() < 5.0 * 0.5 / 20.0, "{relies:?}");
    assert!(relies.interval.high < -0.3);
    assert_eq!(drop(&|_, _| (1.0, 0.0)).value, 0.0);
    assert!(randomised_feature_drop(2, |_, _| (f64::NAN, 0.0), &bootstrap).is_err());
    assert!(matches!(
        randomised_feature_drop(0, |_, _| (0.0, 0.0), &bootstrap),
        Err(EvalError::TooFew { .. })
    ));
}

#[test]
fn what_cannot_be_probed_is_an_error() {
    let bootstrap = Bootstrap::default();
    assert!(matches!(
        shortcut_probe(&[], &bootstrap),
        Err(EvalError::TooFew { .. })
    ));
    assert!(feature_means(&[]).is_err());
    let bad = [pair(0, (f64::INFINITY, 0.0), (1.0, 1.0))];
    let error = shortcut_probe(&bad, &bootstrap).unwrap_err().to_string();
    assert_eq!(error, "a number of pair 0 is inf; it must be finite");
    assert_eq!(markdown_marks("plain - text"), 0);
    assert_eq!(markdown_marks("## A\n* b\n- **c** and **d**"), 5);
}
