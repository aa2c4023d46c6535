//! What to do with a group of responses, or with a pair, given its rewards.
//!
//! Estimators turn rewards into advantages; what is here decides before that which groups are trained on,
//! and how: by reinforcement, by imitation of a teacher, or not at all. Nothing here draws random numbers;
//! where there is chance, the caller hands in numbers uniform in \[0, 1).

mod comprehension;
mod curation;
mod error;
mod filter;
mod injection;
mod reward_gap;
mod router;

pub use comprehension::{ProbabilityMean, comprehension_score};
pub use curation::{BestOfK, mix_with_real};
pub use error::Error;
pub use filter::{Filtered, MeanWindow, with_signal};
pub use injection::{Guidance, InjectOnFailure, Injection};
pub use reward_gap::{GapSplit, GapThreshold, LabelConflict, RewardGapSplit};
pub use router::{Difficulty, GroupRouter, Route};
