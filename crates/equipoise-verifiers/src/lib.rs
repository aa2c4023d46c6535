#![doc = include_str!("../README.md")]

mod batch;
mod code;
mod countdown;
mod exact_number;
mod extraction;
mod format;
mod number;
mod rational;
pub mod sandbox;
mod verdict;
mod weighted;

pub use batch::verify_all;
pub use code::{Code, CodeReward};
pub use countdown::CountdownExpression;
pub use exact_number::ExactNumber;
pub use extraction::Extraction;
pub use format::Format;
pub use verdict::{Explanation, Part, Verdict, Verifier};
pub use weighted::{InvalidWeights, Weighted};
