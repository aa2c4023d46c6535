//! The choices of the recipe as objects.

use equipoise_advantages::AdvantageEstimator;
use equipoise_aggregation::Reducer;
use equipoise_aggregation::rules::TokenMean;
use equipoise_objectives::{EntropyBonus, KlEstimator, KlTerm, PolicyObjective};

use crate::TrainError;
use crate::recipe::{self, Choices, RecipeError, RlStage};

/// What turns rewards and log-probabilities into a loss.
pub(super) struct Parts {
    pub(super) estimator: Box<dyn AdvantageEstimator>,
    pub(super) reducer: Box<dyn Reducer>,
    pub(super) objective: Box<dyn PolicyObjective>,
    /// The divergence, to be multiplied by the recipe's coefficient, and its own aggregation.
    pub(super) kl: Option<(KlTerm, Box<dyn Reducer>)>,
    /// The entropy bonus is a token mean, whatever the rule of the policy loss.
    pub(super) entropy: EntropyBonus,
    pub(super) entropy_reducer: TokenMean,
}

impl Parts {
    pub(super) fn new(stage: &RlStage, name: &str) -> Result<Self, TrainError> {
        let Choices {
            estimator,
            objective,
            aggregation,
            kl_aggregation,
        } = stage.choices().map_err(|problems| {
            TrainError::from(RecipeError::Invalid {
                origin: format!("stage {name}"),
                problems,
            })
        })?;
        Ok(Self {
            estimator,
            objective,
            reducer: aggregation,
            kl: (stage.kl.map(kl_estimator))
                .map(|estimator| KlTerm {
                    clamp: stage.kl_clamp,
                    importance: stage.kl_importance == Some(true),
                    ..KlTerm::new(estimator)
                })
                .zip(kl_aggregation),
            entropy: EntropyBonus {
                coefficient: stage.entropy_coefficient,
            },
            entropy_reducer: TokenMean,
        })
    }
}

fn kl_estimator(kl: recipe::KlEstimator) -> KlEstimator {
    match kl {
        recipe::KlEstimator::K1 => KlEstimator::K1,
        recipe::KlEstimator::K2 => KlEstimator::K2,
        recipe::KlEstimator::K3 => KlEstimator::K3,
        recipe::KlEstimator::Abs => KlEstimator::Absolute,
        recipe::KlEstimator::K1Plus => KlEstimator::K1StraightThrough,
        recipe::KlEstimator::K3Plus => KlEstimator::K3StraightThrough,
    }
}
