//! Which charts the report has, and which metrics each of them shows.

mod catalogue;

use catalogue::{
    AGGREGATION, OPTIMISATION, OUTCOME, PARTS, POLICY, Panel, RESPONSES, THROUGHPUT, unnamed,
};

use super::chart::{Chart, Line, Segment};
use super::run::{Run, Stage};
use super::scale::Range;
use super::text::Unit;

/// A group of charts under one heading.
pub(super) struct Section {
    /// The heading.
    pub(super) title: &'static str,
    /// What to look for, in a sentence or two.
    pub(super) lede: &'static str,
    /// The charts that have data.
    pub(super) charts: Vec<Chart>,
    /// The titles of those that have none.
    pub(super) missing: Vec<&'static str>,
}

/// Metrics that are shown elsewhere in the report.
const ELSEWHERE: [&str; 1] = ["held_out/accuracy"];

/// The sections of a stage, in reading order; those without any chart are left out for a stage
/// that is not reinforcement learning.
pub(super) fn sections(stage: &Stage) -> Vec<Section> {
    let catalogue: [(&'static str, &'static str, &'static [Panel]); 6] = [
        (
            "Outcome",
            "What the policy is rewarded for, and how much of each step could teach it anything.",
            OUTCOME,
        ),
        (
            "Responses",
            "How long the answers are, and whether length goes with being wrong.",
            RESPONSES,
        ),
        (
            "Policy",
            "How the policy moves, and whether sampler and trainer agree on it.",
            POLICY,
        ),
        ("Optimisation", "What the optimiser sees.", OPTIMISATION),
        (
            "Aggregation",
            "What the rule that sums token losses does to long and short, right and wrong answers.",
            AGGREGATION,
        ),
        ("Throughput", "Where the time goes.", THROUGHPUT),
    ];
    let reinforcement = stage.is_reinforcement();
    let mut sections = Vec::new();
    for (title, lede, panels) in catalogue {
        let mut section = Section {
            title,
            lede,
            charts: Vec::new(),
            missing: Vec::new(),
        };
        for panel in panels {
            let chart = if panel.title == PARTS {
                parts(stage, panel)
            } else {
                panel.chart(stage)
            };
            if chart.has_data() {
                section.charts.push(chart);
            } else if reinforcement && panel.title != "Tokens" && !panel.is_optional {
                section.missing.push(panel.title);
            }
        }
        if !reinforcement && title == "Outcome" {
            section.lede = "What the fine-tuned model does with problems it has not seen.";
        }
        if !reinforcement && title == "Optimisation" {
            for chart in &mut section.charts {
                if chart.title == "Loss" {
                    chart.caption = "Mean negative log-likelihood per token, in nats.".to_owned();
                }
            }
        }
        if !section.charts.is_empty() || !section.missing.is_empty() {
            sections.push(section);
        }
    }
    let others = others(stage);
    if !others.is_empty() {
        sections.push(Section {
            title: "Other metrics",
            lede: "Recorded by this run, and not known to this version of the report.",
            charts: others,
            missing: Vec::new(),
        });
    }
    sections
}

/// Whether a key of the form `reward/…` names a part of the reward.
fn is_part(key: &str) -> bool {
    let known = ["reward/mean", "reward/std", "reward/unscorable"];
    key.starts_with("reward/") && !known.contains(&key)
}

/// The chart of the reward's parts.
fn parts(stage: &Stage, panel: &Panel) -> Chart {
    let keys = stage.keys.iter().filter(|key| is_part(key));
    let lines = keys.enumerate().map(|(index, key)| Line {
        name: key["reward/".len()..].to_owned(),
        colour: [1, 4, 3, 5, 2, 6][index % 6],
        runs: vec![stage.series(key).to_vec()],
    });
    Chart {
        lines: lines.collect(),
        ..panel.chart(stage)
    }
}

/// One chart for every metric the catalogue does not know.
fn others(stage: &Stage) -> Vec<Chart> {
    let groups = [
        OUTCOME,
        RESPONSES,
        POLICY,
        OPTIMISATION,
        AGGREGATION,
        THROUGHPUT,
    ];
    let panels = || groups.iter().copied().flatten();
    let known = |key: &str| panels().any(|panel| panel.lines.iter().any(|line| line.0 == key));
    let keys = stage
        .keys
        .iter()
        .filter(|key| !known(key) && !is_part(key) && !ELSEWHERE.contains(&key.as_str()));
    let charts = keys.map(|key| Chart {
        title: key.clone(),
        caption: String::new(),
        unit: Unit::Plain,
        range: Range::Data,
        least: 1e-12,
        is_exact: false,
        may_be_logarithmic: false,
        lines: vec![Line {
            name: key.clone(),
            colour: 6,
            runs: vec![stage.series(key).to_vec()],
        }],
        segments: vec![unnamed(stage)],
    });
    charts.filter(Chart::has_data).collect()
}

/// Held-out accuracy over all stages that measured it, each with its own scale of steps.
pub(super) fn accuracy(run: &Run) -> Chart {
    let stages: Vec<&Stage> = run
        .stages
        .iter()
        .filter(|stage| !stage.series("held_out/accuracy").is_empty())
        .collect();
    let segments = stages.iter().map(|stage| {
        let steps = stage.updates();
        let unit = if steps == 1.0 { "step" } else { "steps" };
        Segment {
            name: format!("{} · {steps} {unit}", stage.short_title()),
            steps: stage.steps,
            share: if stage.is_reinforcement() { 2.0 } else { 1.0 },
        }
    });
    let mut line = Line {
        name: "accuracy".to_owned(),
        colour: 1,
        runs: Vec::new(),
    };
    let runs = stages
        .iter()
        .map(|stage| stage.series("held_out/accuracy").to_vec());
    line.runs.extend(runs);
    Chart {
        title: "Held-out accuracy".to_owned(),
        caption: "Share of problems solved that the run never trains on.".to_owned(),
        unit: Unit::Share,
        range: Range::Whole,
        least: 1.0,
        is_exact: true,
        may_be_logarithmic: false,
        lines: vec![line],
        segments: segments.collect(),
    }
}

/// The mean reward of the stages that have one.
pub(super) fn reward(run: &Run) -> Option<Chart> {
    let stage = run.stages.iter().find(|stage| stage.is_reinforcement())?;
    let panel = OUTCOME.first()?;
    Some(Chart {
        title: "Mean reward".to_owned(),
        ..panel.chart(stage)
    })
    .filter(Chart::has_data)
}
