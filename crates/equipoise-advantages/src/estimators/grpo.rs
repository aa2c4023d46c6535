//! The reward less the group's mean, over a standard deviation.

use crate::centre::Centred;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group};
use std::fmt;
use std::str::FromStr;

/// Group-relative advantages (DeepSeekMath, arXiv:2402.03300).
///
/// ```text
/// A_i = (R_i − μ) / (σ + ε)
/// ```
///
/// with μ the mean reward of the group's scorable responses and σ the standard deviation of the
/// rewards, of the group or of the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grpo {
    /// Whose standard deviation divides.
    pub std: StandardDeviation,
    /// The divisor inside the standard deviation; without effect if there is none.
    pub correction: Correction,
    /// ε, in units of reward, at least 0; a value that is negative or not a number counts as 0.
    /// Without effect if there is no standard deviation.
    ///
    /// It damps groups whose rewards differ by about as little. Peers use from 1e-9 to 1e-4.
    pub epsilon: f64,
}

/// Whose standard deviation an advantage is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandardDeviation {
    /// Nobody's: rewards are centred only.
    None,
    /// That of the group's scorable rewards.
    Group,
    /// That of all scorable rewards of the batch about their common mean (Lite PPO,
    /// arXiv:2508.08221). Every group then keeps its own share of signal.
    Batch,
}

/// What the sum of squared deviations is divided by in a standard deviation of n rewards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Correction {
    /// n − 1 (Bessel's correction), as the training frameworks do.
    Sample,
    /// n, under which the advantages have variance 1 up to ε, as the analyses assume.
    Population,
}

impl StandardDeviation {
    const NAMES: &'static [&'static str] = &["none", "group", "batch"];
}

impl Correction {
    const NAMES: &'static [&'static str] = &["sample", "population"];

    /// The standard deviation of `count` values with this sum of squared deviations.
    fn deviation(self, squares: f64, count: f64) -> f64 {
        let divisor = match self {
            Self::Sample => count - 1.0,
            Self::Population => count,
        };
        (squares / divisor).sqrt()
    }
}

impl fmt::Display for StandardDeviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Group => "group",
            Self::Batch => "batch",
        })
    }
}

impl FromStr for StandardDeviation {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "none" => Ok(Self::None),
            "group" => Ok(Self::Group),
            "batch" => Ok(Self::Batch),
            _ => Err(Error::UnknownValue {
                option: "std",
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

impl fmt::Display for Correction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sample => "sample",
            Self::Population => "population",
        })
    }
}

