//! The mean over responses of the mean over each response's tokens.

use crate::reducer::{counted, where_tokens};
use crate::{Entry, Reducer, Response, Scope};

/// Averages inside each response first, then over the responses: the aggregation of GRPO
/// (DeepSeekMath, arXiv:2402.03300).
///
/// ```text
/// w_i = 1 / (N T_i)
/// ```
///
/// with N the number of responses that have a token. Every response has the same mass, so the signs
/// are balanced, but a token of a long response counts less than a token of a short one.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::SequenceMean};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// assert_eq!(SequenceMean.weights(&responses), [0.5, 0.5 / 3.0]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SequenceMean;

impl SequenceMean {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "sequence_mean",
        token_weight: "1 / (N T_i)",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl Reducer for SequenceMean {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let count = counted(responses);
        where_tokens(responses, |response| 1.0 / (count * response.length()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_has_the_same_mass() {
        let responses = [2, 0, 4].map(|tokens| Response {
            tokens,
            advantage: 1.0,
        });
        // Two responses count, so each has mass ½.
        assert_eq!(SequenceMean.weights(&responses), [0.25, 0.0, 0.125]);
    }
}
