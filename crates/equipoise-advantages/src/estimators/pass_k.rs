//! The advantage of a response in all groups of k that it could be in.

use crate::options::{not_negative, number};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Analytic pass@k training (arXiv:2508.10751; RUCAIBox/Passk_Training, passk_adv.py).
///
/// ```text
/// ρ = 1 − C(n − c, k) / C(n, k)        σ = √(ρ (1 − ρ))        c of n responses are correct
/// A₊ = (1 − ρ) / (σ + ε)
/// A₋ = (1 − ρ − C(n − c − 1, k − 1) / C(n − 1, k − 1)) / (σ + ε)
/// ```
///
/// What GRPO would give, with the population deviation, if the reward were that of the best of k and every
/// group of k of the n responses had been drawn. Correct is a reward from `threshold` on. A k above n counts
/// as n, and a group without a correct or without a wrong response, or with σ = 0, has no advantages.
/// For k = 1 it is GRPO with the population deviation. Advantages of a group add up to 0.
///
/// ```
/// use equipoise_advantages::estimators::PassK;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2])?;
/// let first = PassK { k: 1, epsilon: 0.0, ..PassK::default() };
/// let values = first.estimate(&[group])?.values;
/// assert_eq!(values, [1.0, -1.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassK {
    /// The number of attempts, at least 1; default 4.
    pub k: usize,
    /// The reward from which on a response is correct; default 0.5.
    pub threshold: f64,
    /// ε, at least 0; default 1e-6.
    pub epsilon: f64,
}

impl Default for PassK {
    fn default() -> Self {
        Self {
            k: 4,
            threshold: 0.5,
            epsilon: 1e-6,
        }
    }
}

impl PassK {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "pass_k",
        formula: "(1 − ρ) / (σ + ε), (1 − ρ − C(n−c−1, k−1) / C(n−1, k−1)) / (σ + ε)",
        options: &["k", "threshold", "epsilon", "clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2508.10751",
        build: |options| {
            let k = options.k.unwrap_or(4);
            number("pass_k", "k", k as f64, "at least 1", k >= 1)?;
            let threshold = options.threshold.unwrap_or(0.5);
            let epsilon = options.epsilon.unwrap_or(1e-6);
            Ok(Box::new(Self {
                k,
                threshold: number("pass_k", "threshold", threshold, "a finite number", true)?,
                epsilon: not_negative("pass_k", "epsilon", epsilon)?,
            }))
        },
    };
}

impl AdvantageEstimator for PassK {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let mut values = Vec::with_capacity(groups.iter().map(Group::len).sum());
        for group in groups {
            let n = group.scorable().count();
            let correct = |reward: f64| reward >= self.threshold;
            let c = group.scorable().filter(|reward| correct(*reward)).count();
            let k = self.k.clamp(1, n.max(1));
            let failure = ratio(n - c, n, k);
            let deviation = (failure * (1.0 - failure)).sqrt();
            let divisor = deviation + self.epsilon;
            values.extend(group.rewards().map(|reward| match reward {
                Some(reward) if c > 0 && c < n && deviation > 0.0 => match correct(reward) {
                    true => failure / divisor,
                    false => (failure - ratio(n - c - 1, n - 1, k - 1)) / divisor,
                },
                _ => 0.0,
            }));
        }
        Ok(Advantages::new(groups, values))
    }
}

/// C(m, k) / C(n, k): the chance that k of n, drawn at once, all are among m of them.
fn ratio(m: usize, n: usize, k: usize) -> f64 {
    if m < k {
        return 0.0;
    }
    (0..k).map(|j| (m - j) as f64 / (n - j) as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // n = 4, c = 1, k = 2: C(3, 2) / C(4, 2) = ½, σ = ½; a wrong response: ½ − C(2, 1) / C(3, 1).
        let rewards = [Some(1.0), Some(0.0), None, Some(0.0), Some(0.0)];
        let group = Group::new(&rewards, &[1; 5]).unwrap();
        let estimator = PassK {
            k: 2,
            epsilon: 0.0,
            ..PassK::default()
        };
        let values = estimator.estimate(&[group]).unwrap().values;
        assert_eq!(values[0], 1.0);
        assert!((values[1] + 1.0 / 3.0).abs() < 1e-15, "{values:?}");
    }
}
