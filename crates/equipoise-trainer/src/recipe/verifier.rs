//! `[verifier]`: how completions are scored.

use std::path::PathBuf;

use equipoise_verifiers::VerifierSpec;
use serde::{Deserialize, Serialize};
use serde_json::{Map, json};

use super::data::{DataSection, TaskName};
use super::defaults;

/// How completions are scored.
///
/// ```toml
/// [verifier]                # any verifier of the catalogue, with its options
/// name = "math"
/// decimals = 4
///
/// [verifier]                # correctness of small tasks and the form of a thought, weighted
/// kind = "number"
/// correct_weight = 0.9
/// format_weight = 0.1
/// ```
///
/// Without the section, a procedural task is scored by the verifier that it names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum VerifierSection {
    /// A verifier of [`CATALOGUE`](equipoise_verifiers::CATALOGUE).
    Named(NamedVerifier),
    /// Correctness and format.
    Mix(VerifierMix),
}

/// A verifier by its name, with its options beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedVerifier {
    /// The verifier's name.
    pub name: String,
    /// Its options.
    #[serde(flatten)]
    pub options: Map<String, serde_json::Value>,
}

impl NamedVerifier {
    /// The same as the verifiers' crate knows it.
    pub fn spec(&self) -> VerifierSpec {
        VerifierSpec {
            name: self.name.clone(),
            options: self.options.clone(),
        }
    }

    fn of(spec: VerifierSpec) -> Self {
        Self {
            name: spec.name,
            options: spec.options,
        }
    }

    /// The verifier of a procedural task, which looks behind the thought; `None` for data that does
    /// not say how it is scored.
    pub(super) fn of_task(data: &DataSection) -> Option<Self> {
        use equipoise_data::Task as _;
        let name = data.task?;
        if let (TaskName::Mixture, mixture) = (name, data.mixture.clone().unwrap_or_default())
            && mixture.verifier() == equipoise_data::Mixture::BY_SOURCE
        {
            let sources: Map<String, serde_json::Value> = mixture
                .verifiers()
                .into_iter()
                .map(|(source, verifier)| (source.to_owned(), json!(after_thought(verifier))))
                .collect();
            return Some(Self::of(
                VerifierSpec::new("by_source").with("sources", sources),
            ));
        }
        let verifier = match name {
            TaskName::Arithmetic => "exact_number",
            TaskName::Countdown => "countdown",
            _ => {
                let mut data = data.clone();
                data.resolve_generated();
                let mut tasks = data.generated().into_iter();
                tasks.find_map(|(other, task)| (other == name).then(|| task.verifier()))?
            }
        };
        Some(Self::of(after_thought(verifier)))
    }
}

impl VerifierSection {
    /// Whether a reward model is asked, by itself or inside of a composition.
    pub(super) fn asks_a_model(&self) -> bool {
        fn names(value: &serde_json::Value) -> bool {
            match value {
                serde_json::Value::String(text) => text == REWARD_MODEL,
                serde_json::Value::Array(items) => items.iter().any(names),
                serde_json::Value::Object(map) => map.values().any(names),
                _ => false,
            }
        }
        match self {
            Self::Named(named) => named.name == REWARD_MODEL || named.options.values().any(names),
            Self::Mix(_) => false,
        }
    }
}

/// The verifier that asks a model.
const REWARD_MODEL: &str = "reward_model";

/// `[reward_model]`: the model that the verifier `reward_model` asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RewardModelSection {
    /// A sequence classifier with one output, in the layout of Hugging Face, with its tokenizer.
    pub path: PathBuf,
    /// The most tokens that go through it at once. Changes memory and speed, not the result.
    #[serde(default = "defaults::tokens_per_micro_batch")]
    pub tokens_per_batch: usize,
}

/// The verifier that a task names, for what stands behind the thought.
fn after_thought(verifier: &str) -> VerifierSpec {
    let tag = json!({ "after_tag": "</think>" });
    match verifier {
        "countdown" => VerifierSpec::new("countdown_expression").with("after_tag", "</think>"),
        "exact_number" | "exact_match" => VerifierSpec::new(verifier).with("extraction", tag),
        other => VerifierSpec::new(other),
    }
}

/// A weighted mean of correctness and format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifierMix {
    /// What a right answer is.
    pub kind: VerifierKind,
    /// Where in a completion the answer stands.
    #[serde(default = "defaults::extraction")]
    pub extraction: Extraction,
    /// Whether every given number has to be used. Only with `kind = "countdown"`.
    pub use_all: Option<bool>,
    /// The weight of correctness in the reward.
    #[serde(default = "defaults::correct_weight")]
    pub correct_weight: f64,
    /// The weight of the format, `<think>…</think>` and then an answer, in the reward.
    #[serde(default = "defaults::format_weight")]
    pub format_weight: f64,
}

/// What a right answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifierKind {
    /// A number equal to the problem's.
    Number,
    /// An expression over the given numbers that reaches the target.
    Countdown,
}

/// Where in a completion the answer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// Everything after the last `</think>`.
    AfterThink,
    /// The last number.
    LastNumber,
    /// The first number after the last `####`.
    Hashes,
}
