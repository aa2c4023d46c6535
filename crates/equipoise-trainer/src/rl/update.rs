//! The loss of one optimiser step, as a weighted sum over its responses.
//!
//! ```text
//! L = Σᵢ wᵢ Σₜ ℓᵢₜ  +  β Σᵢ vᵢ Σₜ KLᵢₜ  −  c Σᵢ uᵢ Σₜ Hᵢₜ
//! ```
//!
//! with the weights w, v, u of the policy loss, the divergence and the entropy bonus, each from its
//! own reducer over the whole step.

use equipoise_aggregation::{Reducer, Response, batch_weights};
use equipoise_core::Completion;
use equipoise_models::{Gradients, Need, Policy};
use equipoise_objectives::{Clip, TokenLoss, TokenTerms};

use super::parts::Parts;
use crate::TrainError;
use crate::gradient::{ResponseLoss, Sequence, accumulate};
use crate::recipe::RlStage;

/// Everything the loss of one optimiser step is made of.
pub(super) struct Update<'a> {
    pub(super) stage: &'a RlStage,
    pub(super) parts: &'a Parts,
    pub(super) completions: &'a [Completion],
    pub(super) responses: &'a [Response],
    pub(super) weights: &'a [f64],
    /// The reference's log-probabilities, response by response.
    pub(super) reference: Option<&'a [Vec<f32>]>,
}

/// What one response contributed; sums over its tokens unless said otherwise.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record {
    pub(super) tokens: usize,
    /// Its share of the loss, all terms with weights and coefficients.
    pub(super) policy_loss: f64,
    pub(super) kl_loss: f64,
    pub(super) entropy_loss: f64,
    /// Without weights.
    pub(super) kl: Option<f64>,
    pub(super) entropy: f64,
    pub(super) clipped_low: usize,
    pub(super) clipped_high: usize,
    pub(super) saturated: usize,
    /// The largest importance ratio of a token.
    pub(super) largest_ratio: f64,
    /// The largest difference of a token's log-probability to the sampler's.
    pub(super) old_difference: f64,
}

/// The largest of some numbers that are not negative; NaN if one is, which `f64::max` would pass over.
pub(super) fn keep_nan(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |a, x| if x <= a || a.is_nan() { a } else { x })
}

impl Update<'_> {
    /// The gradient of the loss, and a record of every response.
    pub(super) fn gradient(
        &self,
        policy: &dyn Policy,
        sequences: &[Sequence<'_>],
        need: &Need,
    ) -> Result<(Gradients, Vec<Record>), TrainError> {
        let group_sizes = vec![
            self.stage.samples_per_prompt;
            self.responses.len() / self.stage.samples_per_prompt
        ];
        let weights_of =
            |reducer: &dyn Reducer| batch_weights(reducer, self.responses, &group_sizes);
        let kl_weights = self
            .parts
            .kl
            .as_ref()
            .map(|(_, r)| weights_of(&**r))
            .transpose()?;
        let entropy_weights = weights_of(&self.parts.entropy_reducer)?;
        let budget = self.stage.tokens_per_micro_batch;
        accumulate(
            policy,
            sequences,
            budget,
            need,
            |at, logprobs, entropies| {
                let kl_weight = kl_weights.as_ref().map_or(0.0, |weights| weights[at]);
                self.response(at, logprobs, entropies, kl_weight, entropy_weights[at])
            },
        )
    }

    fn response(
        &self,
        at: usize,
        logprobs: &[f32],
        entropies: &[f32],
        kl_weight: f64,
        entropy_weight: f64,
    ) -> ResponseLoss<Record> {
        let tokens = logprobs.len();
        let logprobs: Vec<f64> = logprobs.iter().copied().map(f64::from).collect();
        let old: Vec<f64> = self.completions[at].logprobs[..tokens]
            .iter()
            .copied()
            .map(f64::from)
            .collect();
        let differences = || logprobs.iter().zip(&old).map(|(new, old)| new - old);
        let mut record = Record {
            tokens,
            entropy: entropies.iter().copied().map(f64::from).sum(),
            largest_ratio: keep_nan(differences().map(f64::exp)),
            old_difference: keep_nan(differences().map(f64::abs)),
            ..Record::default()
        };

        let mut out = TokenLoss::new();
        let weight = self.weights[at];
        // Both slices have one element per token, so the terms always exist.
        if let Ok(terms) = TokenTerms::new(&logprobs, &old, self.responses[at].advantage) {
            self.parts.objective.evaluate(&terms, &mut out);
        }
        record.policy_loss = weight * out.sum();
        record.clipped_low = out.count(Clip::Low);
        record.clipped_high = out.count(Clip::High);
        record.saturated = out.count(Clip::Saturated);
        let mut derivative: Vec<f64> = out.gradient.iter().map(|g| weight * g).collect();

        if let (Some((kl, _)), Some(reference)) = (&self.parts.kl, self.reference) {
            let scale = self.stage.kl_coefficient * kl_weight;
            let mut sum = 0.0;
            let rows = derivative.iter_mut().zip(&logprobs).zip(&reference[at]);
            for ((derivative, &logprob), &reference) in rows {
                let term = kl.evaluate(logprob, f64::from(reference));
                sum += term.value;
                *derivative += scale * term.derivative;
            }
            record.kl = Some(sum);
            record.kl_loss = scale * sum;
        }

        let entropy_terms = entropies
            .iter()
            .map(|&h| self.parts.entropy.evaluate(f64::from(h)));
        let mut entropy_derivative = Vec::with_capacity(tokens);
        for term in entropy_terms {
            record.entropy_loss += entropy_weight * term.value;
            entropy_derivative.push((entropy_weight * term.derivative) as f32);
        }
        ResponseLoss {
            logprobs: derivative.into_iter().map(|d| d as f32).collect(),
            entropies: entropy_derivative,
            record,
        }
    }
}
