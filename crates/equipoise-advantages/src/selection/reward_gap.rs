//! Preference pairs parted by how sure the reward model is of them.

use super::Error;
use std::fmt;
use std::str::FromStr;

/// The data selection of Mixed Preference Optimization (arXiv:2403.19443): pairs with a large gap between
/// the rewards of chosen and rejected text are easy and go to DPO, the others are hard and go to PPO.
///
/// With g = r(chosen) − r(rejected) and a threshold t:
///
/// ```text
/// g ≥ t       easy
/// |g| < t     hard
/// otherwise   the reward model contradicts the label: as `conflicts` says
/// ```
///
/// The paper says neither how t is chosen nor what becomes of contradictions; both are settings here. A pair
/// whose gap is not a number is dropped.
///
/// ```
/// use equipoise_advantages::selection::{GapThreshold, RewardGapSplit};
///
/// let split = RewardGapSplit {
///     threshold: GapThreshold::Gap(1.0),
///     ..RewardGapSplit::default()
/// };
/// let found = split.split(&[2.1, -0.3, 0.4, 1.5, 0.9])?;
/// assert_eq!(found.easy, [0, 3]);
/// assert_eq!(found.hard, [1, 2, 4]);
/// assert_eq!(found.easy_share(), 0.4);
/// # Ok::<(), equipoise_advantages::selection::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RewardGapSplit {
    /// t; default [`GapThreshold::Quantile`] of 0.5.
    pub threshold: GapThreshold,
    /// What becomes of pairs that the reward model orders the other way; default [`LabelConflict::Drop`].
    pub conflicts: LabelConflict,
}

/// How the threshold of [`RewardGapSplit`] is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GapThreshold {
    /// t itself, in units of reward; −∞ makes every pair easy and ∞ every pair hard.
    Gap(f64),
    /// t is such that this share of the pairs, rounded down, has a smaller |g|, ties aside.
    Quantile(f64),
}

/// What becomes of a pair with g ≤ −t, g < t.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LabelConflict {
    /// It is left out.
    #[default]
    Drop,
    /// It is hard: PPO uses the prompt and not the label.
    Hard,
    /// It is easy, with chosen and rejected text exchanged.
    Flip,
}

/// The parts of a [`RewardGapSplit`]. No pair is in two of `easy`, `hard` and `dropped`, and each is in one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct GapSplit {
    /// The pairs for DPO, by index, those in `flipped` among them.
    pub easy: Vec<usize>,
    /// The pairs whose prompts are for PPO.
    pub hard: Vec<usize>,
    /// The pairs left out.
    pub dropped: Vec<usize>,
    /// The easy pairs of which chosen and rejected text are to be exchanged.
    pub flipped: Vec<usize>,
    /// The threshold t used.
    pub threshold: f64,
}

impl GapSplit {
    /// The share of easy pairs among those kept; 0 if none is.
    pub fn easy_share(&self) -> f64 {
        match self.easy.len() + self.hard.len() {
            0 => 0.0,
            kept => self.easy.len() as f64 / kept as f64,
        }
    }
}

impl Default for RewardGapSplit {
    fn default() -> Self {
        Self {
            threshold: GapThreshold::Quantile(0.5),
            conflicts: LabelConflict::default(),
        }
    }
}

impl RewardGapSplit {
    /// Parts pairs with these gaps.
    ///
    /// # Errors
    /// [`Error::InvalidSetting`] for a gap that is not a number or a quantile outside \[0, 1\].
    pub fn split(self, gaps: &[f64]) -> Result<GapSplit, Error> {
        let threshold = self.threshold.resolve(gaps)?;
        let mut split = GapSplit {
            easy: Vec::new(),
            hard: Vec::new(),
            dropped: Vec::new(),
            flipped: Vec::new(),
            threshold,
        };
        for (index, gap) in gaps.iter().enumerate() {
            if gap.is_nan() {
                split.dropped.push(index);
            } else if threshold == f64::INFINITY || gap.abs() < threshold {
                split.hard.push(index);
            } else if *gap >= threshold {
                split.easy.push(index);
            } else {
                match self.conflicts {
                    LabelConflict::Drop => split.dropped.push(index),
                    LabelConflict::Hard => split.hard.push(index),
                    LabelConflict::Flip => {
                        split.easy.push(index);
                        split.flipped.push(index);
                    }
                }
            }
        }
        Ok(split)
    }
}

impl GapThreshold {
    fn resolve(self, gaps: &[f64]) -> Result<f64, Error> {
        match self {
            Self::Gap(gap) if gap.is_nan() => Err(Error::InvalidSetting {
                setting: "gap",
                value: gap,
                requirement: "a number",
            }),
            Self::Gap(gap) => Ok(gap),
            Self::Quantile(share) if (0.0..=1.0).contains(&share) => {
                let mut sizes: Vec<f64> = gaps.iter().map(|gap| gap.abs()).collect();
                sizes.retain(|size| !size.is_nan());
                sizes.sort_by(f64::total_cmp);
                let rank = (share * sizes.len() as f64) as usize;
                Ok(sizes.get(rank).copied().unwrap_or(f64::INFINITY))
            }
            Self::Quantile(share) => Err(Error::InvalidSetting {
                setting: "quantile",
                value: share,
                requirement: "a number from 0 to 1",
            }),
        }
    }
}

impl LabelConflict {
    const NAMES: &'static [&'static str] = &["drop", "hard", "flip"];
}

impl fmt::Display for LabelConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

impl FromStr for LabelConflict {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        match word {
            "drop" => Ok(Self::Drop),
            "hard" => Ok(Self::Hard),
            "flip" => Ok(Self::Flip),
            _ => Err(Error::UnknownValue {
                setting: "conflicts",
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
        for word in LabelConflict::NAMES {
            assert_eq!(word.parse::<LabelConflict>().unwrap().to_string(), *word);
        }
        assert!("keep".parse::<LabelConflict>().is_err());
    }
}
