//! What can go wrong with a model.

use std::path::PathBuf;

/// An error of this crate: what was wrong, where, and what would be right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The configuration describes no model.
    #[error("impossible model: {0}")]
    Config(String),
    /// The configuration asks for something this crate does not do.
    #[error("unsupported model: {0}")]
    Unsupported(String),
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    File {
        /// What was being done: "read" or "write".
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file was read but is not what it should be.
    #[error("{path} is damaged or not a checkpoint: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A checkpoint holds the tensors of another model.
    #[error("{path} does not fit the model: {reason}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// Which tensor, and what was expected.
        reason: String,
    },
    /// A batch cannot be fed to the model.
    #[error("impossible batch: {0}")]
    Batch(String),
    /// A trained parameter got no gradient.
    #[error("parameter {0} received no gradient: no backward pass has reached it")]
    NoGradient(String),
    /// A tensor operation failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
