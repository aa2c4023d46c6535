//! A run: the stages of a recipe one after the other, recorded, saved and resumable.
//!
//! ```text
//! runs/NAME/
//!     recipe.toml           the resolved recipe
//!     metrics.jsonl         numbers that depend on recipe and seed alone
//!     timings.jsonl         numbers that depend on the clock
//!     completions.jsonl     samples with reward, advantage and weight
//!     checkpoints/          see the checkpoint module
//!     base/                 the model under an adapter, if its weights were drawn; adapters name it
//!     reference-STAGE/      the frozen policy a stage's divergence is measured from; none with an
//!                           adapter, whose base it is
//!     report.html           the curves
//!     learning-curve.svg    the two most important ones as a picture
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use equipoise_models::{Decoder, Gradients, Parameters};
use equipoise_optim::{
    AdamW, AdamWConfig, Optimizer, Schedule, ScheduleKind, Update, clip_scale, global_norm,
};
use equipoise_tracking::{Event, JsonlTracker, Positions, Tracker, TrackingError, report};

use crate::checkpoint::{self, Checkpoint, Progress, check_seal, newest, seal};
use crate::learner::{Learner, StepReport};
use crate::recipe::{self, Recipe, Stage};
use crate::resume::{inputs, same_inputs, same_recipe};
use crate::{Assembly, Rl, Sft, TrainError, preflight};

/// The optimiser's state inside a checkpoint.
pub(crate) const OPTIMIZER_FILE: &str = "optimizer.safetensors";
const RECIPE_FILE: &str = "recipe.toml";
const PICTURE_FILE: &str = "learning-curve.svg";

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All stages are done; the report is at this path.
    Finished {
        /// The report.
        report: PathBuf,
    },
    /// It was asked to stop; everything is saved in this checkpoint.
    Interrupted {
        /// The checkpoint.
        checkpoint: PathBuf,
    },
}

/// A run and its directory.
pub struct Run {
    assembly: Assembly,
    directory: PathBuf,
    progress: Progress,
    recorder: JsonlTracker,
    /// The hashes of the files it reads its problems from.
    inputs: BTreeMap<String, String>,
    /// The checkpoint to load the stage's state from, after a resume in the middle of it.
    resumed_from: Option<PathBuf>,
    finished: bool,
}

impl Run {
    /// Starts a run in a directory that must not hold one yet.
    ///
    /// # Errors
    /// If the directory holds records or a recipe already, or the recipe's parts cannot be built; in
    /// both cases nothing is changed.
    pub fn create(recipe: Recipe, directory: &Path) -> Result<Self, TrainError> {
        let recipe_file = directory.join(RECIPE_FILE);
        if recipe_file.exists() || checkpoint::folder(directory).exists() {
            return Err(TrainError::Assembly(format!(
                "{} already holds a run: resume it with --resume, or choose another name with \
                 --set name=…",
                directory.display()
            )));
        }
        let text = recipe.to_toml()?;
        let mut assembly = Assembly::new(recipe)?;
        preflight::check(&assembly)?;
        let inputs = inputs(&assembly.recipe)?;
        let recorder = JsonlTracker::create(directory)?;
        write(&recipe_file, text.as_bytes())?;
        assembly.keep_base(directory)?;
        Ok(Self {
            assembly,
            directory: directory.to_owned(),
            progress: Progress::default(),
            recorder,
            inputs,
            resumed_from: None,
            finished: false,
        })
    }

    /// Goes on with a run where its newest checkpoint was written, or from the start if it has none
    /// yet. What was recorded after the checkpoint is cut off and done again.
    ///
    /// # Errors
    /// If the directory holds no run, the recipe or a file that problems come from is another one, or the
    /// checkpoint is damaged.
    pub fn resume(recipe: Recipe, directory: &Path) -> Result<Self, TrainError> {
        let path = directory.join(RECIPE_FILE);
        let saved = fs::read_to_string(&path).map_err(TrainError::file("read", &path))?;
        same_recipe(&saved, &recipe, directory)?;
        let inputs = inputs(&recipe)?;
        let Some(checkpoint) = newest(directory)? else {
            let mut assembly = Assembly::new(recipe)?;
            assembly.keep_base(directory)?;
            return Ok(Self {
                assembly,
                directory: directory.to_owned(),
                progress: Progress::default(),
                recorder: JsonlTracker::resume(directory, Positions::default())?,
                inputs,
                resumed_from: None,
                finished: false,
            });
        };
        let state = Checkpoint::read(&checkpoint)?;
        same_recipe(&state.recipe, &recipe, &checkpoint)?;
        same_inputs(&state.inputs, &inputs, &checkpoint)?;
        let mut assembly = Assembly::with_model(recipe, &checkpoint)?;
        assembly.keep_base(directory)?;
        Ok(Self {
            assembly,
            directory: directory.to_owned(),
            progress: state.progress,
            recorder: JsonlTracker::resume(directory, state.positions)?,
            inputs,
            resumed_from: Some(checkpoint),
            finished: state.finished,
        })
    }

