//! The arithmetic task: answers, and every line of every demonstration.

use equipoise_core::{Domain, Problem, Stream};
use equipoise_data::{Arithmetic, EOS, Operator, StyleWeights, Task, Tokenizer};

use crate::evaluator::{equation, parts, value};

const DIRECT: StyleWeights = StyleWeights {
    direct: 1.0,
    steps: 0.0,
    columns: 0.0,
};
const STEPS: StyleWeights = StyleWeights {
    direct: 0.0,
    steps: 1.0,
    columns: 0.0,
};
const COLUMNS: StyleWeights = StyleWeights {
    direct: 0.0,
    steps: 0.0,
    columns: 1.0,
};

fn stream(number: u64) -> Stream {
    Stream::new(11, Domain::Other, [number, 0, 0])
}

fn task(level: u32, styles: StyleWeights) -> Arithmetic {
    Arithmetic {
        styles,
        ..Arithmetic::difficulty(level)
    }
}

fn demonstration(styles: StyleWeights, prompt: &str) -> Option<String> {
    let problem = Problem {
        id: 0,
        prompt: prompt.to_owned(),
        answer: String::new(),
        source: String::new(),
    };
    task(6, styles).demonstration(&problem, &mut stream(0))
}

/// Problems of every difficulty.
fn problems(styles: StyleWeights) -> impl Iterator<Item = (Problem, String)> {
    (0..=6).flat_map(move |level| {
        let task = task(level, styles);
        task.validate().unwrap();
        (0..1000).map(move |number| {
            let mut stream = stream(number);
            let problem = task.problem(number, &mut stream);
            let completion = task.demonstration(&problem, &mut stream).unwrap();
            (problem, completion)
        })
    })
}

#[test]
fn the_formats_are_as_documented() {
    let expected = [
        ("17+25=", "17+25:7+5=12,1+2+1=4>42", "42"),
        ("52-38=", "52-38:12-8=4,5-3-1=1>14", "14"),
        ("8-25=", "8-25=-(25-8):15-8=7,2-0-1=1>-17", "-17"),
        ("17*5=", "17*5:7*5=35,1*5+3=8>85", "85"),
        ("17*0=", "17*0=0", "0"),
        ("0*17=", "0*17=0", "0"),
        ("17*20=", "17*20:7*2=14,1*2+1=3>340", "340"),
        (
            "17*25=",
            "17*25=17*5+17*20;17*5:7*5=35,1*5+3=8>85;17*20:7*2=14,1*2+1=3>340;\
             85+340:5+0=5,8+4=12,0+3+1=4>425",
            "425",
        ),
        (
            "8-25+30=",
            "8-25=-(25-8):15-8=7,2-0-1=1>-17;-17+30=30-17:10-7=3,3-1-1=1>13",
            "13",
        ),
        ("1-3+1=", "1-3=-(3-1):3-1=2>-2;-2+1=-(2-1):2-1=1>-1", "-1"),
        (
            "0-7-5=",
            "0-7=-(7-0):7-0=7>-7;-7-5=-(7+5):7+5=12>-12",
            "-12",
        ),
        (
            "17+25-8=",
            "17+25:7+5=12,1+2+1=4>42;42-8:12-8=4,4-0-1=3>34",
            "34",
        ),
        ("3-3=", "3-3:3-3=0>0", "0"),
        ("99+1=", "99+1:9+1=10,9+0+1=10>100", "100"),
        ("100-1=", "100-1:10-1=9,10-0-1=9,1-0-1=0>99", "99"),
    ];
    for (prompt, thought, answer) in expected {
        let completion = demonstration(COLUMNS, prompt).unwrap();
        assert_eq!(completion, format!("<think>{thought}</think>{answer}"));
    }
    let steps = demonstration(STEPS, "2+3*4-20=").unwrap();
    assert_eq!(steps, "<think>3*4=12;2+12=14;14-20=-6</think>-6");
    let direct = demonstration(DIRECT, "17+25-8=").unwrap();
    assert_eq!(direct, "<think></think>34");
}

#[test]
fn answers_agree_with_python() {
    let rows: Vec<(String, String)> =
        serde_json::from_str(include_str!("../fixtures/arithmetic.json")).unwrap();
    assert!(rows.len() > 300);
    for (prompt, answer) in rows {
        let completion = demonstration(DIRECT, &prompt).unwrap();
        assert_eq!(completion, format!("<think></think>{answer}"), "{prompt}");
    }
}

#[test]
fn every_step_is_true_and_the_last_is_the_answer() {
    for (problem, completion) in problems(STEPS) {
        let (thought, answer) = parts(&completion);
        let expected = value(problem.prompt.trim_end_matches('='));
        assert_eq!(answer, problem.answer);
        assert_eq!(answer.parse::<i128>().unwrap(), expected);
        let values: Vec<i128> = thought.split(';').map(equation).collect();
        assert_eq!(
            values.last(),
            Some(&expected),
            "{}{completion}",
            problem.prompt
        );
    }
}

