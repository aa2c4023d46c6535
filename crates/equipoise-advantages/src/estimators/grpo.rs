//! The reward less the group's mean, over a standard deviation.

use crate::centre::Centred;
use crate::estimators::{Baseline, Correction, StandardDeviation};
use crate::options::not_negative;
use crate::sum::sum;
use crate::{AdvantageEstimator, Advantages, Entry, Error, Group, Level};

/// Group-relative advantages (DeepSeekMath, arXiv:2402.03300).
///
/// ```text
/// A_i = (R_i − μ) / (σ + ε)
/// ```
///
/// with μ the mean reward of the group's scorable responses and σ the standard deviation of the
/// rewards, of the group or of the batch. With the leave-one-out baseline (NeMo RL's default) R_i − μ becomes
/// R_i less the mean of the others, n / (n − 1) · (R_i − μ).
///
/// Peers: verl, SkyRL and Trinity give the only response of a group its raw reward, NeMo RL gives it 0, as
/// here. All divide by the sample deviation. ε is 1e-4 in TRL, 1e-5 in AReaL, 1e-9 in OpenRLHF, 1e-6 in the
/// others. verl's vectorised variant computes in single precision.
///
/// ```
/// use equipoise_advantages::estimators::Grpo;
/// use equipoise_advantages::{AdvantageEstimator, Group};
///
/// let group = Group::new(&[Some(1.0), Some(0.0), Some(0.0), Some(0.0)], &[1; 4])?;
/// let grpo = Grpo { epsilon: 0.0, ..Grpo::default() };
/// assert_eq!(grpo.estimate(&[group])?.values, [1.5, -0.5, -0.5, -0.5]);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grpo {
    /// What is subtracted.
    pub baseline: Baseline,
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

impl Default for Grpo {
    /// The group's mean and sample standard deviation, and ε = 1e-6, as in verl.
    fn default() -> Self {
        Self {
            baseline: Baseline::Mean,
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
        options: &["std", "correction", "epsilon", "baseline", "clip"],
        level: Level::Response,
        zero_sum: true,
        source: "arXiv:2402.03300",
        build: |options| {
            let default = Self::default();
            let grpo = Self {
                baseline: options.baseline.unwrap_or(default.baseline),
                std: options.std.unwrap_or(default.std),
                correction: options.correction.unwrap_or(default.correction),
                epsilon: options.epsilon.unwrap_or(default.epsilon),
            };
            not_negative("grpo", "epsilon", grpo.epsilon)?;
            let ignored = [
                options.correction.map(|_| "correction"),
                options.epsilon.map(|_| "epsilon"),
            ];
            match ignored.into_iter().flatten().next() {
                Some(option) if grpo.std == StandardDeviation::None => {
                    Err(Error::OptionWithoutEffect {
                        estimator: "grpo with std = none",
                        option,
                        accepted: &["std", "baseline", "clip"],
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

    fn estimate(&self, groups: &[Group<'_>]) -> Result<Advantages, Error> {
        let centred = Centred::new(groups);
        let unit = centred.unit;
        let epsilon = self.epsilon.max(0.0) / unit;
        let baseline = self.baseline;
        let values = match self.std {
            StandardDeviation::None => centred.in_rewards(groups, |g, _| baseline.factor(g)),
            StandardDeviation::Group => centred.scaled(groups, |group, deviations| {
                let squares = sum(deviations.iter().map(|d| d * d));
                let count = group.scorable().count() as f64;
                baseline.factor(group) / (self.correction.deviation(squares, count) + epsilon)
            }),
            StandardDeviation::Batch => {
                let rewards = || groups.iter().flat_map(Group::scorable).map(|r| r / unit);
                let count = rewards().count() as f64;
                let mean = sum(rewards()) / count;
                let squares = sum(rewards().map(|reward| (reward - mean).powi(2)));
                let deviation = self.correction.deviation(squares, count);
                centred.scaled(groups, |g, _| baseline.factor(g) / (deviation + epsilon))
            }
        };
        Ok(Advantages::new(groups, values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grpo(std: StandardDeviation, correction: Correction, epsilon: f64) -> Grpo {
        Grpo {
            baseline: Baseline::Mean,
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
            sample.estimate(&[group]).unwrap().values,
            [1.5, -0.5, 0.0, -0.5, -0.5]
        );
        let damped = grpo(StandardDeviation::Group, Correction::Sample, 0.5);
        assert_eq!(
            damped.estimate(&[group]).unwrap().values,
            [0.75, -0.25, 0.0, -0.25, -0.25]
        );
        let population = grpo(StandardDeviation::Group, Correction::Population, 0.0);
        let values = population.estimate(&[group]).unwrap().values;
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
            .unwrap()
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
            assert_eq!(odd.estimate(&[group]).unwrap().values, [1.0, -1.0]);
        }
        let infinite = grpo(StandardDeviation::Group, Correction::Sample, f64::INFINITY);
        assert_eq!(infinite.estimate(&[group]).unwrap().values, [0.0, 0.0]);
    }

    #[test]
    fn leave_one_out_by_hand() {
        let group = Group::new(&[Some(1.0), Some(0.0)], &[1; 2]).unwrap();
        let others = Grpo {
            baseline: Baseline::LeaveOneOut,
            ..grpo(StandardDeviation::Group, Correction::Population, 0.0)
        };
        // ±½ over σ = ½, times 2 / (2 − 1).
        assert_eq!(others.estimate(&[group]).unwrap().values, [2.0, -2.0]);
    }
}
