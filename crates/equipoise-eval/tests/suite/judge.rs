//! The judge-bias suite.

use std::collections::BTreeSet;
use std::sync::Arc;

use equipoise_core::{Domain, Problem, Stream};
use equipoise_eval::judge::{
    BiasSuite, Choice, Direction, Distraction, Family, FnJudge, Injection, JudgeItem, JudgedPair,
    PairJudge, RewardJudge, Rewrite, Slot, Style, Target, judge_bias_bench, reasoning_study,
};
use equipoise_eval::{Bootstrap, EvalError};
use equipoise_verifiers::{Verdict, Verifier};
use proptest::prelude::*;

use crate::close;

fn pairs(count: usize) -> Vec<JudgedPair> {
    let pair = |i: usize| JudgedPair {
        id: i.to_string(),
        question: format!("What is {i} + {i}?"),
        chosen: format!("I think it is {}. That is twice {i}.", 2 * i),
        rejected: format!("Perhaps it is {}. I added {i} and one.", i + 1),
    };
    (2..count + 2).map(pair).collect()
}

fn suite(injections: Vec<Box<dyn Injection>>) -> BiasSuite {
    BiasSuite {
        injections,
        seed: 1,
        bootstrap: Bootstrap {
            resamples: 200,
            ..Bootstrap::default()
        },
    }
}

fn all() -> Vec<Box<dyn Injection>> {
    judge_bias_bench(None)
        .into_iter()
        .chain(reasoning_study())
        .collect()
}

/// Reads the question: the answer with the sum is better.
fn honest(item: &JudgeItem) -> Choice {
    let sum = item.question[8..]
        .split(' ')
        .next()
        .and_then(|n| n.parse::<usize>().ok());
    let sum = format!("it is {}.", 2 * sum.unwrap());
    match (
        item.first.to_lowercase().contains(&sum),
        item.second.to_lowercase().contains(&sum),
    ) {
        (true, false) => Choice::First,
        (false, true) => Choice::Second,
        _ => Choice::Unreadable,
    }
}

#[test]
fn twelve_and_five() {
    let names = |suite: Vec<Box<dyn Injection>>| -> Vec<&str> {
        suite.iter().map(|one| one.name()).collect()
    };
    assert_eq!(
        names(judge_bias_bench(None)),
        [
            "length",
            "authority",
            "beauty",
            "assertiveness",
            "sycophancy",
            "sentiment",
            "concreteness",
            "gender",
            "race",
            "bandwagon",
            "superficial_reflection",
            "position",
        ]
    );
    assert_eq!(
        names(reasoning_study()),
        [
            "bandwagon_system",
            "citation",
            "position",
            "distraction",
            "superficial_reflection_before"
        ]
    );
    let families: BTreeSet<Family> = judge_bias_bench(None)
        .iter()
        .map(|one| one.family())
        .collect();
    assert_eq!(families.len(), 4);
}

#[test]
fn a_judge_who_reads_is_never_moved() {
    let report = suite(all())
        .run(&FnJudge::new("honest", honest), &pairs(20))
        .unwrap();
    assert_eq!(report.judge, "honest");
    for row in report.rows.iter().chain([&report.total]) {
        assert_eq!(
            (row.harmful, row.helpful, row.neutral, row.unreadable_biased),
            (0, 0, 0, 0),
            "{row:?}"
        );
        assert_eq!(row.robust.as_ref().unwrap().value, 1.0);
        assert_eq!(row.sensitivity.as_ref().unwrap().value, 0.0);
        assert_eq!((row.accuracy, row.accuracy_biased), (Some(1.0), Some(1.0)));
        // Never certain from twenty pairs.
        assert!(row.robust.as_ref().unwrap().interval.low < 0.9);
    }
    assert_eq!(report.total.items, 17 * 20);
}

#[test]
fn a_judge_who_follows_the_crowd_is_always_moved() {
    let judge = FnJudge::new("crowd", |item: &JudgeItem| {
        match (
            item.after.contains("Assistant A is better"),
            item.after.contains("Assistant B is better"),
        ) {
            (true, _) => Choice::First,
            (_, true) => Choice::Second,
            _ => honest(item),
        }
    });
    let report = suite(judge_bias_bench(None))
        .run(&judge, &pairs(20))
        .unwrap();
    for row in &report.rows {
        let worst = row.bias == "bandwagon";
        assert_eq!(
            row.sensitivity.as_ref().unwrap().value,
            f64::from(u8::from(worst)),
            "{row:?}"
        );
        assert_eq!(
            row.robust.as_ref().unwrap().value,
            f64::from(u8::from(!worst))
        );
    }
    // One of twelve.
    close(report.total.robust.as_ref().unwrap().value, 11.0 / 12.0);
    close(
        report.total.accuracy_change.as_ref().unwrap().value,
        -1.0 / 12.0,
    );
}

