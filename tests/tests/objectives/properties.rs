//! Derivatives against finite differences, and what must hold for every input.

use equipoise_objectives::policy::PpoClip;
use equipoise_objectives::{
    Clip, EntropyBonus, KlEstimator, KlTerm, PolicyObjective, TokenLoss, TokenTerms, ValueLoss,
    negative_log_likelihood,
};
use proptest::collection::vec;
use proptest::prelude::*;

const STEP: f64 = 1e-6;
/// Those whose derivative is that of their value.
const ESTIMATORS: [KlEstimator; 4] = [
    KlEstimator::K1,
    KlEstimator::K2,
    KlEstimator::K3,
    KlEstimator::Absolute,
];

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
            delta: None,
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
    #[test]
    fn kl_derivatives_are_central_differences(logprob in -8.0..0.0_f64, difference in -6.0..6.0_f64) {
        for estimator in ESTIMATORS {
            let value = |x| estimator.evaluate(x, logprob - difference).value;
            let expected = central_difference(value, logprob);
            let found = estimator.evaluate(logprob, logprob - difference).derivative;
            prop_assert!(close(found, expected, 1.0), "{estimator} {found} {expected}");
        }
    }

    /// With coefficient, clamp and importance correction, away from the kinks.
    #[test]
    fn terms_of_a_divergence_are_central_differences(
        (logprob, difference, moved) in (-8.0..0.0_f64, -4.0..4.0_f64, -3.0..3.0_f64),
        coefficient in -1.0..1.0_f64,
        (clamp, importance) in (prop::option::of(0.5..3.0_f64), any::<bool>()),
    ) {
        prop_assume!(clamp.is_none_or(|clamp| (difference.abs() - clamp).abs() > 1e-3));
        for estimator in ESTIMATORS {
            prop_assume!(difference.abs() > 1e-3);
            let term = KlTerm { coefficient, clamp, importance, ..KlTerm::new(estimator) };
            let at = |x| term.evaluate(x, logprob - difference, logprob - moved, -1.0);
            let expected = central_difference(|x| at(x).value, logprob);
            let found = at(logprob).derivative;
            prop_assert!(close(found, expected, at(logprob).value), "{term:?} {found} {expected}");
        }
    }

    #[test]
    fn value_derivatives_are_central_differences(
        (value, old, target) in (-3.0..3.0_f64, -3.0..3.0_f64, -3.0..3.0_f64),
        clip in prop::option::of(0.1..2.0_f64),
    ) {
        let loss = ValueLoss { clip };
        let at = |x| loss.evaluate(x, old, target).value;
        let sides = ((at(value + STEP) - at(value)) / STEP, (at(value) - at(value - STEP)) / STEP);
        prop_assume!((sides.0 - sides.1).abs() < 1e-3);
        let expected = central_difference(at, value);
        prop_assert!(close(loss.evaluate(value, old, target).derivative, expected, 1.0));
        // The clip never makes an error smaller.
        prop_assert!(at(value) >= ValueLoss::default().evaluate(value, old, target).value);
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
    ) {
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
}
