//! The part of a training step that is numbers only, and everything it can be made of.

use equipoise_advantages::estimators::{Correction, StandardDeviation};
use equipoise_advantages::{AdvantageEstimator, Group};
use equipoise_aggregation::rules::ZeroAdvantage;
use equipoise_aggregation::{Reducer, Response, Scope, batch_weights};
use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms};

/// One response: its reward, and two log-probabilities per loss-carrying token.
#[derive(Clone, Debug)]
pub(crate) struct Sampled {
    pub(crate) reward: Option<f64>,
    pub(crate) logprobs: Vec<f64>,
    pub(crate) old_logprobs: Vec<f64>,
}

impl Sampled {
    pub(crate) fn tokens(&self) -> usize {
        self.logprobs.len()
    }
}

/// What is decided about a response before the first micro-batch: what its tokens are multiplied by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Decided {
    pub(crate) advantage: f64,
    pub(crate) weight: f64,
}

/// Steps 4 and 5 of a training step, over the whole batch; `responses` are group after group.
pub(crate) fn decide(
    estimator: &dyn AdvantageEstimator,
    rule: &dyn Reducer,
    responses: &[Sampled],
    group_sizes: &[usize],
) -> Vec<Decided> {
    let rewards: Vec<Option<f64>> = responses.iter().map(|response| response.reward).collect();
    let lengths: Vec<usize> = responses.iter().map(Sampled::tokens).collect();
    let mut start = 0;
    let mut groups = Vec::new();
    for size in group_sizes {
        let rows = start..start + size;
        groups.push(Group::new(&rewards[rows.clone()], &lengths[rows]).unwrap());
        start += size;
    }
    let advantages = estimator.estimate(&groups).unwrap().values;
    let measured: Vec<Response> = advantages
        .iter()
        .zip(lengths)
        .map(|(&advantage, tokens)| Response { tokens, advantage })
        .collect();
    let weights = batch_weights(rule, &measured, group_sizes).unwrap();
    advantages
        .into_iter()
        .zip(weights)
        .map(|(advantage, weight)| Decided { advantage, weight })
        .collect()
}

/// The loss of some responses and its derivative by the log-probability of every token of theirs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Backward {
    pub(crate) loss: f64,
    pub(crate) coefficients: Vec<Vec<f64>>,
}

/// Step 6 for one micro-batch: a plain weighted sum, with no idea of the rest of the batch.
pub(crate) fn micro_batch<'a>(
    objective: &dyn PolicyObjective,
    rows: impl IntoIterator<Item = (&'a Sampled, Decided)>,
) -> Backward {
    let mut total = Backward::default();
    let mut out = TokenLoss::new();
    for (response, Decided { advantage, weight }) in rows {
        let terms = TokenTerms::new(&response.logprobs, &response.old_logprobs, advantage);
        objective.evaluate(&terms.unwrap(), &mut out);
        total.loss += weight * out.sum();
        total
            .coefficients
            .push(out.gradient.iter().map(|slope| weight * slope).collect());
    }
    total
}

/// The whole batch as one micro-batch.
pub(crate) fn whole_batch(
    objective: &dyn PolicyObjective,
    responses: &[Sampled],
    decided: &[Decided],
) -> Backward {
    micro_batch(objective, responses.iter().zip(decided.iter().copied()))
}

/// `None` for an option that an entry of a catalogue does not have, otherwise each of the values.
fn choices<T: Copy>(options: &[&str], option: &str, values: &[T]) -> Vec<Option<T>> {
    if options.contains(&option) {
        values.iter().copied().map(Some).collect()
    } else {
        vec![None]
    }
}

/// Every aggregation rule of the catalogue, with every choice it has.
pub(crate) fn every_rule() -> Vec<Box<dyn Reducer>> {
    use equipoise_aggregation::{CATALOGUE, Options, by_name};
    let mut rules = Vec::new();
    for entry in CATALOGUE {
        for scope in choices(entry.options, "scope", &[Scope::Group, Scope::Batch]) {
            let zeros = [ZeroAdvantage::Neutral, ZeroAdvantage::Negative];
            for zero_advantage in choices(entry.options, "zero_advantage", &zeros) {
                for max_tokens in choices(entry.options, "max_tokens", &[8]) {
                    let options = Options {
                        scope,
                        zero_advantage,
                        max_tokens,
                        ..Options::default()
                    };
                    rules.push(by_name(entry.name, &options).unwrap());
                }
            }
        }
    }
    rules
}

/// Every advantage estimator of the catalogue that needs rewards and lengths alone, with every standard
/// deviation. `std = none` is not among them, because it is `dr_grpo` by another name, and neither is one
/// that is not defined for every reward.
pub(crate) fn every_estimator() -> Vec<Box<dyn AdvantageEstimator>> {
    use equipoise_advantages::{CATALOGUE, Level, Options, by_name};
    let deviations = [StandardDeviation::Group, StandardDeviation::Batch];
    let corrections = [Correction::Sample, Correction::Population];
    let mut estimators = Vec::new();
    for entry in CATALOGUE {
        for std in choices(entry.options, "std", &deviations) {
            for correction in choices(entry.options, "correction", &corrections) {
                let options = Options {
                    std,
                    correction,
                    ..Options::default()
                };
                // `passk_best` knows no deviation of the batch.
                let Ok(estimator) = by_name(entry.name, &options) else {
                    continue;
                };
                if estimator.needs().is_nothing()
                    && entry.level == Level::Response
                    && entry.name != "max_rl"
                {
                    estimators.push(estimator);
                }
            }
        }
    }
    estimators
}

/// The bounds of [`every_objective`] on the ratio, at which a clipped term has a kink.
pub(crate) const RATIO_BOUNDS: [f64; 3] = [0.8, 1.28, 3.0];

/// Every policy objective of the catalogue, with bounds on the ratio where it has them.
pub(crate) fn every_objective() -> Vec<Box<dyn PolicyObjective>> {
    use equipoise_objectives::{CATALOGUE, Options, by_name};
    let [low, high, dual] = RATIO_BOUNDS;
    let build = |entry: &equipoise_objectives::Entry| {
        let given = |option, value| entry.options.contains(&option).then_some(value);
        let options = Options {
            epsilon_low: given("epsilon_low", 1.0 - low),
            epsilon_high: given("epsilon_high", high - 1.0),
            dual_clip: given("dual_clip", dual),
            ..Options::default()
        };
        by_name(entry.name, &options).unwrap()
    };
    CATALOGUE.iter().map(build).collect()
}

/// Those of [`every_objective`] that are differentiable but for [`RATIO_BOUNDS`]: the others have kinks of
/// their own or hold a weight constant, and are differentiated in their own tests.
pub(crate) fn smooth_objectives() -> Vec<Box<dyn PolicyObjective>> {
    let smooth = [
        "ppo_clip",
        "policy_gradient",
        "sapo",
        "dro",
        "shaped_off_policy",
    ];
    let mut objectives = every_objective();
    objectives.retain(|objective| smooth.contains(&objective.name()));
    assert_eq!(objectives.len(), smooth.len());
    objectives
}
