//! What holds for every family of procedural tasks, at every level and in both styles.

use std::collections::HashSet;

use equipoise_core::{Domain, Problem, Stream};
use equipoise_data::{
    BaseConversion, CalendarArithmetic, CodeTasks, EOS, Family, LinearEquations, LogicPuzzles,
    ProblemSource, Procedural, PromptStyle, StringManipulation, StringOperation, Task, Tokenizer,
};

use crate::evaluator::{equation, parts, value};

const STYLES: [PromptStyle; 2] = [PromptStyle::Compact, PromptStyle::Text];

fn stream(number: u64) -> Stream {
    Stream::new(13, Domain::Other, [number, 0, 0])
}

/// A problem and its demonstration, from one stream.
fn drawn(task: &dyn Task, number: u64) -> (Problem, String) {
    let mut stream = stream(number);
    let problem = task.problem(number, &mut stream);
    let completion = task.demonstration(&problem, &mut stream);
    let completion = completion.unwrap_or_else(|| panic!("{problem:?}"));
    (problem, completion)
}

fn families() -> impl Iterator<Item = (Family, u32, PromptStyle, Box<dyn Task>)> {
    Family::ALL.into_iter().flat_map(|family| {
        family.levels().flat_map(move |level| {
            STYLES.map(|style| (family, level, style, family.task(level, style)))
        })
    })
}

#[test]
fn answers_agree_with_python() {
    let rows: Vec<(String, String, String)> =
        serde_json::from_str(include_str!("../fixtures/tasks.json")).unwrap();
    assert!(rows.len() > 1400);
    for (name, prompt, answer) in rows {
        let family = Family::ALL.into_iter().find(|family| family.name() == name);
        let task = family.unwrap().task(1, PromptStyle::Compact);
        let problem = Problem {
            id: 0,
            prompt,
            answer: String::new(),
            source: name,
        };
        let completion = task.demonstration(&problem, &mut stream(0));
        let completion = completion.unwrap_or_else(|| panic!("{problem:?}"));
        assert_eq!(
            parts(&completion).1,
            answer,
            "{}{completion}",
            problem.prompt
        );
    }
}

#[test]
fn demonstrations_end_with_the_answer_and_the_alphabet_spells_everything() {
    for (family, level, style, task) in families() {
        task.validate().unwrap();
        assert_eq!(task.name(), family.name());
        let tokenizer = Tokenizer::from_alphabet(&task.alphabet(), EOS).unwrap();
        for number in 0..50 {
            let (problem, completion) = drawn(&*task, number);
            assert_eq!(problem.source, family.name());
            assert_eq!(problem.id, number);
            let (_, answer) = parts(&completion);
            match family {
                Family::Countdown => assert!(!answer.is_empty()),
                Family::CodeTasks => assert!(answer.starts_with("```python\ndef f(")),
                _ => assert_eq!(answer, problem.answer, "level {level}: {}", problem.prompt),
            }
            let whole = format!("{}{completion}", problem.prompt);
            assert_eq!(tokenizer.decode(&tokenizer.encode(&whole).unwrap()), whole);
            if family != Family::Arithmetic && style == PromptStyle::Text {
                let compact = family.task(level, PromptStyle::Compact);
                let (same, demonstration) = drawn(&*compact, number);
                assert_eq!(same.answer, problem.answer);
                assert_eq!(demonstration, completion, "{}", problem.prompt);
            }
        }
    }
}

/// `a/b=qrR`: a quotient with its remainder.
fn division(text: &str) {
    let (left, right) = text.split_once('=').unwrap();
    let (a, b) = left.split_once('/').unwrap();
    let (quotient, rest) = right.split_once('r').unwrap();
    let [a, b, quotient, rest] = [a, b, quotient, rest].map(value);
    assert!(a == b * quotient + rest && (0..b).contains(&rest), "{text}");
}

#[test]
fn every_line_of_a_calculation_is_true() {
    let families = [
        Family::LinearEquations,
        Family::BaseConversion,
        Family::CalendarArithmetic,
    ];
    let mut lines = 0;
    for (family, level) in families
        .into_iter()
        .flat_map(|f| f.levels().map(move |l| (f, l)))
    {
        let task = family.task(level, PromptStyle::Compact);
        for number in 0..200 {
            let (_, completion) = drawn(&*task, number);
            for line in parts(&completion).0.split([';', '>']) {
                lines += 1;
                match line {
                    _ if line.contains('r') => division(line),
                    // The determinant, and a quotient that is whole.
                    _ if line.starts_with("D=") => drop(equation(&line[2..])),
                    _ if line.starts_with("x=") && line.contains('/') && !line.contains('D') => {
                        let (quotient, result) = line[2..].split_once('=').unwrap();
                        if !result.contains('/') {
                            equation(&line[2..]);
                        } else {
                            // c/d = a/b if and only if c·b = a·d.
                            let [(a, b), (c, d)] = [quotient, result].map(|text| {
                                let (top, bottom) = text.split_once('/').unwrap();
                                (value(top), value(bottom))
                            });
                            assert_eq!(a * d, c * b, "{line}");
                        }
                    }
                    _ if line.starts_with('m') => {
                        let (month, days) = line[1..].split_once('=').unwrap();
                        assert_eq!((153 * value(month) + 2) / 5, value(days), "{line}");
                    }
                    _ if line.contains(['x', 'y']) => lines -= 1,
                    _ => drop(equation(line)),
                }
            }
        }
    }
    assert!(lines > 10_000, "{lines}");
}

