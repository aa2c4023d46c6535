//! Preference pairs, easy or hard by the gap between their rewards.

use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// What a reward model thinks of a preference pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapClass {
    /// It clearly agrees with the label: a pair for preference optimisation.
    Easy,
    /// It is not sure: the prompt is for reinforcement learning.
    Hard,
    /// It clearly contradicts the label.
    Conflict,
    /// It gave no number.
    Unscored,
}

/// The rule of Mixed Preference Optimization (arXiv:2403.19443) for one row of a file at a time.
///
/// With the gap g = r(chosen) − r(rejected) and a threshold t ≥ 0:
///
/// ```text
/// g ≥ t       easy
/// |g| < t     hard
/// g ≤ −t      conflict          (for g < t)
/// ```
///
/// The paper says neither how t is chosen nor what becomes of contradictions, so both are left open.
/// `equipoise_advantages::selection::RewardGapSplit` parts a list at once by the same rule, for pairs
/// that are already at hand.
///
/// ```
/// use equipoise_data::curriculum::{GapClass, RewardGapRule};
///
/// let rule = RewardGapRule::new(1.0)?;
/// let parts = rule.part([(10, 2.1), (11, -0.3), (12, 0.4), (13, 1.5), (14, 0.9)]);
/// assert_eq!(parts.easy, [10, 13]);
/// assert_eq!(parts.hard, [11, 12, 14]);
/// assert_eq!(parts.easy_share(), 0.4);
/// assert_eq!(rule.class(-1.0), GapClass::Conflict);
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardGapRule {
    threshold: f64,
}

/// Pairs by class, each in exactly one list, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GapParts {
    /// [`GapClass::Easy`]
    pub easy: Vec<u64>,
    /// [`GapClass::Hard`]
    pub hard: Vec<u64>,
    /// [`GapClass::Conflict`]
    pub conflicts: Vec<u64>,
    /// [`GapClass::Unscored`]
    pub unscored: Vec<u64>,
}

impl GapParts {
    /// The share of easy pairs among easy and hard ones; 0 if there are neither.
    pub fn easy_share(&self) -> f64 {
        match self.easy.len() + self.hard.len() {
            0 => 0.0,
            kept => self.easy.len() as f64 / kept as f64,
        }
    }
}

impl RewardGapRule {
    /// A rule with this threshold, in units of reward; infinity makes every pair hard.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for a threshold that is negative or no number.
    pub fn new(threshold: f64) -> Result<Self, CurriculumError> {
        CurriculumError::check(threshold >= 0.0, "threshold", threshold, "at least 0")?;
        Ok(Self { threshold })
    }

    /// The rule under which that share of these pairs, rounded down, has a smaller |g|, ties aside:
    /// for a sample of the rows, before the rest is read.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for a share outside \[0, 1\], and
    /// [`CurriculumError::TooFew`] if no gap is a number.
    pub fn from_quantile(gaps: &[f64], share: f64) -> Result<Self, CurriculumError> {
        let possible = (0.0..=1.0).contains(&share);
        CurriculumError::check(possible, "share", share, "from 0 to 1")?;
        let mut sizes: Vec<f64> = gaps.iter().map(|gap| gap.abs()).collect();
        sizes.retain(|size| !size.is_nan());
        if sizes.is_empty() {
            return Err(CurriculumError::TooFew {
                what: "gaps that are numbers",
                found: 0,
                needed: 1,
            });
        }
        sizes.sort_by(f64::total_cmp);
        let rank = (share * sizes.len() as f64) as usize;
        Self::new(sizes.get(rank).copied().unwrap_or(f64::INFINITY))
    }

    /// The threshold t.
    pub fn threshold(self) -> f64 {
        self.threshold
    }

    /// The class of a pair with this gap.
    pub fn class(self, gap: f64) -> GapClass {
        if gap.is_nan() {
            GapClass::Unscored
        } else if self.threshold == f64::INFINITY || gap.abs() < self.threshold {
            GapClass::Hard
        } else if gap >= self.threshold {
            GapClass::Easy
        } else {
            GapClass::Conflict
        }
    }

    /// Pairs, given by number and gap, by class.
    pub fn part(self, pairs: impl IntoIterator<Item = (u64, f64)>) -> GapParts {
        let mut parts = GapParts::default();
        for (pair, gap) in pairs {
            match self.class(gap) {
                GapClass::Easy => parts.easy.push(pair),
                GapClass::Hard => parts.hard.push(pair),
                GapClass::Conflict => parts.conflicts.push(pair),
                GapClass::Unscored => parts.unscored.push(pair),
            }
        }
        parts
    }
}
