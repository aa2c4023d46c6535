#![doc = include_str!("../README.md")]

mod aliases;
mod catalogue;
pub mod distillation;
mod entropy;
mod error;
mod kl;
mod kl_term;
pub mod mismatch;
mod numeric;
mod options;
pub mod policy;
pub mod preference;
pub mod reward_model;
mod sum;
mod supervised;
mod token_loss;
mod value;

pub use aliases::{ALIASES, Alias, resolve};
pub use catalogue::{CATALOGUE, Entry, by_name};
pub use entropy::{AdaptiveEntropy, EntropyBonus, top_entropy_marks};
pub use error::Error;
pub use kl::KlEstimator;
pub use kl_term::{KlController, KlTerm};
pub use options::{Options, Setting};
pub use policy::{Advantage, Level, PolicyObjective, TokenTerms};
pub use supervised::{
    dynamic_fine_tuning, label_smoothing, negative_log_likelihood, weighted_negative_log_likelihood,
};
pub use token_loss::{Clip, Term, TokenLoss};
pub use value::ValueLoss;
