//! Every aggregation rule, one file each.
//!
//! A rule is a type with public fields that implements [`Reducer`](crate::Reducer), and an entry by
//! which the [catalogue](crate::CATALOGUE) builds it from a name.

mod balanced;
mod dr_grpo;
mod sequence_mean;
mod token_mean;

pub use balanced::{Balanced, ZeroAdvantage};
pub use dr_grpo::DrGrpo;
pub use sequence_mean::SequenceMean;
pub use token_mean::TokenMean;
