//! Rewards adjusted by confidence: the paper's numbers, and what must hold.

use equipoise_advantages::rewards::{Adjustment, RewardAdjuster};
use proptest::collection::vec;
use proptest::prelude::*;

const REWARDS: [f64; 4] = [2.0, -1.0, 0.3, 12.0];
const CONFIDENCES: [f64; 4] = [9.0, 9.0, 5.0, 1.0];

fn adjusted(
    adjuster: &mut RewardAdjuster,
    rewards: &[f64],
    confidences: &[Option<f64>],
) -> Vec<f64> {
    let mut rewards: Vec<Option<f64>> = rewards.iter().copied().map(Some).collect();
    adjuster.adjust(&mut rewards, confidences).unwrap();
    rewards.into_iter().flatten().collect()
}

#[test]
fn numbers_of_the_paper() {
    for (adjustment, weight, expected) in [
        (Adjustment::Difference, 2.0, [3.014, -2.386, 0.3, 2.586]),
        (Adjustment::Threshold, 2.0, [3.6, -1.8, 0.3, 2.0]),
        (Adjustment::Threshold, 0.5, [2.4, -1.2, 0.3, 8.0]),
    ] {
        let mut adjuster = RewardAdjuster::new(0.5);
        adjuster.adjustment = adjustment;
        adjuster.weight = weight;
        let found = adjusted(&mut adjuster, &REWARDS, &CONFIDENCES.map(Some));
        assert!((adjuster.mean() - 0.7325).abs() < 1e-15);
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-14, "{found:?}");
        }
    }
}

proptest! {
    /// A confidence of one half, or none, says nothing.
    #[test]
    fn without_confidence_nothing_changes(
        rewards in vec(-10.0..10.0_f64, 0..9),
        mean in -5.0..5.0_f64,
    ) {
        for adjustment in [Adjustment::Difference, Adjustment::Threshold] {
            for confidence in [None, Some(5.0), Some(f64::NAN)] {
                let mut adjuster = RewardAdjuster::new(mean);
                adjuster.adjustment = adjustment;
                let confidences = vec![confidence; rewards.len()];
                prop_assert_eq!(&adjusted(&mut adjuster, &rewards, &confidences), &rewards);
            }
        }
    }

    /// Confidence raises what is better than usual and lowers what is worse; doubt does the opposite.
    #[test]
    fn signs(rewards in vec(-10.0..10.0_f64, 1..9), confidence in 0.0..10.0_f64) {
        for adjustment in [Adjustment::Difference, Adjustment::Threshold] {
            let mut adjuster = RewardAdjuster::new(0.0);
            adjuster.adjustment = adjustment;
            let found = adjusted(&mut adjuster, &rewards, &vec![Some(confidence); rewards.len()]);
            for (before, after) in rewards.iter().zip(found) {
                let direction = (before - adjuster.mean()) * (confidence - 5.0);
                prop_assert!((after - before) * direction >= 0.0);
            }
        }
    }

    /// The state is the mean alone, and everything stays finite.
    #[test]
    fn restored_state_goes_on_alike(
        batches in vec(vec(prop::num::f64::ANY, 0..6), 1..5),
        stated in prop::num::f64::ANY,
    ) {
        let mut adjuster = RewardAdjuster::new(0.25);
        for batch in batches {
            let mut restored = RewardAdjuster::new(-3.0);
            restored.restore(adjuster.mean());
            prop_assert_eq!(restored, adjuster);
            let confidences = vec![Some(stated); batch.len()];
            let mut rewards: Vec<Option<f64>> = batch.iter().copied().map(Some).collect();
            rewards.push(None);
            let mut again = rewards.clone();
            let confidences = [confidences, vec![Some(10.0)]].concat();
            adjuster.adjust(&mut rewards, &confidences).unwrap();
            restored.adjust(&mut again, &confidences).unwrap();
            prop_assert_eq!(restored.mean().to_bits(), adjuster.mean().to_bits());
            for ((before, after), again) in batch.iter().zip(&rewards).zip(&again) {
                let after = after.unwrap();
                prop_assert_eq!(after.to_bits(), again.unwrap().to_bits());
                prop_assert_eq!(before.is_finite(), after.is_finite());
            }
            prop_assert_eq!(rewards.last(), Some(&None));
            prop_assert!(adjuster.mean().is_finite());
        }
    }
}

#[test]
fn unscorable_batches_and_wrong_ones_leave_the_mean() {
    let mut adjuster = RewardAdjuster::new(1.5);
    adjuster.adjust(&mut [None], &[Some(3.0)]).unwrap();
    adjuster.adjust(&mut [], &[]).unwrap();
    assert!(adjuster.adjust(&mut [Some(1.0)], &[]).is_err());
    assert_eq!(adjuster.mean(), 1.5);
}
