//! The trait every rule implements, what it sees of a response, and its application to a batch.

use crate::Error;
use crate::sum::sum;
use std::fmt;
use std::str::FromStr;

/// All that an aggregation rule sees of one response.
///
/// ```
/// use equipoise_aggregation::{Response, Sign};
///
/// let response = Response { tokens: 12, advantage: -0.5 };
/// assert_eq!(response.sign(), Sign::Negative);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Response {
    /// The number of its tokens that carry a loss: the length T of the formulas.
    ///
    /// Tokens that are masked out (tool output, rejected off-policy tokens) are not counted; clipped
    /// tokens are, since clipping takes away a gradient and not a token. A run has to choose one mask
    /// and use it both here and in the sum over tokens.
    pub tokens: usize,
    /// Its advantage, the same for every token. Only its sign matters to the rules of this crate,
    /// except to [`BalancedMass`](crate::rules::BalancedMass), which uses its size too.
    pub advantage: f64,
}

/// On which side of zero an advantage lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// Greater than zero: the response is reinforced.
    Positive,
    /// Zero (of either sign), or not a finite number, in which case it has no usable sign.
    Neutral,
    /// Less than zero: the response is discouraged.
    Negative,
}

impl Response {
    /// A response whose tokens have advantages of their own (generalised advantage estimation,
    /// process rewards), reduced to their mean.
    ///
    /// The rules are defined for one advantage per response; splitting by the sign of the mean keeps
    /// a response in one piece. Without tokens the advantage is 0.
    pub fn from_token_advantages(advantages: &[f64]) -> Self {
        let tokens = advantages.len();
        let mean = sum(advantages.iter().copied()) / tokens.max(1) as f64;
        Self {
            tokens,
            advantage: mean,
        }
    }

    /// The sign of the advantage.
    pub fn sign(&self) -> Sign {
        match self.advantage {
            advantage if !advantage.is_finite() => Sign::Neutral,
            advantage if advantage > 0.0 => Sign::Positive,
            advantage if advantage < 0.0 => Sign::Negative,
            _ => Sign::Neutral,
        }
    }

    /// The length as the formulas use it. Exact up to 2⁵³ tokens.
    pub(crate) fn length(&self) -> f64 {
        self.tokens as f64
    }
}

/// Over which responses a rule pools.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The responses to one prompt; the batch's loss is the mean of its groups' losses.
    Group,
    /// All responses of the optimiser step.
    Batch,
}

impl Scope {
    const NAMES: &'static [&'static str] = &["group", "batch"];
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Group => "group",
            Self::Batch => "batch",
        })
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "group" => Ok(Self::Group),
            "batch" => Ok(Self::Batch),
            _ => Err(Error::UnknownValue {
                option: "scope",
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

/// An aggregation rule: how much every response's token terms weigh in the loss.
///
/// With w the weights, m the loss mask and ℓ the token terms, the loss is
///
/// ```text
/// L = Σ_i w_i Σ_t m_it ℓ_it
/// ```
///
/// so a rule neither sees nor needs a token term. Use [`batch_weights`] for a whole batch, once per
/// optimiser step and before micro-batches are cut.
pub trait Reducer: Send + Sync + fmt::Debug {
    /// The rule's name in recipes and logs.
    fn name(&self) -> &'static str;

    /// What one call of [`weights`](Self::weights) has to be given.
    fn scope(&self) -> Scope;

    /// One weight per response of one scope: the responses to one prompt, or the whole batch.
    ///
    /// Every weight is finite and at least 0. A response without tokens has weight 0 and counts
    /// nowhere; if no response has a token, every weight is 0.
    fn weights(&self, responses: &[Response]) -> Vec<f64>;

    /// Which rule was picked for these responses, if this is a rule that picks; for logs.
    fn choice(&self, responses: &[Response]) -> Option<&'static str> {
        let _ = responses;
        None
    }
}

/// The weight of every response of a batch, under one rule.
///
/// `responses` holds the groups one after the other, and `group_sizes` how many responses each group
/// has. A rule of [`Scope::Batch`] sees all responses at once. A rule of [`Scope::Group`] sees group
/// after group, and its weights are divided by the number of groups that have a token to train on,
/// which makes the loss the mean of the groups' losses.
///
/// # Errors
/// [`Error::GroupSizes`] if the group sizes do not add up to the number of responses, and
/// [`Error::WeightCount`] if the rule breaks its contract and does not return one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, batch_weights, rules::Balanced};
///
/// let responses = [(2, 1.0), (6, -1.0), (3, 1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// // Two groups, of two responses and of one: each group's masses add up to ½.
/// let weights = batch_weights(&Balanced::default(), &responses, &[2, 1])?;
/// assert_eq!(weights, [0.125, 0.125 / 3.0, 0.5 / 3.0]);
/// # Ok::<(), equipoise_aggregation::Error>(())
/// ```
pub fn batch_weights(
    reducer: &dyn Reducer,
    responses: &[Response],
    group_sizes: &[usize],
) -> Result<Vec<f64>, Error> {
    let groups = split(responses, group_sizes)?;
    let weights = match reducer.scope() {
        Scope::Batch => checked_weights(reducer, responses)?,
        Scope::Group => {
            let trained = groups.iter().filter(|group| has_tokens(group)).count();
            let mut weights = Vec::with_capacity(responses.len());
            for group in groups {
                let group_weights = checked_weights(reducer, group)?;
                weights.extend(group_weights.iter().map(|w| w / trained.max(1) as f64));
            }
            weights
        }
    };
    Ok(weights)
}

/// The rule's weights, once it is certain that there is one per response.
fn checked_weights(reducer: &dyn Reducer, responses: &[Response]) -> Result<Vec<f64>, Error> {
    let weights = reducer.weights(responses);
    if weights.len() == responses.len() {
        Ok(weights)
    } else {
        Err(Error::WeightCount {
            rule: reducer.name().to_owned(),
            responses: responses.len(),
            weights: weights.len(),
        })
    }
}

/// Cuts one row per response into one slice per group.
pub(crate) fn split<'a, T>(
    mut rows: &'a [T],
    group_sizes: &[usize],
) -> Result<Vec<&'a [T]>, Error> {
    let covered = group_sizes
        .iter()
        .fold(0_usize, |sum, &size| sum.saturating_add(size));
    if covered != rows.len() {
        return Err(Error::GroupSizes {
            responses: rows.len(),
            covered,
        });
    }
    let mut groups = Vec::with_capacity(group_sizes.len());
    for &size in group_sizes {
        let (group, rest) = rows.split_at(size);
        groups.push(group);
        rows = rest;
    }
    Ok(groups)
}

