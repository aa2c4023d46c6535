//! Balanced Aggregation: token means inside each sign, combined by the number of responses.

use crate::reducer::counted;
use crate::{Entry, Error, Reducer, Response, Scope, Sign};
use std::fmt;
use std::str::FromStr;

/// Balanced Aggregation (arXiv:2605.04077).
///
/// The responses are split by the sign of their advantage. Inside a sign, every token weighs the
/// same; between the signs, the masses are as the numbers of responses:
///
/// ```text
/// L = (n₊/G) mean of ℓ over the tokens of S₊  +  (n₋/G) mean of ℓ over the tokens of S₋
///
/// w_i = n_s / (G Σ_{j ∈ S_s} T_j)      s the sign of response i
/// ```
///
/// with n_s the number of responses in S_s and G the number of responses in the scope. Responses
/// without tokens count neither in n_s nor in G. If only one sign occurs, the other's term is absent;
/// if all responses have the same sign, the rule is the mean over their tokens.
///
/// The paper is silent on what follows, and these are this crate's choices:
///
/// - A response whose advantage is not finite has no sign. It gets weight 0 and stays in G, whatever
///   [`zero_advantage`](Self::zero_advantage) says.
/// - The split belongs to the policy-gradient term. KL and entropy terms should be reduced by a rule
///   that does not look at signs.
///
/// ```
/// use equipoise_aggregation::{Reducer, Response, rules::Balanced};
///
/// let responses = [(1, 1.0), (3, -1.0), (5, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// // One of three over one token, two of three over eight.
/// assert_eq!(Balanced::default().weights(&responses), [1.0 / 3.0, 2.0 / 24.0, 2.0 / 24.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balanced {
    /// Whether the signs are pooled inside each prompt group, as in the paper, or over the batch.
    pub scope: Scope,
    /// Where responses with advantage zero belong. Rewards with two values never produce one beside
    /// other signs, so for them this makes no difference.
    pub zero_advantage: ZeroAdvantage,
}

/// To which side [`Balanced`] counts a response with advantage zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZeroAdvantage {
    /// To neither: S₋ is {A < 0}. The response has weight 0 but counts in G, which is what "split by
    /// sign" says.
    #[default]
    Neutral,
    /// To the negative side: S₋ is {A ≤ 0}, the complement of S₊, which is what the printed weights
    /// k/G and (G − k)/G say. The response's tokens then dilute the negative ones.
    Negative,
}

impl ZeroAdvantage {
    const NAMES: &'static [&'static str] = &["neutral", "negative"];
}

impl fmt::Display for ZeroAdvantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Neutral => "neutral",
            Self::Negative => "negative",
        })
    }
}

impl FromStr for ZeroAdvantage {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "neutral" => Ok(Self::Neutral),
            "negative" => Ok(Self::Negative),
            _ => Err(Error::UnknownValue {
                option: "zero_advantage",
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

impl Default for Balanced {
    /// The rule of the paper: per group, zeros neutral.
    fn default() -> Self {
        Self {
            scope: Scope::Group,
            zero_advantage: ZeroAdvantage::Neutral,
        }
    }
}

impl Balanced {
    /// How the catalogue builds the rule.
    pub const ENTRY: Entry = Entry {
        name: "balanced",
        token_weight: "n_s / (P G Σ_{j ∈ S_s} T_j)",
        options: &["scope", "zero_advantage"],
        build: |options| {
            let default = Self::default();
            Ok(Box::new(Self {
                scope: options.scope.unwrap_or(default.scope),
                zero_advantage: options.zero_advantage.unwrap_or(default.zero_advantage),
            }))
        },
    };

    /// The side whose mean a response enters; `None` if it enters neither.
    fn side(&self, response: &Response) -> Option<Side> {
        if response.tokens == 0 || !response.advantage.is_finite() {
            return None;
        }
        match (response.sign(), self.zero_advantage) {
            (Sign::Positive, _) => Some(Side::Positive),
            (Sign::Negative, _) | (Sign::Neutral, ZeroAdvantage::Negative) => Some(Side::Negative),
            (Sign::Neutral, ZeroAdvantage::Neutral) => None,
        }
    }
}

/// One of the two subsets, as an index.
#[derive(Clone, Copy)]
enum Side {
    Positive,
    Negative,
}

impl Reducer for Balanced {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn scope(&self) -> Scope {
        self.scope
    }

    fn weights(&self, responses: &[Response]) -> Vec<f64> {
        let count = counted(responses);
        let mut members = [0.0; 2];
        let mut tokens = [0.0; 2];
        for response in responses {
            if let Some(side) = self.side(response) {
                members[side as usize] += 1.0;
                tokens[side as usize] += response.length();
            }
        }
        // A side that a response belongs to has at least that response's tokens, so no divisor is 0.
        let weight = |response: &Response| match self.side(response) {
            Some(side) => members[side as usize] / (count * tokens[side as usize]),
            None => 0.0,
        };
        responses.iter().map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masses_are_as_the_numbers_of_responses() {
        let responses = [(2, 1.0), (4, -1.0), (6, -2.0), (10, -0.5)]
            .map(|(tokens, advantage)| Response { tokens, advantage });
        // n₊/(G T₊) = 1/(4·2) and n₋/(G T₋) = 3/(4·20).
        assert_eq!(
            Balanced::default().weights(&responses),
            [0.125, 0.0375, 0.0375, 0.0375]
        );
    }

    #[test]
    fn zero_advantage_words_round_trip() {
        for word in ZeroAdvantage::NAMES {
            assert_eq!(word.parse::<ZeroAdvantage>().unwrap().to_string(), *word);
        }
        assert!("positive".parse::<ZeroAdvantage>().is_err());
    }
}