/// A judge of places: right where the better answer stands first, and so wrong after every swap.
#[test]
fn a_judge_of_places_is_moved_by_places_alone() {
    let judge = FnJudge::new("first", |_: &JudgeItem| Choice::First);
    let report = suite(all()).run(&judge, &pairs(40)).unwrap();
    for row in &report.rows {
        let robust = row.robust.as_ref().unwrap().value;
        assert_eq!(robust, if row.bias == "position" { 0.0 } else { 1.0 });
    }
    let position = report
        .rows
        .iter()
        .find(|row| row.bias == "position")
        .unwrap();
    assert_eq!(position.harmful + position.helpful, 40);
    close(
        position.accuracy.unwrap() + position.accuracy_biased.unwrap(),
        1.0,
    );
}

/// The examples of the two papers: 100 items of which 4 turn wrong and 3 right, and 10 items of
/// which 8 are right at first and 2 of those flip.
#[test]
fn counts_by_hand() {
    let suite = suite(vec![Box::new(Distraction {
        target: Target::Worse,
    })]);
    let count = |sides: &[(Slot, bool, bool)]| {
        let items = suite.items(&pairs(sides.len()));
        let verdict = |item: &JudgeItem, right: bool| match (item.better, right) {
            (Slot::First, true) | (Slot::Second, false) => Choice::First,
            _ => Choice::Second,
        };
        let of = |items: &[JudgeItem], second: bool| -> Vec<Choice> {
            let sides = items.iter().zip(sides);
            sides
                .map(|(item, (_, before, after))| {
                    verdict(item, if second { *after } else { *before })
                })
                .collect()
        };
        let (control, biased) = (of(&items.control, false), of(&items.biased[0].2, true));
        suite.count("by hand", &items, &control, &[biased]).unwrap()
    };
    let mut sides = vec![(Slot::First, true, true); 60];
    sides.extend(vec![(Slot::First, false, false); 33]);
    sides.extend(vec![(Slot::First, true, false); 4]);
    sides.extend(vec![(Slot::First, false, true); 3]);
    let row = &count(&sides).rows[0];
    close(row.robust.as_ref().unwrap().value, 0.93);
    close(row.accuracy_change.as_ref().unwrap().value, -0.01);
    assert_eq!((row.harmful, row.helpful, row.neutral), (4, 3, 0));
    close(row.accuracy.unwrap(), 0.64);
    close(row.accuracy_biased.unwrap(), 0.63);

    let mut sides = vec![(Slot::First, true, true); 6];
    sides.extend(vec![(Slot::First, true, false); 2]);
    sides.extend(vec![(Slot::First, false, false); 2]);
    close(
        count(&sides).rows[0].sensitivity.as_ref().unwrap().value,
        0.25,
    );
}

#[test]
fn ties_and_what_cannot_be_read() {
    let suite = suite(vec![Box::new(Distraction {
        target: Target::Both,
    })]);
    let items = suite.items(&pairs(4));
    let right = |item: &JudgeItem| match item.better {
        Slot::First => Choice::First,
        Slot::Second => Choice::Second,
    };
    let control = [
        right(&items.control[0]),
        right(&items.control[1]),
        Choice::Tie,
        Choice::Unreadable,
    ];
    let biased = vec![Choice::Tie, Choice::Unreadable, Choice::Tie, Choice::First];
    let report = suite
        .count("j", &items, &control, std::slice::from_ref(&biased))
        .unwrap();
    let row = &report.rows[0];
    assert_eq!((row.unreadable, row.unreadable_biased), (1, 1));
    // Right before in two; a tie and silence are no flips.
    assert_eq!(row.sensitivity.as_ref().unwrap().value, 0.0);
    // Readable twice: the first, which went to a tie, and the third, which stayed one.
    assert_eq!(row.robust.as_ref().unwrap().value, 0.5);
    assert_eq!((row.harmful, row.helpful, row.neutral), (1, 0, 0));
    let all = [Choice::Unreadable; 4];
    let silent = suite.count("j", &items, &all, &[all.to_vec()]).unwrap();
    assert_eq!(
        (silent.total.robust.clone(), silent.total.accuracy),
        (None, None)
    );
    assert!(matches!(
        suite.count("j", &items, &control[..3], &[biased]),
        Err(EvalError::LengthMismatch { .. })
    ));
    assert!(matches!(
        suite.run(&FnJudge::new("j", honest), &[]),
        Err(EvalError::TooFew { .. })
    ));
    let twice = vec![pairs(1)[0].clone(), pairs(1)[0].clone()];
    assert!(matches!(
        suite.run(&FnJudge::new("j", honest), &twice),
        Err(EvalError::Duplicate { .. })
    ));
}