    /// The parts of the run.
    pub fn assembly(&self) -> &Assembly {
        &self.assembly
    }

    /// How far the run has come.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// Runs what is left of the stages. `watcher` sees every event as it happens; `stop` is looked
    /// at after every step.
    ///
    /// # Errors
    /// If a stage fails, or something cannot be written.
    pub fn train(
        &mut self,
        watcher: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<Outcome, TrainError> {
        while !self.finished {
            let stage = self.progress.stage;
            let mut learner = self.learner(stage)?;
            let resumed = self.resumed_from.take();
            if let Some(checkpoint) = resumed.filter(|_| self.progress.step > 0) {
                learner.load(&checkpoint)?;
            }
            let ended = self.stage(&mut *learner, watcher, stop);
            if ended.is_err() {
                // The curves up to here are what one wants to see now; the error that matters is the
                // stage's.
                let _ = self.report();
            }
            if let Some(checkpoint) = ended? {
                self.report()?;
                return Ok(Outcome::Interrupted { checkpoint });
            }
        }
        Ok(Outcome::Finished {
            report: self.report()?,
        })
    }

    /// Writes the report of what is recorded so far, and the picture beside it; returns where the
    /// report is.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn report(&mut self) -> Result<PathBuf, TrainError> {
        self.recorder.flush()?;
        match report::learning_curve_svg(&self.directory) {
            Ok(picture) => write(&self.directory.join(PICTURE_FILE), picture.as_bytes())?,
            // Nothing to draw: stopped before anything was evaluated or rewarded.
            Err(TrackingError::Empty { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(report::write(&self.directory)?)
    }

    /// Runs one stage to its end. Returns a checkpoint if it was asked to stop before.
    fn stage(
        &mut self,
        learner: &mut dyn Learner,
        watcher: &mut dyn Tracker,
        stop: &AtomicBool,
    ) -> Result<Option<PathBuf>, TrainError> {
        let stage = self.assembly.recipe.stages[self.progress.stage].clone();
        let every = checkpoint_every(&stage);
        while self.progress.step < stage.steps() {
            let report = learner.step(self.progress.step)?;
            self.record(&report, watcher)?;
            if report.finished {
                return self.next_stage(learner, stop);
            }
            self.progress.step += 1;
            self.progress.total_steps += 1;
            let last = self.progress.step == stage.steps();
            if stop.load(Ordering::Relaxed) && !last {
                return self.save(learner).map(Some);
            }
            if every > 0 && self.progress.step.is_multiple_of(every) && !last {
                self.save(learner)?;
            }
        }
        let report = learner.finish(self.progress.step)?;
        self.record(&report, watcher)?;
        self.next_stage(learner, stop)
    }

    /// Moves on to the next stage and saves that. Returns the checkpoint if there is a next stage
    /// and the run was asked to stop.
    fn next_stage(
        &mut self,
        learner: &mut dyn Learner,
        stop: &AtomicBool,
    ) -> Result<Option<PathBuf>, TrainError> {
        let stages = &self.assembly.recipe.stages;
        let (problems, demonstrations) = used(&stages[self.progress.stage], self.progress.step);
        self.finished = self.progress.stage + 1 == stages.len();
        let name = self.checkpoint_name();
        self.progress.problems += problems;
        self.progress.demonstrations += demonstrations;
        if !self.finished {
            self.progress.stage += 1;
            self.progress.step = 0;
        }
        let checkpoint = self.write_checkpoint(learner, &name)?;
        let stopped = stop.load(Ordering::Relaxed) && !self.finished;
        Ok(stopped.then_some(checkpoint))
    }

    fn record(&mut self, report: &StepReport, watcher: &mut dyn Tracker) -> Result<(), TrainError> {
        for tracker in [&mut self.recorder as &mut dyn Tracker, watcher] {
            for note in &report.notes {
                tracker.record(&Event::Note(note))?;
            }
            for completion in &report.completions {
                tracker.record(&Event::Completion(completion))?;
            }
            tracker.record(&Event::Timing(&report.timings))?;
            tracker.record(&Event::Metrics(&report.metrics))?;
            tracker.flush()?;
        }
        Ok(())
    }

    fn checkpoint_name(&self) -> String {
        let Progress {
            stage,
            step,
            total_steps,
            ..
        } = self.progress;
        let kind = self.assembly.recipe.stages[stage].kind();
        format!("{total_steps:06}-{stage}{kind}-{step:06}")
    }

    fn save(&mut self, learner: &dyn Learner) -> Result<PathBuf, TrainError> {
        self.write_checkpoint(learner, &self.checkpoint_name())
    }

    fn write_checkpoint(
        &mut self,
        learner: &dyn Learner,
        name: &str,
    ) -> Result<PathBuf, TrainError> {
        let positions = self.recorder.positions()?;
        let recipe = self.assembly.recipe.to_toml()?;
        let state = Checkpoint::new(
            self.progress,
            self.finished,
            positions,
            recipe,
            self.inputs.clone(),
        );
        state.write(&self.directory, name, |directory| {
            self.assembly.save_model(directory)?;
            learner.save(directory)
        })
    }

    fn learner(&self, at: usize) -> Result<Box<dyn Learner>, TrainError> {
        let name = self.assembly.recipe.stage_key(at);
        // Records are called "sft" and "rl", or "rl.1" for the second of its kind.
        let name = name.strip_prefix("stage.").unwrap_or(&name).to_owned();
        let assembly = self.assembly.clone();
        let Progress {
            problems,
            demonstrations,
            ..
        } = self.progress;
        Ok(match self.assembly.recipe.stages[at].clone() {
            Stage::Sft(stage) => Box::new(Sft::new(assembly, stage, name, demonstrations)?),
            Stage::Rl(stage) => {
                let reference = self.reference(at, &stage)?;
                Box::new(Rl::new(
                    assembly, stage, name, at as u64, problems, reference,
                )?)
            }
        })
    }

    /// The frozen policy of a stage: written when the stage begins, read when it is resumed.
    fn reference(&self, at: usize, stage: &recipe::RlStage) -> Result<Option<Decoder>, TrainError> {
        if stage.kl_coefficient == 0.0 {
            return Ok(None);
        }
        if self.assembly.decoder.adapter().is_some() {
            // The base never changes, so there is nothing to write down.
            return Ok(Some(self.assembly.decoder.reference()?));
        }
        let directory = self.directory.join(format!("reference-{at}"));
        if self.progress.step > 0 {
            check_seal(
                &directory,
                "the stage cannot go on without it; start a new run",
            )?;
            let precision = self.assembly.decoder.precision();
            return Ok(Some(Decoder::load(&directory)?.with_precision(precision)));
        }
        self.assembly.decoder.save(&directory)?;
        seal(&directory)?;
        Ok(Some(self.assembly.decoder.reference()?))
    }
}

/// The training problems and demonstrations a stage uses in this many steps.
fn used(stage: &Stage, steps: u64) -> (u64, u64) {
    match stage {
        Stage::Sft(stage) => (0, steps * stage.batch_size as u64),
        Stage::Rl(stage) => (steps * stage.prompts_per_step as u64, 0),
    }
}

fn checkpoint_every(stage: &Stage) -> u64 {
    match stage {
        Stage::Sft(stage) => stage.checkpoint_every,
        Stage::Rl(stage) => stage.checkpoint_every,
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), TrainError> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path))
        .map_err(TrainError::file("write", path))
}

/// AdamW with a recipe's settings.
pub(crate) fn adamw(
    betas: (f64, f64),
    epsilon: f64,
    weight_decay: f64,
) -> Result<AdamW, TrainError> {
    Ok(AdamW::new(AdamWConfig {
        beta1: betas.0,
        beta2: betas.1,
        epsilon,
        weight_decay,
        decay_vectors: false,
        frozen: std::collections::BTreeSet::new(),
    })?)
}

/// The schedule of a stage.
pub(crate) fn schedule(
    kind: recipe::ScheduleKind,
    warmup_steps: u64,
    total_steps: u64,
    final_fraction: Option<f64>,
) -> Schedule {
    Schedule {
        kind: match kind {
            recipe::ScheduleKind::Constant => ScheduleKind::Constant,
            recipe::ScheduleKind::Linear => ScheduleKind::Linear,
            recipe::ScheduleKind::Cosine => ScheduleKind::Cosine,
        },
        warmup_steps,
        total_steps,
        final_fraction: final_fraction.unwrap_or(1.0),
    }
}

/// One optimiser step with the gradient clipped to `max_norm`; returns the norm before.
pub(crate) fn apply(
    optimizer: &mut AdamW,
    parameters: &Parameters,
    gradients: Gradients,
    learning_rate: f64,
    max_norm: f64,
) -> Result<f64, TrainError> {
    let gradients = gradients.into_tensors(parameters)?;
    let updates: Vec<Update<'_>> = parameters
        .iter()
        .zip(&gradients)
        .map(|((name, parameter), gradient)| Update {
            name,
            parameter,
            gradient: Some(gradient),
        })
        .collect();
    let present = updates
        .iter()
        .filter_map(|update| Some((update.name, update.gradient?)));
    let norm = global_norm(present)?;
    optimizer.step(&updates, learning_rate, clip_scale(norm, max_norm))?;
    Ok(norm)
}
