//! What a run shows while it trains: a bar on a terminal, plain lines elsewhere.

use std::collections::HashMap;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use equipoise_tracking::{Event, MetricRecord, Tracker, TrackingError};
use equipoise_trainer::recipe::Recipe;
use indicatif::{ProgressBar, ProgressStyle};

use crate::output::{count, duration, percent};
use crate::summary::stage_name;

const ACCURACY: &str = "held_out/accuracy";
/// Steps between two plain lines without an evaluation.
const LINE_EVERY: u64 = 10;
/// Events between two repetitions of the same note.
const NOTE_EVERY: u64 = 10;

/// Shows the events of a run. It never fails: training does not depend on who watches.
pub(crate) struct Progress {
    /// Name and length of each stage.
    stages: Vec<(String, u64)>,
    bar: Option<ProgressBar>,
    /// The stage being watched, and when its first step seen here began.
    stage: String,
    started: Instant,
    /// Its steps seen here.
    seen: u64,
    /// When the last step ended.
    last: Instant,
    accuracy: Option<f64>,
    speed: String,
    /// Notes of the step whose metrics are still to come.
    notes: Vec<String>,
    /// How many steps have been seen, and at which of them each note was shown.
    events: u64,
    shown: HashMap<String, u64>,
}

impl Progress {
    /// For a run of this recipe.
    pub(crate) fn new(recipe: &Recipe) -> Self {
        let stages = recipe.stages.iter().enumerate();
        let stages = stages.map(|(at, stage)| (stage_name(recipe, at), stage.steps()));
        let terminal = io::stdout().is_terminal() && io::stderr().is_terminal();
        let now = Instant::now();
        Self {
            stages: stages.collect(),
            bar: terminal.then(bar),
            stage: String::new(),
            started: now,
            seen: 0,
            last: now,
            accuracy: None,
            speed: String::new(),
            notes: Vec::new(),
            events: 0,
            shown: HashMap::new(),
        }
    }

    /// Removes the bar; what was printed above it stays.
    pub(crate) fn close(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }

    /// A line of its own, above the bar.
    fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            // A closed pipe must not end the training.
            None => drop(writeln!(io::stdout(), "{line}")),
        }
    }

    /// Shows the notes of a step, but none that was shown a few steps ago.
    fn show_notes(&mut self, step: u64) {
        for note in std::mem::take(&mut self.notes) {
            let again = self
                .shown
                .get(&note)
                .is_none_or(|at| self.events >= at + NOTE_EVERY);
            if again {
                self.say(&format!("note: {} step {step}: {note}", self.stage));
                self.shown.insert(note, self.events);
            }
        }
    }

    fn timing(&mut self, timing: &MetricRecord) {
        let speeds = [("sample", "sampled"), ("train", "trained")];
        let parts: Vec<String> = speeds
            .into_iter()
            .filter_map(|(key, word)| {
                let speed = timing.get(&format!("tokens_per_second/{key}"))?;
                speed
                    .is_finite()
                    .then(|| format!("{} {word}", count(speed)))
            })
            .collect();
        if !parts.is_empty() {
            self.speed = format!("tokens/s {}", parts.join(", "));
        }
    }

    fn metrics(&mut self, record: &MetricRecord) {
        if record.stage != self.stage {
            self.stage.clone_from(&record.stage);
            self.started = self.last;
            self.seen = 0;
            let total = self.total();
            if let Some(bar) = &self.bar {
                bar.set_prefix(record.stage.clone());
                bar.set_position(0);
                bar.set_length(total);
            }
        }
        // The record after the last step, or before a step that is not needed any more, has no loss.
        let trained = record.get("loss").is_some();
        let done = record.step + u64::from(trained);
        self.seen += u64::from(trained);
        self.events += 1;
        self.last = Instant::now();
        let evaluated = record.get(ACCURACY);
        self.accuracy = evaluated.or(self.accuracy);

        let broken: Vec<&str> = record.non_finite().collect();
        if !broken.is_empty() {
            self.notes.push(format!(
                "{} is not a finite number: the run has diverged; lower the learning rate",
                broken.join(", ")
            ));
        }
        self.show_notes(record.step);
        let facts = self.facts(record, done);
        let due = done.is_multiple_of(LINE_EVERY) || done == self.total();
        match &self.bar {
            Some(bar) => {
                bar.set_message(facts);
                bar.set_position(done);
            }
            None if evaluated.is_some() || (trained && due) => {
                let (stage, total) = (&self.stage, self.total());
                self.say(&format!("{stage} {done}/{total}  {facts}"));
            }
            None => {}
        }
    }

    fn total(&self) -> u64 {
        let stage = self.stages.iter().find(|(name, _)| *name == self.stage);
        stage.map_or(0, |&(_, steps)| steps)
    }

    fn facts(&self, record: &MetricRecord, done: u64) -> String {
        let mut facts = Vec::new();
        let number =
            |key: &str, name: &str| record.get(key).map(|value| format!("{name} {value:.3}"));
        facts.extend(number("reward/mean", "reward").or_else(|| number("loss", "loss")));
        facts.extend(
            self.accuracy
                .map(|share| format!("held-out {}", percent(share))),
        );
        facts.extend(
            self.remaining(done)
                .map(|time| format!("{} left", duration(time))),
        );
        // Last, because a narrow terminal cuts the end.
        if record.get("loss").is_some() && !self.speed.is_empty() {
            facts.push(self.speed.clone());
        }
        facts.join("  ")
    }

    /// The time the rest of the stage takes at the speed so far.
    fn remaining(&self, done: u64) -> Option<Duration> {
        let left = self.total().saturating_sub(done);
        let elapsed = self.last.duration_since(self.started);
        (self.seen > 0 && left > 0).then(|| elapsed.mul_f64(left as f64 / self.seen as f64))
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::no_length();
    // The template is a constant; were it wrong, the default style would do.
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:20} {pos}/{len}  {wide_msg}") {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.enable_steady_tick(Duration::from_millis(500));
    bar
}

