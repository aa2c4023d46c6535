//! Sums over tokens, undivided or divided by the number of responses.

use crate::reducer::{counted, where_tokens};
use crate::{Entry, Reducer, Response, Scope};

/// The sum over all tokens of the batch.
///
/// ```text
/// w_i = 1
/// ```
///
/// The loss grows with the batch, so the learning rate has to know its size. verl's `token-sum`.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::TokenSum};
///
/// let responses = [2, 0, 5].map(|tokens| Response { tokens, advantage: 1.0 });
/// assert_eq!(TokenSum.weights(&responses), [1.0, 0.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenSum;

impl TokenSum {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "token_sum",
        token_weight: "1",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl Reducer for TokenSum {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let weight = |response: &Response| f64::from(u8::from(response.tokens > 0));
        responses.iter().map(weight).collect()
    }
}

/// The sum over each response's tokens, averaged over the responses.
///
/// ```text
/// w_i = 1 / N
/// ```
///
/// with N the number of responses that have a token. This is the policy gradient as it is derived, the
/// log-probability of a response being the sum of its tokens'. verl's `seq-mean-token-sum`. Under an
/// objective with one loss per response, which every token of it carries, the weight of a response is
/// T_i / N: LUSPO (arXiv:2602.05261).
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::SequenceMeanTokenSum};
///
/// let responses = [2, 0, 5].map(|tokens| Response { tokens, advantage: 1.0 });
/// assert_eq!(SequenceMeanTokenSum.weights(&responses), [0.5, 0.0, 0.5]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceMeanTokenSum;

impl SequenceMeanTokenSum {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "sequence_mean_token_sum",
        token_weight: "1 / N",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl Reducer for SequenceMeanTokenSum {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let count = counted(responses);
        where_tokens(responses, |_| 1.0 / count)
    }
}
