//! A run's directory, read for the report.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::smooth::Point;
use crate::{
    COMPLETIONS_FILE, CompletionRecord, METRICS_FILE, MetricRecord, TIMINGS_FILE, TrackingError,
};

/// The recipe's name in a run's directory.
const RECIPE_FILE: &str = "recipe.toml";

/// Larger values are drawn at this size, so that no axis overflows.
const LARGEST: f64 = 1e150;

/// Everything the report needs of a run.
pub(super) struct Run {
    /// The directory's name.
    pub(super) name: String,
    /// The resolved recipe, if it is there.
    pub(super) recipe: Option<String>,
    /// The stages, in the order they ran.
    pub(super) stages: Vec<Stage>,
    /// The completions of the first recorded step that has any, in the order of the file.
    pub(super) before: Vec<CompletionRecord>,
    /// Those of the last one; empty if there is only one.
    pub(super) after: Vec<CompletionRecord>,
    /// What the reader should know about the records.
    pub(super) warnings: Vec<String>,
}

/// One stage's metrics and timings.
#[derive(Default)]
pub(super) struct Stage {
    /// The stage's name in the recipe.
    pub(super) name: String,
    /// Metric keys in the order they first occur.
    pub(super) keys: Vec<String>,
    /// Each key's values by rising step; NaN where the value was not finite.
    series: BTreeMap<String, Vec<Point>>,
    /// The first and the last step with any metric.
    pub(super) steps: (f64, f64),
}

impl Stage {
    /// A metric's values; empty if it was not recorded.
    pub(super) fn series(&self, key: &str) -> &[Point] {
        self.series.get(key).map_or(&[], Vec::as_slice)
    }

    /// How many optimiser steps were recorded: those with a loss, so that an evaluation before the
    /// first one does not count; without losses, all steps.
    pub(super) fn updates(&self) -> f64 {
        match self.series("loss").len() {
            0 => self.steps.1 - self.steps.0 + 1.0,
            count => count as f64,
        }
    }

    /// Whether this stage samples and is rewarded, rather than learning from given text.
    pub(super) fn is_reinforcement(&self) -> bool {
        self.keys.iter().any(|key| key.starts_with("reward/"))
    }

    /// The stage's name as a heading.
    pub(super) fn title(&self) -> String {
        match self.name.as_str() {
            "sft" => "Supervised fine-tuning".to_owned(),
            "rl" => "Reinforcement learning".to_owned(),
            name => format!("Stage “{name}”"),
        }
    }

    /// The stage's name on an axis.
    pub(super) fn short_title(&self) -> String {
        match self.name.as_str() {
            "sft" | "rl" => self.name.to_uppercase(),
            name => name.to_owned(),
        }
    }
}

