//! Several texts are ranked.

use super::{Error, difference};
use crate::sum::{Sum, sum};

/// The negative log-likelihood of a ranking under the model of Plackett and Luce: the first is chosen out of
/// all, the second out of the rest, and so on.
///
/// ```text
/// ℓ = −Σ_{k=1}^{K−1} log( exp(r_k) / Σ_{j ≥ k} exp(r_j) )
/// dℓ/dr_i = Σ_{k ≤ min(i, K−1)} exp(r_i) / Σ_{j ≥ k} exp(r_j) − [i < K]
/// ```
///
/// `scores` are in order of preference, the best first; `derivatives` receives the derivative by each. With
/// two texts this is [`BradleyTerry`](super::BradleyTerry), with fewer it is 0. The work is quadratic in K.
///
/// # Errors
/// [`Error::LengthMismatch`] unless there is one derivative per score.
///
/// ```
/// use equipoise_objectives::reward_model::plackett_luce;
///
/// let mut derivatives = [0.0; 3];
/// let loss = plackett_luce(&[0.0, 0.0, 0.0], &mut derivatives)?;
/// // Each of the 3! rankings is as likely.
/// assert!((loss - 6.0_f64.ln()).abs() < 1e-15);
/// assert!((derivatives[0] + 2.0 / 3.0).abs() < 1e-15);
/// assert!((derivatives[2] - (1.0 / 3.0 + 1.0 / 2.0)).abs() < 1e-15);
/// # Ok::<(), equipoise_objectives::reward_model::Error>(())
/// ```
pub fn plackett_luce(scores: &[f64], derivatives: &mut [f64]) -> Result<f64, Error> {
    if scores.len() != derivatives.len() {
        return Err(Error::LengthMismatch {
            scores: scores.len(),
            derivatives: derivatives.len(),
        });
    }
    derivatives.fill(0.0);
    let mut loss = Sum::default();
    for stage in 0..scores.len().saturating_sub(1) {
        let rest = &scores[stage..];
        let largest = rest.iter().copied().fold(rest[0], f64::max);
        let weight = |score: f64| difference(score, largest).exp();
        let total = sum(rest.iter().map(|score| weight(*score)));
        loss.add(total.ln() - difference(rest[0], largest));
        let mut others = Sum::default();
        for (derivative, score) in derivatives[stage + 1..].iter_mut().zip(&rest[1..]) {
            let share = weight(*score) / total;
            *derivative += share;
            others.add(share);
        }
        derivatives[stage] -= others.value();
    }
    Ok(loss.value())
}
