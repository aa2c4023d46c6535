//! The charts of the report, section by section.

use crate::report::chart::{Chart, Line, Segment};
use crate::report::run::Stage;
use crate::report::scale::Range;
use crate::report::text::Unit;

/// A chart of the catalogue.
pub(super) struct Panel {
    pub(super) title: &'static str,
    caption: &'static str,
    unit: Unit,
    range: Range,
    least: f64,
    is_exact: bool,
    may_be_logarithmic: bool,
    /// Whether most runs have none of it, so that it is not missed.
    pub(super) is_optional: bool,
    /// Key, name at the end of the line, and colour.
    pub(super) lines: &'static [(&'static str, &'static str, usize)],
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
        least: 1e-12,
        is_exact: false,
        may_be_logarithmic: false,
        is_optional: false,
        lines,
    }
}

impl Panel {
    const fn share(mut self) -> Self {
        self.unit = Unit::Share;
        self.at_least(0.01)
    }

    const fn at_least(mut self, least: f64) -> Self {
        self.least = least;
        self
    }

    const fn exact(mut self) -> Self {
        self.is_exact = true;
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

    const fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    pub(super) fn chart(&self, stage: &Stage) -> Chart {
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
            least: self.least,
            is_exact: self.is_exact,
            may_be_logarithmic: self.may_be_logarithmic,
            lines: lines.collect(),
            segments: vec![unnamed(stage)],
        }
    }
}

/// The stage as the only segment of an axis.
pub(super) fn unnamed(stage: &Stage) -> Segment {
    Segment {
        name: String::new(),
        steps: stage.steps,
        share: 1.0,
    }
}

/// Stands for the parts of the reward, whose names a recipe chooses.
pub(super) const PARTS: &str = "Reward by part";

pub(super) const OUTCOME: &[Panel] = &[
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
        "Dynamic sampling: groups",
        "Groups sampled in a step until enough have a signal.",
        &[("groups/sampled", "sampled", 1)],
    )
    .optional(),
    plain(
        "Dynamic sampling: rounds",
        "Rounds of sampling in a step.",
        &[("groups/rounds", "rounds", 1)],
    )
    .optional(),
    plain(
        "Dynamic sampling: kept",
        "Share of the groups sampled that were kept for their signal.",
        &[("groups/kept", "kept", 2)],
    )
    .share()
    .optional(),
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

pub(super) const RESPONSES: &[Panel] = &[
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

pub(super) const POLICY: &[Panel] = &[
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
        "Share of tokens whose ratio left the trust region, by side, or whose weight is at a bound.",
        &[
            ("clip/low", "low", 2),
            ("clip/high", "high", 1),
            ("clip/weight", "weight", 4),
            ("clip/masked", "left out", 6),
        ],
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

pub(super) const OPTIMISATION: &[Panel] = &[
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
    )
    .exact(),
    plain(
        "Tokens",
        "Loss-carrying tokens of the step.",
        &[("tokens", "tokens", 1)],
    ),
];

pub(super) const AGGREGATION: &[Panel] = &[
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
    )
    .at_least(1e-3),
    plain(
        "Sign–length coupling",
        "Mean advantage by token weight minus by response; below 0, long wrong answers dominate.",
        &[
            ("aggregation/coupling", "this rule", 1),
            ("aggregation/token_coupling", "token mean", 6),
        ],
    )
    .at_least(1e-3),
    plain(
        "Rules chosen",
        "Share of groups for which the adaptive aggregation took which rule.",
        &[
            ("aggregation/chose_sequence_mean", "sequence mean", 2),
            ("aggregation/chose_token_mean", "token mean", 6),
            ("aggregation/chose_balanced", "balanced", 1),
        ],
    )
    .share()
    .optional(),
];

pub(super) const THROUGHPUT: &[Panel] = &[
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