impl FromStr for Correction {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "sample" => Ok(Self::Sample),
            "population" => Ok(Self::Population),
            _ => Err(Error::UnknownValue {
                option: "correction",
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

impl Default for Grpo {
    /// The group's sample standard deviation and ε = 1e-6, as in verl.
    fn default() -> Self {
        Self {
            std: StandardDeviation::Group,
            correction: Correction::Sample,
            epsilon: 1e-6,
        }
    }
}

impl Grpo {
    /// How the catalogue builds the estimator.
    pub const ENTRY: Entry = Entry {
        name: "grpo",
        formula: "(R − μ) / (σ + ε)",
        options: &["std", "correction", "epsilon"],
        build: |options| {
            let default = Self::default();
            let grpo = Self {
                std: options.std.unwrap_or(default.std),
                correction: options.correction.unwrap_or(default.correction),
                epsilon: options.epsilon.unwrap_or(default.epsilon),
            };
            if !(grpo.epsilon.is_finite() && grpo.epsilon >= 0.0) {
                return Err(Error::InvalidOption {
                    estimator: "grpo",
                    option: "epsilon",
                    value: grpo.epsilon.to_string(),
                    requirement: "a finite number, at least 0",
                });
            }
            let ignored = [
                options.correction.map(|_| "correction"),
                options.epsilon.map(|_| "epsilon"),
            ];
            match ignored.into_iter().flatten().next() {
                Some(option) if grpo.std == StandardDeviation::None => {
                    Err(Error::OptionWithoutEffect {
                        estimator: "grpo with std = none",
                        option,
                        accepted: &["std"],
                    })
                }
                _ => Ok(Box::new(grpo)),
            }
        },
    };
}

impl AdvantageEstimator for Grpo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn estimate(&self, groups: &[Group<'_>]) -> Advantages {
        let centred = Centred::new(groups);
        let unit = centred.unit;
        let epsilon = self.epsilon.max(0.0) / unit;
        let values = match self.std {
            StandardDeviation::None => centred.in_rewards(groups, |_, _| 1.0),
            StandardDeviation::Group => centred.scaled(groups, |group, deviations| {
                let squares = deviations.iter().map(|d| d * d).sum();
                let count = group.scorable().count() as f64;
                1.0 / (self.correction.deviation(squares, count) + epsilon)
            }),
            StandardDeviation::Batch => {
                let rewards = || groups.iter().flat_map(Group::scorable).map(|r| r / unit);
                let count = rewards().count() as f64;
                let mean = rewards().sum::<f64>() / count;
                let squares = rewards().map(|reward| (reward - mean).powi(2)).sum();
                let deviation = self.correction.deviation(squares, count);
                centred.scaled(groups, |_, _| 1.0 / (deviation + epsilon))
            }
        };
        Advantages::new(groups, values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpo(std: StandardDeviation, correction: Correction, epsilon: f64) -> Grpo {
        Grpo {
            std,
            correction,
            epsilon,
        }
    }

    #[test]
    fn by_hand() {
        let rewards = [Some(1.0), Some(0.0), None, Some(0.0), Some(0.0)];
        let group = Group::new(&rewards, &[1; 5]).unwrap();
        // μ = ¼; Σ(R − μ)² = 9/16 + 3/16 = ¾; σ = √(¾/4) of the population and ½ of the sample.
        let sample = grpo(StandardDeviation::Group, Correction::Sample, 0.0);
        assert_eq!(
            sample.estimate(&[group]).values,
            [1.5, -0.5, 0.0, -0.5, -0.5]
        );
        let damped = grpo(StandardDeviation::Group, Correction::Sample, 0.5);
        assert_eq!(
            damped.estimate(&[group]).values,
            [0.75, -0.25, 0.0, -0.25, -0.25]
        );
        let population = grpo(StandardDeviation::Group, Correction::Population, 0.0);
        let values = population.estimate(&[group]).values;
        assert!((values[0] - 3.0_f64.sqrt()).abs() < 1e-15, "{values:?}");
        assert!((values[1] + 1.0 / 3.0_f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn batch_deviation_is_about_the_common_mean() {
        let groups = [
            Group::new(&[Some(3.0), Some(1.0)], &[1; 2]).unwrap(),
            Group::new(&[Some(-1.0), Some(-3.0)], &[1; 2]).unwrap(),
        ];
        // Σ R² = 20 about the mean 0; over 4 that is 5.
        let batch = grpo(StandardDeviation::Batch, Correction::Population, 0.0);
        let expected = 1.0 / 5.0_f64.sqrt();
        for (value, sign) in batch
            .estimate(&groups)
            .values
            .iter()
            .zip([1.0, -1.0, 1.0, -1.0])
        {
            assert!((value - sign * expected).abs() < 1e-15);
        }
    }

    #[test]
    fn odd_epsilons_do_no_harm() {
        let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2]).unwrap();
        for epsilon in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            let odd = grpo(StandardDeviation::Group, Correction::Population, epsilon);
            assert_eq!(odd.estimate(&[group]).values, [1.0, -1.0]);
        }
        let infinite = grpo(StandardDeviation::Group, Correction::Sample, f64::INFINITY);
        assert_eq!(infinite.estimate(&[group]).values, [0.0, 0.0]);
    }

    #[test]
    fn words_round_trip() {
        for word in StandardDeviation::NAMES {
            assert_eq!(
                word.parse::<StandardDeviation>().unwrap().to_string(),
                *word
            );
        }
        for word in Correction::NAMES {
            assert_eq!(word.parse::<Correction>().unwrap().to_string(), *word);
        }
        assert_eq!(
            "bessel".parse::<Correction>().unwrap_err().to_string(),
            "unknown value `bessel` of option `correction`; the values are `sample`, `population`"
        );
        assert!("token".parse::<StandardDeviation>().is_err());
    }
}
