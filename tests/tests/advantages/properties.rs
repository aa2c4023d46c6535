//! What must hold for every batch of rewards.

use equipoise_advantages::estimators::{
    Baseline, Correction, DrGrpo, Grpo, Rloo, StandardDeviation,
};
use equipoise_advantages::{AdvantageEstimator, Group};
use proptest::collection::vec;
use proptest::prelude::*;

fn every_estimator() -> Vec<Box<dyn AdvantageEstimator>> {
    let mut estimators: Vec<Box<dyn AdvantageEstimator>> = vec![Box::new(DrGrpo), Box::new(Rloo)];
    for std in [
        StandardDeviation::None,
        StandardDeviation::Group,
        StandardDeviation::Batch,
    ] {
        for correction in [Correction::Sample, Correction::Population] {
            for epsilon in [0.0, 1e-6] {
                for baseline in [Baseline::Mean, Baseline::LeaveOneOut] {
                    estimators.push(Box::new(Grpo {
                        baseline,
                        std,
                        correction,
                        epsilon,
                    }));
                }
            }
        }
    }
    estimators
}

/// The advantages of the groups, each response of length 1.
fn estimate(estimator: &dyn AdvantageEstimator, groups: &[Vec<Option<f64>>]) -> Vec<f64> {
    let longest = groups.iter().map(Vec::len).max().unwrap_or(0);
    let lengths = vec![1; longest];
    let groups: Vec<Group<'_>> = groups
        .iter()
        .map(|rewards| Group::new(rewards, &lengths[..rewards.len()]).unwrap())
        .collect();
    estimator.estimate(&groups).unwrap().values
}

fn moderate_groups() -> impl Strategy<Value = Vec<Vec<Option<f64>>>> {
    vec(vec(prop::option::weighted(0.9, -5.0..5.0), 0..8), 0..5)
}

/// Rewards that are equal on paper give no advantage, whatever their rounding.
#[test]
fn rounding_is_no_signal() {
    let tied: [&[f64]; 5] = [
        &[0.1 + 0.2, 0.3, 0.3, 0.3],
        &[0.7 + 0.1, 0.8, 0.9 - 0.1],
        &[0.1 + 0.2 - 0.3, 0.0],
        &[1e12 / 3.0 * 3.0, 1e12, 1e12 + 1e-4],
        &[1.0, 1.0 + f64::EPSILON],
    ];
    for rewards in tied {
        let group: Vec<Option<f64>> = rewards.iter().copied().map(Some).collect();
        for estimator in every_estimator() {
            // Another group with signal, so that the batch's deviation is not 0.
            let groups = [group.clone(), vec![Some(1.0), Some(0.0)]];
            let values = estimate(estimator.as_ref(), &groups);
            assert!(
                values[..rewards.len()].iter().all(|v| *v == 0.0),
                "{estimator:?}"
            );
            assert!(values[rewards.len()] > 0.0, "{estimator:?}");
            let alone = estimate(estimator.as_ref(), &groups[..1]);
            assert!(alone.iter().all(|v| *v == 0.0), "{estimator:?} {alone:?}");
        }
    }
}

#[test]
fn singletons_and_unscorable_groups_have_no_advantage() {
    let groups = [
        vec![Some(5.0)],
        vec![None, Some(-3.0), None],
        vec![None, Some(f64::NAN)],
        vec![],
    ];
    for estimator in every_estimator() {
        assert_eq!(
            estimate(estimator.as_ref(), &groups),
            [0.0; 6],
            "{estimator:?}"
        );
        assert_eq!(estimate(estimator.as_ref(), &[]), [0.0; 0], "{estimator:?}");
    }
}

