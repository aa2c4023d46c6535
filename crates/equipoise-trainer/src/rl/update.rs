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
use equipoise_objectives::{Advantage, Clip, TokenLoss, TokenTerms};

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
    /// The advantage of every token, response by response, if the estimator tells them apart.
    pub(super) token_advantages: Option<&'a [Vec<f64>]>,
    /// Decides the random choices of an objective that makes some.
    pub(super) seed: u64,
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
    /// Tokens whose weight was cut off at a bound.
    pub(super) capped: usize,
    /// Tokens whose term was left out.
    pub(super) masked: usize,
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
        let old: Vec<Vec<f64>> = (0..sequences.len())
            .map(|at| self.sampled(at, sequences[at].response.len()))
            .collect();
        let marks = self.marks(&old)?;
        let budget = self.stage.tokens_per_micro_batch;
        let need = match self.parts.entropy.coefficient == 0.0 {
            true => *need,
            false => need.with_entropy_gradients(),
        };
        accumulate(
            policy,
            sequences,
            budget,
            &need,
            |at, logprobs, entropies| {
                let kl_weight = kl_weights.as_ref().map_or(0.0, |weights| weights[at]);
                let marks = marks.as_ref().map(|marks| &marks[at][..]);
                let weights = (kl_weight, entropy_weights[at]);
                self.response(at, logprobs, entropies, &old[at], marks, weights)
            },
        )
    }

    /// The sampler's log-probabilities of the tokens that carry a loss.
    fn sampled(&self, at: usize, tokens: usize) -> Vec<f64> {
        let logprobs = &self.completions[at].logprobs[..tokens];
        logprobs.iter().copied().map(f64::from).collect()
    }

    fn advantage(&self, at: usize, tokens: usize) -> Advantage<'_> {
        match self.token_advantages {
            // A response that is masked has none of its tokens left.
            Some(rows) => Advantage::Tokens(&rows[at][..tokens]),
            None => Advantage::Response(self.responses[at].advantage),
        }
    }

    /// The objective's choice among the tokens of the whole step, made before micro-batches are cut and
    /// from what is known by then: the sampler's log-probabilities.
    fn marks(&self, old: &[Vec<f64>]) -> Result<Option<Vec<Vec<bool>>>, TrainError> {
        let terms = old
            .iter()
            .enumerate()
            .map(|(at, old)| TokenTerms::new(old, old, self.advantage(at, old.len())));
        let terms = terms.collect::<Result<Vec<_>, _>>()?;
        Ok(self.parts.objective.marks(&terms, self.seed))
    }

    fn response(
        &self,
        at: usize,
        logprobs: &[f32],
        entropies: &[f32],
        old: &[f64],
        marks: Option<&[bool]>,
        (kl_weight, entropy_weight): (f64, f64),
    ) -> ResponseLoss<Record> {
        let tokens = logprobs.len();
        let logprobs: Vec<f64> = logprobs.iter().copied().map(f64::from).collect();
        let differences = || logprobs.iter().zip(old).map(|(new, old)| new - old);
        let mut record = Record {
            tokens,
            entropy: entropies.iter().copied().map(f64::from).sum(),
            largest_ratio: keep_nan(differences().map(f64::exp)),
            old_difference: keep_nan(differences().map(f64::abs)),
            ..Record::default()
        };

        let mut out = TokenLoss::new();
        let weight = self.weights[at];
        // Every row has one element per token, so the terms always exist.
        let terms = TokenTerms::new(&logprobs, old, self.advantage(at, tokens));
        let terms = terms.and_then(|terms| match marks {
            Some(marks) => terms.with_marks(marks),
            None => Ok(terms),
        });
        if let Ok(terms) = terms {
            self.parts.objective.evaluate(&terms, &mut out);
        }
        record.policy_loss = weight * out.sum();
        record.clipped_low = out.count(Clip::Low);
        record.clipped_high = out.count(Clip::High);
        record.capped = out.count(Clip::Weight);
        record.masked = out.count(Clip::Masked);
        record.saturated = out.count(Clip::Saturated);
        let mut derivative: Vec<f64> = out.gradient.iter().map(|g| weight * g).collect();

        if let (Some((kl, _)), Some(reference)) = (&self.parts.kl, self.reference) {
            let advantage = self.advantage(at, tokens);
            let scale = self.stage.kl_coefficient * kl_weight;
            let (mut sum, mut loss) = (0.0, 0.0);
            for (token, derivative) in derivative.iter_mut().enumerate() {
                let (logprob, reference) = (logprobs[token], f64::from(reference[at][token]));
                sum += kl.estimator.evaluate(logprob, reference).value;
                let term = kl.evaluate(logprob, reference, old[token], advantage.at(token));
                loss += term.value;
                *derivative += scale * term.derivative;
            }
            record.kl = Some(sum);
            record.kl_loss = scale * loss;
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
