//! A saved model: a run's directory, one of its checkpoints, or a model in Hugging Face layout.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_trainer::recipe::Recipe;
use equipoise_trainer::{Checkpoint, Progress, model_directory};

/// A saved model and what is known about its training.
#[derive(Debug)]
pub(crate) struct Saved {
    /// The directory with `config.json`, `model.safetensors` and `tokenizer.json`.
    pub(crate) directory: PathBuf,
    /// What the checkpoint says, if it is one; its files have been checked.
    checkpoint: Option<Checkpoint>,
}

impl Saved {
    /// The model at `path`; of a run, the one of its newest checkpoint.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if !path.exists() {
            bail!("{} does not exist", path.display());
        }
        let directory = model_directory(path)?;
        let has_state = directory.join("state.json").is_file();
        // A folder of a run's checkpoints is one, even if the file that says so is gone.
        let checkpoint = if has_state || directory != path {
            Some(Checkpoint::read(&directory)?)
        } else {
            None
        };
        Ok(Self {
            directory,
            checkpoint,
        })
    }

    /// The given recipe, or the one the model was trained with; with overrides, resolved.
    pub(crate) fn recipe(&self, given: Option<&Path>, set: &[String]) -> anyhow::Result<Recipe> {
        if let Some(path) = given {
            return Ok(Recipe::load(path, set)?);
        }
        let checkpoint = self.checkpoint.as_ref().with_context(|| {
            let directory = self.directory.display();
            format!("{directory} is no run: name a recipe for its problems with --recipe RECIPE")
        })?;
        let origin = format!("the recipe of {}", self.directory.display());
        Ok(Recipe::parse(&checkpoint.recipe, &origin, set)?)
    }

    /// How far the training has come, if this is a checkpoint.
    pub(crate) fn progress(&self) -> Option<Progress> {
        self.checkpoint
            .as_ref()
            .map(|checkpoint| checkpoint.progress)
    }
}
