//! The three independent choices of the recipe, and those beside them, as objects.

use equipoise_advantages::AdvantageEstimator;
use equipoise_advantages::estimators::{Correction, StandardDeviation};
use equipoise_aggregation::rules::{TokenMean, ZeroAdvantage};
use equipoise_aggregation::{Reducer, Scope};
use equipoise_objectives::{EntropyBonus, KlEstimator, PolicyObjective};

use crate::TrainError;
use crate::recipe::{self, RlStage};

/// What turns rewards and log-probabilities into a loss.
pub(super) struct Parts {
    pub(super) estimator: Box<dyn AdvantageEstimator>,
    pub(super) reducer: Box<dyn Reducer>,
    pub(super) objective: Box<dyn PolicyObjective>,
    /// The divergence and its own aggregation.
    pub(super) kl: Option<(KlEstimator, Box<dyn Reducer>)>,
    /// The entropy bonus is a token mean, whatever the rule of the policy loss.
    pub(super) entropy: EntropyBonus,
    pub(super) entropy_reducer: TokenMean,
}

impl Parts {
    pub(super) fn new(stage: &RlStage) -> Result<Self, TrainError> {
        let kl = match stage.kl {
            Some(kl) if stage.kl_coefficient != 0.0 => {
                let rule = stage
                    .kl_aggregation
                    .unwrap_or(recipe::Aggregation::TokenMean);
                Some((kl_estimator(kl), reducer(rule, stage, false)?))
            }
            _ => None,
        };
        Ok(Self {
            estimator: estimator(stage)?,
            reducer: reducer(stage.aggregation, stage, true)?,
            objective: objective(stage)?,
            kl,
            entropy: EntropyBonus {
                coefficient: stage.entropy_coefficient,
            },
            entropy_reducer: TokenMean,
        })
    }
}

fn estimator(stage: &RlStage) -> Result<Box<dyn AdvantageEstimator>, TrainError> {
    let name = match stage.estimator {
        recipe::Estimator::Grpo => "grpo",
        recipe::Estimator::DrGrpo => "dr_grpo",
        recipe::Estimator::Rloo => "rloo",
    };
    let options = equipoise_advantages::Options {
        std: stage.std.map(|std| match std {
            recipe::StdScope::None => StandardDeviation::None,
            recipe::StdScope::Group => StandardDeviation::Group,
            recipe::StdScope::Batch => StandardDeviation::Batch,
        }),
        correction: stage.std_correction.map(|correction| match correction {
            recipe::StdCorrection::Sample => Correction::Sample,
            recipe::StdCorrection::Population => Correction::Population,
        }),
        epsilon: stage.std_epsilon,
    };
    Ok(equipoise_advantages::by_name(name, &options)?)
}

/// The rule of the policy loss (`main`) or of the divergence, which has no sign to balance.
fn reducer(
    rule: recipe::Aggregation,
    stage: &RlStage,
    main: bool,
) -> Result<Box<dyn Reducer>, TrainError> {
    let name = match rule {
        recipe::Aggregation::Balanced => "balanced",
        recipe::Aggregation::TokenMean => "token_mean",
        recipe::Aggregation::SequenceMean => "sequence_mean",
        recipe::Aggregation::DrGrpo => "dr_grpo",
    };
    let constant = rule == recipe::Aggregation::DrGrpo;
    let options = equipoise_aggregation::Options {
        scope: stage
            .aggregation_scope
            .filter(|_| main)
            .map(|scope| match scope {
                recipe::Scope::Group => Scope::Group,
                recipe::Scope::Batch => Scope::Batch,
            }),
        zero_advantage: stage
            .zero_advantage
            .filter(|_| main)
            .map(|zero| match zero {
                recipe::ZeroAdvantage::Neutral => ZeroAdvantage::Neutral,
                recipe::ZeroAdvantage::Negative => ZeroAdvantage::Negative,
            }),
        max_tokens: stage.aggregation_max_tokens.filter(|_| constant),
    };
    Ok(equipoise_aggregation::by_name(name, &options)?)
}

fn objective(stage: &RlStage) -> Result<Box<dyn PolicyObjective>, TrainError> {
    let recipe::Objective::PpoClip = stage.objective;
    let options = equipoise_objectives::Options {
        epsilon_low: Some(stage.epsilon_low),
        epsilon_high: Some(stage.epsilon_high),
        dual_clip: stage.dual_clip,
    };
    Ok(equipoise_objectives::by_name("ppo_clip", &options)?)
}

fn kl_estimator(kl: recipe::KlEstimator) -> KlEstimator {
    match kl {
        recipe::KlEstimator::K1 => KlEstimator::K1,
        recipe::KlEstimator::K2 => KlEstimator::K2,
        recipe::KlEstimator::K3 => KlEstimator::K3,
    }
}