#[test]
fn every_new_family_gets_longer_with_its_level() {
    for family in Family::ALL.into_iter().skip(2) {
        let mean = |level| {
            let task = family.task(level, PromptStyle::Compact);
            let lengths = (0..400).map(|number| {
                let (problem, completion) = drawn(&*task, number);
                problem.prompt.len() + completion.len()
            });
            lengths.sum::<usize>() / 400
        };
        let means: Vec<usize> = family.levels().map(mean).collect();
        assert!(means.is_sorted(), "{family:?}: {means:?}");
        // Of dates only the distance grows, and what is written about it hardly does.
        let grows = family == Family::CalendarArithmetic || 2 * means[0] < means[5];
        assert!(grows, "{family:?}: {means:?}");
    }
}

#[test]
fn held_out_problems_are_found_and_kept_apart_at_every_level() {
    for (family, level, style, task) in families() {
        // The first levels of the two older families have few problems.
        if level == 0 {
            continue;
        }
        let source = Procedural::from_box(task, 3, 256)
            .unwrap_or_else(|error| panic!("{family:?} {level} {style:?}: {error}"));
        let held_out: HashSet<&str> = source.held_out().iter().map(|p| &*p.prompt).collect();
        assert_eq!(held_out.len(), 256);
        for number in 0..100 {
            assert!(!held_out.contains(&*source.train(number).prompt));
            let shown = source.demonstration(number).unwrap().problem;
            assert!(!held_out.contains(&*shown.prompt));
        }
    }
}

/// Prompts of one family are no other's, except where they are meant to be.
#[test]
fn foreign_prompts_have_no_demonstration_and_never_panic() {
    // A date is a difference to the arithmetic task, whose prompts have tests of their own.
    let tasks: Vec<Box<dyn Task>> = families()
        .filter(|(family, ..)| *family != Family::Arithmetic)
        .map(|(_, _, _, task)| task)
        .collect();
    let odd = [
        "",
        "=",
        ";",
        "x=",
        "=;x=",
        "1=1;x=",
        "x=x;x=",
        "x+y=1;x+y=2;x,y=",
        "<",
        ">",
        ",<",
        "--1<",
        "1:2>16=",
        "9:8>10=",
        "ff:16>10=",
        "FF:16>10=",
        "99999999999999999999:10>2=",
        "reverse:=",
        "word 9:ab=",
        "word 0:ab=",
        "word -1:ab=",
        "caesar 99999999999:ab=",
        "count ab:ab=",
        "reverse: ab=",
        "é:é=",
        "A:A?",
        "A:-A?",
        "A:B?",
        "?",
        "!",
        "A>A!",
        "A>B;B>A!",
        "A>B;C>B!",
        "A>B>C!",
        "A:B#",
        "A,A:A#",
        ":A#",
        "A:#",
        "2026-02-30=",
        "2026-01-01-=",
        "0001-01-01-1=",
        "9999-12-31+1=",
        "2026-01-01+99999999999999999999=",
        "2027-01-01>2026-01-01=",
        "f(n):=",
        "f(n):sum=",
        "f(q):sum=",
        "f(n):digits 0,sum=",
        "f(s):count ab=",
    ];
    for task in &tasks {
        for prompt in odd {
            let problem = Problem {
                id: 0,
                prompt: prompt.to_owned(),
                answer: String::new(),
                source: String::new(),
            };
            let shown = task.demonstration(&problem, &mut stream(0));
            let allowed = match task.name() {
                "base_conversion" => ["ff:16>10=", "1:2>16="].contains(&prompt),
                "logic_puzzles" => prompt == "A:B#",
                "string_manipulation" => {
                    ["word 9:ab=", "word 0:ab=", "caesar 99999999999:ab="].contains(&prompt)
                }
                "code_tasks" => ["f(n):sum=", "f(n):digits 0,sum="].contains(&prompt),
                _ => false,
            };
            assert_eq!(
                shown.is_some(),
                allowed,
                "{}: {prompt:?}: {shown:?}",
                task.name()
            );
        }
    }
}

