//! The crate's tests.

mod choices;
mod composition;
mod compositions;
mod countdown;
mod exact_number;
mod format;
mod forms;
#[cfg(feature = "judge")]
mod judge;
#[cfg(feature = "judge")]
mod judge_server;
mod languages;
mod lengths;
mod math;
mod math_table;
mod never_panics;
mod outcomes;
mod reward_model;
mod sandbox;
mod spec;
mod texts;

use equipoise_core::Problem;
use equipoise_verifiers::{Verdict, Verifier};

/// A problem with the given answer.
fn problem(answer: &str) -> Problem {
    Problem {
        id: 7,
        prompt: "?".to_owned(),
        answer: answer.to_owned(),
        source: "test".to_owned(),
    }
}

/// The reward of a completion that can be judged.
#[track_caller]
fn reward(verifier: &dyn Verifier, answer: &str, completion: &str) -> f64 {
    let verdict = verifier.verify(&problem(answer), completion);
    let explained = verifier.explain(&problem(answer), completion);
    assert_eq!(explained.verdict, verdict, "{completion}");
    assert!(!explained.why.is_empty());
    match verdict {
        Verdict::Scored { reward, .. } => reward,
        Verdict::Unscorable { why } => panic!("unscorable: {why}"),
    }
}

/// Why a completion cannot be judged.
#[track_caller]
fn unscorable(verifier: &dyn Verifier, answer: &str, completion: &str) -> String {
    match verifier.verify(&problem(answer), completion) {
        Verdict::Unscorable { why } => why,
        scored => panic!("{scored:?}"),
    }
}
