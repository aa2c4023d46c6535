#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod select;
mod spec;

pub use engine::{Engine, rows_at_a_time};
pub use error::SamplerError;
pub use select::{Selected, select};
pub use spec::SampleSpec;

use equipoise_core::{Completion, Prompt};
use equipoise_models::Parameters;

/// Something that continues prompts.
pub trait Sampler: Send {
    /// Continues every prompt `spec.samples_per_prompt` times; the result has a row per prompt, in
    /// order, with its samples in order of index.
    ///
    /// # Errors
    /// If the specification is impossible, a prompt is empty or too long, or the model fails.
    fn sample(
        &mut self,
        prompts: &[Prompt],
        spec: &SampleSpec,
    ) -> Result<Vec<Vec<Completion>>, SamplerError>;

    /// Takes over new weights; completions sampled from now on carry `version`.
    ///
    /// # Errors
    /// If the weights are those of another model.
    fn sync(&mut self, weights: &Parameters, version: u64) -> Result<(), SamplerError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_is_dyn_compatible() {
        fn _assert(_: &dyn Sampler) {}
    }
}
