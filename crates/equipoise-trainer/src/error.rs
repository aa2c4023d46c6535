//! What can go wrong in a run.

use std::path::{Path, PathBuf};

use crate::recipe::RecipeError;

/// An error of a run: what was wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe. Boxed, because it is by far the largest error, and results carry the room for it.
    #[error(transparent)]
    Recipe(Box<RecipeError>),
    /// The parts of the recipe do not go together.
    #[error("{0}")]
    Assembly(String),
    /// The model.
    #[error(transparent)]
    Model(#[from] equipoise_models::ModelError),
    /// The sampler.
    #[error(transparent)]
    Sampler(#[from] equipoise_samplers::SamplerError),
    /// The optimiser.
    #[error(transparent)]
    Optimizer(#[from] equipoise_optim::OptimError),
    /// The records of the run.
    #[error(transparent)]
    Tracking(#[from] equipoise_tracking::TrackingError),
    /// The tokenizer.
    #[error(transparent)]
    Tokenizer(#[from] equipoise_data::TokenizerError),
    /// The problems of a procedural task.
    #[error(transparent)]
    Task(#[from] equipoise_data::ProceduralError),
    /// The problems of files.
    #[error(transparent)]
    Data(#[from] equipoise_data::DataError),
    /// The aggregation rule.
    #[error(transparent)]
    Aggregation(#[from] equipoise_aggregation::Error),
    /// The advantage estimator.
    #[error(transparent)]
    Advantages(#[from] equipoise_advantages::Error),
    /// The objective.
    #[error(transparent)]
    Objective(#[from] equipoise_objectives::Error),
    /// A part of the reward has an impossible weight.
    #[error(transparent)]
    Reward(#[from] equipoise_verifiers::InvalidWeights),
    /// The chat template cannot be read.
    #[error("data.chat_template: {0}")]
    Template(#[from] equipoise_data::chat::ChatTemplateError),
    /// The verifier cannot be built.
    #[error("verifier: {0}")]
    Verifier(#[from] equipoise_verifiers::BuildError),
    /// Something that would silently spoil the run passed its limit.
    #[error("{stage} step {step}: {what}")]
    Alarm {
        /// The stage.
        stage: String,
        /// The step.
        step: u64,
        /// What was seen, the limit, and what to do.
        what: String,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A checkpoint cannot be used.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The checkpoint's directory.
        path: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl From<RecipeError> for TrainError {
    fn from(error: RecipeError) -> Self {
        Self::Recipe(Box::new(error))
    }
}

impl TrainError {
    /// For `map_err`: a file operation that failed.
    pub(crate) fn file(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File {
            action,
            path,
            source,
        }
    }
}
