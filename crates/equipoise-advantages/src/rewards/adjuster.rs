//! Rewards corrected by the confidence that a response states.

use std::fmt;
use std::str::FromStr;

/// PPO-C's calibrated reward ("Taming Overconfidence in LLMs", arXiv:2410.09724): a response that is better
/// than usual is worth more if it was given with confidence, and one that is worse is worth less.
///
/// For each batch, with r_i a reward cut to \[−10, 10\] and c_i the confidence that the response states, a
/// number from 0 to 10 that is cut to this range and divided by 10, or 0.5 if there is none:
///
/// ```text
/// r̄ ← α · mean_i r_i + (1 − α) r̄                    before it is used
/// difference    r'_i = r_i + w (r_i − r̄) (c_i − ½)
/// threshold     r'_i = r_i ± w |r_i| (c_i − ½)        + if r_i ≥ r̄, − otherwise
/// ```
///
/// r_i is the reward of the response *without* the text that states the confidence; log-probabilities and
/// values are of the whole. The authors cut r'_i to \[−10, 10\] once more where they hand it to PPO; that is
/// left to the caller.
///
/// A response that is unscorable (`None`, or not finite) stays as it is and takes no part in the mean; a
/// batch of such responses alone leaves r̄ alone. r̄ is the only state: [`mean`](Self::mean) reads it for a
/// checkpoint and [`restore`](Self::restore) puts it back.
///
/// ```
/// use equipoise_advantages::rewards::RewardAdjuster;
///
/// let mut adjuster = RewardAdjuster::new(0.5);
/// let mut rewards = [Some(2.0), Some(-1.0), Some(0.3), Some(12.0)];
/// adjuster.adjust(&mut rewards, &[Some(9.0), Some(9.0), Some(5.0), None])?;
/// // r̄ = 0.1 · 2.825 + 0.9 · 0.5 = 0.7325, and 2 + 2 · (2 − 0.7325) · 0.4 = 3.014.
/// assert!((adjuster.mean() - 0.7325).abs() < 1e-15);
/// assert!((rewards[0].unwrap() - 3.014).abs() < 1e-15);
/// assert_eq!(rewards[2..], [Some(0.3), Some(10.0)]);
/// # Ok::<(), equipoise_advantages::rewards::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardAdjuster {
    /// α, the weight of a new batch in the running mean, from 0 to 1; default 0.1.
    pub alpha: f64,
    /// w, the strength; default 2, as in the authors' scripts (0.5 in their code).
    pub weight: f64,
    /// Which correction; default [`Adjustment::Difference`], as in the authors' scripts (threshold in
    /// their code).
    pub adjustment: Adjustment,
    mean: f64,
}

/// What a stated confidence is multiplied by in [`RewardAdjuster`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Adjustment {
    /// The reward's distance to the running mean.
    #[default]
    Difference,
    /// The reward's size, with the sign of its distance.
    Threshold,
}

/// What can be wrong with a request for adjusted rewards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// There is not one confidence per reward.
    ConfidenceCount {
        /// The number of rewards.
        rewards: usize,
        /// The number of confidences.
        confidences: usize,
    },
    /// A word names no [`Adjustment`].
    UnknownAdjustment {
        /// The word given.
        value: String,
        /// The words accepted.
        known: &'static [&'static str],
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfidenceCount {
                rewards,
                confidences,
            } => write!(
                f,
                "there are {rewards} rewards and {confidences} confidences; \
                 there must be one confidence, or `None`, per reward"
            ),
            Self::UnknownAdjustment { value, known } => {
                let known: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
                write!(
                    f,
                    "unknown adjustment `{value}`; the values are {}",
                    known.join(", ")
                )
            }
        }
    }
}

impl std::error::Error for Error {}

/// Rewards are cut to this size.
const LARGEST_REWARD: f64 = 10.0;

impl RewardAdjuster {
    /// An adjuster with the default settings; `mean` is r̄ before the first batch, the mean score that the
    /// reward model has on its own data.
    pub fn new(mean: f64) -> Self {
        Self {
            alpha: 0.1,
            weight: 2.0,
            adjustment: Adjustment::default(),
            mean,
        }
    }

    /// r̄, all that a checkpoint has to hold.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Sets r̄ to what a checkpoint holds.
    pub fn restore(&mut self, mean: f64) {
        self.mean = mean;
    }

    /// Takes a batch into the running mean, and then changes its rewards.
    ///
    /// # Errors
    /// [`Error::ConfidenceCount`] unless there is one confidence per reward; nothing is changed then.
    pub fn adjust(
        &mut self,
        rewards: &mut [Option<f64>],
        confidences: &[Option<f64>],
    ) -> Result<(), Error> {
        if rewards.len() != confidences.len() {
            return Err(Error::ConfidenceCount {
                rewards: rewards.len(),
                confidences: confidences.len(),
            });
        }
        let clamp = |reward: f64| reward.clamp(-LARGEST_REWARD, LARGEST_REWARD);
        let scorable = || rewards.iter().flatten().filter(|r| r.is_finite());
        let count = scorable().count();
        if count > 0 {
            let sum = crate::sum::bounded_sum(scorable().map(|reward| clamp(*reward)));
            self.mean = self.alpha * (sum / count as f64) + (1.0 - self.alpha) * self.mean;
        }
        for (reward, confidence) in rewards.iter_mut().zip(confidences) {
            let Some(value) = reward.as_mut().filter(|value| value.is_finite()) else {
                continue;
            };
            *value = clamp(*value);
            let lean = match confidence {
                Some(stated) if !stated.is_nan() => stated.clamp(0.0, 10.0) / 10.0 - 0.5,
                _ => 0.0,
            };
            if lean != 0.0 {
                let size = match self.adjustment {
                    Adjustment::Difference => *value - self.mean,
                    Adjustment::Threshold if *value >= self.mean => value.abs(),
                    Adjustment::Threshold => -value.abs(),
                };
                *value += self.weight * size * lean;
            }
        }
        Ok(())
    }
}

impl Adjustment {
    const NAMES: &'static [&'static str] = &["difference", "threshold"];
}

impl fmt::Display for Adjustment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl FromStr for Adjustment {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "difference" => Ok(Self::Difference),
            "threshold" => Ok(Self::Threshold),
            _ => Err(Error::UnknownAdjustment {
                value: word.to_owned(),
                known: Self::NAMES,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_round_trip() {
        for word in Adjustment::NAMES {
            assert_eq!(word.parse::<Adjustment>().unwrap().to_string(), *word);
        }
        assert!("other".parse::<Adjustment>().is_err());
    }
}
