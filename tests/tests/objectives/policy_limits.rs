//! The policy side at its limits: identities, extremes with factors, and what is not a number.

use equipoise_objectives::mismatch::{
    Correction, Divergence, Mode, OffPolicySequenceMask, Pooling, RatioLevel, Rejection, statistics,
};
use equipoise_objectives::{
    CATALOGUE, KlEstimator, KlTerm, Options, TokenLoss, TokenTerms, ValueLoss, by_name,
};
use proptest::collection::vec;
use proptest::prelude::*;

const ESTIMATORS: [&str; 6] = ["k1", "k2", "k3", "abs", "k1+", "k3+"];
const LEVELS: [RatioLevel; 3] = [
    RatioLevel::Token,
    RatioLevel::Sequence,
    RatioLevel::Geometric,
];
const MODES: [Mode; 2] = [Mode::Truncate, Mode::Mask];

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![
        -10.0..0.0_f64,
        -1e5..1e5_f64,
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        Just(f64::MAX),
        Just(-f64::MAX),
    ]
}

fn evaluate(name: &str, options: &Options, terms: &TokenTerms<'_>) -> TokenLoss {
    let mut out = TokenLoss::new();
    by_name(name, options).unwrap().evaluate(terms, &mut out);
    out
}

fn kl_terms() -> impl Strategy<Value = KlTerm> {
    let clamp = prop::option::of(0.5..20.0_f64);
    (0..6_usize, -2.0..2.0_f64, clamp, any::<bool>()).prop_map(
        |(estimator, coefficient, clamp, importance)| KlTerm {
            coefficient,
            clamp,
            importance,
            ..KlTerm::new(ESTIMATORS[estimator].parse().unwrap())
        },
    )
}

