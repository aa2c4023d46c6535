//! How much the lengths of a group vary, and how they differ between the signs.

use crate::sum::sum;
use crate::{Response, Sign};

/// How much longer the negative responses of a group are than the positive ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LengthGap {
    /// T̄₋ − T̄₊, in tokens: the difference of the mean lengths.
    pub tokens: f64,
    /// (T̄₋ − T̄₊) / T̄, with T̄ the mean length of the whole group, neutral responses included.
    pub relative: f64,
}

/// The coefficient of variation of a group's lengths, std(T) / T̄ with the population's standard
/// deviation.
///
/// `None` if fewer than two responses have a token: one length has no variation to speak of.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::coefficient_of_variation};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// // Deviation 1 over mean 2.
/// assert_eq!(coefficient_of_variation(&responses), Some(0.5));
/// ```
pub fn coefficient_of_variation(group: &[Response]) -> Option<f64> {
    let lengths: Vec<f64> = lengths(group, |_| true).collect();
    if lengths.len() < 2 {
        return None;
    }
    let count = lengths.len() as f64;
    let mean = sum(lengths.iter().copied()) / count;
    let variance = sum(lengths.iter().map(|length| (length - mean).powi(2))) / count;
    Some(variance.sqrt() / mean)
}

/// The difference of mean length between a group's negative and positive responses.
///
/// `None` unless both signs occur among the responses that have a token.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::length_gap};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// let gap = length_gap(&responses).unwrap();
/// assert_eq!((gap.tokens, gap.relative), (2.0, 1.0));
/// ```
pub fn length_gap(group: &[Response]) -> Option<LengthGap> {
    let positive = super::mean(lengths(group, |sign| sign == Sign::Positive))?;
    let negative = super::mean(lengths(group, |sign| sign == Sign::Negative))?;
    let mean = super::mean(lengths(group, |_| true))?;
    let tokens = negative - positive;
    Some(LengthGap {
        tokens,
        relative: tokens / mean,
    })
}

/// The lengths of the responses that have a token and a sign of the given kind.
fn lengths(group: &[Response], wanted: impl Fn(Sign) -> bool) -> impl Iterator<Item = f64> {
    group
        .iter()
        .filter(move |response| response.tokens > 0 && wanted(response.sign()))
        .map(Response::length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group<const N: usize>(rows: [(usize, f64); N]) -> [Response; N] {
        rows.map(|(tokens, advantage)| Response { tokens, advantage })
    }

    #[test]
    fn by_hand() {
        // Lengths 2, 4, 6 (the empty one is left out): mean 4, population variance 8/3.
        let responses = group([(2, 1.0), (4, 0.0), (6, -1.0), (0, -1.0)]);
        let expected = (8.0_f64 / 3.0).sqrt() / 4.0;
        assert!((coefficient_of_variation(&responses).unwrap() - expected).abs() < 1e-15);
        assert_eq!(
            length_gap(&responses),
            Some(LengthGap {
                tokens: 4.0,
                relative: 1.0
            })
        );
    }

    #[test]
    fn one_sign_has_no_gap() {
        assert_eq!(length_gap(&group([(2, 1.0), (3, 1.0)])), None);
        assert_eq!(length_gap(&group([(2, 1.0), (3, 0.0)])), None);
        assert_eq!(length_gap(&group([(2, 1.0), (0, -1.0)])), None);
        assert_eq!(length_gap(&group([(2, 1.0), (9, f64::NEG_INFINITY)])), None);
    }
}
