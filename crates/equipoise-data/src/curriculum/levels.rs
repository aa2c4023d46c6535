//! Levels of difficulty that rise with the pass rate.

use std::collections::VecDeque;

use equipoise_core::Stream;
use serde::{Deserialize, Serialize};

use super::CurriculumError;

/// The settings of a [`LevelCurriculum`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LevelSettings {
    /// The easiest and the hardest level; default 1 and 6.
    pub levels: (u32, u32),
    /// Over how many outcomes at the current level the pass rate is taken; default 256.
    pub window: usize,
    /// From this pass rate on the next level comes; default 0.8.
    pub promote: f64,
    /// Below this pass rate the level before comes back; default 0.2.
    pub demote: f64,
    /// The share of problems that are drawn from earlier levels, so that these are not unlearned;
    /// default 0.2. At the easiest level there are none.
    pub review: f64,
}

impl Default for LevelSettings {
    fn default() -> Self {
        Self {
            levels: (1, 6),
            window: 256,
            promote: 0.8,
            demote: 0.2,
            review: 0.2,
        }
    }
}

/// What an outcome did to the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LevelChange {
    /// Nothing.
    None,
    /// It is one higher.
    Promoted,
    /// It is one lower.
    Demoted,
}

/// A curriculum over the levels of a procedural task: one level up when its problems are mostly
/// solved, one down when they hardly are, and a share of problems from the levels already passed.
///
/// Only outcomes at the current level count. The window starts empty at every change and decides
/// once it is full, so between two changes lie at least as many outcomes as it holds.
///
/// ```
/// use equipoise_data::curriculum::{LevelChange, LevelCurriculum, LevelSettings};
///
/// let settings = LevelSettings { window: 4, promote: 0.75, ..LevelSettings::default() };
/// let mut curriculum = LevelCurriculum::new(settings)?;
/// for outcome in [1.0, 0.0, 1.0] {
///     assert_eq!(curriculum.record(1, outcome), LevelChange::None);
/// }
/// assert_eq!(curriculum.record(1, 1.0), LevelChange::Promoted); // 3 of 4
/// assert_eq!(curriculum.level(), 2);
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelCurriculum {
    settings: LevelSettings,
    level: u32,
    outcomes: VecDeque<f64>,
    promotions: u64,
    demotions: u64,
}

impl LevelCurriculum {
    /// A curriculum at the easiest level.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for levels in the wrong order, an empty window, a
    /// threshold for demotion that is not below the one for promotion, or a share outside \[0, 1\].
    pub fn new(settings: LevelSettings) -> Result<Self, CurriculumError> {
        let check = CurriculumError::check;
        let LevelSettings {
            levels: (easiest, hardest),
            window,
            promote,
            demote,
            review,
        } = settings;
        let highest = f64::from(hardest);
        check(
            easiest <= hardest,
            "levels",
            highest,
            "at least the easiest level",
        )?;
        check(window > 0, "window", window as f64, "at least 1")?;
        check(promote.is_finite(), "promote", promote, "a number")?;
        check(demote < promote, "demote", demote, "less than `promote`")?;
        check(
            (0.0..=1.0).contains(&review),
            "review",
            review,
            "from 0 to 1",
        )?;
        Ok(Self {
            settings,
            level: easiest,
            outcomes: VecDeque::new(),
            promotions: 0,
            demotions: 0,
        })
    }

    /// The current level.
    pub fn level(&self) -> u32 {
        self.level
    }

    /// How often the level rose and how often it fell.
    pub fn changes(&self) -> (u64, u64) {
        (self.promotions, self.demotions)
    }

    /// The pass rate at the current level over the outcomes so far, at most a window of them; `None`
    /// before the first.
    pub fn pass_rate(&self) -> Option<f64> {
        let count = self.outcomes.len();
        (count > 0).then(|| self.outcomes.iter().sum::<f64>() / count as f64)
    }

    /// The level of the next problem: the current one, or, for the share
    /// [`review`](LevelSettings::review) of problems, one of the earlier ones, each equally often.
    pub fn draw(&self, stream: &mut Stream) -> u32 {
        let easiest = self.settings.levels.0;
        let reviews = stream.uniform() < self.settings.review;
        if reviews && self.level > easiest {
            stream.between(i64::from(easiest), i64::from(self.level - 1)) as u32
        } else {
            self.level
        }
    }

    /// Notes the outcome of a problem at `level`, 1 for solved and 0 for not, or its mean over a
    /// group. Outcomes at other levels and numbers outside \[0, 1\] are ignored.
    pub fn record(&mut self, level: u32, outcome: f64) -> LevelChange {
        if level != self.level || !(0.0..=1.0).contains(&outcome) {
            return LevelChange::None;
        }
        self.outcomes.push_back(outcome);
        while self.outcomes.len() > self.settings.window {
            self.outcomes.pop_front();
        }
        let Some(rate) = self.pass_rate() else {
            return LevelChange::None;
        };
        let (easiest, hardest) = self.settings.levels;
        if self.outcomes.len() < self.settings.window {
            LevelChange::None
        } else if rate >= self.settings.promote && level < hardest {
            self.level += 1;
            self.promotions += 1;
            self.outcomes.clear();
            LevelChange::Promoted
        } else if rate < self.settings.demote && level > easiest {
            self.level -= 1;
            self.demotions += 1;
            self.outcomes.clear();
            LevelChange::Demoted
        } else {
            LevelChange::None
        }
    }
}
