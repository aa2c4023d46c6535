#![doc = include_str!("../README.md")]

mod catalogue;
mod compensated;
pub mod distillation;
mod entropy;
mod error;
mod kl;
pub mod policy;
pub mod reward_model;
mod supervised;
mod token_loss;

pub use catalogue::{CATALOGUE, Entry, Options, by_name};
pub use entropy::EntropyBonus;
pub use error::Error;
pub use kl::KlEstimator;
pub use policy::{PolicyObjective, TokenTerms};
pub use supervised::{
    dynamic_fine_tuning, label_smoothing, negative_log_likelihood, weighted_negative_log_likelihood,
};
pub use token_loss::{Clip, Term, TokenLoss};
