//! Several rewards, each normalised by itself.

use crate::estimators::{Correction, Normalisation, RewardAggregation};
use crate::moments::{Moments, normalise_kept};
use crate::options::not_negative;
use crate::sum::bounded;
use crate::tokens::{Row, rows};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// Group reward-decoupled normalisation (GDPO, arXiv:2601.05242), for several rewards.
///
/// ```text
/// normalize_then_sum:  a_i = Σ_n w_n (r_in − μ_n) / (σ_n + ε),   A_i = (a_i − m) / (s + ε) over the batch
/// sum_then_normalize:  R_i = Σ_n w_n r_in,                       A_i = (R_i − μ) / (σ + ε) in the group
/// ```
///
/// In a sum, the reward with the largest spread drowns the others; normalised one by one, each has its say.
/// Means and deviations are those of the group; a reward that a judge did not give is left out of that judge's
/// statistics and of the sum, and a response that no judge scored, or whose reward is `None`, is unscorable.
/// The first formula's last step is over responses (`batch`, as TRL with ε = 1e-4), over tokens with
/// √(variance + 1e-8) (`tokens`, as verl, which computes it in single precision), or left out (`none`).
/// Advantages of a group add up to 0 only without that step or when all means are 0. The only scorable response
/// of a group has 0. The words of `aggregation` are those of TRL's multi_objective_aggregation.
///
/// ```
/// use equipoise_advantages::{AdvantageEstimator, Group, estimators::{Gdpo, Normalisation}};
///
/// // Right and wrong, of equally good form: the second reward says nothing.
/// let (right, form) = ([Some(1.0), Some(0.0)], [Some(0.5), Some(0.5)]);
/// let rows = [&right[..], &form[..]];
/// let group = Group::new(&[Some(1.5), Some(0.5)], &[3, 3])?.with_reward_parts(&rows)?;
/// let gdpo = Gdpo { normalise: Normalisation::None, epsilon: 0.0, ..Gdpo::default() };
/// // ½ over the sample deviation of 1 and 0, which is √½.
/// let found = gdpo.estimate(&[group])?.values;
/// assert!((found[0] - 0.5_f64.sqrt()).abs() < 1e-15 && found[1] == -found[0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gdpo {
    /// Which of the two formulas; default the first.
    pub aggregation: RewardAggregation,
    /// The last step of the first; default batch. Without effect on the second.
    pub normalise: Normalisation,
    /// Which standard deviation; default sample.
    pub correction: Correction,
    /// ε, in units of reward, at least 0; default 1e-6.
    pub epsilon: f64,
}

impl Default for Gdpo {
    fn default() -> Self {
        Self {
            aggregation: RewardAggregation::NormaliseThenSum,
            normalise: Normalisation::Batch,
            correction: Correction::Sample,
            epsilon: 1e-6,
        }
    }
}

impl Gdpo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "gdpo",
        formula: "Σ w_n (r_n − μ_n) / (σ_n + ε), normalised over the batch",
        options: &["aggregation", "normalise", "correction", "epsilon", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2601.05242",
        build: |options| {
            let default = Self::default();
            let aggregation = options.aggregation.unwrap_or(default.aggregation);
            if aggregation == RewardAggregation::SumThenNormalise && options.normalise.is_some() {
                return Err(Error::OptionWithoutEffect {
                    estimator: "gdpo with aggregation = sum_then_normalize",
                    option: "normalise",
                    accepted: &["aggregation", "correction", "epsilon", "clip"],
                });
            }
            let epsilon = options.epsilon.unwrap_or(default.epsilon);
            Ok(Box::new(Self {
                aggregation,
                normalise: options.normalise.unwrap_or(default.normalise),
                correction: options.correction.unwrap_or(default.correction),
                epsilon: not_negative("gdpo", "epsilon", epsilon)?,
            }))
        },
    };
}

impl AdvantageEstimator for Gdpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            reward_parts: true,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("gdpo", groups)?;
        let mut values = vec![0.0; groups.iter().map(Group::len).sum()];
        let mut start = 0;
        for group in groups {
            self.of_group(group, &mut values[start..start + group.len()]);
            start += group.len();
        }
        if self.aggregation == RewardAggregation::NormaliseThenSum {
            let kept =
                |row: &Row<'_, '_>| row.reward.is_some() && is_judged(row.group, row.response);
            normalise_kept(
                groups,
                &mut values,
                self.normalise,
                self.correction,
                self.epsilon,
                kept,
            );
            for (value, row) in values.iter_mut().zip(rows(groups)) {
                if row.group.scorable().count() < 2 {
                    *value = 0.0;
                }
            }
        }
        Ok(Advantages::new(groups, values))
    }
}

/// What a judge gave a response, if the response is scorable.
fn part(
    group: &Group<'_>,
    row: &[Option<f64>],
    response: usize,
    reward: Option<f64>,
) -> Option<f64> {
    reward
        .and(row[response])
        .filter(|part| part.is_finite() && !group.is_empty())
}

/// Whether any judge scored a response.
fn is_judged(group: &Group<'_>, response: usize) -> bool {
    let judges = group.reward_parts.unwrap_or_default();
    judges
        .iter()
        .any(|row| row[response].is_some_and(f64::is_finite))
}

impl Gdpo {
    fn of_group(&self, group: &Group<'_>, out: &mut [f64]) {
        let judges = group.reward_parts.unwrap_or_default();
        let weight = |judge: usize| group.reward_weights.map_or(1.0, |weights| weights[judge]);
        let separate = self.aggregation == RewardAggregation::NormaliseThenSum;
        for (judge, row) in judges.iter().enumerate() {
            let parts = group
                .rewards()
                .enumerate()
                .map(|(i, reward)| part(group, row, i, reward));
            let moments = Moments::of(parts.clone().flatten().map(|p| (p, 1.0)), self.correction);
            for (value, part) in out.iter_mut().zip(parts) {
                let Some(part) = part else { continue };
                let part = match separate {
                    true => moments.standardised(part, self.epsilon),
                    false => part,
                };
                *value = bounded(*value + bounded(weight(judge) * part));
            }
        }
        if !separate {
            let scored = |i: usize, reward: Option<f64>| reward.is_some() && is_judged(group, i);
            let sums = out
                .iter()
                .zip(group.rewards())
                .enumerate()
                .filter(|(i, (_, reward))| scored(*i, *reward))
                .map(|(_, (value, _))| (*value, 1.0));
            let moments = Moments::of(sums, self.correction);
            for (i, (value, reward)) in out.iter_mut().zip(group.rewards()).enumerate() {
                if scored(i, reward) {
                    *value = moments.standardised(*value, self.epsilon);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(0.0), Some(0.0)], &[1; 2]).unwrap();
        let parts: [&[Option<f64>]; 2] = [&[Some(100.0), Some(0.0)], &[Some(0.0), Some(1.0)]];
        let group = group.with_reward_parts(&parts).unwrap();
        let group = group.with_reward_weights(&[1.0, 3.0]).unwrap();
        let plain = Gdpo {
            normalise: Normalisation::None,
            correction: Correction::Population,
            epsilon: 0.0,
            ..Gdpo::default()
        };
        // Each judge gives ±1; the second weighs three times as much.
        assert_eq!(plain.estimate(&[group]).unwrap().values, [-2.0, 2.0]);
        let sum = Gdpo {
            aggregation: RewardAggregation::SumThenNormalise,
            ..plain
        };
        assert_eq!(sum.estimate(&[group]).unwrap().values, [1.0, -1.0]);
    }
}
