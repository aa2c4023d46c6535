#![doc = include_str!("../README.md")]

mod assembly;
mod checkpoint;
mod error;
mod evaluate;
mod files;
mod gradient;
mod learner;
mod preflight;
pub mod recipe;
mod resume;
mod reward_model;
mod rl;
mod run;
mod saved;
mod sft;

pub use assembly::{Assembly, Outline, stops};
pub use checkpoint::{Checkpoint, Progress};
pub use error::TrainError;
pub use evaluate::{Answer, Evaluation, evaluate, evaluate_sampled};
pub use gradient::{Sequence, accumulate, micro_batches};
pub use learner::{Learner, StepReport};
pub use reward_model::ModelScorer;
pub use rl::{Inspection, RewardPart, Rl, Rollout};
pub use run::{Outcome, Run};
pub use saved::{companions, load_policy, model_directory, tokenizer_file};
pub use sft::{Example, Sft};
