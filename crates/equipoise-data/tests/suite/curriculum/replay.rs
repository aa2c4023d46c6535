//! Replay: sums, probabilities, weights, and what is drawn.

use equipoise_data::curriculum::{CountReplay, PrioritisedReplay, ReplaySettings, SumTree};
use proptest::prelude::*;

use super::{close, golden, number, numbers, saved, stream};

#[test]
fn probabilities_and_weights_agree_with_python() {
    for case in golden("replays") {
        let surprises = numbers(&case["surprises"]);
        let mut replay = PrioritisedReplay::new(ReplaySettings {
            capacity: surprises.len(),
            alpha: number(&case["alpha"]),
            epsilon: number(&case["epsilon"]),
        })
        .unwrap();
        for (item, &surprise) in surprises.iter().enumerate() {
            let slot = replay.push(item as u64);
            replay.update(slot, surprise).unwrap();
        }
        for (slot, expected) in numbers(&case["probabilities"]).into_iter().enumerate() {
            assert!(close(replay.probability(slot), expected), "{case}");
        }
        let weights = numbers(&case["weights"]);
        let drawn = replay.draw(50, number(&case["beta"]), &mut stream(0));
        assert_eq!(drawn.len(), 50);
        for draw in drawn {
            assert_eq!(draw.item, draw.slot as u64);
            assert!(close(draw.weight, weights[draw.slot]), "{draw:?}: {case}");
        }
    }
}

#[test]
fn draws_follow_the_probabilities() {
    let settings = ReplaySettings {
        capacity: 4,
        alpha: 1.0,
        epsilon: 1e-9,
    };
    let mut replay = PrioritisedReplay::new(settings).unwrap();
    for (item, surprise) in [(7, 1.0), (8, -2.0), (9, 5.0)] {
        let slot = replay.push(item);
        replay.update(slot, surprise).unwrap();
    }
    // In four strata of 2 each; so the counts vary less than binomial ones.
    let mut counts = [0_u32; 3];
    for round in 0..4000 {
        for draw in replay.draw(4, 0.0, &mut stream(round)) {
            assert_eq!(draw.weight, 1.0);
            counts[(draw.item - 7) as usize] += 1;
        }
    }
    // Five standard deviations of binomial counts of 16 000 with shares of 1/8, 2/8 and 5/8.
    for (count, (mean, wide)) in counts
        .into_iter()
        .zip([(2000, 210), (4000, 274), (10_000, 307)])
    {
        assert!(count.abs_diff(mean) < wide, "{counts:?}");
    }
}

#[test]
fn the_oldest_makes_room_and_new_items_come_first() {
    let settings = ReplaySettings {
        capacity: 2,
        alpha: 1.0,
        epsilon: 1e-3,
    };
    let mut replay = PrioritisedReplay::new(settings).unwrap();
    assert!(replay.draw(3, 1.0, &mut stream(0)).is_empty());
    assert!(replay.is_empty() && replay.probability(0) == 0.0);
    replay.push(1);
    replay.push(2);
    replay.update(0, 9.0).unwrap();
    replay.update(1, 0.0).unwrap();
    // The third takes the place of the first, with the largest priority so far.
    assert_eq!(replay.push(3), 0);
    assert_eq!(replay.len(), 2);
    assert!(close(replay.probability(0), 9.001 / 9.002));
    let items: Vec<u64> = replay
        .draw(20, 1.0, &mut stream(1))
        .iter()
        .map(|d| d.item)
        .collect();
    assert!(!items.contains(&1) && items.contains(&3));
    assert!(replay.update(2, 1.0).is_err());
    assert!(replay.update(0, f64::NAN).is_err());
    assert!(replay.update(0, f64::INFINITY).is_err());
    let again = saved(&replay);
    assert_eq!(again, replay);
    assert_eq!(
        again.draw(9, 0.4, &mut stream(2)),
        replay.draw(9, 0.4, &mut stream(2))
    );
    for settings in [
        ReplaySettings {
            capacity: 0,
            ..settings
        },
        ReplaySettings {
            capacity: usize::MAX,
            ..settings
        },
        ReplaySettings {
            alpha: -1.0,
            ..settings
        },
        ReplaySettings {
            epsilon: 0.0,
            ..settings
        },
    ] {
        assert!(PrioritisedReplay::new(settings).is_err());
    }
}

#[test]
fn rarely_seen_items_come_more_often() {
    let mut replay = CountReplay::new(0.6).unwrap();
    assert_eq!(replay.draw(&mut stream(0)), None);
    for (item, visits) in [(10, 1), (11, 4), (12, 2)] {
        (0..visits).for_each(|_| replay.visit(item));
        assert_eq!(replay.visits(item), visits);
    }
    let replay = saved(&replay);
    let mut counts = [0_u32; 3];
    for round in 0..10_000 {
        counts[(replay.draw(&mut stream(round)).unwrap() - 10) as usize] += 1;
    }
    // Five standard deviations of binomial counts around 10 000 times the hand-computed shares.
    for (count, mean) in counts.into_iter().zip([4773, 2078, 3149]) {
        assert!(count.abs_diff(mean) < 250, "{counts:?}");
    }
    assert!(CountReplay::new(-0.1).is_err() && CountReplay::new(f64::NAN).is_err());
}

proptest! {
    /// A tree is the list of its weights, however it came to be, and finds what a walk finds.
    #[test]
    fn trees_find_what_a_walk_finds(
        weights in prop::collection::vec(prop_oneof![Just(0.0), 0.0..10.0_f64], 0..40),
        changes in prop::collection::vec((0..40_usize, 0.0..10.0_f64), 0..40),
        point in -0.1..1.1_f64,
    ) {
        let mut tree = SumTree::from(weights.clone());
        let mut list = weights;
        for (index, weight) in changes {
            match list.get_mut(index) {
                Some(place) => {
                    *place = weight;
                    tree.set(index, weight).unwrap();
                }
                None => prop_assert!(tree.set(index, weight).is_err()),
            }
        }
        prop_assert_eq!(&saved(&tree), &tree);
        prop_assert_eq!(Vec::from(tree.clone()), list.clone());
        let total: f64 = list.iter().sum();
        prop_assert!(close(tree.total(), total));
        let positive = || list.iter().copied().filter(|weight| *weight > 0.0);
        prop_assert_eq!(tree.smallest(), positive().min_by(f64::total_cmp));
        let found = tree.find(point * total);
        match found {
            None => prop_assert!(total == 0.0),
            Some(index) => {
                prop_assert!(list[index] > 0.0);
                let before: f64 = list[..index].iter().sum();
                let slack = 1e-9 * total;
                let at = (point * total).clamp(0.0, total);
                prop_assert!(before - slack <= at && at <= before + list[index] + slack);
            }
        }
        prop_assert!(tree.set(0, -1.0).is_err() && tree.set(0, f64::NAN).is_err());
        prop_assert_eq!(tree.get(1 << 40), 0.0);
    }
}
