//! Derivatives against finite differences, and what must hold for every input.

use equipoise_objectives::policy::{PolicyGradient, PpoClip};
use equipoise_objectives::{
    CATALOGUE, Clip, EntropyBonus, KlEstimator, Options, PolicyObjective, TokenLoss, TokenTerms,
    by_name, negative_log_likelihood,
};
use proptest::collection::vec;
use proptest::prelude::*;

const STEP: f64 = 1e-6;
const ESTIMATORS: [KlEstimator; 3] = [KlEstimator::K1, KlEstimator::K2, KlEstimator::K3];

fn central_difference(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    (f(x + STEP) - f(x - STEP)) / (2.0 * STEP)
}

fn close(found: f64, expected: f64, scale: f64) -> bool {
    (found - expected).abs() <= 1e-6 * scale.abs().max(expected.abs()).max(1.0)
}

fn evaluate(objective: &dyn PolicyObjective, logprobs: &[f64], old: &[f64], a: f64) -> TokenLoss {
    let mut out = TokenLoss::new();
    objective.evaluate(&TokenTerms::new(logprobs, old, a).unwrap(), &mut out);
    out
}

/// Whether no bound changes within a step of the ratio exp(`log_ratio`).
fn away_from_kinks(objective: &PpoClip, log_ratio: f64) -> bool {
    let bounds = [
        1.0 - objective.epsilon_low,
        1.0 + objective.epsilon_high,
        objective.dual_clip.unwrap_or(f64::INFINITY),
    ];
    let clamp = (log_ratio.abs() - 20.0).abs() > 1e-3;
    clamp
        && bounds
            .iter()
            .all(|bound| (bound.ln() - log_ratio).abs() > 1e-3)
}

fn ppo_clip() -> impl Strategy<Value = PpoClip> {
    (
        0.05..0.9_f64,
        0.05..3.0_f64,
        prop::option::of(1.5..12.0_f64),
    )
        .prop_map(|(epsilon_low, epsilon_high, dual_clip)| PpoClip {
            epsilon_low,
            epsilon_high,
            dual_clip,
        })
}

/// Finite log-probabilities of any size at all.
fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        -10.0..0.0_f64,
        -1e4..1e4_f64,
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        Just(f64::MAX),
        Just(-f64::MAX),
    ]
}

