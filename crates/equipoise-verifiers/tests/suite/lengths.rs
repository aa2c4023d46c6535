//! Rewards for length and for repetition.

use equipoise_verifiers::{
    CosineLength, CosineLengthOptions, ExactNumber, Extraction, LengthUnit, Pattern,
    PatternOptions, RepetitionPenalty, RepetitionPenaltyOptions, SoftOverlong, SoftOverlongOptions,
    TargetLength, TargetLengthMode, TargetLengthOptions, Verdict, Verifier,
};
use proptest::prelude::*;
use serde_json::Value;

use crate::{problem, reward, unscorable};

fn golden() -> Value {
    serde_json::from_str(include_str!("../fixtures/rewards.json")).unwrap()
}

#[track_caller]
fn near(given: f64, expected: f64) {
    assert!(
        (given - expected).abs() <= 1e-12 * expected.abs().max(1.0),
        "{given} {expected}"
    );
}

fn exact() -> Box<dyn Verifier> {
    let extraction = Extraction::LastNumber;
    Box::new(ExactNumber { extraction })
}

/// A tokenizer of one token for each byte.
fn bytes() -> LengthUnit {
    LengthUnit::tokens(|text| text.bytes().map(u32::from).collect())
}

fn overlong(max_length: usize, cache: usize) -> SoftOverlong {
    let options = SoftOverlongOptions { max_length, cache };
    SoftOverlong::new(options, LengthUnit::Characters).unwrap()
}

#[test]
fn units_count_what_they_say() {
    let text = "né  a\n中文";
    assert_eq!(LengthUnit::Characters.length(text), 8);
    assert_eq!(LengthUnit::Words.length(text), 3);
    assert_eq!(bytes().length(text), 13);
}

#[test]
fn soft_overlong_by_hand() {
    // L_max 100 and L_cache 20: free up to 80, then 1/20 for each.
    for (length, expected) in [
        (0, 0.0),
        (80, 0.0),
        (81, -0.05),
        (90, -0.5),
        (100, -1.0),
        (101, -1.0),
    ] {
        near(
            reward(&overlong(100, 20), "", &"é".repeat(length)),
            expected,
        );
    }
    // Without a cache the limit is hard.
    assert_eq!(reward(&overlong(3, 0), "", "abc"), 0.0);
    assert_eq!(reward(&overlong(3, 0), "", "abcd"), -1.0);
    let said = overlong(100, 20).explain(&problem(""), &"a".repeat(90));
    assert_eq!(said.why, "90 characters, between 80 and 100");
}

#[test]
fn soft_overlong_agrees_with_trl() {
    let rows = golden();
    for row in rows["overlong"].as_array().unwrap() {
        let number = |key: &str| row[key].as_u64().unwrap() as usize;
        let verifier = overlong(number("max_length"), number("cache"));
        let completion = "a".repeat(number("length"));
        near(
            reward(&verifier, "", &completion),
            row["score"].as_f64().unwrap(),
        );
    }
}

fn cosine(max_length: usize) -> CosineLength {
    let options = CosineLengthOptions::new(max_length);
    CosineLength::new(exact(), options, LengthUnit::Characters).unwrap()
}

#[test]
fn cosine_by_hand() {
    // cos(π/2) = 0: half way between both ends. cos(π/3) = ½: ¾ of the way from the end.
    let completion = |length: usize| format!("{}1", " ".repeat(length - 1));
    for (answer, length, expected) in [
        ("1", 6, 0.75),
        ("1", 4, 0.875),
        ("1", 12, 0.5),
        ("1", 24, 0.5),
        ("2", 6, -0.75),
        ("2", 4, -0.875),
        ("2", 12, -0.5),
        ("2", 13, -0.5),
    ] {
        near(reward(&cosine(12), answer, &completion(length)), expected);
    }
    near(reward(&cosine(12), "1", ""), -1.0);
    // The paper's numbers, with a punishment for what is too long.
    let paper = CosineLengthOptions {
        correct_short: 2.0,
        correct_long: 1.0,
        wrong_short: -10.0,
        wrong_long: 0.0,
        exceeded: Some(-10.0),
        ..CosineLengthOptions::new(12)
    };
    let paper = CosineLength::new(exact(), paper, LengthUnit::Characters).unwrap();
    near(reward(&paper, "1", &completion(6)), 1.5);
    near(reward(&paper, "2", &completion(6)), -5.0);
    near(reward(&paper, "1", &completion(12)), -10.0);
}

