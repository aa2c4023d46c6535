//! Rewards changed before an estimator sees them.

mod adjuster;

pub use adjuster::{Adjustment, Error, RewardAdjuster};
