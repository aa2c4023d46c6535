//! A smooth weight on the ratio of the whole response.

use super::{clamped_log_ratio, weighted_log};
use crate::options::{Range, checked};
use crate::sum::sum;
use crate::{Clip, Entry, PolicyObjective, TokenLoss, TokenTerms};

/// The logarithm of the smallest ratio of a response that is told apart, 1e-8.
const LOWEST: f64 = -18.420_680_743_952_367;
/// And of the largest.
const HIGHEST: f64 = 20.0;

/// Variational sequence-level soft policy optimisation (arXiv:2602.10693): the policy gradient with a
/// weight that is a gamma density of the ratio of the response, and 1 where the policies agree.
///
/// ```text
/// W = exp(Σ_t log r_t)          φ = exp(λ + k log W − λ W)
/// ℓ_t = −sg(φ) A log π_θ,t
/// dℓ_t / d log π_θ,t = −φ A
/// ```
///
/// with (k, λ) = (2, 3) where A ≥ 0 and (3, 2) where A < 0. Each log r_t is cut off at ±20 and the sum at
/// log 10⁻⁸ and 20, as in TRL. TRL multiplies the weights of a mismatch correction into W, where a token
/// that the correction masks counts as 10⁻⁸ and one such token all but silences its response; here they are
/// multipliers of the term, as with every other objective.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::Vespo};
///
/// let mut out = TokenLoss::new();
/// // log W = 0.1 + 0.1.
/// let terms = TokenTerms::new(&[-0.9, -1.9], &[-1.0, -2.0], 1.0)?;
/// Vespo::default().evaluate(&terms, &mut out);
/// let weight = (3.0 + 2.0 * 0.2 - 3.0 * 0.2_f64.exp()).exp();
/// assert!((out.gradient[0] + weight).abs() < 1e-14);
/// assert!((out.loss[1] - 1.9 * weight).abs() < 1e-14);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Vespo {
    /// k where the advantage is not negative; at least 0.
    pub k_positive: f64,
    /// λ where the advantage is not negative; at least 0.
    pub lambda_positive: f64,
    /// k where it is negative; at least 0.
    pub k_negative: f64,
    /// λ where it is negative; at least 0.
    pub lambda_negative: f64,
}

impl Default for Vespo {
    fn default() -> Self {
        Self {
            k_positive: 2.0,
            lambda_positive: 3.0,
            k_negative: 3.0,
            lambda_negative: 2.0,
        }
    }
}

impl Vespo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "vespo",
        formula: "−sg(φ) A log π, φ = exp(λ + k log W − λ W), W the ratio of the response",
        options: &[
            "k_positive",
            "lambda_positive",
            "k_negative",
            "lambda_negative",
        ],
        build: |options| {
            let number = |option, given, default| {
                checked("vespo", option, given, default, Range::NotNegative)
            };
            Ok(Box::new(Self {
                k_positive: number("k_positive", options.k_positive, 2.0)?,
                lambda_positive: number("lambda_positive", options.lambda_positive, 3.0)?,
                k_negative: number("k_negative", options.k_negative, 3.0)?,
                lambda_negative: number("lambda_negative", options.lambda_negative, 2.0)?,
            }))
        },
    };

    /// φ for the logarithm of the response's ratio.
    fn weight(&self, log_ratio: f64, advantage: f64) -> f64 {
        let (k, lambda) = match advantage < 0.0 {
            true => (self.k_negative, self.lambda_negative),
            false => (self.k_positive, self.lambda_positive),
        };
        let log_weight = lambda + k * log_ratio - lambda * log_ratio.exp();
        // Options may be large; a weight is a number.
        log_weight.min(600.0).exp()
    }
}

impl PolicyObjective for Vespo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        out.reset(terms.len());
        let rows = || terms.logprobs().iter().zip(terms.old_logprobs());
        let total = sum(rows().map(|(logprob, old)| clamped_log_ratio(*logprob, *old)));
        let log_ratio = total.clamp(LOWEST, HIGHEST);
        let [positive, negative] = [1.0, -1.0].map(|sign| self.weight(log_ratio, sign));
        let clip = match total == log_ratio || total.is_nan() {
            true => Clip::None,
            false => Clip::Weight,
        };
        for (token, (logprob, _)) in rows().enumerate() {
            let advantage = terms.advantage().at(token);
            let weight = if advantage < 0.0 { negative } else { positive };
            let term = weighted_log(weight, advantage, *logprob);
            out.set_scaled(token, term, clip, terms.multiplier(token));
        }
    }
}