#[test]
fn every_column_is_true_and_spells_the_result() {
    for (problem, completion) in problems(COLUMNS) {
        let (thought, answer) = parts(&completion);
        assert_eq!(answer, problem.answer);
        let mut last = None;
        for operation in thought.split(';') {
            last = Some(match operation.split_once(':') {
                None => equation(operation),
                Some((head, rest)) => {
                    let (columns, result) = rest.split_once('>').unwrap();
                    assert_eq!(equation(head), result.parse().unwrap(), "{operation}");
                    check_columns(head, columns, result);
                    value(result)
                }
            });
        }
        assert_eq!(last, Some(answer.parse().unwrap()), "{completion}");
    }
}

/// Checks that each column's equation holds and that the last digits of the columns, read backwards,
/// are the digits of the result.
fn check_columns(head: &str, columns: &str, result: &str) {
    let values: Vec<i128> = columns.split(',').map(equation).collect();
    let (top, lower) = values.split_last().unwrap();
    let mut read: String = top.to_string();
    read.extend(lower.iter().rev().map(|v| (v % 10).to_string()));
    let digits = read.trim_start_matches('0');
    let magnitude = result.trim_start_matches('-');
    // A factor such as the 20 of 17*20 leaves its zeros to the result.
    let zeros = &magnitude[digits.len().min(magnitude.len())..];
    let may_have_zeros = head.contains('*') || magnitude == "0";
    assert!(magnitude.starts_with(digits), "{head}:{columns}>{result}");
    assert!(
        zeros.is_empty() || may_have_zeros,
        "{head}:{columns}>{result}"
    );
    assert!(zeros.bytes().all(|zero| zero == b'0'));
}

#[test]
fn the_tokenizer_of_the_alphabet_reads_everything() {
    let tokenizer = Tokenizer::from_alphabet(&task(6, DIRECT).alphabet(), EOS).unwrap();
    for (problem, completion) in problems(StyleWeights::default()) {
        for text in [&problem.prompt, &completion, &problem.answer] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(&tokenizer.decode(&ids), text);
        }
    }
}

#[test]
fn styles_follow_their_weights_and_differ_in_length() {
    let styles = StyleWeights {
        direct: 1.0,
        steps: 2.0,
        columns: 1.0,
    };
    let task = task(3, styles);
    let mut counts = [0_u32; 3];
    let mut lengths = [0_usize; 3];
    for number in 0..4000 {
        let mut stream = stream(number);
        let problem = task.problem(number, &mut stream);
        let completion = task.demonstration(&problem, &mut stream).unwrap();
        let (thought, _) = parts(&completion);
        let style = if thought.is_empty() {
            0
        } else if thought.contains(':') {
            2
        } else {
            1
        };
        counts[style] += 1;
        lengths[style] += completion.len();
    }
    // Five standard deviations of binomial counts with means 1000 and 2000.
    assert!(counts[0].abs_diff(1000) < 137, "{counts:?}");
    assert!(counts[1].abs_diff(2000) < 159, "{counts:?}");
    let mean = |style: usize| lengths[style] / counts[style] as usize;
    assert!(
        mean(0) < mean(1) && 3 * mean(1) < 2 * mean(2),
        "{lengths:?}"
    );
}

#[test]
fn prompts_of_other_tasks_have_no_demonstration() {
    for prompt in [
        "", "=", "3+=", "3+4", "+3=", "3++4=", "3,4>7=", "x=", "3+4=5=", "٣+4=",
    ] {
        assert_eq!(demonstration(STEPS, prompt), None, "{prompt:?}");
    }
    let huge = "99999999999999999999+1=";
    assert_eq!(demonstration(STEPS, huge), None);
}

#[test]
fn impossible_settings_are_named() {
    let base = Arithmetic::difficulty(1);
    let weights = |direct| StyleWeights {
        direct,
        steps: 0.0,
        columns: 0.0,
    };
    let cases = [
        (
            "operands",
            Arithmetic {
                operands: (1, 2),
                ..base.clone()
            },
        ),
        (
            "operands",
            Arithmetic {
                operands: (3, 2),
                ..base.clone()
            },
        ),
        (
            "operands",
            Arithmetic {
                operands: (2, 101),
                ..base.clone()
            },
        ),
        (
            "max_value",
            Arithmetic {
                max_value: 0,
                ..base.clone()
            },
        ),
        (
            "operators",
            Arithmetic {
                operators: vec![],
                ..base.clone()
            },
        ),
        (
            "styles",
            Arithmetic {
                styles: weights(0.0),
                ..base.clone()
            },
        ),
        (
            "styles",
            Arithmetic {
                styles: weights(-1.0),
                ..base.clone()
            },
        ),
        (
            "styles",
            Arithmetic {
                styles: weights(f64::NAN),
                ..base.clone()
            },
        ),
        (
            "styles",
            Arithmetic {
                styles: weights(f64::INFINITY),
                ..base.clone()
            },
        ),
        (
            "max_value",
            Arithmetic {
                operands: (2, 3),
                max_value: u32::MAX,
                operators: vec![Operator::Times],
                ..base.clone()
            },
        ),
    ];
    for (field, task) in cases {
        let error = task.validate().unwrap_err();
        assert_eq!(error.field, field, "{error}");
        // Unchecked settings may give dull problems, but never a panic.
        let mut stream = stream(0);
        let problem = task.problem(0, &mut stream);
        task.demonstration(&problem, &mut stream);
    }
    let error = Arithmetic {
        operands: (3, 2),
        ..base
    }
    .validate()
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "arithmetic.operands = (3, 2): the smallest number must not exceed the largest"
    );
}
