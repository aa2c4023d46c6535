//! The bias itself: how the weights couple the sign of the advantage with the length.

use super::length_gap;
use crate::Response;
use crate::sum::sum;

/// The net advantage mass Σ_i w_i T_i A_i: the objective's value while the policy has not moved, when
/// every importance ratio is 1.
///
/// Advantages centred in their group should add up to nothing. A value below zero says that the
/// weights let the negative side push harder. Advantages that are not finite are left out. `None` if
/// no response has a token, or if the sum is not finite.
///
/// # Panics
/// Unless there is one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::net_advantage};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// // A quarter per token: ¼·1·1 + ¼·3·(−1).
/// assert_eq!(net_advantage(&responses, &[0.25, 0.25]), Some(-0.5));
/// ```
pub fn net_advantage(responses: &[Response], weights: &[f64]) -> Option<f64> {
    let masses = Masses::of(responses, weights);
    (masses.count > 0.0 && masses.with_advantage.is_finite()).then_some(masses.with_advantage)
}

/// The sign–length coupling of one group: the advantage as the loss weighs it, minus the advantage
/// as the estimator meant it.
///
/// ```text
/// u_i = w_i T_i                                      the mass of response i
///
/// coupling = Σ u_i A_i / Σ u_i − Ā                   two means of A: by mass, and by response
///          = Cov(u, A) / ū                           population covariance over the group's responses
/// ```
///
/// With equal token weights u is the length, and this is the residual Cov(T, A) / T̄ of token
/// aggregation. For rewards 0 and 1, advantages standardised by the population's deviation, and
/// c = √(p(1 − p)) with p the share of rewarded responses, that is
///
/// ```text
/// coupling = (c / T̄) (T̄₊ − T̄₋)
/// ```
///
/// the coupling term of arXiv:2605.04077 at unit token terms, J = (c/T̄)(T̄₊ δ̄₊ − T̄₋ δ̄₋) with δ̄ = 1.
/// It is negative when negative responses are longer. Sequence means have none, because their u is
/// constant; Balanced Aggregation has none for rewards with two values, and for others the part that
/// comes from lengths inside a sign.
///
/// The scale of the weights does not matter. `None` unless both signs occur, and if the masses do
/// not add up to a positive finite number.
///
/// # Panics
/// Unless there is one weight per response.
///
/// ```
/// use equipoise_aggregation::{Response, diagnostics::sign_length_coupling};
///
/// let responses = [(1, 1.0), (3, -1.0)].map(|(tokens, advantage)| Response { tokens, advantage });
/// // Masses 1 and 3 put −½ where the responses themselves put 0.
/// assert_eq!(sign_length_coupling(&responses, &[1.0, 1.0]), Some(-0.5));
/// ```
pub fn sign_length_coupling(group: &[Response], weights: &[f64]) -> Option<f64> {
    length_gap(group)?;
    let masses = Masses::of(group, weights);
    let coupling = masses.with_advantage / masses.total - masses.advantage / masses.count;
    (masses.total > 0.0 && coupling.is_finite()).then_some(coupling)
}

/// Sums over the responses that have a token and a finite advantage.
struct Masses {
    count: f64,
    /// Σ u_i
    total: f64,
    /// Σ A_i
    advantage: f64,
    /// Σ u_i A_i
    with_advantage: f64,
}

impl Masses {
    fn of(responses: &[Response], weights: &[f64]) -> Self {
        assert_eq!(responses.len(), weights.len(), "one weight per response");
        let rows = || {
            let rows = responses.iter().zip(weights);
            rows.filter(|(response, _)| response.tokens > 0 && response.advantage.is_finite())
                .map(|(response, weight)| (weight * response.length(), response.advantage))
        };
        Self {
            count: rows().count() as f64,
            total: sum(rows().map(|(mass, _)| mass)),
            advantage: sum(rows().map(|(_, advantage)| advantage)),
            with_advantage: sum(rows().map(|(mass, advantage)| mass * advantage)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = [(2, 1.0), (6, -1.0), (0, -5.0)]
            .map(|(tokens, advantage)| Response { tokens, advantage });
        let weights = [0.125, 0.125, 7.0];
        // Masses ¼ and ¾; the plain mean of the advantages is 0.
        assert_eq!(net_advantage(&group, &weights), Some(-0.5));
        assert_eq!(sign_length_coupling(&group, &weights), Some(-0.5));
        // The scale does not matter to the coupling.
        assert_eq!(sign_length_coupling(&group, &[1.0, 1.0, 0.0]), Some(-0.5));
        // Equal masses.
        assert_eq!(
            sign_length_coupling(&group, &[0.5, 1.0 / 6.0, 0.0]),
            Some(0.0)
        );
    }

    #[test]
    fn undefined_without_both_signs_or_without_mass() {
        let group = [(2, 1.0), (6, 3.0)].map(|(tokens, advantage)| Response { tokens, advantage });
        assert_eq!(sign_length_coupling(&group, &[1.0, 1.0]), None);
        let group = [(2, 1.0), (6, -3.0)].map(|(tokens, advantage)| Response { tokens, advantage });
        assert_eq!(sign_length_coupling(&group, &[0.0, 0.0]), None);
        assert_eq!(net_advantage(&group, &[0.0, 0.0]), Some(0.0));
        assert_eq!(net_advantage(&[], &[]), None);
    }
}
