//! What can go wrong while sampling.

use equipoise_models::ModelError;

/// An error of a sampler.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SamplerError {
    /// The settings make no sense.
    #[error("impossible sampling: {0}")]
    Spec(String),
    /// A prompt cannot be continued.
    #[error("prompt {id}: {reason}")]
    Prompt {
        /// The prompt's number.
        id: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// New weights do not fit the model.
    #[error("cannot take over the weights: {0}")]
    Weights(String),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
}