proptest! {
    /// Every factor, as a mismatch correction or a mask makes them.
    #[test]
    fn finite_with_factors_and_an_advantage_per_token(
        tokens in vec((finite(), finite(), -1e6..1e6_f64, 0.0..1e6_f64), 0..6),
    ) {
        let column = |at: fn(&(f64, f64, f64, f64)) -> f64| tokens.iter().map(at).collect::<Vec<_>>();
        let (logprobs, old) = (column(|t| t.0), column(|t| t.1));
        let (advantages, factors) = (column(|t| t.2), column(|t| t.3));
        let terms = TokenTerms::new(&logprobs, &old, &advantages[..])
            .and_then(|terms| terms.with_multipliers(&factors))
            .unwrap();
        for entry in CATALOGUE {
            let out = evaluate(entry.name, &Options::default(), &terms);
            let numbers = out.loss.iter().chain(&out.gradient);
            prop_assert!(numbers.into_iter().all(|x| x.is_finite()), "{} {out:?}", entry.name);
        }
    }

    /// A NaN log-probability is seen in its token's loss, also where the advantage is 0.
    #[test]
    fn a_nan_is_passed_on(advantage in prop_oneof![Just(0.0), -2.0..2.0_f64], at in 0..3_usize) {
        let old = [-1.0, -2.0, -0.5];
        let mut logprobs = [-1.1, -1.9, -0.6];
        logprobs[at] = f64::NAN;
        let terms = TokenTerms::new(&logprobs, &old, advantage).unwrap();
        for entry in CATALOGUE {
            let out = evaluate(entry.name, &Options::default(), &terms);
            prop_assert!(out.loss[at].is_nan(), "{} {out:?}", entry.name);
        }
    }

    /// What says that it does not look at the older log-probabilities does not.
    #[test]
    fn older_log_probabilities_matter_where_they_should(moves in vec(0.05..1.0_f64, 1..5)) {
        let logprobs: Vec<f64> = moves.iter().map(|_| -1.5).collect();
        // Less probable than it was: a weight cut off at 1 would not tell.
        let old: Vec<f64> = moves.iter().map(|by| -1.5 + by).collect();
        for entry in CATALOGUE {
            let at = |old: &[f64]| {
                let terms = TokenTerms::new(&logprobs, old, -1.0).unwrap();
                evaluate(entry.name, &Options::default(), &terms)
            };
            let (on, off) = (at(&logprobs), at(&old));
            let same = on.loss == off.loss && on.gradient == off.gradient;
            let objective = by_name(entry.name, &Options::default()).unwrap();
            prop_assert!(!same || !objective.uses_old_logprobs(), "{}", entry.name);
            prop_assert!(same || objective.uses_old_logprobs(), "{}", entry.name);
        }
    }

    /// Bounds that nothing reaches: PPO is −A r, CISPO and AIPO are the weighted policy gradient, GMPO is
    /// GSPO, and a far δ or dual clip is none.
    #[test]
    fn bounds_that_are_never_reached(
        tokens in vec((-6.0..-0.01_f64, -2.0..2.0_f64), 1..6),
        advantage in -3.0..3.0_f64,
    ) {
        let logprobs: Vec<f64> = tokens.iter().map(|t| t.0).collect();
        let old: Vec<f64> = tokens.iter().map(|t| t.0 - t.1).collect();
        let terms = TokenTerms::new(&logprobs, &old, advantage).unwrap();
        let far = Some(1e12);
        let wide = Options { epsilon_low: far, epsilon_high: far, ..Options::default() };
        let ppo = evaluate("ppo_clip", &wide, &terms);
        let weights = Options { epsilon_low: Some(0.0), epsilon_high: far, ..Options::default() };
        let cispo = evaluate("cispo", &weights, &terms);
        let aipo = evaluate("aipo", &Options { max_weight: far, ..Options::default() }, &terms);
        for (at, (_, log_ratio)) in tokens.iter().enumerate() {
            let plain = -advantage * (logprobs[at] - old[at]).exp();
            prop_assert!((ppo.loss[at] - plain).abs() <= 1e-13 * plain.abs(), "{log_ratio}");
            prop_assert_eq!(ppo.loss[at], ppo.gradient[at]);
            prop_assert_eq!(cispo.gradient[at], ppo.gradient[at]);
            prop_assert_eq!(aipo.gradient[at], ppo.gradient[at]);
        }
        let (gmpo, gspo) = (evaluate("gmpo", &wide, &terms), evaluate("gspo", &wide, &terms));
        for (a, b) in gmpo.gradient.iter().zip(&gspo.gradient) {
            prop_assert!((a - b).abs() <= 1e-13 * b.abs(), "{a} {b}");
        }
        let capped = Options { dual_clip: far, delta: far, ..Options::default() };
        let plain = evaluate("ppo_clip", &Options::default(), &terms);
        prop_assert_eq!(evaluate("ppo_clip", &capped, &terms), plain);
        let none = evaluate("dro", &Options { beta: Some(0.0), ..Options::default() }, &terms);
        prop_assert_eq!(none.gradient, evaluate("policy_gradient", &Options::default(), &terms).gradient);
    }

    /// The derivative of every form of the divergence term; straight-through forms have that of k2.
    #[test]
    fn divergence_terms_are_central_differences(
        term in kl_terms(),
        logprob in -6.0..-0.1_f64,
        difference in -4.0..4.0_f64,
        log_ratio in -2.0..2.0_f64,
    ) {
        let straight_through = matches!(
            term.estimator,
            KlEstimator::K1StraightThrough | KlEstimator::K3StraightThrough
        );
        prop_assume!(!straight_through);
        let limit = term.clamp.unwrap_or(f64::INFINITY);
        prop_assume!((difference.abs() - limit).abs() > 1e-3 && difference.abs() > 1e-3);
        let (reference, old) = (logprob - difference, logprob - log_ratio);
        let value = |x: f64| term.evaluate(x, reference, old, 0.0).value;
        let expected = (value(logprob + 1e-6) - value(logprob - 1e-6)) / 2e-6;
        let found = term.evaluate(logprob, reference, old, 0.0).derivative;
        let scale = value(logprob).abs().max(expected.abs()).max(1.0);
        prop_assert!((found - expected).abs() <= 1e-6 * scale, "{term:?} {found} {expected}");
    }

    #[test]
    fn divergence_and_value_terms_are_finite(
        term in kl_terms(), a in finite(), b in finite(), c in finite(), clip in 0.0..1e9_f64,
    ) {
        for term in [term, KlTerm { importance: true, clamp: None, ..term }] {
            let found = term.evaluate(a, b, c, -1.0);
            prop_assert!(found.value.is_finite() && found.derivative.is_finite(), "{term:?} {found:?}");
        }
        for clip in [None, Some(clip)] {
            let found = ValueLoss { clip }.evaluate(a, b, c);
            prop_assert!(found.value.is_finite() && found.derivative.is_finite(), "{found:?}");
        }
    }

    /// Without bounds a weight is the ratio of its level, whatever the mode.
    #[test]
    fn corrections_without_bounds_are_ratios(tokens in vec((-6.0..0.0_f64, -0.8..0.8_f64), 1..6)) {
        let old: Vec<f64> = tokens.iter().map(|t| t.0).collect();
        let sampler: Vec<f64> = tokens.iter().map(|t| t.0 - t.1).collect();
        let total: f64 = old.iter().zip(&sampler).map(|(a, b)| a - b).sum();
        let mut out = Vec::new();
        for (level, mode) in LEVELS.into_iter().flat_map(|level| MODES.map(|mode| (level, mode))) {
            let correction = Correction { level, mode, min: None, max: None };
            correction.multipliers(&old, &sampler, &mut out).unwrap();
            for (at, weight) in out.iter().enumerate() {
                let expected = match level {
                    RatioLevel::Token => old[at] - sampler[at],
                    RatioLevel::Sequence => total,
                    RatioLevel::Geometric => total / old.len() as f64,
                };
                prop_assert!((weight - expected.exp()).abs() <= 1e-13 * expected.exp());
            }
        }
    }

    #[test]
    fn corrections_are_finite(
        tokens in vec((finite(), prop_oneof![finite(), Just(f64::NAN)]), 0..6),
        min in 0.0..1.0_f64,
        max in 1.0..10.0_f64,
    ) {
        let old: Vec<f64> = tokens.iter().map(|t| t.0).collect();
        let sampler: Vec<f64> = tokens.iter().map(|t| t.1).collect();
        let (mut weights, mut kept) = (Vec::new(), Vec::new());
        for (level, mode) in LEVELS.into_iter().flat_map(|level| MODES.map(|mode| (level, mode))) {
            for (min, max) in [(None, None), (Some(min), Some(max))] {
                let correction = Correction { level, mode, min, max };
                let report = correction.multipliers(&old, &sampler, &mut weights).unwrap();
                prop_assert_eq!((report.tokens, weights.len()), (old.len(), old.len()));
                prop_assert!(weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0));
            }
        }
        for divergence in [Divergence::K1, Divergence::K2, Divergence::K3] {
            for pooling in [Pooling::Token, Pooling::Sum, Pooling::Mean, Pooling::Largest] {
                let rule = Rejection { divergence, pooling, min: None, max: None };
                rule.keep(&old, &sampler, &mut kept).unwrap();
                prop_assert_eq!(&kept, &vec![true; old.len()]);
            }
        }
        let mask = OffPolicySequenceMask { threshold: 0.5 };
        prop_assert!(mask.keeps(&old, &sampler, 1.0).unwrap());
        let found = statistics(&[(&old, &sampler)]).unwrap();
        let numbers = [found.kl, found.kl_k3, found.chi_squared, found.effective_share];
        prop_assert!(numbers.into_iter().all(f64::is_finite), "{found:?}");
        prop_assert!(found.effective_share <= 1.0 + 1e-12);
    }
}

