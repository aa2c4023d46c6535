//! Weighted compositions and whole batches.

use equipoise_core::Problem;
use equipoise_verifiers::{
    ExactNumber, Extraction, Format, InvalidWeights, Part, Verdict, Verifier, Weighted, verify_all,
};
use proptest::prelude::*;

use crate::problem;

fn exact() -> Box<dyn Verifier> {
    Box::new(ExactNumber {
        extraction: Extraction::LastNumber,
    })
}

fn format() -> Box<dyn Verifier> {
    Box::new(Format {
        open: "<think>".into(),
        close: "</think>".into(),
    })
}

/// A judge that gives the number in the completion, and panics at `panic`.
#[derive(Debug)]
struct Judge;

impl Verifier for Judge {
    fn name(&self) -> &str {
        "judge"
    }

    fn verify(&self, _: &Problem, completion: &str) -> Verdict {
        Verdict::Scored {
            reward: completion.parse().expect("a number"),
            correct: None,
            parts: Vec::new(),
        }
    }
}

#[test]
fn rewards_are_weighted_and_correctness_is_kept() {
    let both = Weighted::new(vec![(exact(), 0.75), (format(), 0.5)]).unwrap();
    let judge = |completion| both.verify(&problem("34"), completion);
    assert_eq!(judge("<think></think>34").reward(), Some(1.25));
    assert_eq!(judge("<think></think>34").correct(), Some(true));
    assert_eq!(judge("34").reward(), Some(0.75));
    assert_eq!(judge("34").correct(), Some(true));
    assert_eq!(judge("<think></think>35").reward(), Some(0.5));
    assert_eq!(judge("<think></think>35").correct(), Some(false));
    let Verdict::Scored { parts, .. } = judge("34") else {
        panic!("scored");
    };
    let part = |name: &str, score, weight| Part {
        name: name.to_owned(),
        score,
        weight,
    };
    assert_eq!(
        parts,
        [part("exact_number", 1.0, 0.75), part("format", 0.0, 0.5)]
    );
    let form_only = Weighted::new(vec![(format(), 1.0)]).unwrap();
    assert_eq!(form_only.verify(&problem("34"), "34").correct(), None);
}

#[test]
fn an_unscorable_part_is_named() {
    let inner = Weighted::new(vec![(format(), 1.0), (exact(), 1.0)]).unwrap();
    let outer = Weighted::new(vec![(Box::new(inner), 1.0)]).unwrap();
    let verdict = outer.verify(&problem("x"), "34");
    let expected = "weighted: exact_number: problem 7 of test: the answer \"x\" is not a number";
    assert_eq!(
        verdict,
        Verdict::Unscorable {
            why: expected.into()
        }
    );
}

#[test]
fn weights_are_checked() {
    let error = |weights: &[f64]| {
        let parts = weights.iter().map(|&weight| (exact(), weight)).collect();
        Weighted::new(parts).unwrap_err()
    };
    assert_eq!(error(&[]), InvalidWeights::Empty);
    assert_eq!(error(&[0.0, 0.0]), InvalidWeights::AllZero);
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let InvalidWeights::Weight { name, .. } = error(&[1.0, bad]) else {
            panic!("{bad}");
        };
        assert_eq!(name, "exact_number");
    }
    assert_eq!(
        error(&[-0.5]).to_string(),
        "the weight of exact_number is -0.5; it must be finite and not negative"
    );
    assert!(Weighted::new(vec![(exact(), 0.0), (format(), 1.0)]).is_ok());
}

#[test]
fn a_reward_that_is_no_number_is_unscorable() {
    let nan = Weighted::new(vec![(Box::new(Judge), 1.0)]).unwrap();
    let why = |verdict| match verdict {
        Verdict::Unscorable { why } => why,
        scored => panic!("{scored:?}"),
    };
    let expected = "judge: problem 7 of test: judge gave the reward NaN";
    assert_eq!(why(nan.verify(&problem("1"), "nan")), expected);
    // Each part is finite, the sum is not.
    let huge = Weighted::new(vec![(Box::new(Judge), 1e308)]).unwrap();
    assert!(why(huge.verify(&problem("1"), "10")).contains("weighted gave the reward inf"));
    let one = problem("1");
    let batch = verify_all(&Judge, &[(&one, "inf")]);
    assert!(why(batch[0].clone()).contains("judge gave the reward inf"));
}

#[test]
fn a_panic_costs_one_completion() {
    let one = problem("1");
    let verdicts = verify_all(&Judge, &[(&one, "1"), (&one, "x"), (&one, "3")]);
    assert_eq!(verdicts[0].reward(), Some(1.0));
    assert_eq!(verdicts[2].reward(), Some(3.0));
    let Verdict::Unscorable { why } = &verdicts[1] else {
        panic!("{:?}", verdicts[1]);
    };
    assert!(
        why.starts_with("problem 7 of test: judge panicked: a number"),
        "{why}"
    );
}

#[test]
fn verdicts_are_written_and_read_as_json() {
    let verdicts = [
        Verdict::answer("x", true),
        Verdict::unscorable(&problem("1"), "no"),
    ];
    let text = serde_json::to_string(&verdicts).unwrap();
    assert_eq!(
        text,
        "[{\"scored\":{\"reward\":1.0,\"correct\":true,\"parts\":[{\"name\":\"x\",\"score\":1.0,\
         \"weight\":1.0}]}},{\"unscorable\":{\"why\":\"problem 7 of test: no\"}}]"
    );
    assert_eq!(
        serde_json::from_str::<Vec<Verdict>>(&text).unwrap(),
        verdicts
    );
}

proptest! {
    #[test]
    fn the_order_is_kept(rewards in proptest::collection::vec(-9.0_f64..9.0, 0..300)) {
        let one = problem("1");
        let texts: Vec<String> = rewards.iter().map(f64::to_string).collect();
        let batch: Vec<(&Problem, &str)> = texts.iter().map(|text| (&one, text.as_str())).collect();
        let judged: Vec<f64> =
            verify_all(&Judge, &batch).iter().map(|v| v.reward().unwrap()).collect();
        prop_assert_eq!(judged, rewards);
    }
}
