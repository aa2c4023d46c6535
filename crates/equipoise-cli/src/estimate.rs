//! How large a run is before it begins: parameters, tokens, and the predicted peak memory.
//!
//! Everything is `f32`, so every number is four bytes. With P parameters, of which T are trained (all of
//! them, or those of an adapter besides), L layers, hidden width H, query width Q = heads · head_dim, key
//! width K = key_value_heads · head_dim, feed-forward width I, vocabulary V, and micro-batches of t tokens:
//!
//! ```text
//! always      weights P (and an adapter's), moments of AdamW 2T,
//!             reference policy P if a divergence is weighed and there is no adapter,
//!             rotary angles max_position_embeddings · head_dim
//! sampling    cache      2·L·K per position of every row that is decoded at a time,
//!             logits     V per such row
//!             packed     P, for models of at most 64 million parameters or in bf16
//! training    gradients  T
//!             tape       t · (L·(2H + 2Q + 2K + 2I) + 3H), or with layers computed again
//!                        t · (L·H + H + 2Q + 2K + 2I + 3H)
//!             work       t · (4H + 2Q + 2K + 2I), and min(512, V) logits per token
//! saving      the largest tensor; P for an adapter's merged copy
//! peak        the sum of the four, for the stage that needs most
//! ```
//!
//! The phases do not overlap, but they add up: what one of them frees, the allocator keeps for later.
//! The program itself, some 30 MiB, comes on top. `recipes/arithmetic.toml` on two threads is predicted
//! to need 129 MiB, and was measured at 256 MiB: for small models the prediction is too low.
//!
//! The tape holds what the backward pass of a layer cannot do without, per token: its input and the
//! residual sum in its middle (2H), the query as projected and what the attention gives (2Q), key and value
//! (2K), gate and up (2I); and at the end the output, and the rows that are scored before and after their
//! normalisation (3H). The rest is computed again. Prompts are taken to be as long as the longest of the
//! first ones, and completions as long as they may be. What blocks of rows are worked on in, packed operands,
//! and buffers that stay because they may be wanted again are not counted, so that a small model needs more
//! than the prediction.

use equipoise_kernels::rows::log_prob;
use equipoise_models::Config;
use equipoise_models::decoder::decoding::COPIED;
use equipoise_samplers::rows_at_a_time;
use equipoise_trainer::recipe::{Precision, Recipe, RlStage, SftStage, Stage};
use equipoise_trainer::{Outline, TrainError};

/// How many problems and demonstrations are looked at to learn how long they are.
const LOOKED_AT: u64 = 64;
/// The rows one thread of the sampler decodes together.
const ROWS_PER_THREAD: usize = 128;
const BYTES: f64 = 4.0;

/// Lengths in tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lengths {
    /// The longest prompt that was looked at.
    pub(crate) prompt: usize,
    /// The longest demonstration, prompt and end of sequence included; `None` if there is none.
    pub(crate) demonstration: Option<usize>,
    /// The most new tokens of a completion.
    pub(crate) completion: usize,
}

impl Lengths {
    /// Measures the first problems and demonstrations.
    ///
    /// # Errors
    /// If the tokenizer has no token for a character of them.
    pub(crate) fn measure(recipe: &Recipe, outline: &Outline) -> anyhow::Result<Self> {
        let source = &outline.source;
        let tokens = |text: &str, place: &str| -> anyhow::Result<usize> {
            let tokens = outline.tokenizer.encode(text).map_err(TrainError::from);
            Ok(tokens
                .map_err(|error| anyhow::Error::from(error).context(place.to_owned()))?
                .len())
        };
        let mut prompt = 0;
        for problem in source.held_out().iter().take(LOOKED_AT as usize) {
            prompt = prompt.max(tokens(&problem.prompt, &problem.source)?);
        }
        let mut demonstration = None;
        for number in 0..LOOKED_AT {
            if !source.is_empty() {
                let problem = source.train(number);
                prompt = prompt.max(tokens(&problem.prompt, &problem.source)?);
            }
            if let Some(one) = source.demonstration(number) {
                let place = &one.problem.source;
                let length =
                    tokens(&one.problem.prompt, place)? + tokens(&one.completion, place)? + 1;
                demonstration = demonstration.max(Some(length));
            }
        }
        Ok(Self {
            prompt,
            demonstration,
            completion: recipe.sampler.max_new_tokens,
        })
    }
}

/// The number of scalars of a model.
pub(crate) fn parameters(config: &Config) -> u64 {
    let shapes = config.parameter_shapes().into_iter();
    let sizes = shapes.map(|(_, shape)| shape.into_iter().map(|size| size as u64).product::<u64>());
    sizes.sum()
}

/// The number of scalars that are trained.
pub(crate) fn trained(recipe: &Recipe, config: &Config) -> u64 {
    let Some(lora) = &recipe.lora else {
        return parameters(config);
    };
    let adapter = lora.config();
    let shapes = config.parameter_shapes().into_iter();
    let sizes = shapes.map(|(name, shape)| match name.strip_suffix(".weight") {
        Some(module)
            if shape.len() == 2 && module.ends_with("_proj") && adapter.targets(module) =>
        {
            (lora.rank * (shape[0] + shape[1])) as u64
        }
        _ => 0,
    });
    sizes.sum()
}