impl Tracker for Progress {
    fn record(&mut self, event: &Event<'_>) -> Result<(), TrackingError> {
        match event {
            Event::Metrics(record) => self.metrics(record),
            Event::Timing(record) => self.timing(record),
            Event::Note(note) => self.notes.push((*note).to_owned()),
            _ => {}
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), TrackingError> {
        Ok(())
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress() -> Progress {
        let text = include_str!("../../../recipes/tiny.toml");
        let mut progress = Progress::new(&Recipe::parse(text, "tiny.toml", &[]).unwrap());
        progress.bar = None;
        progress
    }

    #[test]
    fn facts_of_a_step() {
        let mut progress = progress();
        let mut timing = MetricRecord::new("rl", 0);
        timing.push("tokens_per_second/sample", 12_300.0);
        timing.push("tokens_per_second/train", 900.0);
        progress.record(&Event::Timing(&timing)).unwrap();
        let mut record = MetricRecord::new("rl", 0);
        record.push(ACCURACY, 0.4375);
        record.push("reward/mean", 0.5);
        record.push("loss", 0.0);
        progress.record(&Event::Metrics(&record)).unwrap();
        let facts = progress.facts(&record, 1);
        assert!(
            facts.starts_with("reward 0.500  held-out 43.8 %  "),
            "{facts}"
        );
        let end = " left  tokens/s 12.3 k sampled, 900 trained";
        assert!(facts.ends_with(end), "{facts}");
        assert_eq!(progress.total(), 12);
        // Nothing is left after the last step.
        assert!(!progress.facts(&record, 12).contains("left"));
    }

    #[test]
    fn a_note_is_not_repeated_every_step() {
        let mut progress = progress();
        let record = MetricRecord::new("rl", 0);
        let mut shown = 0;
        for _ in 0..25 {
            progress.record(&Event::Note("the loss is 0")).unwrap();
            progress.record(&Event::Metrics(&record)).unwrap();
            shown += u64::from(progress.shown["the loss is 0"] == progress.events);
        }
        assert_eq!(shown, 3);
    }
}
