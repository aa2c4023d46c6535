//! A constant divisor instead of a length.

use crate::reducer::{counted, where_tokens};
use crate::{Entry, Reducer, Response, Scope};
use std::num::NonZeroUsize;

/// Sums over tokens and divides by a constant: the aggregation of Dr. GRPO (arXiv:2503.20783).
///
/// ```text
/// w_i = 1 / (N L_max)
/// ```
///
/// with N the number of responses that have a token. The weight of a token does not depend on any
/// length, neither that of its response nor, as with [`TokenMean`](super::TokenMean), that of the
/// others. The masses therefore do not add up to 1, and the loss grows with the mean length.
///
/// TRL's loss_type `dr_grpo` counts fully masked responses in N, which makes the step smaller; its L_max
/// is max_completion_length. verl's `seq-mean-token-sum-norm` does not count them, but divides by the
/// padded width of the batch unless loss_scale_factor is set.
///
/// ```
/// use std::num::NonZeroUsize;
/// use equipoise_aggregation::{Reducer, Response, rules::DrGrpo};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// let rule = DrGrpo { max_tokens: NonZeroUsize::new(4).unwrap() };
/// assert_eq!(rule.weights(&responses), [0.125, 0.125]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrGrpo {
    /// The constant L_max: the limit on the length of a response, in tokens. It must not vary from
    /// step to step, hence never be the longest length of a batch.
    pub max_tokens: NonZeroUsize,
}

impl DrGrpo {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "dr_grpo",
        token_weight: "1 / (N L_max)",
        options: &["max_tokens"],
        build: |options| {
            let max_tokens = options.required_max_tokens("dr_grpo")?;
            Ok(Box::new(Self { max_tokens }))
        },
    };
}

impl Reducer for DrGrpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        Scope::Batch
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let count = counted(responses);
        where_tokens(responses, |_| 1.0 / (count * self.max_tokens.get() as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_is_constant() {
        let rule = DrGrpo {
            max_tokens: NonZeroUsize::new(8).unwrap(),
        };
        let responses = [1, 0, 8].map(|tokens| Response {
            tokens,
            advantage: 1.0,
        });
        assert_eq!(rule.weights(&responses), [0.0625, 0.0, 0.0625]);
    }
}