#[test]
fn cosine_agrees_with_trl() {
    let rows = golden();
    for row in rows["cosine"].as_array().unwrap() {
        let number = |key: &str| row[key].as_f64().unwrap();
        let options = CosineLengthOptions {
            correct_short: number("correct_short"),
            correct_long: number("correct_long"),
            wrong_short: number("wrong_short"),
            wrong_long: number("wrong_long"),
            ..CosineLengthOptions::new(number("max_length") as usize)
        };
        // The answer is in the prompt's place, so that every length is possible.
        let correct = Always(row["correct"].as_bool());
        let verifier = CosineLength::new(Box::new(correct), options, bytes()).unwrap();
        let completion = "a".repeat(number("length") as usize);
        near(reward(&verifier, "", &completion), number("reward"));
    }
}

/// A verifier that always says the same about the answer.
#[derive(Debug)]
struct Always(Option<bool>);

impl Verifier for Always {
    fn name(&self) -> &str {
        "always"
    }

    fn verify(&self, _: &equipoise_core::Problem, _: &str) -> Verdict {
        match self.0 {
            Some(correct) => Verdict::answer("always", correct),
            None => Verdict::score("always", 0.25),
        }
    }
}

#[test]
fn cosine_keeps_what_the_inner_verifier_says() {
    let verdict = cosine(12).verify(&problem("1"), "1");
    assert_eq!(verdict.correct(), Some(true));
    let Verdict::Scored { parts, .. } = verdict else {
        panic!()
    };
    let parts: Vec<_> = parts
        .iter()
        .map(|part| (part.name.as_str(), part.weight))
        .collect();
    assert_eq!(parts, [("cosine_length", 1.0), ("exact_number", 0.0)]);
    assert!(unscorable(&cosine(12), "x", "1").contains("is not a number"));
    let options = CosineLengthOptions::new(12);
    let blind = CosineLength::new(Box::new(Always(None)), options, LengthUnit::Words).unwrap();
    let why = unscorable(&blind, "1", "1");
    assert_eq!(
        why,
        "problem 7 of test: always does not say whether the answer is right"
    );
}

fn target(mode: TargetLengthMode, inner: bool) -> TargetLength {
    let options = TargetLengthOptions {
        target: Some(10),
        prompt_pattern: Some(r"for (\d+) words".to_owned()),
        mode,
        alpha: Some(0.125),
        ..Default::default()
    };
    TargetLength::new(inner.then(exact), options, LengthUnit::Words).unwrap()
}

#[test]
fn target_length_by_hand() {
    let completion = |words: usize| format!("{}1", "so ".repeat(words - 1));
    let exactly = target(TargetLengthMode::Exact, true);
    let at_most = target(TargetLengthMode::Maximum, true);
    // 1 − ⅛·|10 − n|, and 1·clip(⅛·(10 − n) + ½, 0, 1).
    for (words, exact, maximum) in [
        (10, 1.0, 0.5),
        (8, 0.75, 0.75),
        (12, 0.75, 0.25),
        (2, 0.0, 1.0),
        (30, -1.5, 0.0),
    ] {
        near(reward(&exactly, "1", &completion(words)), exact);
        near(reward(&at_most, "1", &completion(words)), maximum);
    }
    near(reward(&exactly, "2", &completion(8)), -0.25);
    near(reward(&at_most, "2", &completion(8)), 0.0);
    // The penalty alone.
    near(
        reward(&target(TargetLengthMode::Exact, false), "x", &completion(8)),
        -0.25,
    );
    near(
        reward(
            &target(TargetLengthMode::Maximum, false),
            "x",
            &completion(8),
        ),
        0.75,
    );
    // A prompt that names its own.
    let mut asked = problem("1");
    asked.prompt = "Think for 4 words.".to_owned();
    assert_eq!(exactly.verify(&asked, &completion(8)).reward(), Some(0.5));
    assert_eq!(exactly.verify(&asked, &completion(8)).correct(), Some(true));
}

#[test]
fn target_length_needs_a_length() {
    let pattern = TargetLengthOptions {
        prompt_pattern: Some(r"for (\d+) words".to_owned()),
        ..Default::default()
    };
    let only = TargetLength::new(None, pattern, LengthUnit::Words).unwrap();
    assert!(unscorable(&only, "1", "1").contains("does not say how long"));
    let error = |options| {
        TargetLength::new(None, options, LengthUnit::Words)
            .unwrap_err()
            .option
    };
    assert_eq!(error(TargetLengthOptions::default()), "target");
    let some = TargetLengthOptions {
        target: Some(1),
        ..Default::default()
    };
    assert_eq!(
        error(TargetLengthOptions {
            alpha: Some(-1.0),
            ..some.clone()
        }),
        "alpha"
    );
    assert_eq!(
        error(TargetLengthOptions {
            delta: Some(0.5),
            ..some.clone()
        }),
        "delta"
    );
    let prompt_pattern = Some(r"\d+".to_owned());
    assert_eq!(
        error(TargetLengthOptions {
            prompt_pattern,
            ..some
        }),
        "prompt_pattern"
    );
}

