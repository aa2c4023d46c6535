//! The reward less that of the response without sampling.

use crate::centre::Centred;
use crate::sum::bounded;
use crate::tokens::{returns_to_go, rows};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level, Needs};

/// ReMax (arXiv:2310.10505).
///
/// ```text
/// A_i = R_i − R_greedy                      per response
/// A_it = Σ_{s ≥ t} r_is − R_greedy          per token, if the groups have token rewards
/// ```
///
/// R_greedy is the reward of the most likely response, one more per prompt. Where that could not be judged,
/// the group has no advantages. Advantages of a group do not add up to 0, and one response per prompt is
/// enough. Token rewards on tokens that are not trained do not count, as in verl.
///
/// ```
/// use equipoise_advantages::estimators::Remax;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?.with_greedy_reward(Some(0.75));
/// let values = Remax.estimate(&[group])?.values;
/// assert_eq!(values, [0.25, -0.75]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Default, Eq)]
pub struct Remax;

impl Remax {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "remax",
        formula: "R − R of the greedy response",
        options: &["clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2310.10505",
        build: |_| Ok(Box::new(Self)),
    };
}

impl AdvantageEstimator for Remax {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn needs(&self) -> Needs {
        Needs {
            greedy_reward: true,
            ..Needs::NOTHING
        }
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        self.needs().check("remax", groups)?;
        if groups.iter().all(|group| group.token_rewards.is_none()) {
            let centred = Centred::about(groups, |group, unit| {
                group.greedy_reward.map_or(f64::NAN, |reward| reward / unit)
            });
            let values = centred.in_rewards(groups, |_, _| 1.0);
            return Ok(Advantages::new(groups, values));
        }
        let mut tokens = returns_to_go(groups, 1.0, 0.0);
        for (index, row) in rows(groups).enumerate() {
            let greedy = row.group.greedy_reward.filter(|reward| reward.is_finite());
            for (t, value) in tokens.response_mut(index).iter_mut().enumerate() {
                *value = match (row.reward, greedy) {
                    (Some(_), Some(greedy)) if row.is_trained(t) => bounded(*value - greedy),
                    _ => 0.0,
                };
            }
        }
        Ok(Advantages::of_tokens(groups, tokens))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0)], &[1; 3])
            .unwrap()
            .with_greedy_reward(Some(0.75));
        let values = Remax.estimate(&[group]).unwrap().values;
        let expected = [0.25, 0.0, -0.75];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
