//! The mean over the tokens of a group, and then over the groups.

use crate::reducer::where_tokens;
use crate::sum::sum;
use crate::{Entry, Reducer, Response, Scope};

/// Averages over all tokens of a prompt's responses, and then over the prompts: the aggregation that
/// DAPO prints (arXiv:2503.14476, equation 8), that MiniMax-M1 uses (arXiv:2506.13585), and that does best
/// in ScaleRL's comparison (arXiv:2510.13786).
///
/// ```text
/// w_i = 1 / (P Σ_{j ∈ g} T_j)
/// ```
///
/// with P the number of groups that have a token. Every prompt has the same say, whatever its responses'
/// lengths; inside a prompt every token has. For one group this is [`TokenMean`](super::TokenMean).
///
/// ```
/// use equipoise_aggregation::{Response, batch_weights, rules::PromptMean};
///
/// let responses = [1, 3, 10].map(|tokens| Response { tokens, advantage: 1.0 });
/// // The first prompt has four tokens and the second ten; each has half of the mass.
/// assert_eq!(batch_weights(&PromptMean, &responses, &[2, 1])?, [0.125, 0.125, 0.05]);
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptMean;

impl PromptMean {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "prompt_mean",
        token_weight: "1 / (P Σ_{j ∈ g} T_j)",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl Reducer for PromptMean {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Group
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let tokens = sum(responses.iter().map(Response::length));
        where_tokens(responses, |_| 1.0 / tokens)
    }
}