fn repetition(size: usize, max_penalty: f64, unit: LengthUnit) -> RepetitionPenalty {
    let options = RepetitionPenaltyOptions { size, max_penalty };
    RepetitionPenalty::new(options, unit).unwrap()
}

#[test]
fn repetition_by_hand() {
    let words = |size, text: &str| reward(&repetition(size, 1.0, LengthUnit::Words), "", text);
    near(words(2, "a b A b a"), -0.5);
    near(words(2, "a b c d"), 0.0);
    near(words(1, "a a a a"), -0.75);
    near(words(3, "a a"), 0.0);
    near(words(3, ""), 0.0);
    near(
        reward(&repetition(2, 0.5, LengthUnit::Characters), "", "aaaaa"),
        -0.375,
    );
    near(
        reward(&repetition(2, 1.0, LengthUnit::Characters), "", "aAaA"),
        -1.0 / 3.0,
    );
}

#[test]
fn repetition_agrees_with_trl() {
    let rows = golden();
    for row in rows["repetition"].as_array().unwrap() {
        let ids = row["tokens"].as_array().unwrap();
        let ids: Vec<u32> = ids.iter().map(|id| id.as_u64().unwrap() as u32).collect();
        let size = row["size"].as_u64().unwrap() as usize;
        let unit = LengthUnit::tokens(move |_| ids.clone());
        let verifier = repetition(size, row["max_penalty"].as_f64().unwrap(), unit);
        near(reward(&verifier, "", ""), row["score"].as_f64().unwrap());
    }
}

#[test]
fn options_without_meaning_are_named() {
    let unit = || LengthUnit::Words;
    let soft = |max_length, cache| {
        SoftOverlong::new(SoftOverlongOptions { max_length, cache }, unit()).unwrap_err()
    };
    assert_eq!(soft(0, 0).option, "max_length");
    assert_eq!(
        soft(5, 6).to_string(),
        "soft_overlong: cache is 6; it must be at most max_length = 5"
    );
    let cosine = |options| {
        CosineLength::new(exact(), options, unit())
            .unwrap_err()
            .option
    };
    assert_eq!(cosine(CosineLengthOptions::new(0)), "max_length");
    let infinite = CosineLengthOptions {
        wrong_long: f64::INFINITY,
        ..CosineLengthOptions::new(1)
    };
    assert_eq!(cosine(infinite), "wrong_long");
    let repeated = |size, max_penalty| {
        let options = RepetitionPenaltyOptions { size, max_penalty };
        RepetitionPenalty::new(options, unit()).unwrap_err().option
    };
    assert_eq!(repeated(0, 1.0), "size");
    assert_eq!(repeated(1, -1.0), "max_penalty");
    assert_eq!(repeated(1, f64::NAN), "max_penalty");
}

proptest! {
    /// Longer is never better: neither the punishment nor the reward of a right answer rises.
    #[test]
    fn rewards_fall_with_length(max_length in 1_usize..50, cache in 0_usize..50, length in 0_usize..80) {
        let soft = overlong(max_length, cache.min(max_length));
        let right = CosineLength::new(
            Box::new(Always(Some(true))),
            CosineLengthOptions::new(max_length),
            LengthUnit::Characters,
        ).unwrap();
        let at = |verifier: &dyn Verifier, length| reward(verifier, "", &"a".repeat(length));
        prop_assert!(at(&soft, length + 1) <= at(&soft, length));
        prop_assert!(at(&right, length + 1) <= at(&right, length) + 1e-15);
        prop_assert!((-1.0..=0.0).contains(&at(&soft, length)));
        prop_assert!((0.5..=1.0).contains(&at(&right, length)));
    }

    /// Saying everything twice never lowers the penalty.
    #[test]
    fn repeating_costs(text in "[a-c ]{0,30}", size in 1_usize..4) {
        let verifier = repetition(size, 1.0, LengthUnit::Words);
        let once = reward(&verifier, "", &text);
        let twice = reward(&verifier, "", &format!("{text} {text}"));
        prop_assert!((-1.0..=0.0).contains(&once));
        // With the n-grams across the seam, at most n − 1 are new.
        let words = text.split_whitespace().count();
        if words >= size {
            let all = (2 * words + 1 - size) as f64;
            prop_assert!(twice <= once + (size - 1) as f64 / all + 1e-12);
        }
    }
}

/// What is measured here is rewarded whatever the answer says.
#[test]
fn lengths_do_not_look_at_the_answer() {
    let pattern = Pattern::new(PatternOptions {
        pattern: "a".into(),
        ..Default::default()
    })
    .unwrap();
    let all: [&dyn Verifier; 3] = [
        &overlong(1, 1),
        &repetition(1, 1.0, LengthUnit::Words),
        &pattern,
    ];
    for verifier in all {
        assert_eq!(verifier.verify(&problem("a"), "a").correct(), None);
    }
}
