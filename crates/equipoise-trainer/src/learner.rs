//! What every stage is, seen from the run: something that takes steps and can be saved.

use std::path::Path;

use equipoise_tracking::{CompletionRecord, MetricRecord};

use crate::TrainError;

/// What one step has to report.
#[derive(Clone, Debug, Default)]
pub struct StepReport {
    /// Numbers that depend on the recipe and the seed alone.
    pub metrics: MetricRecord,
    /// Numbers that depend on the clock.
    pub timings: MetricRecord,
    /// Completions for the record.
    pub completions: Vec<CompletionRecord>,
    /// Sentences for whoever watches.
    pub notes: Vec<String>,
    /// Whether the stage has reached its goal and this was its last step.
    pub finished: bool,
}

/// A stage of a run.
pub trait Learner: Send {
    /// Takes one step.
    ///
    /// # Errors
    /// If a part fails, or something that would silently spoil the run passes its limit.
    fn step(&mut self, step: u64) -> Result<StepReport, TrainError>;

    /// Evaluates the model as it is after the last step, if the stage evaluates at all.
    ///
    /// # Errors
    /// If sampling fails.
    fn finish(&mut self, step: u64) -> Result<StepReport, TrainError>;

    /// Writes what the stage needs beside the model's weights into a checkpoint's directory.
    ///
    /// # Errors
    /// If a file cannot be written.
    fn save(&self, directory: &Path) -> Result<(), TrainError>;

    /// Reads what [`Learner::save`] wrote.
    ///
    /// # Errors
    /// If a file is missing, damaged, or of another run.
    fn load(&mut self, directory: &Path) -> Result<(), TrainError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learner_is_dyn_compatible() {
        fn _assert(_: &dyn Learner) {}
    }
}
