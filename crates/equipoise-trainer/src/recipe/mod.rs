//! The recipe: everything that defines a run, read from one TOML file.
//!
//! ```toml
//! name = "arithmetic"
//! [model]
//! [engine]           # precision, memory; may be left out
//! [lora]             # an adapter; may be left out
//! [data]
//! [sampler]
//! [verifier]
//! [reward_model]     # only if the verifier asks one
//! [[stage]]          # kind = "sft" or "rl"; run in order
//! [tracking]
//! ```
//!
//! [`Recipe::load`] reads the file, applies `--set` overrides, fills in every default, and checks
//! every range and every pair of choices. What it returns is *resolved*: nothing is left to be
//! decided later, and writing it with [`Recipe::to_toml`] and reading that gives the same value, so
//! run directories and checkpoints store the resolved recipe.
//!
//! Two rules hold throughout. A key that does not exist is an error, with the nearest key that does.
//! And an option that has no effect is an error: some options only mean something next to another
//! choice (`dual_clip` next to `objective = "ppo_clip"`), and setting one in vain is more
//! likely a misunderstanding than an intention. Such options are `Option`s; in a resolved recipe
//! they are `Some` exactly where they have an effect, except where the field says otherwise.
//!
//! File names in a recipe are relative to the directory the program runs in.

mod catalogues;
mod choice;
mod data;
mod defaults;
mod engine;
mod error;
mod files;
mod model;
mod oddities;
mod overrides;
mod presets;
mod read;
mod resolve;
mod rl;
mod sampling;
mod sft;
mod stage;
#[cfg(test)]
mod tests;
mod validate;
mod verifier;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use catalogues::Choices;
pub use choice::{Choice, Value};
pub use data::{
    ArithmeticSection, BYTES, CountdownSection, DataSection, DataSource, MessageFormat,
    OWN_TEMPLATE, StyleWeights, TaskName,
};
pub use engine::{EngineSection, LoraSection, Precision};
pub use error::{Problem, RecipeError};
pub use files::{Deduplicate, ExtraColumns, FilterSection, OnBadRow, SourceSection};
pub use model::{ModelDirectory, ModelSection, ModelShape};
pub use presets::{Fixed, PRESETS, Part, Preset};
pub use rl::{KlEstimator, RlStage};
pub use sampling::{SamplerSection, TrackingSection};
pub use sft::SftStage;
pub use stage::{ScheduleKind, Stage};
pub use verifier::{
    Extraction, NamedVerifier, RewardModelSection, VerifierKind, VerifierMix, VerifierSection,
};

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// The name of the run, and of its directory.
    pub name: String,
    /// The seed every random number of the run is derived from. At most 2⁶³ − 1, the largest whole
    /// number of TOML.
    #[serde(default = "defaults::seed")]
    pub seed: u64,
    /// The model that is trained.
    pub model: ModelSection,
    /// How the model computes.
    #[serde(default = "defaults::engine")]
    pub engine: EngineSection,
    /// The adapter that is trained in place of the model's own weights, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraSection>,
    /// The problems.
    pub data: DataSection,
    /// How completions are sampled.
    pub sampler: SamplerSection,
    /// How completions are scored.
    pub verifier: VerifierSection,
    /// The model that the verifier `reward_model` asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reward_model: Option<RewardModelSection>,
    /// What is done, in order.
    #[serde(rename = "stage")]
    pub stages: Vec<Stage>,
    /// Where the run is recorded.
    #[serde(default = "defaults::tracking")]
    pub tracking: TrackingSection,
}

impl Recipe {
    /// Reads the recipe at `path`, with `overrides` of the form `key=value` applied before anything
    /// is interpreted, and returns it resolved.
    ///
    /// A key is a path such as `model.hidden_size`; `stage.rl.steps` is a key of the stage of kind
    /// `rl`, or `stage.rl.1.steps` of the second of several. A value is TOML, or, if it is not
    /// valid TOML, a string: `stage.rl.aggregation=token_mean` needs no quotation marks.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, has a key, type or value that does not fit, or describes
    /// an impossible run; an override that addresses nothing.
    pub fn load(path: &Path, overrides: &[String]) -> Result<Self, RecipeError> {
        Self::load_noted(path, overrides).map(|(recipe, _)| recipe)
    }

    /// [`load`](Self::load), with what a reader should be told: which names stood for others, as
    /// `aggregation = "dapo"` does for `token_mean`, and what differs from where they come from.
    ///
    /// # Errors
    /// Those of [`load`](Self::load).
    pub fn load_noted(
        path: &Path,
        overrides: &[String],
    ) -> Result<(Self, Vec<String>), RecipeError> {
        let text = std::fs::read_to_string(path).map_err(|source| RecipeError::File {
            path: path.into(),
            source,
        })?;
        Self::parse_noted(&text, &path.display().to_string(), overrides)
    }

    /// [`load`](Self::load) for a text; `origin` says in errors where it came from.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), but for the reading.
    pub fn parse(text: &str, origin: &str, overrides: &[String]) -> Result<Self, RecipeError> {
        Self::parse_noted(text, origin, overrides).map(|(recipe, _)| recipe)
    }

    fn parse_noted(
        text: &str,
        origin: &str,
        overrides: &[String],
    ) -> Result<(Self, Vec<String>), RecipeError> {
        let mut recipe = read::read(text, origin, overrides)?;
        let mut notes = recipe.resolve();
        match recipe.problems() {
            problems if problems.is_empty() => {
                for (index, stage) in recipe.stages.iter().enumerate() {
                    if let Stage::Rl(stage) = stage
                        && let Ok(choices) = stage.choices()
                    {
                        let key = recipe.stage_key(index);
                        let odd = stage.oddities(&choices).into_iter();
                        notes.extend(odd.map(|what| format!("{key}: {what}")));
                    }
                }
                Ok((recipe, notes))
            }
            problems => Err(RecipeError::Invalid {
                origin: origin.into(),
                problems,
            }),
        }
    }

    /// The recipe as TOML. [`parse`](Self::parse) gives the same recipe back if it is resolved.
    ///
    /// # Errors
    /// [`RecipeError::Unwritable`] for a recipe made in code whose numbers TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string(self).map_err(|error| RecipeError::Unwritable {
            name: self.name.clone(),
            what: error.to_string(),
        })
    }

    /// Checks every range and every pair of choices of a recipe made or changed in code.
    ///
    /// # Errors
    /// [`RecipeError::Invalid`] with every problem found, not only the first.
    pub fn validate(&self) -> Result<(), RecipeError> {
        match self.problems() {
            problems if problems.is_empty() => Ok(()),
            problems => Err(RecipeError::Invalid {
                origin: format!("recipe {}", self.name),
                problems,
            }),
        }
    }

    /// What stage `index` is called in keys and messages: `stage.rl`, or `stage.rl.1` if there are
    /// several of its kind.
    ///
    /// # Panics
    /// If there is no such stage.
    pub fn stage_key(&self, index: usize) -> String {
        let kinds: Vec<&str> = self.stages.iter().map(Stage::kind).collect();
        stage::stage_key(&kinds, index)
    }
}
