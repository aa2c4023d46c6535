//! Rules that weigh a token by a power of its response's length.

use crate::sum::sum;
use crate::{Entry, Options, Reducer, Response, Scope};
use std::num::NonZeroUsize;

/// T_i^(−α) of each response, divided by the largest of them, so that nothing overflows; 0 without
/// tokens.
fn powers(responses: &[Response], alpha: f64) -> Vec<f64> {
    let lengths = || {
        responses
            .iter()
            .filter(|r| r.tokens > 0)
            .map(Response::length)
    };
    let unit = match alpha >= 0.0 {
        true => lengths().fold(f64::INFINITY, f64::min),
        false => lengths().fold(0.0, f64::max),
    };
    let power = |response: &Response| match response.tokens {
        0 => 0.0,
        _ => (response.length() / unit).powf(-alpha),
    };
    responses.iter().map(power).collect()
}

/// Interpolates between the token mean of a group (α = 0) and the sequence mean of a group (α = 1).
///
/// ```text
/// w_i = T_i^(−α) / (P Σ_{j ∈ g} T_j^(1−α))
/// ```
///
/// with P the number of groups that have a token, so that the masses of a group add up to 1 / P for
/// every α. A one-parameter family of our own, for sweeps between the two rules; α = 0 is
/// [`PromptMean`](super::PromptMean).
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::LengthPower};
///
/// let responses = [1, 4].map(|tokens| Response { tokens, advantage: 1.0 });
/// // T^(−½) is 1 and ½; the masses 1 and 2 add up to 3.
/// let weights = LengthPower { alpha: 0.5 }.weights(&responses);
/// assert_eq!(weights, [1.0 / 3.0, 0.5 / 3.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthPower {
    /// α: how much less a token of a longer response weighs. Any finite number; below 0, long
    /// responses weigh more than in the token mean, above 1 less than in the sequence mean.
    pub alpha: f64,
}

impl LengthPower {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "length_power",
        token_weight: "T_i^(−α) / (P Σ_{j ∈ g} T_j^(1−α))",
        options: &["alpha"],
        build: |options| {
            let alpha = options.alpha.unwrap_or(0.5);
            let alpha = Options::number("length_power", "alpha", alpha, "a finite number", true)?;
            Ok(Box::new(Self { alpha }))
        },
    };
}

impl Reducer for LengthPower {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Group
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let mut weights = powers(responses, self.alpha);
        let rows = responses.iter().zip(&weights);
        let mass = sum(rows.map(|(response, power)| power * response.length()));
        if mass > 0.0 {
            weights.iter_mut().for_each(|weight| *weight /= mass);
        }
        weights
    }
}

/// ΔL normalisation, also called VL norm: the minimum-variance unbiased aggregation under the assumption
/// that a response's gradient has a variance proportional to its length (arXiv:2509.07558).
///
/// ```text
/// w_i = T_i^(−α) / (L_max Σ_j T_j^(−α))          j over the batch
/// ```
///
/// For α = 0 it is [`DrGrpo`](super::DrGrpo). The paper takes α = 1, and 0.75 for mathematics. The
/// authors' code multiplies the advantages by (T_i / T̄)^(−α), normalised to mean 1, and takes the mean
/// over a padded batch, whose width stands where L_max stands here; a constant keeps the learning rate's
/// meaning from batch to batch.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::VlNorm};
/// use std::num::NonZeroUsize;
///
/// let rule = VlNorm { alpha: 1.0, max_tokens: NonZeroUsize::new(8).unwrap() };
/// let responses = [1, 3].map(|tokens| Response { tokens, advantage: 1.0 });
/// // 1/T is 1 and 1/3, ¾ and ¼ of their sum.
/// assert_eq!(rule.weights(&responses), [0.75 / 8.0, 0.25 / 8.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VlNorm {
    /// α, at least 0.
    pub alpha: f64,
    /// The constant L_max: the limit on the length of a response, in tokens.
    pub max_tokens: NonZeroUsize,
}

impl VlNorm {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "vl_norm",
        token_weight: "T_i^(−α) / (L_max Σ_j T_j^(−α))",
        options: &["alpha", "max_tokens"],
        build: |options| {
            let alpha = options.alpha.unwrap_or(1.0);
            let requirement = "a finite number, at least 0";
            Ok(Box::new(Self {
                alpha: Options::number("vl_norm", "alpha", alpha, requirement, alpha >= 0.0)?,
                max_tokens: options.required_max_tokens("vl_norm")?,
            }))
        },
    };
}

impl Reducer for VlNorm {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let mut weights = powers(responses, self.alpha);
        let total = sum(weights.iter().copied());
        if total > 0.0 {
            let divisor = self.max_tokens.get() as f64 * total;
            weights.iter_mut().for_each(|weight| *weight /= divisor);
        }
        weights
    }
}
