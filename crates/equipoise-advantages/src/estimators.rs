//! Every advantage estimator, one file each.

mod dr_grpo;
mod grpo;
mod rloo;

pub use dr_grpo::DrGrpo;
pub use grpo::{Correction, Grpo, StandardDeviation};
pub use rloo::Rloo;
