//! Every policy objective of the catalogue: derivatives against finite differences, identities, extremes.

use equipoise_objectives::{
    Advantage, CATALOGUE, Clip, Level, Options, PolicyObjective, TokenLoss, TokenTerms, by_name,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// Objectives whose gradient is the derivative of their value.
const DIFFERENTIABLE: [&str; 12] = [
    "ppo_clip",
    "policy_gradient",
    "gspo",
    "gmpo",
    "sapo",
    "clip_cov",
    "kl_cov",
    "dro",
    "shaped_off_policy",
    "bandpo_tv",
    "bandpo_chi2",
    "bandpo_kl",
];
/// Objectives of the form −sg(w) A log π, whose gradient holds w constant.
const WEIGHTED: [&str; 6] = ["cispo", "vespo", "dppo_tv", "dppo_kl", "aipo", "topr"];
/// The value of one and the gradient of another.
const STRAIGHT_THROUGH: [&str; 1] = ["gspo_token"];

fn objective(name: &str) -> Box<dyn PolicyObjective> {
    by_name(name, &Options::default()).unwrap()
}

/// A wide-bounded GSPO: with the paper's bounds nearly every random response is clipped.
fn varied(name: &str, epsilon: f64) -> Box<dyn PolicyObjective> {
    let mut options = Options::default();
    if CATALOGUE
        .iter()
        .any(|entry| entry.name == name && entry.options.contains(&"epsilon_low"))
        && name != "cispo"
    {
        options.epsilon_low = Some(epsilon);
        options.epsilon_high = Some(epsilon);
    }
    by_name(name, &options).unwrap()
}

#[derive(Clone, Debug)]
struct Response {
    logprobs: Vec<f64>,
    old: Vec<f64>,
    advantages: Vec<f64>,
    multipliers: Vec<f64>,
    marks: Vec<bool>,
}

impl Response {
    fn terms(&self) -> TokenTerms<'_> {
        TokenTerms::new(&self.logprobs, &self.old, &self.advantages[..])
            .and_then(|terms| terms.with_multipliers(&self.multipliers))
            .and_then(|terms| terms.with_marks(&self.marks))
            .unwrap()
    }

    fn evaluate(&self, objective: &dyn PolicyObjective) -> TokenLoss {
        let mut out = TokenLoss::new();
        objective.evaluate(&self.terms(), &mut out);
        out
    }

    fn moved(&self, token: usize, by: f64) -> Self {
        let mut moved = self.clone();
        moved.logprobs[token] += by;
        moved
    }
}

fn response() -> impl Strategy<Value = Response> {
    let token = (
        -6.0..-0.01_f64,
        -1.5..1.5_f64,
        -3.0..3.0_f64,
        prop_oneof![Just(0.0), 0.1..3.0_f64],
        any::<bool>(),
    );
    vec(token, 1..6).prop_map(|tokens| Response {
        logprobs: tokens.iter().map(|t| t.0).collect(),
        old: tokens.iter().map(|t| t.0 - t.1).collect(),
        advantages: tokens.iter().map(|t| t.2).collect(),
        multipliers: tokens.iter().map(|t| t.3).collect(),
        marks: tokens.iter().map(|t| t.4).collect(),
    })
}

fn extreme() -> impl Strategy<Value = f64> {
    prop_oneof![
        -10.0..0.0_f64,
        -1e4..1e4_f64,
        prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        Just(f64::MAX),
        Just(-f64::MAX),
    ]
}

#[test]
fn every_objective_is_of_one_kind() {
    let mut kinds: Vec<&str> = [&DIFFERENTIABLE[..], &WEIGHTED, &STRAIGHT_THROUGH].concat();
    let mut names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
    kinds.sort_unstable();
    names.sort_unstable();
    assert_eq!(kinds, names);
}

