//! The mean over all tokens of the batch.

use crate::reducer::where_tokens;
use crate::sum::sum;
use crate::{Entry, Reducer, Response, Scope};

/// Averages over every token of the batch: token aggregation (DAPO, arXiv:2503.14476, with the mean
/// taken over the batch, as training frameworks do, and not over each group, as the paper prints it).
///
/// ```text
/// w_i = 1 / Σ_j T_j
/// ```
///
/// Every token counts the same, so a sign's mass is proportional to the total length of its responses.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::TokenMean};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// assert_eq!(TokenMean.weights(&responses), [0.25, 0.25]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenMean;

impl TokenMean {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "token_mean",
        token_weight: "1 / Σ_j T_j",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl Reducer for TokenMean {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let total = sum(responses.iter().map(Response::length));
        where_tokens(responses, |_| 1.0 / total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_has_the_same_weight() {
        let responses = [3, 0, 5].map(|tokens| Response {
            tokens,
            advantage: -1.0,
        });
        assert_eq!(TokenMean.weights(&responses), [0.125, 0.0, 0.125]);
    }
}
