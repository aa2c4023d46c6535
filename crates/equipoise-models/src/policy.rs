//! The border between numbers and tensors.

use crate::{Gradients, ModelError, Need, Parameters, TokenBatch, TokenCotangents, TokenOutputs};

/// A language model that can be trained: token ids in, numbers per scored token out.
pub trait Policy: Send + Sync {
    /// Scores a batch and remembers how, so that a derivative can be sent back.
    ///
    /// # Errors
    /// If the batch cannot be fed to the model (a token outside the vocabulary, a sequence that is
    /// too long), or a tensor operation fails.
    fn forward(&self, batch: &TokenBatch, need: &Need) -> Result<Box<dyn Tape>, ModelError>;

    /// Scores a batch and remembers nothing. The numbers are the same as [`Policy::forward`]'s.
    ///
    /// # Errors
    /// As [`Policy::forward`].
    fn score(&self, batch: &TokenBatch, need: &Need) -> Result<TokenOutputs, ModelError>;

    /// The parameters, by the names they have in a Hugging Face checkpoint.
    fn parameters(&self) -> &Parameters;
}

/// One forward pass, waiting for the derivative of its outputs.
pub trait Tape: Send {
    /// The numbers of the forward pass.
    fn outputs(&self) -> &TokenOutputs;

    /// Adds to `gradients` the gradient of Σ cotangent · output over all outputs.
    ///
    /// # Errors
    /// If the cotangents do not have the outputs' borders, or a weight is not single precision in
    /// the CPU's memory.
    fn backward(
        self: Box<Self>,
        cotangents: &TokenCotangents,
        gradients: &mut Gradients,
    ) -> Result<(), ModelError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traits_are_dyn_compatible() {
        fn _policy(_: &dyn Policy) {}
        fn _tape(_: &dyn Tape) {}
    }
}