/// Options that are no numbers do not panic, and a NaN among the values is passed on.
#[test]
fn what_is_not_a_number_does_not_panic() {
    let odd = KlTerm {
        clamp: Some(f64::NAN),
        ..KlTerm::new(KlEstimator::K2)
    };
    assert_eq!(odd.evaluate(-1.0, -3.0, 0.0, 0.0).value, 2.0);
    let odd = ValueLoss {
        clip: Some(f64::NAN),
    };
    assert_eq!(odd.evaluate(1.0, 0.0, 3.0).value, 2.0);
    let clipped = ValueLoss { clip: Some(0.5) };
    for (value, old, target) in [
        (f64::NAN, 0.0, 0.0),
        (0.0, f64::NAN, 0.0),
        (0.0, 0.0, f64::NAN),
    ] {
        assert!(clipped.evaluate(value, old, target).value.is_nan());
    }
    let mut kept = Vec::new();
    for pooling in [
        Pooling::Token,
        Pooling::Sum,
        Pooling::Mean,
        Pooling::Largest,
    ] {
        let rule = Rejection {
            divergence: Divergence::K2,
            pooling,
            min: None,
            max: Some(1.0),
        };
        rule.keep(&[-1.0, f64::NAN], &[-1.0, -1.0], &mut kept)
            .unwrap();
        assert!(!kept[1], "{pooling:?}");
    }
}
