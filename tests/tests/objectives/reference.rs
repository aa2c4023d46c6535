//! Agreement with `fixtures/objectives.py`, whose derivatives come from dual numbers.

use equipoise_objectives::{Clip, KlEstimator, Options, TokenLoss, TokenTerms, by_name};

#[derive(serde::Deserialize)]
struct Token {
    logprob: f64,
    old: f64,
    reference: f64,
    advantage: f64,
    epsilon_low: f64,
    epsilon_high: f64,
    dual_clip: Option<f64>,
    ppo_clip: [f64; 2],
    policy_gradient: [f64; 2],
    k1: [f64; 2],
    k2: [f64; 2],
    k3: [f64; 2],
}

#[track_caller]
fn assert_close(found: [f64; 2], expected: [f64; 2]) {
    for (a, b) in found.iter().zip(expected) {
        assert!(
            (a - b).abs() <= 1e-12 * b.abs().max(1.0),
            "{found:?} {expected:?}"
        );
    }
}

#[test]
fn terms_and_derivatives_agree_with_the_reference() {
    let tokens: Vec<Token> =
        serde_json::from_str(include_str!("fixtures/objectives.json")).unwrap();
    let mut out = TokenLoss::new();
    let mut clips = Vec::new();
    for token in tokens {
        let mut evaluate = |name, options: &Options| {
            let (logprobs, old) = ([token.logprob], [token.old]);
            let terms = TokenTerms::new(&logprobs, &old, token.advantage).unwrap();
            by_name(name, options).unwrap().evaluate(&terms, &mut out);
            clips.push(out.clip[0]);
            [out.loss[0], out.gradient[0]]
        };
        let options = Options {
            epsilon_low: Some(token.epsilon_low),
            epsilon_high: Some(token.epsilon_high),
            dual_clip: token.dual_clip,
            ..Options::default()
        };
        assert_close(evaluate("ppo_clip", &options), token.ppo_clip);
        assert_close(
            evaluate("policy_gradient", &Options::default()),
            token.policy_gradient,
        );
        for (estimator, expected) in [
            (KlEstimator::K1, token.k1),
            (KlEstimator::K2, token.k2),
            (KlEstimator::K3, token.k3),
        ] {
            let term = estimator.evaluate(token.logprob, token.reference);
            assert_close([term.value, term.derivative], expected);
        }
    }
    // The fixture reaches every branch.
    for clip in [
        Clip::None,
        Clip::Low,
        Clip::High,
        Clip::Dual,
        Clip::Saturated,
    ] {
        assert!(clips.contains(&clip), "{clip:?}");
    }
}