#[test]
fn verifiers_fit_the_answers() {
    let verifier = |family: Family, level| family.task(level, PromptStyle::Compact).verifier();
    let all: Vec<&str> = Family::ALL
        .into_iter()
        .map(|family| verifier(family, 1))
        .collect();
    assert_eq!(
        all,
        [
            "exact_number",
            "countdown",
            "exact_number",
            "exact_match",
            "exact_match",
            "exact_match",
            "exact_match",
            "exact_match",
            "code"
        ]
    );
    assert_eq!(verifier(Family::LinearEquations, 4), "math");
}

#[test]
fn impossible_settings_are_named() {
    let cases: Vec<(&str, Box<dyn Task>)> = vec![
        (
            "difficulty",
            Box::new(LinearEquations {
                difficulty: 0,
                ..LinearEquations::default()
            }),
        ),
        (
            "difficulty",
            Box::new(CalendarArithmetic {
                difficulty: 7,
                ..CalendarArithmetic::default()
            }),
        ),
        (
            "bases",
            Box::new(BaseConversion {
                bases: vec![2, 2],
                ..BaseConversion::default()
            }),
        ),
        (
            "bases",
            Box::new(BaseConversion {
                bases: vec![2, 3, 10],
                ..BaseConversion::default()
            }),
        ),
        (
            "operations",
            Box::new(StringManipulation {
                operations: vec![],
                ..StringManipulation::default()
            }),
        ),
        (
            "operations",
            Box::new(StringManipulation {
                operations: vec![StringOperation::CountLetter],
                difficulty: 4,
                ..StringManipulation::default()
            }),
        ),
        (
            "kinds",
            Box::new(LogicPuzzles {
                kinds: vec![],
                ..LogicPuzzles::default()
            }),
        ),
        (
            "questions",
            Box::new(CalendarArithmetic {
                questions: vec![],
                ..CalendarArithmetic::default()
            }),
        ),
        (
            "tests",
            Box::new(CodeTasks {
                tests: 1,
                ..CodeTasks::default()
            }),
        ),
    ];
    for (field, task) in cases {
        assert_eq!(task.validate().unwrap_err().field, field);
        // Unchecked settings may give dull problems, but never a panic.
        let problem = task.problem(0, &mut stream(0));
        task.demonstration(&problem, &mut stream(0));
    }
}

#[test]
fn the_formats_are_as_documented() {
    for (family, prompt, completion) in [
        (
            Family::LinearEquations,
            "5x-3=2x+9;x=",
            "<think>5x-2x=9+3;3x=12;x=12/3=4</think>4",
        ),
        (
            Family::LinearEquations,
            "2x+3y=8;4x-y=2;x,y=",
            "<think>D=2*(-1)-3*4=-14;x=(8*(-1)-3*2)/D=-14/(-14)=1;y=(2*2-8*4)/D=-28/(-14)=2</think>(1,2)",
        ),
        (
            Family::NumberSorting,
            "7,3,9<",
            "<think>7,3,9:3;7,9:7;9:9</think>3,7,9",
        ),
        (
            Family::BaseConversion,
            "1011:2>16=",
            "<think>1;1*2+0=2;2*2+1=5;5*2+1=11>11/16=0r11</think>b",
        ),
        (
            Family::StringManipulation,
            "caesar 3,count d:kita=",
            "<think>caesar 3:k=n,i=l,t=w,a=d>nlwd;count d:n0,l0,w0,d1>1</think>1",
        ),
        (
            Family::LogicPuzzles,
            "A:-C;C:(A=C)?",
            "<think>FF:A;FT:C;TF:ok</think>A",
        ),
        (
            Family::LogicPuzzles,
            "A,C:(A|-C)#",
            "<think>FF=1;FT=0;TF=1;TT=1>3</think>3",
        ),
        (
            Family::LogicPuzzles,
            "C>A;B<A!",
            "<think>A,B,C:C;A,B:A;B:B</think>C,A,B",
        ),
        (
            Family::CalendarArithmetic,
            "2026-11-24=",
            "<think>365*2026+506-20+5-306+245+24=739944;739944/7=105706r2</think>Tuesday",
        ),
        (
            Family::CalendarArithmetic,
            "2026-11-24+38=",
            "<think>365*2026+506-20+5-306+245+24=739944;739944+38=739982;\
             365*2026+506-20+5-306=739675;739982-739675=307;m10=306;307-306=1</think>2027-01-01",
        ),
        (
            Family::CodeTasks,
            "f(n):digits 7,divisible 3,sum=",
            "<think>digits 7;divisible 3;sum</think>```python\ndef f(n):\n    xs = []\n    \
             while n > 0:\n        xs.append(n % 7)\n        n //= 7\n    xs.reverse()\n    \
             xs = [x for x in xs if x % 3 == 0]\n    return sum(xs)\n```",
        ),
    ] {
        let problem = Problem {
            id: 0,
            prompt: prompt.to_owned(),
            answer: String::new(),
            source: String::new(),
        };
        let task = family.task(1, PromptStyle::Compact);
        let shown = task.demonstration(&problem, &mut stream(0));
        assert_eq!(shown.as_deref(), Some(completion), "{prompt}");
    }
}
