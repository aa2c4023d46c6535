//! What can go wrong in a step, in saving and in loading.

use std::path::PathBuf;

/// An error of this crate. A step that fails has changed no parameter and no state, unless the
/// tensor library itself failed halfway ([`OptimError::Tensor`]).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OptimError {
    /// A parameter that is not frozen came without a gradient.
    #[error(
        "parameter {name}: no gradient. Either the loss does not depend on it, or an operation on \
         the way cut the gradient; list it as frozen if it is not meant to be trained"
    )]
    MissingGradient {
        /// The parameter.
        name: String,
    },
    /// A gradient is infinite or not a number.
    #[error("parameter {name}: the gradient is not finite")]
    NonFiniteGradient {
        /// The parameter.
        name: String,
    },
    /// The gradient has another shape than its parameter.
    #[error("parameter {name}: the gradient has shape {gradient:?}, the parameter {parameter:?}")]
    GradientShape {
        /// The parameter.
        name: String,
        /// The shape of the parameter.
        parameter: Vec<usize>,
        /// The shape of the gradient.
        gradient: Vec<usize>,
    },
    /// The parameter or its gradient is of a kind this crate has no code for.
    #[error("parameter {name}: {what}; supported are contiguous f32, bf16 and f16 on the CPU")]
    Unsupported {
        /// The parameter.
        name: String,
        /// What is unusual about it.
        what: String,
    },
    /// One step names a parameter twice.
    #[error("parameter {name} occurs twice in one step")]
    Duplicate {
        /// The parameter.
        name: String,
    },
    /// A step does not cover the parameters that the steps before it covered.
    #[error(
        "the parameters differ from those of earlier steps ({steps} so far): missing {missing:?}, new \
         {added:?}. All parameters share one step count, so every step must cover them all"
    )]
    ParametersChanged {
        /// The number of steps taken so far.
        steps: u64,
        /// Parameters that have state but are not in this step.
        missing: Vec<String>,
        /// Parameters of this step that have no state.
        added: Vec<String>,
    },
    /// A parameter has another shape than in the steps before.
    #[error("parameter {name} has shape {now:?}, in the steps before it had {before:?}")]
    ShapeChanged {
        /// The parameter.
        name: String,
        /// Its shape in the state.
        before: Vec<usize>,
        /// Its shape in this step.
        now: Vec<usize>,
    },
    /// A frozen parameter does not occur in the step.
    #[error("frozen parameter {name} does not exist; the parameters are {}", known.join(", "))]
    UnknownFrozen {
        /// The name in the list of frozen parameters.
        name: String,
        /// The names of the step.
        known: Vec<String>,
    },
    /// A number given to a step or to a constructor is out of its range.
    #[error("{name} is {value}, it must be {expected}")]
    OutOfRange {
        /// The number's name.
        name: &'static str,
        /// Its value.
        value: f64,
        /// Its range, in words.
        expected: &'static str,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not an optimiser state of this crate, or is damaged.
    #[error("{path}: not a readable AdamW state: {what}", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A saved state belongs to other parameters.
    #[error(
        "{path}: the saved optimiser state does not fit these parameters: {}",
        differences.join("; "),
        path = path.display()
    )]
    OtherParameters {
        /// The file.
        path: PathBuf,
        /// Every difference, one sentence each.
        differences: Vec<String>,
    },
    /// The tensor library failed.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
}
