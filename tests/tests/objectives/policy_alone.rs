//! Agreement with `fixtures/policy_alone.py` where no other framework has the objective or the mask.

use equipoise_objectives::mismatch::SecondMomentMask;
use equipoise_objectives::policy::{Band, BandPo};
use equipoise_objectives::{Clip, Options, Setting, TokenLoss, TokenTerms, by_name};
use std::collections::BTreeMap;

#[derive(serde::Deserialize)]
struct Fixture {
    policy: Vec<Case>,
    bounds: Vec<Bounds>,
    second_moments: Vec<Moments>,
}

fn fixture() -> Fixture {
    serde_json::from_str(include_str!("fixtures/policy_alone.json")).unwrap()
}

#[derive(serde::Deserialize)]
struct Case {
    objective: String,
    options: BTreeMap<String, f64>,
    /// Log-probability, older one, advantage; loss and derivative.
    tokens: Vec<[f64; 5]>,
}

#[track_caller]
fn assert_close(found: f64, expected: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(
        error <= 1e-11 * expected.abs().max(1.0),
        "{what}: {found} is not {expected}"
    );
}

#[test]
fn losses_and_derivatives() {
    for case in fixture().policy {
        let mut options = Options::default();
        for (name, value) in &case.options {
            options.set(name, Setting::Number(*value)).unwrap();
        }
        let objective = by_name(&case.objective, &options).unwrap();
        let column = |at: usize| case.tokens.iter().map(|t| t[at]).collect::<Vec<_>>();
        let (logprobs, old, advantages) = (column(0), column(1), column(2));
        let terms = TokenTerms::new(&logprobs, &old, &advantages[..]).unwrap();
        let mut out = TokenLoss::new();
        objective.evaluate(&terms, &mut out);
        for (at, [.., loss, derivative]) in case.tokens.iter().enumerate() {
            assert_close(out.loss[at], *loss, &case.objective);
            assert_close(out.gradient[at], *derivative, &case.objective);
        }
        let bounded = out.clip.iter().any(|clip| *clip != Clip::None);
        assert_eq!(bounded, case.objective != "shaped_off_policy");
    }
}

#[derive(serde::Deserialize)]
struct Bounds {
    objective: String,
    p: f64,
    bounds: [f64; 2],
}

#[test]
fn bounds_of_a_band() {
    for case in fixture().bounds {
        let band = match case.objective.as_str() {
            "bandpo_tv" => Band::TotalVariation,
            "bandpo_chi2" => Band::ChiSquared,
            _ => Band::Kl,
        };
        let (low, high) = BandPo::new(band).bounds(case.p.ln());
        let what = format!("{} {}", case.objective, case.p);
        assert_close(low, case.bounds[0], &what);
        assert_close(high, case.bounds[1], &what);
    }
}

#[derive(serde::Deserialize)]
struct Moments {
    old: Vec<Vec<f64>>,
    sampler: Vec<Vec<f64>>,
    threshold: f64,
    kept: Vec<Vec<bool>>,
}

#[test]
fn tokens_within_a_second_moment() {
    let mut dropped = 0;
    for case in fixture().second_moments {
        let rows = case.old.iter().zip(&case.sampler);
        let step: Vec<(&[f64], &[f64])> = rows.map(|(a, b)| (&a[..], &b[..])).collect();
        let mask = SecondMomentMask {
            threshold: case.threshold,
        };
        assert_eq!(mask.keep(&step).unwrap(), case.kept);
        dropped += case.kept.iter().flatten().filter(|kept| !**kept).count();
    }
    assert!(dropped > 10);
}
