//! The few numbers at the top of the report.

use super::run::{Run, Stage};
use super::text::{Unit, decimal, duration, escape, number};

/// The numbers a reader looks for first; what was not recorded is `None`.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Headline {
    /// Held-out accuracy at the start of reinforcement learning, and where it was measured.
    pub(super) start: Option<f64>,
    /// Held-out accuracy at the end of the run.
    pub(super) end: Option<f64>,
    /// Seconds of all steps together.
    pub(super) seconds: Option<f64>,
    /// Tokens per second while sampling, over the whole run.
    pub(super) sampled: Option<f64>,
    /// Tokens per second while training, over the whole run.
    pub(super) trained: Option<f64>,
}

impl Headline {
    /// Takes the numbers from the records.
    ///
    /// The accuracy at the start of reinforcement learning is that of its step 0 if it was measured
    /// there, before any update; otherwise the last one of the stage before, which ends with the
    /// same weights; otherwise the first one there is.
    pub(super) fn new(run: &Run) -> Self {
        let measured = |stage: &Stage| {
            let points = stage.series("held_out/accuracy").iter();
            points
                .copied()
                .filter(|(_, value)| value.is_finite())
                .collect::<Vec<_>>()
        };
        let reinforcement = run.stages.iter().position(Stage::is_reinforcement);
        let (earlier, later) = run.stages.split_at(reinforcement.unwrap_or(0));
        let earlier: Vec<_> = earlier.iter().flat_map(measured).collect();
        let later: Vec<_> = later.iter().flat_map(measured).collect();
        let at_zero = later.first().filter(|(step, _)| *step == 0.0);
        let start = at_zero.or(earlier.last()).or(later.first());
        Self {
            start: start.map(|point| point.1),
            end: later.last().map(|point| point.1),
            seconds: total(run, "seconds"),
            sampled: rate(run, "tokens_per_second/sample", "seconds/sample"),
            trained: rate(run, "tokens_per_second/train", "seconds/train"),
        }
    }

    /// The gain in percentage points.
    pub(super) fn gain(&self) -> Option<f64> {
        Some((self.end? - self.start?) * 100.0)
    }

    /// The numbers as HTML.
    pub(super) fn html(&self, run: &Run) -> String {
        let mut items = Vec::new();
        let from = if run.stages.first().is_some_and(Stage::is_reinforcement) {
            "at the first evaluation"
        } else {
            "at the start of RL"
        };
        if let (Some(start), Some(end)) = (self.start, self.end) {
            items.push((
                "wide",
                format!(
                    "{} <span class=\"arrow\" aria-label=\"to\">→</span> {}",
                    Unit::Share.format(start),
                    Unit::Share.format(end)
                ),
                format!("held-out accuracy, {from} and at the end"),
            ));
        }
        if let Some(gain) = self.gain() {
            let sign = if gain > 0.0 { "+" } else { "" };
            items.push((
                "",
                format!("{sign}{}", decimal(gain, 1)),
                "percentage points".into(),
            ));
        }
        let steps = run.stages.iter().map(|stage| {
            let name = escape(&stage.short_title());
            format!("{} {name}", decimal(stage.updates(), 0))
        });
        let steps: Vec<String> = steps.collect();
        items.push(("", steps.join(" + "), "steps".into()));
        if let Some(seconds) = self.seconds {
            items.push(("", duration(seconds), "in all steps together".into()));
        }
        let speed = match (self.sampled, self.trained) {
            (Some(sampled), Some(trained)) => Some((
                format!("{} / {}", number(sampled.round()), number(trained.round())),
                "tokens per second, sampling / training",
            )),
            (Some(sampled), None) => Some((number(sampled), "tokens sampled per second")),
            (None, Some(trained)) => Some((number(trained), "tokens trained per second")),
            (None, None) => None,
        };
        items.extend(speed.map(|(value, name)| ("", value, name.to_owned())));
        let items = items.into_iter().map(|(class, value, name)| {
            format!("<div class=\"{class}\"><dt>{name}</dt><dd>{value}</dd></div>")
        });
        format!("<dl class=\"headline\">{}</dl>", items.collect::<String>())
    }
}

/// The sum of a metric over all steps of all stages.
fn total(run: &Run, key: &str) -> Option<f64> {
    let points = run.stages.iter().flat_map(|stage| stage.series(key));
    let values: Vec<f64> = points.map(|p| p.1).filter(|v| v.is_finite()).collect();
    (!values.is_empty()).then(|| values.iter().sum())
}

/// The mean of a rate, each step weighted with the time it took; without times the plain mean.
fn rate(run: &Run, rate: &str, seconds: &str) -> Option<f64> {
    let (mut sum, mut time, mut plain, mut count) = (0.0, 0.0, 0.0, 0.0);
    for stage in &run.stages {
        for (step, value) in stage.series(rate) {
            if !value.is_finite() {
                continue;
            }
            (plain, count) = (plain + value, count + 1.0);
            let times = stage.series(seconds);
            if let Ok(index) = times.binary_search_by(|point| point.0.total_cmp(step))
                && times[index].1.is_finite()
            {
                (sum, time) = (sum + value * times[index].1, time + times[index].1);
            }
        }
    }
    if time > 0.0 {
        Some(sum / time)
    } else {
        (count > 0.0).then(|| plain / count)
    }
}
