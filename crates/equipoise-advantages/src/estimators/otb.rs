//! A baseline for every token, weighted by the energy of the responses.

use crate::options::not_negative;
use crate::sum::{bounded, largest};
use crate::tokens::{Tokens, returns_to_go};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// Optimal token baseline, as verl computes it.
///
/// ```text
/// A_it = G_it − B_t,      B_t = Σ_j G_jt W_jt / (Σ_j W_jt + ε),      W_jt = Σ_{s ≤ t} (1 − 2π_js + Σπ²_js) ρ_js²
/// ```
///
/// G the sum of rewards from t on, π the probability of the token, Σπ² over the vocabulary, ρ the importance
/// weight, j over the scorable responses of the group that have a t-th trained token. Tokens are counted
/// among the trained ones, as in verl's multi-turn variant; its other one counts positions. With `zero_tail`
/// there is no baseline where only the longest response goes on (its own return would be its baseline); both of
/// verl's signatures have it on, though one of its documents says off. The only scorable response of a group
/// has 0 here, and its return in verl.
///
/// ```
/// use equipoise_advantages::{AdvantageEstimator, Group, estimators::Otb};
///
/// // One token each, of probability ½ among two: both responses have the same energy.
/// let half = [0.5_f64.ln()];
/// let logprobs = [&half[..], &half];
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1, 1])?
///     .with_logprobs(&logprobs)?
///     .with_probability_squares(&[&[0.5], &[0.5]])?;
/// let otb = Otb { epsilon: 0.0, ..Otb::default() };
/// assert_eq!(otb.estimate(&[group])?.values, [0.5, -0.5]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Otb {
    /// ε, at least 0; default 1e-8.
    pub epsilon: f64,
    /// Whether the tail that only the longest response has goes without baseline; default true.
    pub zero_tail: bool,
}

impl Default for Otb {
    fn default() -> Self {
        Self {
            epsilon: 1e-8,
            zero_tail: true,
        }
    }
}

impl Otb {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "otb",
        formula: "G − Σ G W / Σ W per token",
        options: &["epsilon", "zero_tail", "clip"],
        level: Level::Token,
        zero_sum: false,
        source: "verl 0.9.1, core_algos.py",
        build: |options| {
            let epsilon = options.epsilon.unwrap_or(1e-8);
            Ok(Box::new(Self {
                epsilon: not_negative("otb", "epsilon", epsilon)?,
                zero_tail: options.zero_tail.unwrap_or(true),
            }))
        },
    };
}

impl AdvantageEstimator for Otb {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            probabilities: true,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("otb", groups)?;
        let mut tokens = returns_to_go(groups, 1.0, 0.0);
        let mut first = 0;
        let (mut energies, mut returns) = (Vec::new(), Vec::new());
        for group in groups {
            self.of_group(group, first, &mut tokens, &mut energies, &mut returns);
            first += group.len();
        }
        Ok(Advantages::of_tokens(groups, tokens))
    }
}

impl Otb {
    /// Turns the returns of a group's tokens into advantages; the two buffers hold, per trained step,
    /// Σ W and Σ G W.
    fn of_group(
        &self,
        group: &Group<'_>,
        first: usize,
        tokens: &mut Tokens,
        energies: &mut Vec<f64>,
        returns: &mut Vec<f64>,
    ) {
        let (Some(logprobs), Some(squares)) = (group.logprobs, group.probability_squares) else {
            return;
        };
        let scorable = || group.rewards().enumerate().filter(|(_, r)| r.is_some());
        let lengths = scorable().map(|(i, _)| group.trained(i));
        let longest = lengths.clone().max().unwrap_or(0);
        let second = match lengths.clone().filter(|length| *length == longest).count() {
            1 => lengths.filter(|l| *l < longest).max().unwrap_or(0),
            _ => longest,
        };
        let alone = scorable().count() < 2;
        let size = scorable().flat_map(|(i, _)| tokens.response(first + i).iter().copied());
        let unit = largest(size).max(1.0);
        energies.clear();
        energies.resize(longest, 0.0);
        returns.clear();
        returns.resize(longest, 0.0);
        for (i, _) in scorable() {
            let (mut step, mut energy) = (0, 0.0);
            for (t, value) in tokens.response(first + i).iter().enumerate() {
                if !group.is_trained(i, t) {
                    continue;
                }
                let probability = bounded(logprobs[i][t].exp());
                let weight = group.importance.map_or(1.0, |rows| rows[i][t]);
                let spread = bounded(bounded(1.0 - bounded(2.0 * probability)) + squares[i][t]);
                let scale = bounded(weight * weight);
                energy = bounded(energy + bounded(spread * scale));
                energies[step] = bounded(energies[step] + energy);
                returns[step] = bounded(returns[step] + value / unit * energy);
                step += 1;
            }
        }
        for (i, _) in scorable() {
            let mut step = 0;
            for (t, value) in tokens.response_mut(first + i).iter_mut().enumerate() {
                if !group.is_trained(i, t) {
                    continue;
                }
                let divisor = bounded(energies[step] + self.epsilon);
                let baseline = match divisor == 0.0 || (self.zero_tail && step >= second) {
                    true => 0.0,
                    false => bounded(bounded(returns[step] / divisor) * unit),
                };
                *value = if alone {
                    0.0
                } else {
                    bounded(*value - baseline)
                };
                step += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // One token each with W = 1 − 2 · ½ + ½ = ½: the baseline is the mean.
        let half = [0.5_f64.ln()];
        let halves: [&[f64]; 3] = [&half; 3];
        let group = Group::new(&[Some(1.0), Some(0.0), None], &[1; 3]).unwrap();
        let group = group.with_logprobs(&halves).unwrap();
        let group = group
            .with_probability_squares(&[&[0.5], &[0.5], &[0.5]])
            .unwrap();
        let otb = Otb {
            epsilon: 0.0,
            ..Otb::default()
        };
        let values = otb.estimate(&[group]).unwrap().values;
        assert_eq!(values, [0.5, -0.5, 0.0]);
    }
}
