//! The few numbers at the top of the report.

use super::run::{Run, Stage};
use super::smooth::Point;
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
            seconds: seconds(run),
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
        let reinforcement = run.stages.iter().position(Stage::is_reinforcement);
        let from = match reinforcement {
            Some(earlier) if earlier > 0 => "at the start of RL",
            _ => "at the first evaluation",
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

/// The value of a series at a step, if it is finite.
fn at(points: &[Point], step: f64) -> Option<f64> {
    let index = points
        .binary_search_by(|point| point.0.total_cmp(&step))
        .ok()?;
    Some(points[index].1).filter(|value| value.is_finite())
}

/// The time of all steps of all stages, and of the evaluations that were no part of a step.
fn seconds(run: &Run) -> Option<f64> {
    let mut total = None;
    for stage in &run.stages {
        let steps = stage.series("seconds");
        let evaluations = stage.series("seconds/evaluate").iter();
        let alone = evaluations.filter(|(step, _)| at(steps, *step).is_none());
        for (_, value) in steps.iter().chain(alone) {
            if value.is_finite() {
                *total.get_or_insert(0.0) += value;
            }
        }
    }
    total
}

/// The mean of a rate over the run, each step weighted with the time it took: `part` if that was
/// recorded, else the whole step; without times the plain mean.
fn rate(run: &Run, rate: &str, part: &str) -> Option<f64> {
    let (mut sum, mut time, mut plain, mut count) = (0.0, 0.0, 0.0, 0.0);
    for stage in &run.stages {
        let (parts, steps) = (stage.series(part), stage.series("seconds"));
        for &(step, value) in stage.series(rate) {
            if !value.is_finite() {
                continue;
            }
            (plain, count) = (plain + value, count + 1.0);
            if let Some(seconds) = at(parts, step).or_else(|| at(steps, step)) {
                (sum, time) = (sum + value * seconds, time + seconds);
            }
        }
    }
    if time > 0.0 {
        Some(sum / time)
    } else {
        (count > 0.0).then(|| plain / count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{METRICS_FILE, TIMINGS_FILE};
    use std::fs;

    fn headline(metrics: &str, timings: &str) -> Headline {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(METRICS_FILE), metrics).unwrap();
        fs::write(dir.path().join(TIMINGS_FILE), timings).unwrap();
        Headline::new(&Run::read(dir.path()).unwrap())
    }

    const SFT: &str = "{\"stage\":\"sft\",\"step\":9,\"held_out/accuracy\":0.3}\n";

    #[test]
    fn the_start_is_step_zero_or_the_end_of_the_stage_before() {
        let at = |step: u64, accuracy: f64| {
            format!(
                "{{\"stage\":\"rl\",\"step\":{step},\"reward/mean\":0,\
                 \"held_out/accuracy\":{accuracy}}}\n"
            )
        };
        let cases = [
            (format!("{SFT}{}{}", at(0, 0.4), at(5, 0.9)), 0.4),
            (format!("{SFT}{}{}", at(1, 0.5), at(5, 0.9)), 0.3),
            (format!("{}{}", at(1, 0.5), at(5, 0.9)), 0.5),
        ];
        for (metrics, start) in cases {
            let found = headline(&metrics, "");
            assert_eq!((found.start, found.end), (Some(start), Some(0.9)));
        }
        let supervised = headline(SFT, "");
        assert_eq!((supervised.start, supervised.end), (Some(0.3), Some(0.3)));
    }

    #[test]
    fn times_and_rates_by_hand() {
        let timings = "{\"stage\":\"sft\",\"step\":0,\"seconds\":3,\"seconds/evaluate\":1,\
                       \"tokens_per_second/train\":100}\n\
                       {\"stage\":\"sft\",\"step\":1,\"seconds\":9,\
                       \"seconds/train\":1,\"tokens_per_second/train\":500}\n\
                       {\"stage\":\"sft\",\"step\":2,\"seconds/evaluate\":4}\n";
        let found = headline(SFT, timings);
        assert_eq!(found.seconds, Some(3.0 + 9.0 + 4.0));
        assert_eq!(found.trained, Some((3.0 * 100.0 + 1.0 * 500.0) / 4.0));
        assert_eq!(found.sampled, None);
    }
}
