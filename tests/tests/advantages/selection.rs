//! Routing, injection, splits, filters and curation: the papers' numbers, and what must hold.

use equipoise_advantages::estimators::{DrGrpo, Grpo};
use equipoise_advantages::selection::{
    BestOfK, GapThreshold, GroupRouter, Guidance, InjectOnFailure, LabelConflict, MeanWindow,
    ProbabilityMean, RewardGapSplit, Route, comprehension_score, mix_with_real, with_signal,
};
use equipoise_advantages::{AdvantageEstimator, Group};
use proptest::collection::vec;
use proptest::prelude::*;

fn solution(score: f64, length: usize, reward: f64) -> Guidance {
    Guidance {
        score,
        length,
        reward,
    }
}

fn estimate(estimator: &dyn AdvantageEstimator, rewards: &[Option<f64>]) -> Vec<f64> {
    let lengths = vec![1; rewards.len()];
    estimator
        .estimate(&[Group::new(rewards, &lengths).unwrap()])
        .unwrap()
        .values
}

/// The rewards after injection.
fn injected(rewards: &[Option<f64>], guidance: &[Guidance], uniforms: &[f64]) -> Vec<Option<f64>> {
    let mut rewards = rewards.to_vec();
    let plan = InjectOnFailure::default().plan(&rewards, guidance, uniforms);
    for injection in plan.unwrap() {
        rewards[injection.rollout] = Some(injection.reward);
    }
    rewards
}

#[test]
fn ampo_by_the_paper() {
    let guidance = [
        solution(0.3, 10, 1.0),
        solution(0.9, 10, 0.2),
        solution(0.5, 10, 1.0),
    ];
    let rewards = injected(&[Some(0.0); 8], &guidance, &[0.1, 0.6]);
    assert_eq!(rewards.iter().filter(|r| **r == Some(1.0)).count(), 2);
    let plain = estimate(&DrGrpo, &rewards);
    let standardised = estimate(
        &Grpo {
            epsilon: 0.0,
            ..Grpo::default()
        },
        &rewards,
    );
    for (index, reward) in rewards.iter().enumerate() {
        let (a, z) = match reward {
            Some(1.0) => (0.75, 1.620_185_174_6),
            _ => (-0.25, -0.540_061_724_9),
        };
        assert_eq!(plain[index], a);
        assert!((standardised[index] - z).abs() < 1e-10);
    }
    let logprobs = [0.9_f64, 0.5, 0.8].map(f64::ln);
    let geometric = comprehension_score(&logprobs, ProbabilityMean::Geometric);
    assert!((geometric - 0.711_378_660_9).abs() < 1e-10);
    let arithmetic = comprehension_score(&logprobs, ProbabilityMean::Arithmetic);
    assert!((arithmetic - 0.733_333_333_3).abs() < 1e-10);
}