/// The number of responses that have a token: the N and G of the formulas.
pub(crate) fn counted(responses: &[Response]) -> f64 {
    responses.iter().filter(|r| r.tokens > 0).count() as f64
}

/// One weight for every response that has a token, 0 for the others.
pub(crate) fn where_tokens(responses: &[Response], weight: impl Fn(&Response) -> f64) -> Vec<f64> {
    let of = |response: &Response| match response.tokens {
        0 => 0.0,
        _ => weight(response),
    };
    responses.iter().map(of).collect()
}

/// Whether any response has a token to train on.
pub(crate) fn has_tokens(responses: &[Response]) -> bool {
    responses.iter().any(|response| response.tokens > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reducer_is_object_safe() {
        fn _assert(_: &dyn Reducer) {}
    }

    #[test]
    fn signs() {
        let sign = |advantage| {
            Response {
                tokens: 1,
                advantage,
            }
            .sign()
        };
        assert_eq!(sign(1e-300), Sign::Positive);
        assert_eq!(sign(-1e-300), Sign::Negative);
        for neutral in [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(sign(neutral), Sign::Neutral, "{neutral}");
        }
    }

    #[test]
    fn scope_words_round_trip() {
        for word in Scope::NAMES {
            assert_eq!(word.parse::<Scope>().unwrap().to_string(), *word);
        }
        let error = "global".parse::<Scope>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown value `global` of option `scope`; the values are `group`, `batch`"
        );
    }

    #[derive(Debug)]
    struct TooFew;

    impl Reducer for TooFew {
        fn name(&self) -> &'static str {
            "too_few"
        }
        fn scope(&self) -> Scope {
            Scope::Group
        }
        fn weights(&self, _: &[Response]) -> Vec<f64> {
            vec![1.0]
        }
    }

    #[test]
    fn mismatches_are_errors() {
        let responses = [Response {
            tokens: 1,
            advantage: 1.0,
        }; 2];
        assert_eq!(
            batch_weights(&TooFew, &responses, &[1, 2]),
            Err(Error::GroupSizes {
                responses: 2,
                covered: 3
            })
        );
        assert_eq!(
            batch_weights(&TooFew, &responses, &[2, usize::MAX]),
            Err(Error::GroupSizes {
                responses: 2,
                covered: usize::MAX
            })
        );
        assert!(matches!(
            batch_weights(&TooFew, &responses, &[2]),
            Err(Error::WeightCount { weights: 1, .. })
        ));
        assert_eq!(
            batch_weights(&TooFew, &responses, &[1, 0, 1]),
            Err(Error::WeightCount {
                rule: "too_few".into(),
                responses: 0,
                weights: 1
            })
        );
    }
}
