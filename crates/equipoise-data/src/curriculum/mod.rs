//! Which problems come next: selection and curricula.
//!
//! Everything here is a pure function of its settings, its state and what it is told. There is no
//! clock and no generator inside: where there is chance, the caller hands in a
//! [`Stream`](equipoise_core::Stream). Every state can be saved with serde, and one that was saved and
//! read back goes on exactly as the original would have.
//!
//! | item | what it decides |
//! |---|---|
//! | [`DynamicSampling`] | which groups of a step are kept, and how many more are drawn |
//! | [`PassRateWindow`] | which problems are neither too easy nor too hard |
//! | [`LevelCurriculum`] | at which level of difficulty a procedural problem is drawn |
//! | [`RewardGapRule`] | whether a preference pair is easy, hard or mislabelled |
//! | [`RankingDifficulty`], [`PacedOrder`] | in which order preference pairs are shown, and from when |
//! | [`allocate`], [`AdaptiveSampler`] | how a budget is divided among domains |
//! | [`CountReplay`], [`PrioritisedReplay`] | what is shown again |
//! | [`Rankings`] | which k items several rankings choose, with a floor for every domain |

mod adaptive;
mod budget;
mod dynamic_sampling;
mod error;
mod learning_curve;
mod levels;
mod pacing;
mod pass_rate;
mod ranking_difficulty;
mod rankings;
mod replay;
mod reward_gap;
mod sum_tree;

pub use adaptive::{AdaptiveSampler, AdaptiveSettings, Purchase, Reason};
pub use budget::{Allocation, BudgetDomain, allocate};
pub use dynamic_sampling::{DynamicSampling, Next, Refill, RefillSize, Round, Signal};
pub use error::CurriculumError;
pub use learning_curve::{CurveFit, FitStatus, LearningCurve, Observation, fit_learning_curve};
pub use levels::{LevelChange, LevelCurriculum, LevelSettings};
pub use pacing::{PacedOrder, Pacing};
pub use pass_rate::{PassRateCounts, PassRateSettings, PassRateWindow};
pub use ranking_difficulty::RankingDifficulty;
pub use rankings::{Rankings, ScoreRule, Selection};
pub use replay::{CountReplay, Drawn, PrioritisedReplay, ReplaySettings};
pub use reward_gap::{GapClass, GapParts, RewardGapRule};
pub use sum_tree::SumTree;