proptest! {
    /// The derivative of the response's whole loss by each log-probability, with multipliers, marks and an
    /// advantage per token.
    #[test]
    fn gradients_are_central_differences(response in response(), epsilon in 0.1..1.0_f64) {
        let step = 1e-6;
        for name in DIFFERENTIABLE {
            let objective = varied(name, epsilon);
            let found = response.evaluate(&*objective);
            for token in 0..response.logprobs.len() {
                let at = |by| response.moved(token, by).evaluate(&*objective).sum();
                let (below, here, above) = (at(-step), at(0.0), at(step));
                let sides = ((above - here) / step, (here - below) / step);
                // Where the two sides differ there is a kink, whose convention other tests state.
                if (sides.0 - sides.1).abs() > 1e-3 {
                    continue;
                }
                let expected = (above - below) / (2.0 * step);
                let error = (found.gradient[token] - expected).abs();
                prop_assert!(
                    error <= 1e-6 * here.abs().max(expected.abs()).max(1.0),
                    "{name}: {} {expected}", found.gradient[token]
                );
            }
        }
    }

    /// With the weight held constant, −w A log π is linear in the log-probability.
    #[test]
    fn weighted_gradients_hold_the_weight(response in response()) {
        for name in WEIGHTED {
            let found = response.evaluate(&*objective(name));
            for token in 0..response.logprobs.len() {
                let expected = found.loss[token] / response.logprobs[token];
                let error = (found.gradient[token] - expected).abs();
                prop_assert!(error <= 1e-12 * expected.abs().max(1.0), "{name}");
            }
        }
    }

    /// One advantage and no multipliers: the two forms of GSPO have one gradient.
    #[test]
    fn the_two_forms_of_gspo(response in response(), advantage in -2.0..2.0_f64) {
        let response = Response {
            advantages: vec![advantage; response.logprobs.len()],
            multipliers: vec![1.0; response.logprobs.len()],
            ..response
        };
        let [sequence, token] = ["gspo", "gspo_token"]
            .map(|name| response.evaluate(&*varied(name, 0.5)));
        prop_assert_eq!(&sequence.loss, &token.loss);
        for (a, b) in sequence.gradient.iter().zip(&token.gradient) {
            prop_assert!((a - b).abs() <= 1e-14 * b.abs());
        }
    }

    /// Where the policy has not moved, all but the shaped one are the policy gradient.
    #[test]
    fn on_policy_the_ratio_does_not_matter(
        logprobs in vec(-8.0..-0.01_f64, 1..6),
        advantage in -3.0..3.0_f64,
    ) {
        let mut out = TokenLoss::new();
        for entry in CATALOGUE.iter().filter(|entry| entry.name != "shaped_off_policy") {
            let objective = objective(entry.name);
            let terms = TokenTerms::new(&logprobs, &logprobs, advantage).unwrap();
            objective.evaluate(&terms, &mut out);
            for gradient in &out.gradient {
                let error = (gradient + advantage).abs();
                prop_assert!(error <= 1e-14 * advantage.abs(), "{objective:?} {gradient}");
            }
        }
    }

    #[test]
    fn one_advantage_is_that_advantage_for_every_token(response in response(), advantage in -2.0..2.0_f64) {
        let (mut one, mut each) = (TokenLoss::new(), TokenLoss::new());
        let advantages = vec![advantage; response.logprobs.len()];
        for entry in CATALOGUE {
            let objective = objective(entry.name);
            let terms = |a| TokenTerms::new(&response.logprobs, &response.old, a).unwrap();
            objective.evaluate(&terms(Advantage::Response(advantage)), &mut one);
            objective.evaluate(&terms(Advantage::Tokens(&advantages)), &mut each);
            for (a, b) in one.loss.iter().chain(&one.gradient).zip(each.loss.iter().chain(&each.gradient)) {
                prop_assert!((a - b).abs() <= 1e-14 * b.abs(), "{}", entry.name);
            }
        }
    }

    #[test]
    fn finite_for_any_finite_input(
        tokens in vec((extreme(), extreme(), any::<bool>()), 0..6),
        advantage in prop_oneof![Just(0.0), -5.0..5.0_f64, Just(1e290), Just(-1e290)],
    ) {
        let logprobs: Vec<f64> = tokens.iter().map(|token| token.0).collect();
        let old: Vec<f64> = tokens.iter().map(|token| token.1).collect();
        let marks: Vec<bool> = tokens.iter().map(|token| token.2).collect();
        let mut out = TokenLoss::new();
        for entry in CATALOGUE {
            let objective = objective(entry.name);
            let terms = TokenTerms::new(&logprobs, &old, advantage).unwrap();
            objective.evaluate(&terms.with_marks(&marks).unwrap(), &mut out);
            prop_assert_eq!(out.len(), tokens.len());
            for number in out.loss.iter().chain(&out.gradient) {
                prop_assert!(number.is_finite(), "{objective:?} {out:?}");
            }
        }
    }

    /// A factor of 0 removes a token, whatever it is, and what is left is as if it had never had a term.
    #[test]
    fn masked_tokens_say_nothing(response in response(), token in any::<prop::sample::Index>()) {
        let token = token.index(response.logprobs.len());
        let mut masked = response.clone();
        masked.multipliers[token] = 0.0;
        for entry in CATALOGUE.iter().filter(|entry| entry.name != "gmpo") {
            let objective = objective(entry.name);
            let out = masked.evaluate(&*objective);
            prop_assert_eq!(out.loss[token], 0.0, "{}", entry.name);
            if objective.level() == Level::Token {
                prop_assert_eq!(out.gradient[token], 0.0, "{}", entry.name);
                prop_assert_eq!(out.clip[token], Clip::Masked, "{}", entry.name);
            }
        }
    }

    /// Marks are a function of the batch: the same whatever a micro-batch will be, and the same twice.
    #[test]
    fn marks_are_made_once(responses in vec(response(), 1..5), seed: u64) {
        let batch: Vec<TokenTerms<'_>> = responses.iter().map(Response::terms).collect();
        for entry in CATALOGUE {
            let objective = objective(entry.name);
            let marks = objective.marks(&batch, seed);
            prop_assert_eq!(&marks, &objective.marks(&batch, seed));
            prop_assert_eq!(marks.is_some(), entry.name.ends_with("_cov"));
            if let Some(marks) = marks {
                let tokens: usize = responses.iter().map(|r| r.logprobs.len()).sum();
                let chosen = marks.iter().flatten().filter(|mark| **mark).count();
                prop_assert!(chosen <= tokens.min(1), "{chosen} of {tokens}");
            }
        }
    }
}

#[test]
fn long_responses_stay_finite_and_exact() {
    let count = 100_000;
    let logprobs: Vec<f64> = (0..count).map(|t| -0.5 - (t % 7) as f64).collect();
    let old: Vec<f64> = logprobs.iter().map(|logprob| logprob - 1e-5).collect();
    let mut out = TokenLoss::new();
    for entry in CATALOGUE {
        let terms = TokenTerms::new(&logprobs, &old, 1.0).unwrap();
        objective(entry.name).evaluate(&terms, &mut out);
        let numbers = out.loss.iter().chain(&out.gradient);
        assert!(numbers.into_iter().all(|x| x.is_finite()), "{}", entry.name);
    }
    // The mean of 100 000 log-ratios of 1e-5, each rounded.
    objective("gspo").evaluate(&TokenTerms::new(&logprobs, &old, 1.0).unwrap(), &mut out);
    assert!(
        (out.loss[0] + 1e-5_f64.exp()).abs() < 1e-15,
        "{}",
        out.loss[0]
    );
}
