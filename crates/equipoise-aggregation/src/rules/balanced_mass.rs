//! Balanced Aggregation for rewards with more than two values.

use crate::reducer::counted;
use crate::sum::sum;
use crate::{Entry, Reducer, Response, Scope, Sign};

/// Balances the mass of advantage instead of the number of responses.
///
/// ```text
/// w_i = (Σ_{j ∈ S_s} |A_j|) / (P G Σ_{j ∈ S_s} T_j |A_j|)        s = sign A_i
/// ```
///
/// with S_s the responses of sign s in the group, G the number of the group's responses that have a
/// token, and P the number of groups that have one. Inside a sign every token weighs the same, as in
/// [`Balanced`](super::Balanced).
///
/// Under [`Balanced`](super::Balanced) the net advantage Σ w_i T_i A_i of a centred group is 0 only if,
/// inside each sign, lengths and advantages are uncorrelated, as they are for rewards that are right or
/// wrong. Under this rule the advantage mass of sign s, Σ_{S_s} w_i T_i |A_i|, is Σ_{S_s} |A_j| / (P G)
/// whatever the lengths, and the two cancel. Derived here from the printed rule of arXiv:2605.04077, which
/// it equals for rewards with two values; the paper does not have it.
///
/// Responses with advantage zero, or one that is not finite, have weight 0 and count in G.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, Scope, rules::BalancedMass};
///
/// let responses = [(2, 3.0), (4, 1.0), (6, -4.0)]
///     .map(|(tokens, advantage)| Response { tokens, advantage });
/// let weights = BalancedMass { scope: Scope::Group }.weights(&responses);
/// // (3 + 1) / (3 (2·3 + 4·1)) and 4 / (3·6·4).
/// assert_eq!(weights, [4.0 / 30.0, 4.0 / 30.0, 1.0 / 18.0]);
/// let net: f64 = responses.iter().zip(weights).map(|(r, w)| w * r.tokens as f64 * r.advantage).sum();
/// assert!(net.abs() < 1e-15);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BalancedMass {
    /// Whether the signs are pooled inside each prompt group or over the batch.
    pub scope: Scope,
}

impl Default for BalancedMass {
    fn default() -> Self {
        Self {
            scope: Scope::Group,
        }
    }
}

impl BalancedMass {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "balanced_mass",
        token_weight: "(Σ_{j ∈ S_s} |A_j|) / (P G Σ_{j ∈ S_s} T_j |A_j|)",
        options: &["scope"],
        build: |options| {
            Ok(Box::new(Self {
                scope: options.scope.unwrap_or(Scope::Group),
            }))
        },
    };
}

impl Reducer for BalancedMass {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let count = counted(responses);
        let signed = |sign: Sign| {
            responses
                .iter()
                .filter(move |r| r.tokens > 0 && r.sign() == sign)
        };
        let weight_of = |sign: Sign| {
            // In units of the largest, so that no product overflows.
            let unit = signed(sign).fold(0.0, |largest: f64, r| largest.max(r.advantage.abs()));
            let advantages = sum(signed(sign).map(|r| r.advantage.abs() / unit));
            let masses = sum(signed(sign).map(|r| r.length() * (r.advantage.abs() / unit)));
            advantages / (count * masses)
        };
        let [positive, negative] = [Sign::Positive, Sign::Negative].map(weight_of);
        let weight = |response: &Response| match (response.tokens, response.sign()) {
            (0, _) | (_, Sign::Neutral) => 0.0,
            (_, Sign::Positive) => positive,
            (_, Sign::Negative) => negative,
        };
        responses.iter().map(weight).collect()
    }
}
