//! `[[stage]]`: one part of a run.

use serde::{Deserialize, Serialize};

use super::rl::RlStage;
use super::sft::SftStage;

/// One part of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(
    clippy::large_enum_variant,
    reason = "a recipe has a handful of stages"
)]
pub enum Stage {
    /// Supervised fine-tuning on demonstrations.
    Sft(SftStage),
    /// Reinforcement learning with verifiable rewards.
    Rl(RlStage),
}

impl Stage {
    /// The kinds, as the `kind` of a `[[stage]]` names them.
    pub const KINDS: [&'static str; 2] = ["sft", "rl"];

    /// This stage's kind.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sft(_) => "sft",
            Self::Rl(_) => "rl",
        }
    }

    /// The number of steps it takes at most.
    pub fn steps(&self) -> u64 {
        match self {
            Self::Sft(stage) => stage.steps,
            Self::Rl(stage) => stage.steps,
        }
    }
}

/// How the learning rate decays after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// Not at all.
    Constant,
    /// In a straight line.
    Linear,
    /// As half a cosine wave.
    Cosine,
}

/// What the stage at `index` is called, given the kinds of all.
pub(super) fn stage_key(kinds: &[&str], index: usize) -> String {
    let kind = kinds[index];
    let alike = |kinds: &[&str]| kinds.iter().filter(|&&other| other == kind).count();
    if alike(kinds) > 1 {
        format!("stage.{kind}.{}", alike(&kinds[..index]))
    } else {
        format!("stage.{kind}")
    }
}
