//! One text is preferred to several.

use super::{Error, difference};
use crate::sum::sum;

/// The negative log-probability of the chosen one of n candidates (InfoNCE, arXiv:1807.03748; for reward
/// models against bias-injected negatives JudgeBiasBench, arXiv:2603.08091).
///
/// ```text
/// ℓ = −log softmax(r / T)_w      dℓ/dr_i = (softmax(r / T)_i − [i = w]) / T
/// ```
///
/// With two candidates and T = 1 this is [`BradleyTerry`](super::BradleyTerry); with one it is 0.
///
/// ```
/// use equipoise_objectives::reward_model::InfoNce;
///
/// // Scores of the chosen, the rejected, and a rejected text with an injected bias.
/// let mut derivatives = [0.0; 3];
/// let loss = InfoNce::default().evaluate(&[1.0, 0.2, -0.5], 0, &mut derivatives)?;
/// assert!((loss - 0.2244895142).abs() < 1e-10);
/// assert!(derivatives[0] < 0.0 && derivatives[1] > derivatives[2]);
/// # Ok::<(), equipoise_objectives::reward_model::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InfoNce {
    /// T, in units of score, greater than 0; default 0.5 as in JudgeBiasBench.
    pub temperature: f64,
}

impl Default for InfoNce {
    fn default() -> Self {
        Self { temperature: 0.5 }
    }
}

impl InfoNce {
    /// The loss; `derivatives` receives the derivative by each score.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one derivative per score, [`Error::NoSuchCandidate`] if
    /// `chosen` is not the index of a score, and [`Error::InvalidTemperature`].
    pub fn evaluate(
        self,
        scores: &[f64],
        chosen: usize,
        derivatives: &mut [f64],
    ) -> Result<f64, Error> {
        if scores.len() != derivatives.len() {
            return Err(Error::LengthMismatch {
                scores: scores.len(),
                derivatives: derivatives.len(),
            });
        }
        let best = *scores.get(chosen).ok_or(Error::NoSuchCandidate {
            chosen,
            scores: scores.len(),
        })?;
        if !(self.temperature.is_finite() && self.temperature > 0.0) {
            return Err(Error::InvalidTemperature {
                temperature: self.temperature,
            });
        }
        let largest = scores.iter().copied().fold(best, f64::max);
        let exponent = |score: f64| (difference(score, largest) / self.temperature).max(-f64::MAX);
        let total = sum(scores.iter().map(|score| exponent(*score).exp()));
        for (derivative, score) in derivatives.iter_mut().zip(scores) {
            let share = exponent(*score).exp() / total;
            *derivative = (share / self.temperature).min(f64::MAX);
        }
        // 1 − share of the chosen, as the others' share: no cancellation where it is nearly certain.
        let others = sum(without(derivatives, chosen));
        derivatives[chosen] = (-others).max(-f64::MAX);
        let nan = scores.iter().any(|score| score.is_nan());
        if nan {
            derivatives.fill(f64::NAN);
            return Ok(f64::NAN);
        }
        if best == largest {
            // log(1 + the others), again without cancellation.
            return Ok(sum(without(scores, chosen).map(|score| exponent(score).exp())).ln_1p());
        }
        Ok(total.ln() - exponent(best))
    }
}

/// All numbers but one.
fn without(numbers: &[f64], one: usize) -> impl Iterator<Item = f64> {
    let (before, rest) = numbers.split_at(one);
    before.iter().chain(&rest[1..]).copied()
}
