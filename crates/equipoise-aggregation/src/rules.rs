//! Every aggregation rule.
//!
//! A rule is a type with public fields that implements [`Reducer`](crate::Reducer), and an entry by
//! which the [catalogue](crate::CATALOGUE) builds it from a name.

mod adaptive;
mod balanced;
mod balanced_mass;
mod dr_grpo;
mod lambda_grpo;
mod length_power;
mod prompt_mean;
mod sequence_mean;
mod token_mean;
mod token_sum;

pub use adaptive::{Adaptive, Choice};
pub use balanced::{Balanced, ZeroAdvantage};
pub use balanced_mass::BalancedMass;
pub use dr_grpo::DrGrpo;
pub use lambda_grpo::LambdaGrpo;
pub use length_power::{LengthPower, VlNorm};
pub use prompt_mean::PromptMean;
pub use sequence_mean::SequenceMean;
pub use token_mean::TokenMean;
pub use token_sum::{SequenceMeanTokenSum, TokenSum};
