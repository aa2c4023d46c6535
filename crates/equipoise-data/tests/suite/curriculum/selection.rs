//! Dynamic sampling, pass rates, levels and reward gaps.

use equipoise_data::curriculum::{
    DynamicSampling, GapClass, LevelChange, LevelCurriculum, LevelSettings, Next, PassRateSettings,
    PassRateWindow, RefillSize, RewardGapRule, Signal,
};
use proptest::prelude::*;

use super::{saved, stream};

#[test]
fn signals_are_differences_between_known_rewards() {
    for (rewards, signal) in [
        (&[Some(1.0), Some(0.0)][..], Signal::Present),
        (&[None, Some(1.0), Some(0.5)], Signal::Present),
        (&[Some(1.0), Some(1.0)], Signal::Absent),
        (&[None, Some(1.0)], Signal::Absent),
        (&[None, None], Signal::Unscorable),
        (&[], Signal::Unscorable),
    ] {
        assert_eq!(Signal::of(rewards), signal, "{rewards:?}");
    }
}

#[test]
fn a_step_is_refilled_until_it_is_full_or_the_rounds_are_used_up() {
    use Signal::{Absent, Present, Unscorable};
    let sampling = DynamicSampling {
        groups: 3,
        max_rounds: 3,
        refill: RefillSize::Missing,
    };
    let mut step = sampling.start().unwrap();
    let round = step.offer(&[Absent, Present, Unscorable]);
    assert_eq!((round.kept, round.next), (vec![1], Next::Draw(2)));
    step = saved(&step);
    let round = step.offer(&[Present, Present, Present]);
    assert_eq!((round.kept, round.next), (vec![0, 1], Next::Train));
    assert_eq!(
        (step.rounds, step.drawn, step.kept, step.surplus),
        (2, 6, 3, 1)
    );
    assert_eq!((step.without_signal, step.unscorable), (1, 1));

    let mut step = sampling.start().unwrap();
    assert_eq!(step.offer(&[Absent; 3]).next, Next::Draw(3));
    assert_eq!(step.offer(&[Present, Absent, Absent]).next, Next::Draw(2));
    assert_eq!(step.offer(&[Absent; 2]).next, Next::GiveUp { missing: 2 });

    let fixed = DynamicSampling {
        refill: RefillSize::Fixed(7),
        ..sampling
    };
    assert_eq!(fixed.start().unwrap().offer(&[]).next, Next::Draw(7));
    // ⌈1.5 · 3 · (4 + 2) / (0 + 1)⌉
    let expected = DynamicSampling {
        refill: RefillSize::Expected(1.5),
        ..sampling
    };
    assert_eq!(
        expected.start().unwrap().offer(&[Absent; 4]).next,
        Next::Draw(27)
    );
    for wrong in [
        DynamicSampling {
            groups: 0,
            ..sampling
        },
        DynamicSampling {
            max_rounds: 0,
            ..sampling
        },
        DynamicSampling {
            refill: RefillSize::Fixed(0),
            ..sampling
        },
        DynamicSampling {
            refill: RefillSize::Expected(0.0),
            ..sampling
        },
        DynamicSampling {
            refill: RefillSize::Expected(f64::NAN),
            ..sampling
        },
    ] {
        assert!(wrong.start().is_err(), "{wrong:?}");
    }
}

