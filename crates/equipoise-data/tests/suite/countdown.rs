//! The countdown task: every problem is solvable, every line of every demonstration is true.

use equipoise_core::{Domain, Stream};
use equipoise_data::{Countdown, EOS, Task, Tokenizer};
use serde_json::Value;

use crate::evaluator::{equation, parts, value};

fn stream(number: u64) -> Stream {
    Stream::new(12, Domain::Other, [number, 0, 0])
}

/// The numbers in an expression, sorted.
fn numbers(expression: &str) -> Vec<u64> {
    let digits = expression.split(|c: char| !c.is_ascii_digit());
    let mut numbers: Vec<u64> = digits.filter_map(|text| text.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn demonstrations_miss_truthfully_and_then_hit() {
    let tokenizer = Tokenizer::from_alphabet(&Countdown::difficulty(0).alphabet(), EOS).unwrap();
    for level in 0..=4 {
        let task = Countdown::difficulty(level);
        task.validate().unwrap();
        let mut lengths = Vec::new();
        for number in 0..500 {
            let mut stream = stream(number);
            let problem = task.problem(number, &mut stream);
            let (given, target) = problem.prompt.split_once('>').unwrap();
            let target: i128 = target.trim_end_matches('=').parse().unwrap();
            let given = numbers(given);
            assert!((1..=i128::from(task.target_max)).contains(&target));
            assert!((task.numbers.0..=task.numbers.1).contains(&(given.len() as u32)));
            assert!(
                given
                    .iter()
                    .all(|n| (1..=u64::from(task.max_value)).contains(n))
            );

            let answer: Value = serde_json::from_str(&problem.answer).unwrap();
            assert_eq!(i128::from(answer["target"].as_i64().unwrap()), target);
            assert_eq!(numbers(&answer["numbers"].to_string()), given);

            let completion = task.demonstration(&problem, &mut stream).unwrap();
            let (thought, answer) = parts(&completion);
            let tries: Vec<&str> = thought.split(';').collect();
            let (hit, misses) = tries.split_last().unwrap();
            assert_eq!(equation(hit), target, "{completion}");
            assert_eq!(*hit, format!("{answer}={target}"));
            assert_eq!(value(answer), target);
            assert_eq!(numbers(answer), given);
            assert!(misses.len() <= 3);
            for miss in misses {
                assert_ne!(equation(miss), target, "{completion}");
                assert_eq!(numbers(miss.split_once('=').unwrap().0), given);
            }
            lengths.push(tries.len());
            let whole = format!("{}{completion}", problem.prompt);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&whole).unwrap()), whole);
        }
        for length in 1..=3 {
            assert!(lengths.contains(&length), "level {level}");
        }
    }
}

#[test]
fn a_target_out_of_reach_falls_back_to_ones() {
    let task = Countdown {
        numbers: (6, 6),
        max_value: u32::MAX,
        target_max: 1,
        misses: (0, 0),
    };
    task.validate().unwrap();
    let problem = task.problem(0, &mut stream(0));
    let target = problem.prompt.split_once('>').unwrap().1;
    assert_eq!(target, "1=");
    assert!(task.demonstration(&problem, &mut stream(1)).is_some());
}

#[test]
fn problems_without_a_solution_have_no_demonstration() {
    let task = Countdown::difficulty(1);
    let mut problem = task.problem(0, &mut stream(0));
    for answer in [
        r#"{"target":23,"numbers":[1,1,1]}"#,
        r#"{"target":1,"numbers":[1]}"#,
        r#"{"target":1,"numbers":[0,0,0]}"#,
        r#"{"target":1,"numbers":[]}"#,
        "34",
        "",
    ] {
        problem.answer = answer.to_owned();
        assert_eq!(
            task.demonstration(&problem, &mut stream(0)),
            None,
            "{answer}"
        );
    }
    // Solvable only by way of 18446744073709551615 itself, beside an overflow.
    problem.answer = r#"{"target":1,"numbers":[18446744073709551615,18446744073709551615]}"#.into();
    let solved = task.demonstration(&problem, &mut stream(0)).unwrap();
    assert!(solved.ends_with("18446744073709551615/18446744073709551615"));
}

#[test]
fn impossible_settings_are_named() {
    let base = Countdown::difficulty(1);
    let cases = [
        (
            "numbers",
            Countdown {
                numbers: (1, 3),
                ..base.clone()
            },
        ),
        (
            "numbers",
            Countdown {
                numbers: (4, 3),
                ..base.clone()
            },
        ),
        (
            "numbers",
            Countdown {
                numbers: (4, 7),
                ..base.clone()
            },
        ),
        (
            "max_value",
            Countdown {
                max_value: 0,
                ..base.clone()
            },
        ),
        (
            "target_max",
            Countdown {
                target_max: 0,
                ..base.clone()
            },
        ),
        (
            "misses",
            Countdown {
                misses: (2, 1),
                ..base
            },
        ),
    ];
    for (field, task) in cases {
        assert_eq!(task.validate().unwrap_err().field, field);
        let problem = task.problem(0, &mut stream(0));
        task.demonstration(&problem, &mut stream(0));
    }
}
