//! Orders: difficulty of pairs, pacing, and choices by rankings.

use equipoise_data::curriculum::{
    CurriculumError, PacedOrder, Pacing, RankingDifficulty, Rankings, ScoreRule,
};
use proptest::prelude::*;

use super::{close, golden, indices, number, saved, stream};

#[test]
fn difficulties_agree_with_python() {
    for case in golden("difficulties") {
        let found = RankingDifficulty::new(number(&case["chosen"]), number(&case["rejected"]));
        let beta = number(&case["beta"]);
        assert!(close(found.value(), number(&case["difficulty"])));
        assert!(
            close(found.loss_threshold(beta), number(&case["threshold"])),
            "{case}"
        );
        assert!(
            close(found.break_even(beta), number(&case["break_even"])),
            "{case}"
        );
    }
}

#[test]
fn pairs_go_from_easy_to_hard() {
    let pairs = [
        (-20.0, -18.0),
        (-5.0, -9.0),
        (f64::NAN, -1.0),
        (-3.0, -3.0),
        (-7.0, -7.0),
    ];
    let difficulties = pairs.map(|(chosen, rejected)| RankingDifficulty::new(chosen, rejected));
    assert_eq!(RankingDifficulty::order(&difficulties), [1, 3, 4, 0, 2]);
    // A threshold that neither overflows nor vanishes.
    let extreme = RankingDifficulty::new(0.0, -1e6);
    assert!(close(extreme.loss_threshold(1.0), 1e6));
    assert_eq!(RankingDifficulty::new(-1e6, 0.0).loss_threshold(1.0), 0.0);
}

#[test]
fn pacings_agree_with_python() {
    for case in golden("pacings") {
        let start = number(&case["start"]);
        let whole = |key: &str| case[key].as_u64().unwrap();
        let (duration, power) = (whole("duration"), number(&case["power"]));
        let (factor, length) = (number(&case["factor"]), whole("length"));
        for (pacing, key) in [
            (
                Pacing::Root {
                    start,
                    duration,
                    power,
                },
                "root",
            ),
            (Pacing::Geometric { start, duration }, "geometric"),
            (
                Pacing::Steps {
                    start,
                    factor,
                    length,
                },
                "steps",
            ),
        ] {
            pacing.validate().unwrap();
            let share = pacing.share(whole("step"));
            assert!(close(share, number(&case[key])), "{key}: {share}: {case}");
        }
    }
}

#[test]
fn what_is_open_grows_to_everything() {
    let order = vec![4, 2, 0, 1, 3];
    let pacing = Pacing::Steps {
        start: 0.2,
        factor: 2.0,
        length: 10,
    };
    let paced = saved(&PacedOrder::new(order.clone(), pacing).unwrap());
    assert_eq!(paced.open(0), [4]);
    assert_eq!(paced.open(10), [4, 2]);
    assert_eq!(paced.open(20), [4, 2, 0, 1]);
    assert_eq!(paced.open(u64::MAX), order);
    let mut stream = stream(0);
    let drawn: Vec<usize> = (0..100).map(|_| paced.draw(10, &mut stream)).collect();
    assert!(drawn.contains(&4) && drawn.contains(&2));
    assert!(drawn.iter().all(|item| [4, 2].contains(item)));

    let wrong = [
        Pacing::Root {
            start: 0.0,
            duration: 1,
            power: 2.0,
        },
        Pacing::Root {
            start: 0.5,
            duration: 0,
            power: 2.0,
        },
        Pacing::Root {
            start: 0.5,
            duration: 1,
            power: 0.5,
        },
        Pacing::Geometric {
            start: 1.5,
            duration: 1,
        },
        Pacing::Geometric {
            start: f64::NAN,
            duration: 1,
        },
        Pacing::Steps {
            start: 0.5,
            factor: 1.0,
            length: 1,
        },
        Pacing::Steps {
            start: 0.5,
            factor: 2.0,
            length: 0,
        },
    ];
    for pacing in wrong {
        assert!(PacedOrder::new(vec![0], pacing).is_err(), "{pacing:?}");
    }
    assert!(PacedOrder::new(vec![], pacing).is_err());
}

const RULES: [(ScoreRule, &str); 4] = [
    (ScoreRule::Sntv, "sntv"),
    (ScoreRule::Bloc, "bloc"),
    (ScoreRule::KBorda, "k_borda"),
    (ScoreRule::ChamberlinCourant, "chamberlin_courant"),
];

