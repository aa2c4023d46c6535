//! How to sample.

use equipoise_core::TokenId;

use crate::SamplerError;

/// How to sample, and at which address of the random streams.
///
/// Filters apply in the order of transformers: temperature, top-k, top-p, min-p; what remains is
/// renormalised.
#[derive(Clone, Debug, PartialEq)]
pub struct SampleSpec {
    /// The run's seed.
    pub seed: u64,
    /// The first coordinate of the samples' streams.
    pub step: u64,
    /// How many completions of each prompt.
    pub samples_per_prompt: usize,
    /// What the logits are divided by; 0 always takes the most likely token (the lowest id of
    /// several), whose log-probability is then 0.
    pub temperature: f64,
    /// Keep only the k most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the fewest most likely tokens whose probabilities add up to this; 1 keeps all
    /// (Holtzman et al., arXiv:1904.09751).
    pub top_p: f64,
    /// Keep the tokens at least this likely relative to the most likely one; 0 keeps all (Nguyen
    /// et al., arXiv:2407.01082).
    pub min_p: f64,
    /// Tokens that end a completion; they are part of it.
    pub stop: Vec<TokenId>,
    /// The most tokens a completion may have.
    pub max_new_tokens: usize,
}

impl SampleSpec {
    /// Whether every token can be drawn, so that log-probabilities are those of the model itself
    /// and ratios of two policies mean what they should.
    pub fn has_full_support(&self) -> bool {
        self.temperature > 0.0 && self.top_k == 0 && self.top_p >= 1.0 && self.min_p <= 0.0
    }

    /// Checks that such sampling is possible.
    ///
    /// # Errors
    /// [`SamplerError::Spec`] naming the setting, its value and its range.
    pub fn validate(&self) -> Result<(), SamplerError> {
        let fail = |reason: String| Err(SamplerError::Spec(reason));
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return fail(format!(
                "temperature is {}; it must be 0 or more",
                self.temperature
            ));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return fail(format!("top_p is {}; it must be in (0, 1]", self.top_p));
        }
        if !(0.0..=1.0).contains(&self.min_p) {
            return fail(format!("min_p is {}; it must be in [0, 1]", self.min_p));
        }
        if self.samples_per_prompt == 0 {
            return fail("samples_per_prompt is 0; it must be positive".to_owned());
        }
        if self.max_new_tokens == 0 {
            return fail("max_new_tokens is 0; it must be positive".to_owned());
        }
        Ok(())
    }
}
