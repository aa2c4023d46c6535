//! The ranges and contradictions of the tables that describe the run as a whole.

use std::sync::Arc;

use equipoise_verifiers::{Resources, Scorer};

use super::super::data::{DataSection, StyleWeights};
use super::super::engine::LoraSection;
use super::super::sampling::SamplerSection;
use super::super::verifier::{Extraction, RewardModelSection, VerifierKind, VerifierSection};
use super::super::{ModelShape, TaskName};
use super::Checker;

impl Checker {
    pub(super) fn shape(&mut self, shape: &ModelShape) {
        self.prefix = "model".into();
        let (heads, kv_heads) = (shape.num_attention_heads, shape.num_key_value_heads);
        for (key, value) in [
            ("hidden_size", shape.hidden_size),
            ("num_hidden_layers", shape.num_hidden_layers),
            ("num_attention_heads", heads),
            ("num_key_value_heads", kv_heads),
            ("head_dim", shape.head_dim),
            ("intermediate_size", shape.intermediate_size),
        ] {
            self.at_least(key, value, 1);
        }
        self.at_least("max_position_embeddings", shape.max_position_embeddings, 2);
        self.that(
            heads == 0 || shape.hidden_size.is_multiple_of(heads),
            "num_attention_heads",
            || {
                format!(
                    "is {heads}, which does not divide hidden_size = {}",
                    shape.hidden_size
                )
            },
        );
        self.that(
            kv_heads == 0 || heads.is_multiple_of(kv_heads),
            "num_key_value_heads",
            || format!("is {kv_heads}, which does not divide num_attention_heads = {heads}"),
        );
        self.that(shape.head_dim.is_multiple_of(2), "head_dim", || {
            format!(
                "is {}; it must be even, because rotary embeddings turn pairs of numbers",
                shape.head_dim
            )
        });
        self.positive("rope_theta", shape.rope_theta);
        self.positive("rms_norm_eps", shape.rms_norm_eps);
        self.positive("initializer_range", shape.initializer_range);
    }

    /// `layers` is the number of the model's, if it is known.
    pub(super) fn lora(&mut self, lora: &LoraSection, imitates: bool, layers: Option<usize>) {
        self.prefix = "lora".into();
        let rank = lora.rank;
        self.that((1..=1 << 16).contains(&rank), "rank", || {
            format!("is {rank}; it must be from 1 to 65536")
        });
        self.positive("alpha", lora.alpha);
        let dropout = lora.dropout;
        self.that((0.0..1.0).contains(&dropout), "dropout", || {
            format!("is {dropout}; it must be in [0, 1)")
        });
        // Reinforcement compares the policy with what the sampler computed, without dropout.
        let reason = "without a stage of kind \"sft\": stages of kind \"rl\" drop nothing";
        self.no_effect("dropout", dropout > 0.0 && !imitates, reason);
        self.that(!lora.target_modules.is_empty(), "target_modules", || {
            "is empty; name linear layers, or [\"all-linear\"]".into()
        });
        let unmatched = layers.and_then(|layers| lora.config().unmatched_target(layers));
        self.that(unmatched.is_none(), "target_modules", || {
            unmatched.unwrap_or_default()
        });
    }