/// The predicted memory of a run, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The model.
    pub(crate) weights: u64,
    /// The optimiser's.
    pub(crate) moments: u64,
    /// The table of rotary angles, which all copies of the model share.
    pub(crate) rotary: u64,
    /// The policy a divergence is measured from.
    pub(crate) reference: u64,
    /// The most the sampler needs.
    pub(crate) sampling: u64,
    /// The gradients.
    pub(crate) gradients: u64,
    /// The tape of a micro-batch, and what its backward pass works in.
    pub(crate) tape: u64,
    /// The bytes of a checkpoint.
    pub(crate) saving: u64,
}

impl Memory {
    /// Everything together.
    pub(crate) fn peak(&self) -> u64 {
        let always = self.weights + self.moments + self.rotary + self.reference;
        always + self.sampling + self.gradients + self.tape + self.saving
    }
}

/// The prediction for the stage that needs most, on this many threads.
pub(crate) fn memory(recipe: &Recipe, config: &Config, lengths: Lengths, threads: usize) -> Memory {
    let sizes = Sizes {
        recipe,
        config,
        lengths,
        threads: threads.max(1),
        held_out: recipe
            .data
            .held_out
            .unwrap_or(ROWS_PER_THREAD * threads.max(1)),
    };
    let stages = recipe.stages.iter().map(|stage| match stage {
        Stage::Sft(stage) => sizes.sft(stage),
        Stage::Rl(stage) => sizes.rl(stage),
    });
    stages.max_by_key(Memory::peak).unwrap_or_default()
}

struct Sizes<'a> {
    recipe: &'a Recipe,
    config: &'a Config,
    lengths: Lengths,
    threads: usize,
    held_out: usize,
}

impl Sizes<'_> {
    fn sft(&self, stage: &SftStage) -> Memory {
        let longest = self.lengths.demonstration.unwrap_or(0);
        let sequences = stage.batch_size;
        Memory {
            sampling: self.sampling(self.held_out, stage.eval_samples.max(1)),
            ..self.training(sequences, longest, stage.tokens_per_micro_batch)
        }
    }

    fn rl(&self, stage: &RlStage) -> Memory {
        let longest = self.lengths.prompt.saturating_add(self.lengths.completion);
        let completions = stage
            .prompts_per_step
            .saturating_mul(stage.samples_per_prompt);
        let sequences = completions / stage.updates_per_rollout.max(1);
        let training = self.training(sequences, longest, stage.tokens_per_micro_batch);
        let rollout = self.sampling(stage.prompts_per_step, stage.samples_per_prompt);
        let evaluation = self.sampling(self.held_out, stage.eval_samples.max(1));
        Memory {
            sampling: rollout.max(evaluation),
            // The base of an adapter is its own reference.
            reference: match (&self.recipe.lora, stage.kl_coefficient != 0.0) {
                (None, true) => training.weights,
                _ => 0,
            },
            ..training
        }
    }

    /// Everything but the sampler and the reference.
    fn training(&self, sequences: usize, longest: usize, budget: usize) -> Memory {
        let hidden = self.config.hidden_size as f64;
        let inner = self.config.intermediate_size as f64;
        let queries = (self.config.num_attention_heads * self.config.head_dim) as f64;
        let keys = (self.config.num_key_value_heads * self.config.head_dim) as f64;
        let vocabulary = self.config.vocab_size as f64;
        let total = sequences as f64 * longest as f64;
        let tokens = (budget.max(longest) as f64).min(total);
        let layers = self.config.num_hidden_layers as f64;
        let layer = hidden + 2.0 * (queries + keys + inner);
        let kept = match self.recipe.engine.activation_checkpointing {
            true => layers * hidden + layer,
            false => layers * (hidden + layer),
        };
        let work = 4.0 * hidden + 2.0 * (queries + keys + inner);
        let per_token = kept + 3.0 * hidden + work + vocabulary.min(log_prob::BLOCK as f64);
        let (all, trained) = (parameters(self.config), trained(self.recipe, self.config));
        let adapter = self.recipe.lora.as_ref().map_or(0, |_| trained);
        let shapes = self.config.parameter_shapes().into_iter();
        let largest = shapes.map(|(_, shape)| shape.into_iter().product::<usize>());
        Memory {
            weights: bytes((all + adapter) as f64),
            moments: bytes(2.0 * trained as f64),
            // A cosine and a sine for each pair of a head's elements and each position.
            rotary: bytes(self.config.max_position_embeddings as f64 * self.config.head_dim as f64),
            reference: 0,
            sampling: 0,
            gradients: bytes(trained as f64),
            tape: bytes(tokens * per_token),
            saving: match adapter {
                0 => bytes(largest.max().unwrap_or(0) as f64),
                _ => bytes(all as f64),
            },
        }
    }

    /// The caches and logits of the rows decoded at a time, for so many prompts and samples of each.
    fn sampling(&self, prompts: usize, samples: usize) -> u64 {
        let rows = rows_at_a_time(prompts, samples, self.threads) as f64;
        let groups = rows / samples.max(1) as f64;
        let positions = rows * self.lengths.completion as f64 + groups * self.lengths.prompt as f64;
        let keys = self.config.num_key_value_heads * self.config.head_dim;
        let per_position = (2 * self.config.num_hidden_layers * keys) as f64;
        let logits = rows * self.config.vocab_size as f64;
        let all = parameters(self.config);
        let packed = match self.recipe.engine.precision {
            Precision::F32 if all > COPIED as u64 => 0.0,
            _ => all as f64,
        };
        bytes(positions * per_position + logits + packed)
    }
}

