//! Which charts the report has, and which metrics each of them shows.

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

/// A chart of the catalogue.
struct Panel {
    title: &'static str,
    caption: &'static str,
    unit: Unit,
    range: Range,
    may_be_logarithmic: bool,
    /// Key, name at the end of the line, and colour.
    lines: &'static [(&'static str, &'static str, usize)],
}

/// A panel of plain numbers with 0 on its axis.
const fn plain(
    title: &'static str,
    caption: &'static str,
    lines: &'static [(&'static str, &'static str, usize)],
) -> Panel {
    Panel {
        title,
        caption,
        unit: Unit::Plain,
        range: Range::Zero,
        may_be_logarithmic: false,
        lines,
    }
}

impl Panel {
    const fn share(mut self) -> Self {
        self.unit = Unit::Share;
        self
    }

    const fn within_data(mut self) -> Self {
        self.range = Range::Data;
        self
    }

    const fn maybe_logarithmic(mut self) -> Self {
        self.may_be_logarithmic = true;
        self
    }

    fn chart(&self, stage: &Stage) -> Chart {
        let lines = self.lines.iter().filter_map(|&(key, name, colour)| {
            let points = stage.series(key);
            (!points.is_empty()).then(|| Line {
                name: name.to_owned(),
                colour,
                runs: vec![points.to_vec()],
            })
        });
        Chart {
            title: self.title.to_owned(),
            caption: self.caption.to_owned(),
            unit: self.unit,
            range: self.range,
            may_be_logarithmic: self.may_be_logarithmic,
            lines: lines.collect(),
            segments: vec![unnamed(stage)],
        }
    }
}

/// The stage as the only segment of an axis.
fn unnamed(stage: &Stage) -> Segment {
    Segment {
        name: String::new(),
        steps: stage.steps,
        share: 1.0,
    }
}

/// Stands for the parts of the reward, whose names a recipe chooses.
const PARTS: &str = "Reward by part";

const OUTCOME: &[Panel] = &[
    plain(
        "Reward",
        "Mean over the step’s scored completions.",
        &[("reward/mean", "reward", 1)],
    ),
    plain(
        PARTS,
        "Mean of each part, before its weight in the reward.",
        &[],
    ),
    plain(
        "Reward spread",
        "Standard deviation over the step’s completions: no spread, nothing to learn from.",
        &[("reward/std", "spread", 1)],
    ),
    plain(
        "Groups without signal",
        "Share of groups in which every advantage is zero.",
        &[("groups/no_signal", "no signal", 1)],
    )
    .share(),
    plain(
        "Unscorable",
        "Share of completions the verifier could not judge.",
        &[("reward/unscorable", "unscorable", 2)],
    )
    .share(),
    plain(
        "Held-out format",
        "Share of held-out completions in the required form.",
        &[("held_out/format", "format", 1)],
    )
    .share(),
];

const RESPONSES: &[Panel] = &[
    plain(
        "Response length",
        "Mean number of tokens, and that of right and wrong answers.",
        &[
            ("length/mean", "all", 6),
            ("length/correct", "right", 3),
            ("length/incorrect", "wrong", 2),
        ],
    ),
    plain(
        "Longest response",
        "Tokens of the longest completion of the step.",
        &[("length/max", "longest", 1)],
    ),
    plain(
        "Truncated",
        "Share of completions cut off at the length limit.",
        &[("completion/truncated", "truncated", 2)],
    )
    .share(),
    plain(
        "Held-out length",
        "Mean number of tokens of held-out completions.",
        &[("held_out/length", "held-out", 1)],
    ),
];

const POLICY: &[Panel] = &[
    plain(
        "Entropy",
        "Nats per token. A fall to zero ends exploration.",
        &[("entropy/mean", "entropy", 1)],
    ),
    plain(
        "KL to the reference",
        "Nats per token: how far the policy has moved.",
        &[("kl/reference", "KL", 1)],
    ),
    plain(
        "Clipped tokens",
        "Share of tokens whose ratio left the trust region, by side.",
        &[("clip/low", "low", 2), ("clip/high", "high", 1)],
    )
    .share(),
    plain(
        "Largest ratio",
        "Largest probability ratio between new and old policy.",
        &[("ratio/max", "ratio", 1)],
    )
    .within_data()
    .maybe_logarithmic(),
    plain(
        "Sampler against trainer",
        "Largest difference of a token’s log-probability; more than rounding is a fault.",
        &[("sampler/logprob_difference", "difference", 2)],
    )
    .maybe_logarithmic(),
    plain(
        "Advantage",
        "Mean absolute advantage of a completion.",
        &[("advantage/abs_mean", "size", 1)],
    ),
];

const OPTIMISATION: &[Panel] = &[
    plain(
        "Loss",
        "The whole loss and its terms. In reinforcement learning its level says little.",
        &[
            ("loss", "loss", 1),
            ("loss/policy", "policy", 4),
            ("loss/kl", "KL", 3),
            ("loss/entropy", "entropy", 5),
        ],
    ),
    plain(
        "Gradient norm",
        "Euclidean norm of the whole gradient, before clipping.",
        &[("grad_norm", "norm", 1)],
    )
    .maybe_logarithmic(),
    plain(
        "Learning rate",
        "Of the optimiser’s step.",
        &[("learning_rate", "rate", 1)],
    ),
    plain(
        "Tokens",
        "Loss-carrying tokens of the step.",
        &[("tokens", "tokens", 1)],
    ),
];

const AGGREGATION: &[Panel] = &[
    plain(
        "Length variation",
        "Coefficient of variation of the lengths in a group.",
        &[("aggregation/length_cv", "variation", 1)],
    ),
    plain(
        "Negative–positive length gap",
        "Mean length of negative minus that of positive responses, in tokens.",
        &[("aggregation/length_gap", "gap", 1)],
    ),
    plain(
        "Relative length gap",
        "The same gap, divided by the mean length.",
        &[("aggregation/relative_length_gap", "gap", 1)],
    )
    .share(),
    plain(
        "Mass by sign",
        "Share of all token weights on positive and on negative advantages.",
        &[
            ("aggregation/mass_positive", "positive", 3),
            ("aggregation/mass_negative", "negative", 2),
        ],
    )
    .share(),
    plain(
        "Net mass",
        "Weight times advantage over all tokens; 0 when the signs balance.",
        &[("aggregation/net_mass", "net", 1)],
    ),
    plain(
        "Sign–length coupling",
        "Mean advantage by token weight minus by response; below 0, long wrong answers dominate.",
        &[
            ("aggregation/coupling", "this rule", 1),
            ("aggregation/token_coupling", "token mean", 6),
        ],
    ),
];

const THROUGHPUT: &[Panel] = &[
    plain(
        "Tokens per second",
        "While sampling and while training.",
        &[
            ("tokens_per_second/sample", "sample", 1),
            ("tokens_per_second/train", "train", 4),
        ],
    ),
    plain(
        "Seconds per step",
        "The whole step and its parts.",
        &[
            ("seconds", "whole", 6),
            ("seconds/sample", "sample", 1),
            ("seconds/train", "train", 4),
            ("seconds/verify", "verify", 3),
            ("seconds/evaluate", "evaluate", 5),
        ],
    ),
];

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
            } else if reinforcement && panel.title != "Tokens" {
                section.missing.push(panel.title);
            }
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