/// The case of the paper notes: a1, a2 | b1, b2, twice a1 a2 b1 b2 and once b1 a1 a2 b2.
#[test]
fn the_known_choices() {
    let rankings =
        Rankings::new(vec![vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![2, 0, 1, 3]]).unwrap();
    let score = |rule, set: [usize; 2]| rankings.score(rule, &set).unwrap();
    assert_eq!(score(ScoreRule::KBorda, [0, 1]), 13);
    assert_eq!(score(ScoreRule::KBorda, [0, 2]), 13);
    assert_eq!(score(ScoreRule::Bloc, [0, 1]), 5);
    assert_eq!(score(ScoreRule::Bloc, [0, 2]), 4);
    assert_eq!(score(ScoreRule::Sntv, [0, 2]), 3);
    assert_eq!(score(ScoreRule::ChamberlinCourant, [0, 2]), 9);
    let choose = |rule| rankings.choose(2, rule, &[0, 0, 1, 1], &[0, 0]).unwrap();
    assert_eq!(choose(ScoreRule::KBorda).chosen, [0, 1]);
    assert_eq!(choose(ScoreRule::Sntv).chosen, [0, 2]);
    assert_eq!(choose(ScoreRule::ChamberlinCourant).chosen, [0, 2]);
}

#[test]
fn choices_agree_with_a_search_through_all_sets() {
    for case in golden("rankings") {
        let rows = case["rankings"].as_array().unwrap();
        let rankings = Rankings::new(rows.iter().map(indices).collect()).unwrap();
        let (groups, floors) = (indices(&case["groups"]), indices(&case["floors"]));
        let k = case["k"].as_u64().unwrap() as usize;
        for (rule, name) in RULES {
            let found = rankings.choose(k, rule, &groups, &floors).unwrap();
            assert_eq!(found.chosen.len(), k);
            assert_eq!(rankings.score(rule, &found.chosen).unwrap(), found.score);
            for (group, &floor) in floors.iter().enumerate() {
                let members = found.chosen.iter().filter(|&&item| groups[item] == group);
                assert!(members.count() >= floor, "{name}: {case}");
            }
            let best = case["best"][name].as_u64().unwrap();
            match rule {
                // Greedy reaches at least half.
                ScoreRule::ChamberlinCourant => {
                    assert!(2 * found.score >= best && found.score <= best, "{case}");
                }
                _ => assert_eq!(found.score, best, "{name}: {case}"),
            }
        }
    }
}

#[test]
fn impossible_choices_are_named() {
    for (rankings, ranking) in [
        (vec![vec![0, 1], vec![0, 0]], 1),
        (vec![vec![0, 2]], 0),
        (vec![vec![0, 1], vec![0]], 1),
        (vec![vec![0, 1], vec![0, 1, 1]], 1),
    ] {
        let items = 2;
        let error = Rankings::new(rankings).unwrap_err();
        assert_eq!(error, CurriculumError::NotARanking { ranking, items });
    }
    assert!(Rankings::new(vec![]).is_err());
    let rankings = Rankings::new(vec![vec![0, 1, 2]]).unwrap();
    let choose = |k, groups: &[usize], floors: &[usize]| {
        rankings
            .choose(k, ScoreRule::Bloc, groups, floors)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        choose(4, &[0, 0, 0], &[0]),
        "the choices ask for 4, and there are 3"
    );
    assert_eq!(
        choose(1, &[0, 0, 1], &[1, 1]),
        "the floors ask for 2, and there are 1"
    );
    assert_eq!(
        choose(2, &[0, 0, 1], &[0, 2]),
        "the floor of a group ask for 2, and there are 1"
    );
    assert!(choose(1, &[0, 0], &[0]).contains("3 items and 2 groups"));
    assert!(choose(1, &[0, 0, 1], &[0]).starts_with("there is no floor for group 1"));
    assert!(choose(2, &[0, 0, 0], &[usize::MAX]).contains("ask for"));
    assert!(rankings.score(ScoreRule::Sntv, &[3]).is_err());
}

proptest! {
    #[test]
    fn shares_grow_and_stay_within_their_range(
        start in 0.001..1.0_f64, duration in 1..1000_u64, power in 1.0..5.0_f64,
        factor in 1.01..4.0_f64, length in 1..100_u64, step in 0..2000_u64,
    ) {
        for pacing in [
            Pacing::Root { start, duration, power },
            Pacing::Geometric { start, duration },
            Pacing::Steps { start, factor, length },
        ] {
            let share = pacing.share(step);
            prop_assert!(share >= start * (1.0 - 1e-12) && share <= 1.0);
            prop_assert!(pacing.share(step + 1) >= share * (1.0 - 1e-12));
            prop_assert!(close(pacing.share(0), start));
            prop_assert_eq!(pacing.share(1 << 60), 1.0);
        }
    }

    /// A pair is ranked rightly exactly if its DPO loss is at most the threshold.
    #[test]
    fn the_threshold_parts_right_from_wrong(
        chosen in -50.0..0.0_f64, rejected in -50.0..0.0_f64,
        reference_chosen in -50.0..0.0_f64, reference_rejected in -50.0..0.0_f64,
    ) {
        let beta = 0.1;
        let margin = (chosen - rejected) - (reference_chosen - reference_rejected);
        let loss = (-beta * margin).exp().ln_1p();
        let difficulty = RankingDifficulty::new(reference_chosen, reference_rejected);
        prop_assume!((chosen - rejected).abs() > 1e-9);
        prop_assert_eq!(chosen > rejected, loss <= difficulty.loss_threshold(beta));
    }
}
