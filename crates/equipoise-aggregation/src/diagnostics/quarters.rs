//! How the loss's mass is divided between short and long responses.

use crate::Response;
use crate::sum::sum;

/// The share of the loss's mass on each quarter of the responses, from the shortest to the longest.
///
/// Responses are ordered by length, and the order is cut into four parts of equally many responses. Where
/// a cut goes through responses of one length, each part gets its share of their mass, so that their order
/// means nothing. Under the sequence mean every quarter has ¼; under the token mean it has its share of the
/// tokens.
///
/// `None` if the masses add up to 0, or to no finite number.
///
/// # Panics
/// Unless there is one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::mass_by_length};
///
/// let responses = [1, 2, 3, 10].map(|tokens| Response { tokens, advantage: 1.0 });
/// // The token mean: the longest of four responses has 10 of 16 tokens.
/// assert_eq!(mass_by_length(&responses, &[1.0 / 16.0; 4]), Some([0.0625, 0.125, 0.1875, 0.625]));
/// ```
pub fn mass_by_length(responses: &[Response], weights: &[f64]) -> Option<[f64; 4]> {
    assert_eq!(responses.len(), weights.len(), "one weight per response");
    let mut rows: Vec<(usize, f64)> = responses
        .iter()
        .zip(weights)
        .filter(|(response, _)| response.tokens > 0)
        .map(|(response, weight)| (response.tokens, weight * response.length()))
        .collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let quarter = rows.len() as f64 / 4.0;
    let mut quarters = [0.0; 4];
    let mut first = 0;
    for alike in rows.chunk_by(|a, b| a.0 == b.0) {
        let (from, to) = (first as f64, (first + alike.len()) as f64);
        first += alike.len();
        let mass = sum(alike.iter().map(|(_, mass)| *mass));
        for (at, share) in quarters.iter_mut().enumerate() {
            let (low, high) = (at as f64 * quarter, (at + 1) as f64 * quarter);
            let inside = (to.min(high) - from.max(low)).max(0.0);
            *share += mass * (inside / (to - from));
        }
    }
    let total: f64 = quarters.iter().sum();
    (total != 0.0 && total.is_finite()).then(|| quarters.map(|mass| mass / total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn responses(lengths: &[usize]) -> Vec<Response> {
        let response = |&tokens: &usize| Response {
            tokens,
            advantage: 1.0,
        };
        lengths.iter().map(response).collect()
    }

    #[test]
    fn equal_lengths_are_shared_between_quarters() {
        // Two responses: each is two quarters.
        let found = mass_by_length(&responses(&[1, 3]), &[1.0, 1.0]);
        assert_eq!(found, Some([0.125, 0.125, 0.375, 0.375]));
        // All of one length, whatever the weights.
        let found = mass_by_length(&responses(&[2, 2, 2]), &[3.0, 0.0, 0.0]).unwrap();
        assert!(found.iter().all(|share| (share - 0.25).abs() < 1e-15));
    }

    #[test]
    fn order_means_nothing() {
        let lengths = [5, 1, 5, 2, 9, 5];
        let weights = [0.1, 0.5, 0.2, 0.3, 0.1, 0.4];
        let found = mass_by_length(&responses(&lengths), &weights).unwrap();
        let (mut lengths, mut weights) = (lengths, weights);
        lengths.reverse();
        weights.reverse();
        let again = mass_by_length(&responses(&lengths), &weights).unwrap();
        for (a, b) in found.iter().zip(again) {
            assert!((a - b).abs() < 1e-15);
        }
    }

    #[test]
    fn nothing_has_no_share() {
        assert_eq!(mass_by_length(&[], &[]), None);
        assert_eq!(mass_by_length(&responses(&[0, 3]), &[1.0, 0.0]), None);
    }
}