/// Of so many numbers. Computed in floating point up to here, where a recipe with absurd sizes
/// saturates instead of overflowing.
fn bytes(numbers: f64) -> u64 {
    (numbers * BYTES) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use equipoise_models::{Family, RopeScaling};

    fn config() -> Config {
        Config {
            vocab_size: 10,
            hidden_size: 8,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 4,
            intermediate_size: 16,
            rope_theta: 1e4,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: true,
            max_position_embeddings: 64,
            family: Family::Qwen3,
            rope_scaling: RopeScaling::Default,
            attention_bias: false,
            mlp_bias: false,
            eos_token_ids: vec![0],
            heads: Default::default(),
            other: Default::default(),
        }
    }

    fn recipe(overrides: &[&str]) -> Recipe {
        let text = include_str!("../../../recipes/tiny.toml");
        let overrides: Vec<String> = overrides.iter().map(|&one| one.to_owned()).collect();
        Recipe::parse(text, "tiny.toml", &overrides).unwrap()
    }

    const LENGTHS: Lengths = Lengths {
        prompt: 4,
        demonstration: Some(10),
        completion: 6,
    };

    /// Embedding 10·8, final norm 8; per layer: norms 8 + 8 + 4 + 4, query 8·8, key and value 4·8
    /// each, output 8·8, feed-forward 3·16·8: 24 + 64 + 64 + 64 + 384 = 600. 88 + 1200.
    #[test]
    fn parameters_by_hand() {
        assert_eq!(parameters(&config()), 1288);
    }

    /// RL of 4 prompts × 4 samples in 2 updates: 8 sequences of 10 tokens, micro-batches of 20. Per token a
    /// tape of 2·(16 + 16 + 8 + 32) + 24 = 168 numbers, 88 to work in and 10 logits. Sampling: 2 threads × 2
    /// groups of 4 rows: 8·6 + 2·4 positions of 2·2·4 numbers, 8·10 logits, and the packed weights. The
    /// largest tensor is 16 × 8.
    #[test]
    fn memory_by_hand() {
        let budget = "stage.rl.tokens_per_micro_batch=20";
        let short = recipe(&[budget, "stage.sft.batch_size=1", "data.held_out=1"]);
        let found = memory(&short, &config(), LENGTHS, 2);
        let p = 4 * 1288;
        let expected = Memory {
            weights: p,
            moments: 2 * p,
            // 64 positions of heads of 4.
            rotary: 4 * 256,
            reference: p,
            sampling: 4 * 2 * (56 * 16 + 80) + p,
            gradients: p,
            tape: 4 * 20 * (168 + 88 + 10),
            saving: 4 * 128,
        };
        assert_eq!(found, expected);
        assert_eq!(found.peak(), 6 * p + 4 * (256 + 2 * 976 + 20 * 266 + 128));
        // Layers computed again: 2·8 + 8 + 2·(8 + 4 + 16) + 24 = 104 instead of 168.
        let again = "engine.activation_checkpointing=true";
        let short = recipe(&[budget, again, "stage.sft.batch_size=1", "data.held_out=1"]);
        let tape = memory(&short, &config(), LENGTHS, 2).tape;
        assert_eq!(tape, 4 * 20 * (104 + 88 + 10));
    }

    /// Rank 2 on two layers: query 8 + 8, key and value 8 + 4, output 8 + 8, feed-forward three times
    /// 8 + 16, twice: 2·2·(16 + 12 + 12 + 16 + 72) = 512.
    #[test]
    fn an_adapter_is_all_that_is_trained() {
        let recipe = recipe(&["lora.rank=2", "stage.sft.batch_size=1"]);
        assert_eq!(trained(&recipe, &config()), 512);
        let found = memory(&recipe, &config(), LENGTHS, 2);
        assert_eq!((found.weights, found.reference), (4 * 1800, 0));
        assert_eq!((found.moments, found.gradients), (4 * 1024, 4 * 512));
    }

    #[test]
    fn more_threads_and_longer_completions_need_more() {
        let peak = |threads, completion| {
            let lengths = Lengths {
                completion,
                ..LENGTHS
            };
            memory(
                &recipe(&["data.held_out=1000"]),
                &config(),
                lengths,
                threads,
            )
            .peak()
        };
        assert!(peak(1, 24) < peak(2, 24));
        assert!(peak(2, 12) < peak(2, 24));
    }
}
