//! Response weights that are a power of the standardised length.

use crate::reducer::where_tokens;
use crate::sum::sum;
use crate::{Entry, Options, Reducer, Response, Scope};

/// What is added to the standard deviation of the lengths, in tokens.
const EPSILON: f64 = 1e-8;

/// The least base of the power. Only a response that is shorter than the mean by nine standard deviations
/// would have a smaller one, and a negative base has no real power.
const LEAST_BASE: f64 = 1e-3;

/// The largest exponent of the softmax that is told apart, so that no power overflows.
const LARGEST_POWER: f64 = 1e300;

/// λ-GRPO with a fixed λ (arXiv:2510.06870), which learns whether long responses should weigh more.
///
/// ```text
/// z_i = (T_i − μ) / (σ + 10⁻⁸)        h_i = max(1 + r z_i, 10⁻³)
/// f_i = G exp(h_i^λ) / Σ_j exp(h_j^λ)
/// w_i = f_i / (P Σ_{j ∈ g} T_j)
/// ```
///
/// with μ and σ mean and sample standard deviation of the group's lengths, G the number of its responses
/// that have a token, and P the number of groups that have one. λ = 0 is
/// [`PromptMean`](super::PromptMean); λ < 0 favours short responses, λ > 0 long ones.
///
/// The paper learns λ together with the policy; here it is a constant, since weights are computed before
/// any forward pass. The definition follows grpo-composer's `group_learnable.py`, whose standard deviation
/// is the sample's; it divides by the tokens of the whole batch where the mean over groups is taken here,
/// and has no bound on h.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::LambdaGrpo};
///
/// let responses = [2, 4].map(|tokens| Response { tokens, advantage: 1.0 });
/// let rule = LambdaGrpo { lambda: 1.0, strength: 0.5 };
/// // σ = √2, z = ∓1/√2, h = 1 ∓ 0.3536: the longer response has e^0.7071 times the weight.
/// let weights = rule.weights(&responses);
/// assert!((weights[1] / weights[0] - 0.5_f64.sqrt().exp()).abs() < 1e-7);
/// assert!((weights[0] + weights[1] - 2.0 / 6.0).abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LambdaGrpo {
    /// The power λ, any finite number.
    pub lambda: f64,
    /// r: how much a standard deviation of length changes the base of the power; any finite number.
    /// 1/9 keeps the base positive up to nine deviations below the mean; one implementation has 1.
    pub strength: f64,
}

impl Default for LambdaGrpo {
    fn default() -> Self {
        Self {
            lambda: 1.0,
            strength: 1.0 / 9.0,
        }
    }
}

impl LambdaGrpo {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "lambda_grpo",
        token_weight: "G softmax((1 + r z_i)^λ) / (P Σ_{j ∈ g} T_j)",
        options: &["lambda", "strength"],
        build: |options| {
            let default = Self::default();
            let finite = |option, value| {
                Options::number("lambda_grpo", option, value, "a finite number", true)
            };
            Ok(Box::new(Self {
                lambda: finite("lambda", options.lambda.unwrap_or(default.lambda))?,
                strength: finite("strength", options.strength.unwrap_or(default.strength))?,
            }))
        },
    };
}

impl Reducer for LambdaGrpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Group
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let lengths = || {
            responses
                .iter()
                .filter(|r| r.tokens > 0)
                .map(Response::length)
        };
        let count = lengths().count() as f64;
        let tokens = sum(lengths());
        let mean = tokens / count;
        let squares = sum(lengths().map(|length| (length - mean).powi(2)));
        // A group of one has no deviation, and no response to be weighed against.
        let deviation = (squares / (count - 1.0).max(1.0)).sqrt() + EPSILON;
        let power = |response: &Response| {
            let base = 1.0 + self.strength * ((response.length() - mean) / deviation);
            base.max(LEAST_BASE).powf(self.lambda).min(LARGEST_POWER)
        };
        let with_tokens = || responses.iter().filter(|r| r.tokens > 0).map(power);
        let largest = with_tokens().fold(0.0, f64::max);
        let total = sum(with_tokens().map(|power| (power - largest).exp()));
        where_tokens(responses, |response| {
            count * ((power(response) - largest).exp() / total) / tokens
        })
    }
}
