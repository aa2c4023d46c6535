//! Only the best response, by its lead over the second.

use crate::TIE_TOLERANCE;
use crate::centre::Centred;
use crate::estimators::{Correction, StandardDeviation};
use crate::options::not_negative;
use crate::sum::{bounded, largest, sum};
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Pass@k training with the reward of the best (arXiv:2503.19595; verl's grpo_passk).
///
/// ```text
/// A_best = (R_best − R_second) / (σ + ε)      0 for all others
/// ```
///
/// Two best responses with the same reward have no advantage. Advantages of a group do not add up to 0.
/// verl refuses groups of one response; here they have 0.
///
/// ```
/// use equipoise_advantages::estimators::PassKBest;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(2.0), Some(0.5)], &[1; 2])?;
/// let plain = PassKBest { divide: false, ..PassKBest::default() };
/// let values = plain.estimate(&[group])?.values;
/// assert_eq!(values, [1.5, 0.0]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassKBest {
    /// Whether the lead is divided by the group's standard deviation; default true.
    pub divide: bool,
    /// Which standard deviation that is; default sample.
    pub correction: Correction,
    /// ε, in units of reward, at least 0; default 1e-6.
    pub epsilon: f64,
}

impl Default for PassKBest {
    fn default() -> Self {
        Self {
            divide: true,
            correction: Correction::Sample,
            epsilon: 1e-6,
        }
    }
}

impl PassKBest {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "passk_best",
        formula: "best: (R₁ − R₂) / (σ + ε)",
        options: &["std", "correction", "epsilon", "clip"],
        level: Level::Response,
        zero_sum: false,
        source: "arXiv:2503.19595; verl 0.9.1, core_algos.py",
        build: |options| {
            let divide = match options.std.unwrap_or(StandardDeviation::Group) {
                StandardDeviation::Group => true,
                StandardDeviation::None => false,
                StandardDeviation::Batch => {
                    return Err(Error::InvalidOption {
                        estimator: "passk_best",
                        option: "std",
                        value: "batch".to_owned(),
                        requirement: "`none` or `group`",
                    });
                }
            };
            let ignored = [
                options.correction.map(|_| "correction"),
                options.epsilon.map(|_| "epsilon"),
            ];
            match ignored.into_iter().flatten().next() {
                Some(option) if !divide => Err(Error::OptionWithoutEffect {
                    estimator: "passk_best with std = none",
                    option,
                    accepted: &["std", "clip"],
                }),
                _ => {
                    let epsilon = options.epsilon.unwrap_or(1e-6);
                    Ok(Box::new(Self {
                        divide,
                        correction: options.correction.unwrap_or(Correction::Sample),
                        epsilon: not_negative("passk_best", "epsilon", epsilon)?,
                    }))
                }
            }
        },
    };
}

impl AdvantageEstimator for PassKBest {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let centred = Centred::new(groups);
        let unit = centred.unit;
        let mut values = centred.deviations;
        let mut rest = &mut values[..];
        for group in groups {
            let (of_group, tail) = rest.split_at_mut(group.len());
            rest = tail;
            let squares = sum(of_group.iter().map(|d| d * d));
            let count = group.scorable().count() as f64;
            let best = best_two(group);
            for value in of_group.iter_mut() {
                *value = 0.0;
            }
            let Some((best, lead)) = best.filter(|_| squares > 0.0) else {
                continue;
            };
            let lead = lead(unit);
            let tolerance = TIE_TOLERANCE * largest(group.scorable()).max(1.0) / unit;
            if lead > tolerance {
                of_group[best] = match self.divide {
                    true => {
                        lead / (self.correction.deviation(squares, count) + self.epsilon / unit)
                    }
                    false => bounded(lead * unit),
                };
            }
        }
        Ok(Advantages::new(groups, values))
    }
}

/// The best response and its lead over the second, in a unit; `None` with fewer than two responses.
fn best_two(group: &Group<'_>) -> Option<(usize, impl Fn(f64) -> f64 + use<>)> {
    let mut best: Option<(usize, f64)> = None;
    let mut second = f64::NEG_INFINITY;
    for (at, reward) in group.rewards().enumerate() {
        let Some(reward) = reward else { continue };
        match best {
            Some((_, top)) if reward <= top => second = second.max(reward),
            previous => {
                second = previous.map_or(second, |(_, top)| top);
                best = Some((at, reward));
            }
        }
    }
    let (at, top) = best.filter(|_| second.is_finite())?;
    Some((at, move |unit: f64| top / unit - second / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let group = Group::new(&[Some(1.0), None, Some(0.0), Some(0.5)], &[1; 4]).unwrap();
        let values = PassKBest {
            divide: false,
            ..PassKBest::default()
        }
        .estimate(&[group])
        .unwrap()
        .values;
        let expected = [0.5, 0.0, 0.0, 0.0];
        assert_eq!(values.len(), expected.len());
        for (a, b) in values.iter().zip(expected) {
            assert!((a - b).abs() < 1e-7, "{values:?}");
        }
    }
}