impl Run {
    /// Reads the records in `dir`.
    pub(super) fn read(dir: &Path) -> Result<Self, TrackingError> {
        let mut run = Self {
            name: run_name(dir),
            recipe: read_if_there(&dir.join(RECIPE_FILE))?,
            stages: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
            warnings: Vec::new(),
        };
        let mut not_finite: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for file in [METRICS_FILE, TIMINGS_FILE] {
            let clipped = for_each_line(&dir.join(file), |line| {
                let record: MetricRecord = parse(line)?;
                for key in record.non_finite() {
                    let steps = not_finite.entry(key.to_owned()).or_default();
                    steps.push(format!("{} {}", record.stage, record.step));
                }
                run.add(record, file == METRICS_FILE);
                Ok(())
            })?;
            run.warn_clipped(file, clipped);
        }
        if run.stages.is_empty() {
            return Err(TrackingError::Empty {
                path: dir.to_owned(),
            });
        }
        for stage in &mut run.stages {
            for points in stage.series.values_mut() {
                points.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
        }
        for (key, steps) in not_finite {
            let shown = steps.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
            let more = match steps.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            run.warnings.push(format!(
                "{key} is not a finite number at {shown}{more}: the run diverged or a metric was \
                 divided by zero."
            ));
        }
        run.read_completions(dir)?;
        Ok(run)
    }

    /// Adds a record's values to its stage. A timing never makes a stage longer.
    fn add(&mut self, record: MetricRecord, is_metric: bool) {
        let step = record.step as f64;
        let found = self
            .stages
            .iter()
            .position(|stage| stage.name == record.stage);
        let index = found.unwrap_or_else(|| {
            self.stages.push(Stage {
                name: record.stage,
                steps: (step, step),
                ..Stage::default()
            });
            self.stages.len() - 1
        });
        let stage = &mut self.stages[index];
        if is_metric {
            stage.steps = (stage.steps.0.min(step), stage.steps.1.max(step));
        }
        for (key, value) in record.values {
            let value = if value.is_finite() {
                value.clamp(-LARGEST, LARGEST)
            } else {
                f64::NAN
            };
            if let Some(points) = stage.series.get_mut(&key) {
                points.push((step, value));
            } else {
                stage.keys.push(key.clone());
                stage.series.insert(key, vec![(step, value)]);
            }
        }
    }

    /// Keeps the completions of the first and of the last step that have any. The file may be large:
    /// only these are held, and of the others only stage and step are looked at.
    fn read_completions(&mut self, dir: &Path) -> Result<(), TrackingError> {
        #[derive(Deserialize, PartialEq, Clone)]
        struct Place {
            stage: String,
            step: u64,
        }
        let (mut first, mut last): (Option<Place>, Option<Place>) = (None, None);
        let (mut before, mut after): (Vec<Vec<u8>>, Vec<Vec<u8>>) = (Vec::new(), Vec::new());
        let path = dir.join(COMPLETIONS_FILE);
        let clipped = for_each_line(&path, |line| {
            let place: Place = parse(line)?;
            if first.is_none() {
                first = Some(place.clone());
            }
            if first.as_ref() == Some(&place) {
                before.push(line.to_vec());
                return Ok(());
            }
            if last.as_ref() != Some(&place) {
                after.clear();
                last = Some(place);
            }
            after.push(line.to_vec());
            Ok(())
        })?;
        self.warn_clipped(COMPLETIONS_FILE, clipped);
        let mut skipped = 0;
        let mut records = |lines: Vec<Vec<u8>>| -> Vec<CompletionRecord> {
            let parsed: Vec<_> = lines.iter().filter_map(|line| parse(line).ok()).collect();
            skipped += lines.len() - parsed.len();
            parsed
        };
        self.before = records(before);
        self.after = records(after);
        if skipped > 0 {
            self.warnings.push(format!(
                "{skipped} lines of {COMPLETIONS_FILE} are not completions of this version and are \
                 not shown."
            ));
        }
        Ok(())
    }

    fn warn_clipped(&mut self, file: &str, clipped: bool) {
        if clipped {
            self.warnings.push(format!(
                "The last line of {file} is incomplete and was left out: the run was interrupted \
                 while writing it."
            ));
        }
    }
}

fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(line)
}

/// Calls `take` with every line of a file; a file that is not there has none. A last line without
/// its line break that cannot be parsed is what a crash leaves: it is passed over, and the result is
/// true.
fn for_each_line(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), serde_json::Error>,
) -> Result<bool, TrackingError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(TrackingError::io("read", path)(error)),
    };
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::new();
    for number in 1.. {
        bytes.clear();
        let read = reader.read_until(b'\n', &mut bytes);
        if read.map_err(TrackingError::io("read", path))? == 0 {
            break;
        }
        let whole = bytes.last() == Some(&b'\n');
        let line = bytes.trim_ascii();
        if line.is_empty() {
            continue;
        }
        match take(line) {
            Ok(()) => {}
            Err(_) if !whole => return Ok(true),
            Err(source) => {
                return Err(TrackingError::Line {
                    path: path.to_owned(),
                    line: number,
                    source,
                });
            }
        }
    }
    Ok(false)
}

/// The name of the directory, also if it is given as `.`.
fn run_name(dir: &Path) -> String {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}

fn read_if_there(path: &Path) -> Result<Option<String>, TrackingError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(TrackingError::io("read", path)(error)),
    }
}