#[test]
fn problems_outside_the_window_rest_and_are_tried_again() {
    let settings = PassRateSettings {
        low: 0.2,
        high: 0.8,
        prior: (1.0, 1.0),
        decay: 0.5,
        cool_down: 10,
        min_trials: 4.0,
    };
    let mut window = PassRateWindow::new(settings).unwrap();
    window.record(1, 0, 0, 8).unwrap(); // 1/10: too hard
    window.record(2, 0, 8, 8).unwrap(); // 9/10: too easy
    window.record(3, 0, 4, 8).unwrap();
    window.record(4, 0, 0, 3).unwrap(); // 1/5, and too few trials anyway
    window = saved(&window);
    let admitted = |window: &PassRateWindow, step| -> Vec<u64> {
        (0..5)
            .filter(|&problem| window.admits(problem, step))
            .collect()
    };
    assert_eq!(admitted(&window, 1), [0, 3, 4]);
    assert_eq!(admitted(&window, 9), [0, 3, 4]);
    assert_eq!(admitted(&window, 10), [0, 1, 2, 3, 4]);
    let counts = window.counts(9);
    assert_eq!((counts.active, counts.too_hard, counts.too_easy), (2, 1, 1));
    // Half of the old trials still count: (0/2 + 4 + 1) / (8/2 + 8 + 2).
    window.record(1, 10, 4, 8).unwrap();
    assert_eq!(window.rate(1), 5.0 / 14.0);
    assert!(window.admits(1, 11));
    // Too easy again: (8/2 + 8 + 1) / (8/2 + 8 + 2), and resting until step 20.
    window.record(2, 10, 8, 8).unwrap();
    assert_eq!(window.rate(2), 13.0 / 14.0);
    assert!(!window.admits(2, 19) && window.admits(2, 20));
    assert!(window.record(2, 10, 9, 8).is_err());
    window.record(9, 10, 0, 0).unwrap();
    assert_eq!(window.rate(9), 0.5);
    for wrong in [
        PassRateSettings {
            low: 0.9,
            ..settings
        },
        PassRateSettings {
            high: 1.1,
            ..settings
        },
        PassRateSettings {
            decay: -0.1,
            ..settings
        },
        PassRateSettings {
            prior: (0.0, 1.0),
            ..settings
        },
        PassRateSettings {
            min_trials: f64::NAN,
            ..settings
        },
    ] {
        assert!(PassRateWindow::new(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn levels_rise_and_fall_with_the_pass_rate() {
    let settings = LevelSettings {
        levels: (1, 3),
        window: 10,
        promote: 0.8,
        demote: 0.3,
        review: 0.25,
    };
    let mut curriculum = LevelCurriculum::new(settings).unwrap();
    let feed = |curriculum: &mut LevelCurriculum, level, passes: u32| {
        let mut last = LevelChange::None;
        for outcome in 0..10 {
            last = curriculum.record(level, f64::from(u8::from(outcome < passes)));
        }
        last
    };
    // At the easiest level there is nothing to fall to, and outcomes elsewhere do not count.
    assert_eq!(feed(&mut curriculum, 1, 0), LevelChange::None);
    assert_eq!(feed(&mut curriculum, 2, 10), LevelChange::None);
    assert_eq!(curriculum.pass_rate(), Some(0.0));
    assert_eq!(curriculum.draw(&mut stream(0)), 1);
    assert_eq!(feed(&mut curriculum, 1, 7), LevelChange::None);
    // The last seven of the window were 7 failures at most, so it takes ten new outcomes.
    for _ in 0..7 {
        assert_eq!(curriculum.record(1, 1.0), LevelChange::None);
    }
    assert_eq!(curriculum.record(1, 1.0), LevelChange::Promoted);
    assert_eq!((curriculum.level(), curriculum.pass_rate()), (2, None));
    curriculum = saved(&curriculum);
    assert_eq!(feed(&mut curriculum, 2, 8), LevelChange::Promoted);
    let draws: Vec<u32> = (0..4000)
        .map(|at| curriculum.draw(&mut stream(at)))
        .collect();
    let count = |level| draws.iter().filter(|&&drawn| drawn == level).count();
    // Five standard deviations around 500, 500 and 3000.
    assert!(count(1).abs_diff(500) < 105 && count(2).abs_diff(500) < 105);
    assert!(count(3).abs_diff(3000) < 137);
    assert_eq!(feed(&mut curriculum, 3, 10), LevelChange::None); // no level above
    let mut change = LevelChange::None;
    let mut fed = 0;
    while change == LevelChange::None {
        change = curriculum.record(3, 0.0);
        fed += 1;
    }
    // 10 · 0.3 = 3 passes are not below, 2 are: the eighth failure leaves 2.
    assert_eq!(
        (change, fed, curriculum.level()),
        (LevelChange::Demoted, 8, 2)
    );
    assert_eq!(curriculum.changes(), (2, 1));
    assert_eq!(curriculum.record(2, f64::NAN), LevelChange::None);
    assert_eq!(curriculum.record(2, 1.5), LevelChange::None);
    assert_eq!(curriculum.pass_rate(), None);
    for wrong in [
        LevelSettings {
            levels: (2, 1),
            ..settings
        },
        LevelSettings {
            window: 0,
            ..settings
        },
        LevelSettings {
            demote: 0.8,
            ..settings
        },
        LevelSettings {
            promote: f64::NAN,
            ..settings
        },
        LevelSettings {
            review: 1.1,
            ..settings
        },
    ] {
        assert!(LevelCurriculum::new(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn gaps_are_parted_at_the_threshold() {
    let gaps = [2.1, -0.3, 0.4, 1.5, 0.9, -1.0, f64::NAN];
    let pairs = || (0..).zip(gaps);
    let parts = saved(&RewardGapRule::new(1.0).unwrap()).part(pairs());
    assert_eq!(parts.easy, [0, 3]);
    assert_eq!(parts.hard, [1, 2, 4]);
    assert_eq!(parts.conflicts, [5]);
    assert_eq!(parts.unscored, [6]);
    // All easy where the reward model agrees, or all hard.
    let parts = RewardGapRule::new(0.0).unwrap().part(pairs());
    assert_eq!(
        (parts.easy, parts.conflicts),
        (vec![0, 2, 3, 4], vec![1, 5])
    );
    let parts = RewardGapRule::new(f64::INFINITY).unwrap().part(pairs());
    assert_eq!(parts.hard, [0, 1, 2, 3, 4, 5]);
    assert_eq!(parts.easy_share(), 0.0);
    // |g|: 0.3 0.4 0.9 1.0 1.5 2.1; half of the six lie below 1.0.
    let rule = RewardGapRule::from_quantile(&gaps, 0.5).unwrap();
    assert_eq!(rule.threshold(), 1.0);
    assert_eq!(
        RewardGapRule::from_quantile(&gaps, 1.0)
            .unwrap()
            .threshold(),
        f64::INFINITY
    );
    assert!(RewardGapRule::from_quantile(&[f64::NAN], 0.5).is_err());
    assert!(RewardGapRule::from_quantile(&gaps, 1.5).is_err());
    assert!(RewardGapRule::new(-1.0).is_err() && RewardGapRule::new(f64::NAN).is_err());
}

proptest! {
    /// Whatever is offered, the counters add up, and no more is kept than is needed.
    #[test]
    fn counters_of_a_step_add_up(
        rounds in prop::collection::vec(prop::collection::vec(0..3_u8, 0..20), 1..6),
        groups in 1..30_usize,
    ) {
        let sampling = DynamicSampling { groups, max_rounds: 4, refill: RefillSize::Expected(1.0) };
        let mut step = sampling.start().unwrap();
        let mut kept = 0;
        for round in &rounds {
            let signals: Vec<Signal> = round.iter().map(|&signal| match signal {
                0 => Signal::Present,
                1 => Signal::Absent,
                _ => Signal::Unscorable,
            }).collect();
            let found = step.offer(&signals);
            prop_assert!(found.kept.iter().all(|&place| signals[place] == Signal::Present));
            kept += found.kept.len();
            match found.next {
                Next::Train => prop_assert_eq!(kept, groups),
                Next::Draw(more) => prop_assert!(more >= groups - kept && step.rounds < 4),
                Next::GiveUp { missing } => prop_assert_eq!(missing, groups - kept),
            }
        }
        prop_assert_eq!(step.kept, kept);
        prop_assert!(kept <= groups);
        let dropped = step.without_signal + step.unscorable + step.surplus;
        prop_assert_eq!(step.drawn, kept + dropped);
    }

    /// Each gap has one class, and a gap and its opposite the classes that mirror each other.
    #[test]
    fn classes_mirror_each_other(gap in -5.0..5.0_f64, threshold in 0.001..5.0_f64) {
        let rule = RewardGapRule::new(threshold).unwrap();
        let mirrored = match rule.class(gap) {
            GapClass::Easy => GapClass::Conflict,
            GapClass::Conflict => GapClass::Easy,
            other => other,
        };
        prop_assert_eq!(rule.class(-gap), mirrored);
    }
}
