//! Intervals of metrics.

use equipoise_core::{Domain, Stream};
use equipoise_eval::{
    Bootstrap, EvalError, Method, Outcomes, Scores, clustered_standard_error, normal_interval,
    standard_error,
};
use proptest::prelude::*;
use serde::Deserialize;

use crate::close;

#[derive(Deserialize)]
struct Golden {
    clusters: Vec<Clusters>,
}

#[derive(Deserialize)]
struct Clusters {
    clusters: Vec<Vec<f64>>,
    error: f64,
}

fn scores(values: &[f64]) -> Scores {
    let problems = values.iter().enumerate();
    Scores::new(
        "metric",
        problems.map(|(id, value)| (id.to_string(), Some(*value))),
    )
    .unwrap()
}

/// Against statistics_reference.py, which has the triple sum.
#[test]
fn clustered_errors_agree_with_the_triple_sum() {
    let text = include_str!("../fixtures/statistics_reference.json");
    let golden: Golden = serde_json::from_str(text).unwrap();
    assert!(golden.clusters.len() >= 15);
    for case in golden.clusters {
        close(
            clustered_standard_error(&case.clusters).unwrap(),
            case.error,
        );
    }
}

#[test]
fn by_hand() {
    // 0, 1, 2: variance 1, so √(1 / 3).
    close(
        standard_error(&[0.0, 1.0, 2.0]).unwrap(),
        (1.0_f64 / 3.0).sqrt(),
    );
    assert_eq!(standard_error(&[1.0]), None);
    assert_eq!(clustered_standard_error(&[vec![1.0, 0.0]]), None);
    assert_eq!(clustered_standard_error::<Vec<f64>>(&[]), None);
    let interval = normal_interval(0.5, 0.1, 0.95).unwrap();
    close(interval.low, 0.304_003_601_545_994_6);
    assert!(normal_interval(0.5, 0.1, 1.5).is_err());
    let outcomes = Outcomes::new([
        ("a", vec![Some(false), Some(false), None]),
        ("b", vec![Some(true), Some(true)]),
    ])
    .unwrap();
    close(
        outcomes.clustered_standard_error().unwrap().powi(2),
        7.0 / 48.0,
    );
}

#[test]
fn a_metric_without_spread_is_not_certain() {
    let bootstrap = Bootstrap::default();
    let all_right = scores(&[1.0; 10]).estimate(&bootstrap).unwrap();
    // Wilson at 10 of 10: from 0.722.
    assert_eq!(
        (all_right.method, all_right.interval.high),
        (Method::Wilson, 1.0)
    );
    close(all_right.interval.low, 0.722_467_200_137_110_8);
    let large = scores(&[7.5; 10]).estimate(&bootstrap).unwrap();
    assert_eq!(large.method, Method::Percentile);
    assert_eq!((large.interval.low, large.interval.high), (7.5, 7.5));
}

#[test]
fn what_cannot_be_estimated_is_an_error() {
    let bootstrap = Bootstrap::default();
    assert!(matches!(
        scores(&[]).estimate(&bootstrap),
        Err(EvalError::TooFew { .. })
    ));
    let one = Outcomes::new([("a", vec![Some(true)])]).unwrap();
    let pass = one.pass_at_k(2).unwrap().estimate(&bootstrap);
    assert!(matches!(
        pass,
        Err(EvalError::TooFewSamples { needed: 2, .. })
    ));
    let none = Bootstrap {
        resamples: 0,
        ..bootstrap
    };
    assert!(scores(&[1.0]).estimate(&none).is_err());
    let sure = Bootstrap {
        level: 1.0,
        ..bootstrap
    };
    assert!(scores(&[1.0]).estimate(&sure).is_err());
    assert!(Scores::new("metric", [("a", Some(f64::NAN))]).is_err());
    // A statistic that no resample has.
    let never = bootstrap.resample("never", 3, |_| None);
    assert!(matches!(never, Err(EvalError::TooFew { .. })));
}

/// The intervals of a skewed quantity hold its mean about as often as they say.
#[test]
fn intervals_hold_the_truth_as_often_as_they_say() {
    let bootstrap = Bootstrap {
        resamples: 400,
        level: 0.9,
        ..Bootstrap::default()
    };
    let (mut bca, mut percentile) = (0, 0);
    let experiments = 400;
    for experiment in 0..experiments {
        let mut stream = Stream::new(7, Domain::Other, [experiment, 0, 0]);
        // The square of a uniform number has the mean 1/3.
        let values: Vec<f64> = (0..60).map(|_| stream.uniform().powi(2)).collect();
        let seeded = Bootstrap {
            seed: experiment,
            ..bootstrap
        };
        let resampled = seeded.mean("square", &values).unwrap();
        for (interval, hits) in [
            (resampled.bca(), &mut bca),
            (resampled.percentile(), &mut percentile),
        ] {
            *hits += u32::from(interval.low <= 1.0 / 3.0 && 1.0 / 3.0 <= interval.high);
        }
    }
    // 90 % of 400 is 360; four standard errors are 24, and small samples cost a little.
    assert!((330..=384).contains(&bca), "{bca}");
    assert!((330..=384).contains(&percentile), "{percentile}");
}

proptest! {
    #[test]
    fn estimates_hold_together(values in prop::collection::vec(0.0..1.0_f64, 1..30), seed in 0_u64..9) {
        let bootstrap = Bootstrap { resamples: 200, seed, ..Bootstrap::default() };
        let estimate = scores(&values).estimate(&bootstrap).unwrap();
        prop_assert!(estimate.interval.low <= estimate.interval.high);
        prop_assert!(0.0 <= estimate.interval.low && estimate.interval.high <= 1.0);
        prop_assert_eq!(&estimate, &scores(&values).estimate(&bootstrap).unwrap());
        let narrow = Bootstrap { level: 0.5, ..bootstrap };
        let (wide, narrow) = (
            bootstrap.mean("m", &values).unwrap().percentile(),
            narrow.mean("m", &values).unwrap().percentile(),
        );
        prop_assert!(wide.low <= narrow.low && narrow.high <= wide.high);
    }

    #[test]
    fn clusters_of_one_are_independent(values in prop::collection::vec(-2.0..2.0_f64, 2..30)) {
        let alone: Vec<Vec<f64>> = values.iter().map(|value| vec![*value]).collect();
        let (clustered, plain) = (clustered_standard_error(&alone), standard_error(&values));
        prop_assert!((clustered.unwrap() - plain.unwrap()).abs() < 1e-12);
    }
}

/// One thread or several, the same bits.
#[test]
fn threads_change_nothing() {
    let values: Vec<f64> = (0..50_u32).map(|i| f64::from(i * i % 17)).collect();
    let resample = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| Bootstrap::default().mean("m", &values).unwrap())
    };
    assert_eq!(resample(1), resample(3));
}
