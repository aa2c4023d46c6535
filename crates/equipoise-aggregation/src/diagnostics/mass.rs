//! How the loss's mass is divided between the signs.

use crate::sum::sum;
use crate::{Response, Sign};

/// Three shares that add up to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SignShares {
    /// The share of responses with a positive advantage.
    pub positive: f64,
    /// The share of responses with advantage zero, or one that is not finite.
    pub neutral: f64,
    /// The share of responses with a negative advantage.
    pub negative: f64,
}

/// The share of the loss's mass on each sign. The mass of response i is w_i T_i: what its token terms
/// would add to the loss if each were 1.
///
/// `None` if the masses add up to 0, or to no finite number.
///
/// # Panics
/// Unless there is one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::mass_by_sign};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// assert_eq!(mass_by_sign(&responses, &[0.25, 0.25]).unwrap().negative, 0.75);
/// ```
pub fn mass_by_sign(responses: &[Response], weights: &[f64]) -> Option<SignShares> {
    assert_eq!(responses.len(), weights.len(), "one weight per response");
    shares(responses.iter().zip(weights).map(|(response, weight)| {
        let mass = match response.tokens {
            0 => 0.0,
            _ => weight * response.length(),
        };
        (response.sign(), mass)
    }))
}

/// The share of the responses with each sign, of those that have a token: what the shares of the mass
/// would be if every response had the same mass.
///
/// `None` if no response has a token.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::responses_by_sign};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// assert_eq!(responses_by_sign(&responses).unwrap().negative, 0.5);
/// ```
pub fn responses_by_sign(responses: &[Response]) -> Option<SignShares> {
    let counted = responses.iter().filter(|response| response.tokens > 0);
    shares(counted.map(|response| (response.sign(), 1.0)))
}

/// The amounts added up by sign and divided by their total.
fn shares(amounts: impl Iterator<Item = (Sign, f64)> + Clone) -> Option<SignShares> {
    let of = |wanted: Sign| {
        let amounts = amounts.clone().filter(|(sign, _)| *sign == wanted);
        sum(amounts.map(|(_, amount)| amount))
    };
    let [positive, neutral, negative] = [Sign::Positive, Sign::Neutral, Sign::Negative].map(of);
    let total = positive + neutral + negative;
    (total != 0.0 && total.is_finite()).then(|| SignShares {
        positive: positive / total,
        neutral: neutral / total,
        negative: negative / total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let responses = [(2, 1.0), (4, 0.0), (8, -1.0), (0, -1.0)]
            .map(|(tokens, advantage)| Response { tokens, advantage });
        // Masses 1, 1, 6 of 8.
        assert_eq!(
            mass_by_sign(&responses, &[0.5, 0.25, 0.75, 9.0]),
            Some(SignShares {
                positive: 0.125,
                neutral: 0.125,
                negative: 0.75
            })
        );
        let third = 1.0 / 3.0;
        assert_eq!(
            responses_by_sign(&responses),
            Some(SignShares {
                positive: third,
                neutral: third,
                negative: third
            })
        );
    }

    #[test]
    fn no_mass_has_no_shares() {
        let responses = [Response {
            tokens: 3,
            advantage: 1.0,
        }];
        assert_eq!(mass_by_sign(&responses, &[0.0]), None);
        assert_eq!(mass_by_sign(&responses, &[f64::NAN]), None);
        assert_eq!(mass_by_sign(&[], &[]), None);
        assert_eq!(responses_by_sign(&[]), None);
    }
}