proptest! {
    #[test]
    fn finite_for_any_reward(
        groups in vec(vec(prop::option::weighted(0.9, prop::num::f64::ANY), 0..6), 0..4),
        extremes in vec(prop::sample::select(vec![
            f64::MAX, -f64::MAX, f64::MIN_POSITIVE, 5e-324, 0.0, 1.0, 1e300, f64::INFINITY,
        ]), 0..6),
    ) {
        let mut groups = groups;
        groups.push(extremes.into_iter().map(Some).collect());
        for estimator in every_estimator() {
            let values = estimate(estimator.as_ref(), &groups);
            prop_assert!(values.iter().all(|value| value.is_finite()), "{estimator:?} {values:?}");
            for (value, reward) in values.iter().zip(groups.iter().flatten()) {
                let scorable = reward.is_some_and(f64::is_finite);
                prop_assert!(scorable || *value == 0.0, "{estimator:?}");
            }
        }
    }

    #[test]
    fn advantages_of_a_group_add_up_to_nothing(groups in moderate_groups()) {
        for estimator in every_estimator() {
            let values = estimate(estimator.as_ref(), &groups);
            let mut start = 0;
            for group in &groups {
                let of_group = &values[start..start + group.len()];
                start += group.len();
                let largest = of_group.iter().fold(1.0_f64, |l, v| l.max(v.abs()));
                let sum: f64 = of_group.iter().sum();
                prop_assert!(sum.abs() < 1e-7 * largest, "{estimator:?} {of_group:?}");
            }
        }
    }

    #[test]
    fn unscorable_responses_change_nobody_elses_advantage(groups in moderate_groups()) {
        let scorable: Vec<Vec<Option<f64>>> = groups
            .iter()
            .map(|group| group.iter().copied().filter(Option::is_some).collect())
            .collect();
        for estimator in every_estimator() {
            let with = estimate(estimator.as_ref(), &groups);
            let without = estimate(estimator.as_ref(), &scorable);
            let kept: Vec<f64> = with
                .into_iter()
                .zip(groups.iter().flatten())
                .filter_map(|(value, reward)| reward.map(|_| value))
                .collect();
            prop_assert_eq!(kept, without);
        }
    }

    #[test]
    fn a_constant_added_to_all_rewards_changes_nothing(
        groups in vec(vec(-20..20_i32, 0..8), 0..5),
        constant in -64..64_i32,
    ) {
        // Eighths are exact, so that only the means can round.
        let rewards = |shift: i32| -> Vec<Vec<Option<f64>>> {
            groups
                .iter()
                .map(|group| group.iter().map(|r| Some(f64::from(r + shift) / 8.0)).collect())
                .collect()
        };
        for estimator in every_estimator() {
            let plain = estimate(estimator.as_ref(), &rewards(0));
            let shifted = estimate(estimator.as_ref(), &rewards(constant));
            for (a, b) in plain.iter().zip(&shifted) {
                prop_assert!((a - b).abs() < 1e-12, "{estimator:?} {a} {b}");
            }
        }
    }

    #[test]
    fn standardised_groups_have_variance_one(
        rewards in vec(-20..20_i32, 2..9).prop_filter("not tied", |r| r.iter().any(|x| *x != r[0])),
    ) {
        let group: Vec<Option<f64>> = rewards.iter().map(|r| Some(f64::from(*r))).collect();
        let count = group.len() as f64;
        for (correction, divisor) in
            [(Correction::Population, count), (Correction::Sample, count - 1.0)]
        {
            let grpo = Grpo { std: StandardDeviation::Group, correction, epsilon: 0.0, ..Grpo::default() };
            let values = estimate(&grpo, std::slice::from_ref(&group));
            let squares: f64 = values.iter().map(|value| value * value).sum();
            prop_assert!((squares / divisor - 1.0).abs() < 1e-12);
            // Better rewards have larger advantages.
            for (a, x) in rewards.iter().zip(&values) {
                for (b, y) in rewards.iter().zip(&values) {
                    prop_assert_eq!(a.cmp(b), x.partial_cmp(y).unwrap());
                }
            }
        }
    }

    #[test]
    fn huge_rewards_are_standardised_like_small_ones(
        rewards in vec(-20..20_i32, 2..9).prop_filter("not tied", |r| r.iter().any(|x| *x != r[0])),
    ) {
        let scaled = |scale: f64| -> Vec<Option<f64>> {
            rewards.iter().map(|r| Some(f64::from(*r) * scale)).collect()
        };
        for std in [StandardDeviation::Group, StandardDeviation::Batch] {
            let grpo = Grpo { std, correction: Correction::Sample, epsilon: 0.0, ..Grpo::default() };
            let small = estimate(&grpo, &[scaled(1.0)]);
            let huge = estimate(&grpo, &[scaled(1e306)]);
            for (a, b) in small.iter().zip(&huge) {
                prop_assert!((a - b).abs() < 1e-12, "{a} {b}");
            }
        }
    }
}