    pub(super) fn data(&mut self, data: &DataSection) {
        self.prefix = "data".into();
        match (data.task, data.has_files()) {
            (Some(_), true) => self.that(false, "task", || {
                "either `task`, whose problems are generated, or `path`, whose problems are read, \
                 not both"
                    .into()
            }),
            (None, false) => self.that(false, "task", || {
                let names = TaskName::ALL.map(|(_, name)| name).join(", ");
                format!("set either `task`, to one of {names}; or `path`, to a file of problems")
            }),
            _ => {}
        }
        let of_file = "without `path`";
        if !data.has_files() {
            self.no_effect("held_out_path", data.held_out_path.is_some(), of_file);
            self.no_effect("chat_template", data.chat_template.is_some(), of_file);
            if data.task.is_some() {
                self.no_effect("message_format", data.message_format.is_some(), of_file);
            }
        }
        let template = data.chat_template.is_some();
        self.no_effect(
            "message_format",
            template && data.message_format.is_some(),
            "with `chat_template`, which makes the text",
        );
        if data.held_out_path.is_some() {
            let reason = "with `held_out_path`, whose problems are all held out";
            self.no_effect("held_out", data.held_out.is_some(), reason);
        } else {
            self.at_least("held_out", data.held_out.unwrap_or(0), 1);
        }
        let other_task = |name| format!("without `task = \"{name}\"`");
        if data.task != Some(TaskName::Arithmetic) {
            self.no_effect(
                "arithmetic",
                data.arithmetic.is_some(),
                &other_task("arithmetic"),
            );
        } else if let Some(task) = &data.arithmetic {
            self.pair("arithmetic.operands", task.operands, 2);
            self.at_least("arithmetic.max_value", task.max_value as usize, 1);
            let operators = &task.operators;
            let known = operators.chars().all(|symbol| "+-*".contains(symbol));
            self.that(
                known && !operators.is_empty(),
                "arithmetic.operators",
                || format!("is {operators:?}; it must hold one or more of the characters + - *"),
            );
            let StyleWeights {
                direct,
                steps,
                columns,
            } = task.styles;
            for (key, weight) in [("direct", direct), ("steps", steps), ("columns", columns)] {
                self.not_negative(&format!("arithmetic.styles.{key}"), weight);
            }
            self.that(direct + steps + columns != 0.0, "arithmetic.styles", || {
                "are all 0; at least one style must be drawn".into()
            });
        }
        if data.task != Some(TaskName::Countdown) {
            self.no_effect(
                "countdown",
                data.countdown.is_some(),
                &other_task("countdown"),
            );
        } else if let Some(task) = &data.countdown {
            self.pair("countdown.numbers", task.numbers, 2);
            self.that(task.numbers.1 <= 6, "countdown.numbers", || {
                format!(
                    "goes up to {}; at most 6 numbers can be searched",
                    task.numbers.1
                )
            });
            self.at_least("countdown.max_value", task.max_value as usize, 1);
            self.at_least("countdown.target_max", task.target_max as usize, 1);
            self.pair("countdown.misses", task.misses, 0);
        }
        for (task, settings) in data.generated() {
            let name = task.name();
            if data.task != Some(task) {
                self.no_effect(name, true, &other_task(name));
            } else if let Err(error) = settings.validate() {
                self.that(false, &format!("{name}.{}", error.field), || {
                    format!("is {}; expected {}", error.got, error.expected)
                });
            }
        }
    }

    fn pair(&mut self, key: &str, (low, high): (u32, u32), least: u32) {
        self.that(least <= low && low <= high, key, || {
            format!("is [{low}, {high}]; it must be [smallest, largest], from {least} upwards")
        });
    }

    pub(super) fn sampler(&mut self, sampler: &SamplerSection) {
        self.prefix = "sampler".into();
        self.not_negative("temperature", sampler.temperature);
        self.within("min_p", sampler.min_p, 0.0..=1.0);
        let top_p = sampler.top_p;
        self.that(top_p > 0.0 && top_p <= 1.0, "top_p", || {
            format!("is {top_p}; it must be above 0 and at most 1")
        });
        self.at_least("max_new_tokens", sampler.max_new_tokens, 1);
    }

    pub(super) fn verifier(&mut self, section: &VerifierSection) {
        self.prefix = "verifier".into();
        let verifier = match section {
            VerifierSection::Mix(mix) => mix,
            VerifierSection::Named(named) => {
                // What only a run has is taken as given; building it then says if it is not.
                let mut resources = Resources::default();
                resources.tokenize = Some(Arc::new(|_| Vec::new()));
                resources.scorer = Some(Arc::new(Nobody));
                if let Err(error) = named.spec().build_with(&resources) {
                    self.that(false, "name", || error.to_string());
                }
                return;
            }
        };
        self.not_negative("correct_weight", verifier.correct_weight);
        self.not_negative("format_weight", verifier.format_weight);
        self.that(
            verifier.correct_weight + verifier.format_weight != 0.0,
            "correct_weight",
            || {
                "and format_weight are both 0; the reward would be the same for every completion"
                    .into()
            },
        );
        if verifier.kind == VerifierKind::Countdown {
            self.that(
                verifier.extraction == Extraction::AfterThink,
                "extraction",
                || {
                    "must be after_think for kind = \"countdown\", whose answer is an expression"
                        .into()
                },
            );
        } else {
            let reason = "without `kind = \"countdown\"`";
            self.no_effect("use_all", verifier.use_all.is_some(), reason);
        }
    }

    pub(super) fn reward_model(
        &mut self,
        verifier: &VerifierSection,
        section: Option<&RewardModelSection>,
    ) {
        let asked = verifier.asks_a_model();
        self.prefix = "verifier".into();
        self.that(!asked || section.is_some(), "name", || {
            "reward_model needs a model: add a section [reward_model] with its path".into()
        });
        self.prefix = "reward_model".into();
        if let Some(section) = section {
            self.at_least("tokens_per_batch", section.tokens_per_batch, 1);
            self.no_effect(
                "path",
                !asked,
                "without a verifier that asks a reward model",
            );
        }
    }
}

/// Stands for the model that only a run reads.
struct Nobody;

impl Scorer for Nobody {
    fn score(&self, _: &[(&str, &str)]) -> Result<Vec<f64>, String> {
        Err("nothing is scored while a recipe is checked".into())
    }
}
