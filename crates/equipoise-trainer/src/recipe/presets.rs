//! Published methods as triples of estimator, objective and aggregation.

use super::choice::{Choice, Value};

/// A published method: what it chooses from the three catalogues.
///
/// `preset = "dapo"` in a stage stands for the triple. A key that the stage also gives, wins; a table
/// without `name` only changes options of the preset's choice.
#[derive(Clone, Debug)]
pub struct Preset {
    /// The name in recipes.
    pub name: &'static str,
    /// The paper.
    pub source: &'static str,
    /// The estimator's name and options.
    pub estimator: Part,
    /// The objective's name and options.
    pub objective: Part,
    /// The aggregation's name and options.
    pub aggregation: Part,
    /// What the method has beside its triple, and how peers differ from it.
    pub note: &'static str,
}

/// An entry of a catalogue with options.
pub type Part = (&'static str, &'static [(&'static str, Fixed)]);

/// An option's value in a preset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fixed {
    /// A number.
    Number(f64),
    /// A word.
    Word(&'static str),
}

use Fixed::{Number, Word};

const GRPO: Part = ("grpo", &[]);
const CLIP: Part = (
    "ppo_clip",
    &[("epsilon_low", Number(0.2)), ("epsilon_high", Number(0.2))],
);
const CLIP_HIGHER: Part = (
    "ppo_clip",
    &[("epsilon_low", Number(0.2)), ("epsilon_high", Number(0.28))],
);

/// Every preset.
pub const PRESETS: &[Preset] = &[
    Preset {
        name: "ba",
        source: "arXiv:2605.04077",
        estimator: GRPO,
        objective: CLIP_HIGHER,
        aggregation: ("balanced", &[]),
        note: "The default of every stage. The paper changes the aggregation alone; the bounds are DAPO's.",
    },
    Preset {
        name: "grpo",
        source: "arXiv:2402.03300",
        estimator: GRPO,
        objective: CLIP,
        aggregation: ("sequence_mean", &[]),
        note: "The paper adds the k3 divergence with coefficient 0.04.",
    },
    Preset {
        name: "dapo",
        source: "arXiv:2503.14476",
        estimator: GRPO,
        objective: CLIP_HIGHER,
        aggregation: ("token_mean", &[]),
        note: "As the authors' code runs it. The paper prints the token mean per prompt, which is prompt_mean. \
               Dynamic sampling and the overlong punishment are no part of a triple.",
    },
    Preset {
        name: "dr_grpo",
        source: "arXiv:2503.20783",
        estimator: ("dr_grpo", &[]),
        objective: CLIP,
        aggregation: ("dr_grpo", &[]),
        note: "The constant length is sampler.max_new_tokens unless aggregation.max_tokens is given.",
    },
    Preset {
        name: "gspo",
        source: "arXiv:2507.18071",
        estimator: GRPO,
        objective: (
            "gspo",
            &[
                ("epsilon_low", Number(3e-4)),
                ("epsilon_high", Number(4e-4)),
            ],
        ),
        aggregation: ("sequence_mean", &[]),
        note: "One ratio a response: rules that count tokens weigh responses by their length.",
    },
    Preset {
        name: "gspo_token",
        source: "arXiv:2507.18071",
        estimator: GRPO,
        objective: (
            "gspo_token",
            &[
                ("epsilon_low", Number(3e-4)),
                ("epsilon_high", Number(4e-4)),
            ],
        ),
        aggregation: ("sequence_mean", &[]),
        note: "The same gradient as gspo where every token has the response's advantage.",
    },
    Preset {
        name: "luspo",
        source: "arXiv:2602.05261",
        estimator: GRPO,
        objective: (
            "gspo",
            &[
                ("epsilon_low", Number(2e-3)),
                ("epsilon_high", Number(2.5e-3)),
            ],
        ),
        aggregation: ("sequence_mean_token_sum", &[]),
        note: "GSPO's loss times the length of the response.",
    },
    Preset {
        name: "gmpo",
        source: "arXiv:2507.20673",
        estimator: GRPO,
        objective: ("gmpo", &[]),
        aggregation: ("sequence_mean", &[]),
        note: "The geometric mean of the token ratios, each clipped before.",
    },
    Preset {
        name: "cispo",
        source: "arXiv:2506.13585",
        estimator: GRPO,
        objective: ("cispo", &[]),
        aggregation: ("prompt_mean", &[]),
        note: "The bounds on the weight are absolute. TRL and verl use the token mean of the batch.",
    },
    Preset {
        name: "scalerl",
        source: "arXiv:2510.13786",
        estimator: ("grpo", &[("std", Word("batch"))]),
        objective: ("cispo", &[]),
        aggregation: ("prompt_mean", &[]),
        note: "The recipe also computes the vocabulary projection in f32, as Equipoise always does.",
    },
    Preset {
        name: "lite_ppo",
        source: "arXiv:2508.08221",
        estimator: ("grpo", &[("std", Word("batch"))]),
        objective: CLIP,
        aggregation: ("token_mean", &[]),
        note: "Centred in the group, divided by the deviation of the batch.",
    },
    Preset {
        name: "sapo",
        source: "arXiv:2511.20347",
        estimator: GRPO,
        objective: ("sapo", &[]),
        aggregation: ("sequence_mean", &[]),
        note: "A sigmoid gate on the ratio instead of a clip.",
    },
    Preset {
        name: "vespo",
        source: "arXiv:2602.10693",
        estimator: GRPO,
        objective: ("vespo", &[]),
        aggregation: ("token_mean", &[]),
        note: "The aggregation is that of TRL's loss_type vespo.",
    },
    Preset {
        name: "dppo",
        source: "arXiv:2602.04879",
        estimator: GRPO,
        objective: ("dppo_tv", &[]),
        aggregation: ("token_mean", &[]),
        note: "With the total variation; dppo_kl is the other form.",
    },
    Preset {
        name: "rloo",
        source: "arXiv:2402.14740",
        estimator: ("rloo", &[]),
        objective: ("policy_gradient", &[]),
        aggregation: ("sequence_mean_token_sum", &[]),
        note: "The log-probability of a response is the sum of its tokens'. TRL's trainer has a clipped ratio of the response instead.",
    },
    Preset {
        name: "reinforce_plus_plus",
        source: "arXiv:2501.03262",
        estimator: ("reinforce_plus_plus", &[]),
        objective: CLIP,
        aggregation: ("token_mean", &[]),
        note: "No baseline of the group; advantages are whitened over the tokens of the batch.",
    },
    Preset {
        name: "reinforce_plus_plus_baseline",
        source: "arXiv:2501.03262",
        estimator: ("reinforce_plus_plus_baseline", &[]),
        objective: CLIP,
        aggregation: ("token_mean", &[]),
        note: "Centred in the group, whitened over the tokens of the batch.",
    },
    Preset {
        name: "remax",
        source: "arXiv:2310.10505",
        estimator: ("remax", &[]),
        objective: ("policy_gradient", &[]),
        aggregation: ("sequence_mean_token_sum", &[]),
        note: "The baseline is the reward of the greedy answer, which is sampled besides.",
    },
    Preset {
        name: "opo",
        source: "arXiv:2505.23585",
        estimator: ("opo", &[]),
        objective: ("policy_gradient", &[]),
        aggregation: ("sequence_mean_token_sum", &[]),
        note: "Exactly on policy: one update a rollout.",
    },
    Preset {
        name: "gpg",
        source: "arXiv:2504.02546",
        estimator: ("gpg", &[]),
        objective: ("policy_gradient", &[]),
        aggregation: ("token_mean", &[]),
        note: "Groups without signal make the others count more.",
    },
    Preset {
        name: "maxrl",
        source: "arXiv:2602.02710",
        estimator: ("max_rl", &[]),
        objective: CLIP,
        aggregation: ("token_mean", &[]),
        note: "Rewards must not be negative.",
    },
    Preset {
        name: "lambda_grpo",
        source: "arXiv:2510.06870",
        estimator: GRPO,
        objective: CLIP_HIGHER,
        aggregation: ("lambda_grpo", &[]),
        note: "With a fixed λ; the paper learns it.",
    },
    Preset {
        name: "vl_norm",
        source: "arXiv:2509.07558",
        estimator: GRPO,
        objective: CLIP,
        aggregation: ("vl_norm", &[]),
        note: "Also called ΔL normalisation.",
    },
    Preset {
        name: "gui_g1",
        source: "arXiv:2505.15810",
        estimator: ("dr_grpo", &[]),
        objective: CLIP,
        aggregation: ("dr_grpo", &[("max_tokens", Number(64.0))]),
        note: "The weight per prompt is no part of a triple.",
    },
];

impl Preset {
    /// The preset of that name.
    pub fn named(name: &str) -> Option<&'static Self> {
        PRESETS.iter().find(|preset| preset.name == name)
    }

    pub(super) fn estimator(&self) -> Choice {
        choice(self.estimator)
    }

    pub(super) fn objective(&self) -> Choice {
        choice(self.objective)
    }

    pub(super) fn aggregation(&self) -> Choice {
        choice(self.aggregation)
    }
}

fn choice((name, options): Part) -> Choice {
    options
        .iter()
        .fold(Choice::named(name), |choice, (option, value)| {
            let value = match value {
                Number(number) => Value::Number(*number),
                Word(word) => Value::Word((*word).into()),
            };
            choice.with(option, value)
        })
}