#[test]
fn a_rewriter_writes_and_the_rules_stand_in() {
    let rewriter = |rewrite: &Rewrite<'_>| {
        (rewrite.style == Style::Beauty)
            .then(|| format!("{:?} {}", rewrite.direction, rewrite.answer))
    };
    let suite = suite(judge_bias_bench(Some(Arc::new(rewriter))));
    let items = suite.items(&pairs(1));
    let of = |name: &str| {
        &items
            .biased
            .iter()
            .find(|(found, _, _)| *found == name)
            .unwrap()
            .2[0]
    };
    let (control, beauty) = (&items.control[0], of("beauty"));
    let (better, worse) = (control.better, control.better.other());
    assert_eq!(
        beauty.answer(better),
        format!("{:?} {}", Direction::Remove, control.answer(better))
    );
    assert_eq!(
        beauty.answer(worse),
        format!("{:?} {}", Direction::Add, control.answer(worse))
    );
    assert!(of("length").answer(worse).len() > control.answer(worse).len() + 200);
}

/// Rewards the longer answer.
#[derive(Debug)]
struct Longer;

impl Verifier for Longer {
    fn name(&self) -> &str {
        "longer"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        match completion.is_empty() {
            true => Verdict::unscorable(problem, "empty"),
            false => Verdict::score("longer", completion.len() as f64),
        }
    }
}

#[test]
fn a_verifier_is_a_judge() {
    let report = suite(judge_bias_bench(None))
        .run(&RewardJudge(&Longer), &pairs(10))
        .unwrap();
    let length = report.rows.iter().find(|row| row.bias == "length").unwrap();
    assert_eq!(length.accuracy_biased, Some(0.0));
    let item = |first: &str, second: &str| JudgeItem {
        first: first.to_owned(),
        second: second.to_owned(),
        ..JudgeItem::new(&pairs(1)[0], &mut Stream::new(0, Domain::Other, [0; 3]))
    };
    let judge = RewardJudge(&Longer);
    assert_eq!(judge.judge(&item("aa", "b")), Choice::First);
    assert_eq!(judge.judge(&item("a", "bb")), Choice::Second);
    assert_eq!(judge.judge(&item("a", "b")), Choice::Tie);
    assert_eq!(judge.judge(&item("", "b")), Choice::Unreadable);
}

#[test]
fn a_prompt_shows_what_was_injected_and_not_the_label() {
    let suite = suite(reasoning_study());
    let items = suite.items(&pairs(3));
    for (name, _, items) in &items.biased {
        for item in items {
            let prompt = item.prompt();
            for part in [
                &item.before,
                &item.between,
                &item.after,
                &item.first,
                &item.second,
            ] {
                assert!(prompt.contains(part.as_str()), "{name}");
            }
        }
    }
    let bandwagon = &items.biased[0].2[0];
    assert!(!bandwagon.system.is_empty());
    assert_eq!(bandwagon.system, bandwagon.after);
}

fn item() -> impl Strategy<Value = JudgeItem> {
    let text = || "[A-Za-z0-9 .,!?*#()\n`\u{e9}\u{1F60A}-]{0,80}";
    (text(), text(), text(), any::<u64>()).prop_map(|(question, chosen, rejected, seed)| {
        let pair = JudgedPair {
            id: "a".to_owned(),
            question,
            chosen,
            rejected,
        };
        JudgeItem::new(&pair, &mut Stream::new(seed, Domain::Other, [0; 3]))
    })
}

proptest! {
    #[test]
    fn injections_keep_the_label(item in item(), seed in any::<u64>()) {
        for injection in all() {
            let apply = |item: &JudgeItem| {
                injection.apply(item, &mut Stream::new(seed, Domain::Other, [9, 0, 0]))
            };
            let biased = apply(&item);
            prop_assert_eq!(&biased, &apply(&item), "{} is not reproducible", injection.name());
            prop_assert_eq!((&biased.id, &biased.question), (&item.id, &item.question));
            let wrong = item.better.other();
            match injection.name() {
                "position" => {
                    // An exact swap: the label goes with its answer, and twice is nothing.
                    prop_assert_eq!(biased.better, wrong);
                    prop_assert_eq!(biased.answer(wrong), item.answer(item.better));
                    prop_assert_eq!(apply(&biased), item.clone());
                }
                name => {
                    prop_assert_eq!(biased.better, item.better);
                    prop_assert_ne!(&biased, &item, "{} did nothing", name);
                }
            }
            if injection.name().starts_with("bandwagon") {
                let named = format!("Assistant {} is better", wrong.letter());
                let other = format!("Assistant {} is better", item.better.letter());
                prop_assert!(biased.after.contains(&named) && !biased.after.contains(&other));
                prop_assert_eq!((&biased.first, &biased.second), (&item.first, &item.second));
            }
        }
    }
}