proptest! {
    /// The derivative of the response's whole loss, token by token, for every objective.
    #[test]
    fn gradients_are_central_differences(
        objective in ppo_clip(),
        tokens in vec((-6.0..0.0_f64, -3.0..3.0_f64), 1..6),
        advantage in -3.0..3.0_f64,
    ) {
        let logprobs: Vec<f64> = tokens.iter().map(|token| token.0).collect();
        let old: Vec<f64> = tokens.iter().map(|token| token.0 - token.1).collect();
        let kinks = tokens.iter().any(|token| !away_from_kinks(&objective, token.1));
        prop_assume!(!kinks);
        let objectives: [&dyn PolicyObjective; 2] = [&objective, &PolicyGradient];
        prop_assert_eq!(objectives.len(), CATALOGUE.len());
        for objective in objectives {
            let found = evaluate(objective, &logprobs, &old, advantage);
            for token in 0..logprobs.len() {
                let total = |x: f64| {
                    let mut moved = logprobs.clone();
                    moved[token] = x;
                    evaluate(objective, &moved, &old, advantage).sum()
                };
                let expected = central_difference(total, logprobs[token]);
                prop_assert!(
                    close(found.gradient[token], expected, 1.0),
                    "{objective:?}: {} {expected}", found.gradient[token]
                );
            }
        }
    }

    #[test]
    fn kl_derivatives_are_central_differences(logprob in -8.0..0.0_f64, difference in -6.0..6.0_f64) {
        for estimator in ESTIMATORS {
            let value = |x| estimator.evaluate(x, logprob - difference).value;
            let expected = central_difference(value, logprob);
            let found = estimator.evaluate(logprob, logprob - difference).derivative;
            prop_assert!(close(found, expected, 1.0), "{estimator} {found} {expected}");
        }
    }

    /// Where k3 leaves the exponential for its tangent; relative to its size there.
    #[test]
    fn k3_is_smooth_where_its_tangent_begins(difference in -24.0..-16.0_f64) {
        let value = |x| KlEstimator::K3.evaluate(x, 0.0).value;
        let expected = central_difference(value, difference);
        let found = KlEstimator::K3.evaluate(difference, 0.0).derivative;
        prop_assert!(close(found, expected, found), "{found} {expected}");
    }

    #[test]
    fn entropy_and_likelihood_derivatives_are_central_differences(
        coefficient in -2.0..2.0_f64,
        entropy in 0.0..10.0_f64,
        logprob in -10.0..0.0_f64,
    ) {
        let bonus = EntropyBonus { coefficient };
        let expected = central_difference(|x| bonus.evaluate(x).value, entropy);
        prop_assert!(close(bonus.evaluate(entropy).derivative, expected, 1.0));

        let likelihood = |x| {
            let mut out = TokenLoss::new();
            negative_log_likelihood(&[x], &mut out);
            (out.loss[0], out.gradient[0])
        };
        let expected = central_difference(|x| likelihood(x).0, logprob);
        prop_assert!(close(likelihood(logprob).1, expected, 1.0));
    }

    #[test]
    fn finite_for_any_finite_input(
        tokens in vec((extreme(), extreme()), 0..6),
        advantage in prop_oneof![Just(0.0), -5.0..5.0_f64, Just(1e290), Just(-1e290)],
        objective in ppo_clip(),
    ) {
        let logprobs: Vec<f64> = tokens.iter().map(|token| token.0).collect();
        let old: Vec<f64> = tokens.iter().map(|token| token.1).collect();
        let objectives: [&dyn PolicyObjective; 2] = [&objective, &PolicyGradient];
        for objective in objectives {
            let out = evaluate(objective, &logprobs, &old, advantage);
            prop_assert_eq!(out.len(), tokens.len());
            for number in out.loss.iter().chain(&out.gradient) {
                prop_assert!(number.is_finite(), "{objective:?} {out:?}");
            }
        }
        for estimator in ESTIMATORS {
            for (logprob, reference) in &tokens {
                let term = estimator.evaluate(*logprob, *reference);
                prop_assert!(term.value.is_finite() && term.derivative.is_finite(), "{term:?}");
                // Up to the rounding of exp(−d) − 1 + d.
                prop_assert!(estimator == KlEstimator::K1 || term.value >= -1e-15, "{term:?}");
            }
        }
    }

    /// The loss is a bound: clipping never makes a term smaller, the dual clip never larger.
    #[test]
    fn clipping_is_pessimistic(
        objective in ppo_clip(),
        log_ratio in -4.0..4.0_f64,
        advantage in -3.0..3.0_f64,
    ) {
        let single = PpoClip { dual_clip: None, ..objective };
        let found = evaluate(&single, &[log_ratio], &[0.0], advantage);
        prop_assert!(found.loss[0] >= -(log_ratio.exp() * advantage));
        let flows = found.clip[0] == Clip::None;
        prop_assert_eq!(flows, found.gradient[0] != 0.0 || advantage == 0.0);
        let capped = evaluate(&objective, &[log_ratio], &[0.0], advantage);
        prop_assert!(capped.loss[0] <= found.loss[0]);
    }

    /// On policy the clipped objective has the gradient of the plain one.
    #[test]
    fn on_policy_the_ratio_does_not_matter(
        logprobs in vec(-8.0..0.0_f64, 1..6),
        advantage in -3.0..3.0_f64,
    ) {
        for entry in CATALOGUE {
            let objective = by_name(entry.name, &Options::default()).unwrap();
            let out = evaluate(objective.as_ref(), &logprobs, &logprobs, advantage);
            prop_assert!(out.gradient.iter().all(|g| *g == -advantage), "{objective:?}");
        }
    }
}