proptest! {
    /// One success, and the advantages are those without teachers, bit for bit.
    #[test]
    fn no_injection_after_a_success(
        rewards in vec(prop::option::weighted(0.8, 0.0..1.0_f64), 1..9),
        at in 0..9_usize,
    ) {
        let mut rewards = rewards;
        let at = at % rewards.len();
        rewards[at] = Some(1.0);
        let guidance = [solution(0.5, 3, 1.0); 4];
        let after = injected(&rewards, &guidance, &[0.5; 4]);
        for estimator in [&DrGrpo as &dyn AdvantageEstimator, &Grpo::default()] {
            let (a, b) = (estimate(estimator, &rewards), estimate(estimator, &after));
            prop_assert!(a.iter().zip(&b).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }

    #[test]
    fn injections_are_of_the_best_and_into_failures(
        rewards in vec(prop::option::weighted(0.8, 0.0..0.5_f64), 0..9),
        guidance in vec((0.0..1.0_f64, 0..50_usize, 0.0..2.0_f64), 0..6),
        count in 0..6_usize,
        uniforms in vec(prop_oneof![0.0..1.0_f64, Just(1.0), Just(-3.0), Just(f64::NAN)], 6),
    ) {
        let guidance: Vec<Guidance> =
            guidance.into_iter().map(|(score, length, reward)| solution(score, length, reward)).collect();
        let rule = InjectOnFailure { count, ..InjectOnFailure::default() };
        let plan = rule.plan(&rewards, &guidance, &uniforms).unwrap();
        let failures = rewards.iter().flatten().count();
        prop_assert_eq!(plan.len(), count.min(guidance.len()).min(failures));
        let mut rollouts: Vec<usize> = plan.iter().map(|one| one.rollout).collect();
        rollouts.sort_unstable();
        rollouts.dedup();
        prop_assert_eq!(rollouts.len(), plan.len());
        for (place, one) in plan.iter().enumerate() {
            prop_assert!(rewards[one.rollout].is_some());
            prop_assert_eq!(one.reward, guidance[one.guidance].reward.max(1.0));
            let better = guidance.iter().filter(|g| g.score > guidance[one.guidance].score).count();
            prop_assert!(better <= place);
        }
        if !plan.is_empty() {
            prop_assert!(rule.plan(&rewards, &guidance, &[]).is_err());
        }
    }

    /// Every pair in one part; the ends are DPO alone and PPO alone.
    #[test]
    fn splits_are_partitions(gaps in vec(-5.0..5.0_f64, 0..20), share in 0.0..=1.0_f64, t in -6.0..6.0_f64) {
        for conflicts in [LabelConflict::Drop, LabelConflict::Hard, LabelConflict::Flip] {
            let split = |threshold| RewardGapSplit { threshold, conflicts }.split(&gaps).unwrap();
            for threshold in [GapThreshold::Gap(t), GapThreshold::Quantile(share)] {
                let found = split(threshold);
                let mut all = [&found.easy[..], &found.hard, &found.dropped].concat();
                all.sort_unstable();
                prop_assert!(all.into_iter().eq(0..gaps.len()));
                prop_assert!(found.flipped.iter().all(|pair| found.easy.contains(pair)));
                if let GapThreshold::Quantile(share) = threshold {
                    let small = gaps.iter().filter(|gap| gap.abs() < found.threshold).count();
                    prop_assert_eq!(small, (share * gaps.len() as f64) as usize);
                }
            }
            let zero = split(GapThreshold::Gap(0.0));
            let at_least_zero = (0..gaps.len()).filter(|i| gaps[*i] >= 0.0).count();
            prop_assert_eq!(zero.easy.len() - zero.flipped.len(), at_least_zero);
            prop_assert_eq!(split(GapThreshold::Gap(f64::INFINITY)).hard.len(), gaps.len());
            prop_assert_eq!(split(GapThreshold::Gap(f64::NEG_INFINITY)).easy.len(), gaps.len());
        }
    }

    /// A group is kept exactly if Dr. GRPO gives it an advantage.
    #[test]
    fn signal_is_an_advantage(
        groups in vec(vec(prop::option::weighted(0.8, prop_oneof![Just(0.0), Just(1.0), Just(0.1 + 0.2), Just(0.3)]), 0..5), 0..6),
    ) {
        let lengths = [1; 5];
        let groups: Vec<Group<'_>> =
            groups.iter().map(|g| Group::new(g, &lengths[..g.len()]).unwrap()).collect();
        let filtered = with_signal(&groups);
        let advantages = DrGrpo.estimate(&groups).unwrap();
        prop_assert_eq!(filtered.kept.len(), groups.len() - advantages.report.without_signal);
        prop_assert_eq!(filtered.kept.len() + filtered.without_signal + filtered.unscorable, groups.len());
        let window = MeanWindow::OPEN.filter(&groups);
        prop_assert_eq!(window.kept.len() + window.below + window.above + window.unscorable, groups.len());
    }

    /// Curation is a distribution, raises E[e^r] by what the paper proves, and with one sample is nothing.
    #[test]
    fn curation_improves(
        rows in vec((0.01..1.0_f64, -4.0..4.0_f64), 1..6),
        samples in 1..40_usize,
        temperature in 0.3..3.0_f64,
    ) {
        let total: f64 = rows.iter().map(|row| row.0).sum();
        let p: Vec<f64> = rows.iter().map(|row| row.0 / total).collect();
        let rewards: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let next = next(Some(samples), temperature, &p, &rewards);
        prop_assert!((next.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        let mean = |p: &[f64], power: f64| -> f64 {
            p.iter().zip(&rewards).map(|(p, r)| p * (power * r / temperature).exp()).sum()
        };
        let before = mean(&p, 1.0);
        let variance = mean(&p, 2.0) - before * before;
        let largest = rewards.iter().fold(f64::MIN, |a, b| a.max(*b));
        let share = (samples as f64 - 1.0) / samples as f64;
        let bound = before + share * variance / (largest / temperature).exp();
        prop_assert!(mean(&next, 1.0) >= bound * (1.0 - 1e-12));
        if samples == 1 {
            prop_assert_eq!(next, p);
        }
    }

    #[test]
    fn extremes_are_finite(
        rewards in vec(prop_oneof![-1e6..1e6_f64, Just(f64::MAX), Just(-f64::MAX)], 1..5),
        uniform in 0.0..1.0_f64,
    ) {
        let curation = BestOfK::new(4, 0.5).unwrap();
        let mut chances = vec![0.0; rewards.len()];
        curation.probabilities(&rewards, &mut chances).unwrap();
        prop_assert!((chances.iter().sum::<f64>() - 1.0).abs() < 1e-14);
        let kept = curation.select(&rewards, uniform).unwrap().unwrap();
        prop_assert!(chances[kept] > 0.0);
        let p = vec![1.0 / rewards.len() as f64; rewards.len()];
        let next = next(Some(4), 0.5, &p, &rewards);
        prop_assert!((next.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{:?}", next);
        let score = comprehension_score(&rewards, ProbabilityMean::Geometric);
        prop_assert!((0.0..=1.0).contains(&score));
    }
}

fn next(samples: Option<usize>, temperature: f64, p: &[f64], rewards: &[f64]) -> Vec<f64> {
    let curation = match samples {
        Some(samples) => BestOfK::new(samples, temperature),
        None => BestOfK::unlimited(temperature),
    };
    let mut next = vec![0.0; p.len()];
    curation
        .unwrap()
        .next_distribution(p, rewards, &mut next)
        .unwrap();
    next
}

#[track_caller]
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let mut rows = found.iter().zip(expected);
    assert!(
        rows.all(|(a, b)| (a - b).abs() < tolerance),
        "{found:?} {expected:?}"
    );
}

#[test]
fn curation_by_the_paper() {
    let (p, r) = ([0.5, 0.3, 0.2], [0.0, 1.0, 2.0]);
    for (samples, expected) in [
        (Some(1), p),
        (Some(2), [0.354_523_010_8, 0.341_590_544_2, 0.303_886_445_0]),
        (Some(3), [0.293_307_958_5, 0.343_186_234_1, 0.363_505_807_3]),
        (Some(4), [0.261_558_192_6, 0.337_851_501_8, 0.400_590_305_5]),
        (None, [0.179_000_020_6, 0.291_943_501_9, 0.529_056_477_5]),
    ] {
        assert_close(&next(samples, 1.0, &p, &r), &expected, 1e-9);
    }
    // Rewards and temperature together are a unit.
    let doubled = next(Some(3), 2.0, &p, &[0.0, 2.0, 4.0]);
    assert_close(&doubled, &next(Some(3), 1.0, &p, &r), 1e-14);
    // Alone, the loop collapses; with real data it has a fixed point.
    let (mut alone, mut mixed) = (p.to_vec(), p.to_vec());
    for _ in 0..60 {
        alone = next(Some(2), 1.0, &alone, &r);
        mixed = next(Some(2), 1.0, &mixed, &r);
        mix_with_real(&p, 1.0, &mut mixed).unwrap();
    }
    assert_close(&alone, &[0.0, 0.0, 1.0], 1e-6);
    let fixed = [0.357_450_894_0, 0.302_420_915_2, 0.340_128_190_7];
    assert_close(&mixed, &fixed, 1e-9);
}

#[derive(serde::Deserialize)]
struct Curation {
    p: Vec<f64>,
    r: Vec<f64>,
    samples: usize,
    temperature: f64,
    next: Vec<f64>,
}

#[test]
fn curation_agrees_with_the_sum_over_all_outcomes() {
    let cases: Vec<Curation> =
        serde_json::from_str(include_str!("fixtures/curation.json")).unwrap();
    for case in cases {
        let found = next(Some(case.samples), case.temperature, &case.p, &case.r);
        assert_close(&found, &case.next, 1e-13);
    }
}

#[test]
fn routes_by_the_paper() {
    let router = GroupRouter::default();
    assert_eq!(router.route(0, 8), Route::Distill);
    for successes in 1..8 {
        assert_eq!(router.route(successes, 8), Route::Rl);
    }
    assert_eq!(router.route(8, 8), Route::Skip);
    assert_eq!(router.route(0, 0), Route::Skip);
    assert_eq!(router.route(9, 8), Route::Skip);
}

#[test]
fn wrong_requests_are_refused() {
    assert!(BestOfK::new(0, 1.0).is_err());
    for temperature in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(BestOfK::unlimited(temperature).is_err());
    }
    let curation = BestOfK::new(2, 1.0).unwrap();
    assert!(curation.probabilities(&[0.0], &mut []).is_err());
    assert!(curation.select(&[f64::NAN], 0.5).is_err());
    assert_eq!(curation.select(&[], 0.5), Ok(None));
    assert!(curation.next_distribution(&[1.0], &[], &mut [0.0]).is_err());
    assert!(mix_with_real(&[1.0], 1.0, &mut []).is_err());
    for threshold in [
        GapThreshold::Gap(f64::NAN),
        GapThreshold::Quantile(1.5),
        GapThreshold::Quantile(f64::NAN),
    ] {
        let split = RewardGapSplit {
            threshold,
            ..RewardGapSplit::default()
        };
        assert!(split.split(&[1.0]).is_err());
    }
    let gap = RewardGapSplit {
        threshold: GapThreshold::Gap(1.0),
        ..RewardGapSplit::default()
    };
    assert_eq!(gap.split(&[f64::NAN]).unwrap().dropped, [0]);
    assert!(MeanWindow::open(1.0, 1.0).is_err() && MeanWindow::closed(1.0, 1.0).is_ok());
}
