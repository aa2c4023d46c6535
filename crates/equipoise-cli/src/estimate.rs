//! How large a run is before it begins: parameters, tokens, and the predicted peak memory.
//!
//! Everything is `f32`, so every number is four bytes. With P parameters, L layers, hidden width H,
//! query width Q = heads · head_dim, key width K = key_value_heads · head_dim, feed-forward width I,
//! vocabulary V, and micro-batches of t tokens of which m are in work at a time:
//!
//! ```text
//! always      weights P, moments of AdamW 2P, reference policy P if a divergence is weighed
//! sampling    cache      2·L·K per position of every row that is decoded at a time,
//!             logits     V per such row
//! training    gradients  P for the sum, P for each of the m micro-batches
//!             tape       m · t · (L·(4H + 4Q + 4K + 3I) + 5H + 3I)
//!             logits     at most max(2²⁰, V) per micro-batch
//! saving      2P: the checkpoint's bytes, once per tensor and once in the order of the file
//! peak        the sum of the four, for the stage that needs most
//! ```
//!
//! The phases do not overlap, but they add up: what one of them frees, the allocator keeps for later.
//! The program itself, some 30 MiB, comes on top. `recipes/arithmetic.toml` on two threads is
//! predicted to need 437 MiB and was measured at 463 MiB; with a model of 10.8 M parameters and
//! micro-batches of 2048 tokens it was 989 MiB against 969 MiB.
//!
//! The tape holds what the backward pass needs of every operation in the decoder's forward pass, per
//! layer and token: two normalised inputs and two residual sums (4H); the query as projected,
//! normalised and rotated, and the mixed values (4Q); the same for the key, and the value (4K); gate,
//! up, and their product (3I). The embedding, the rows that are scored and their normalisation, and
//! the gradients at the front of the backward pass are the 5H + 3I. Prompts are taken to be as long
//! as the longest of the first ones, and completions as long as they may be, so that a run usually
//! stays below the prediction.

use equipoise_models::Config;
use equipoise_trainer::recipe::{Recipe, RlStage, SftStage, Stage};
use equipoise_trainer::{Outline, TrainError};

/// How many problems and demonstrations are looked at to learn how long they are.
const LOOKED_AT: u64 = 64;
/// The rows one thread of the sampler decodes together.
const ROWS_PER_THREAD: usize = 128;
/// The logits one thread computes at a time, unless a single row has more.
const LOGITS_AT_A_TIME: f64 = (1 << 20) as f64;
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

/// The predicted memory of a run, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The model.
    pub(crate) weights: u64,
    /// The optimiser's.
    pub(crate) moments: u64,
    /// The policy a divergence is measured from.
    pub(crate) reference: u64,
    /// The most the sampler needs.
    pub(crate) sampling: u64,
    /// The gradients, the sum and one per micro-batch in work.
    pub(crate) gradients: u64,
    /// The tapes of the micro-batches in work, with their logits.
    pub(crate) tape: u64,
    /// The bytes of a checkpoint.
    pub(crate) saving: u64,
}

impl Memory {
    /// Everything together.
    pub(crate) fn peak(&self) -> u64 {
        let always = self.weights + self.moments + self.reference;
        always + self.sampling + self.gradients + self.tape + self.saving
    }
}

/// The prediction for the stage that needs most, on this many threads.
pub(crate) fn memory(recipe: &Recipe, config: &Config, lengths: Lengths, threads: usize) -> Memory {
    let sizes = Sizes {
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
            reference: match stage.kl_coefficient {
                0.0 => 0,
                _ => training.weights,
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
        let at_a_time = (total / tokens.max(1.0)).ceil().min(self.threads as f64);
        let per_layer = 4.0 * (hidden + queries + keys) + 3.0 * inner;
        let layers = self.config.num_hidden_layers as f64;
        let per_token = layers * per_layer + 5.0 * hidden + 3.0 * inner;
        let logits = (tokens * vocabulary).min(LOGITS_AT_A_TIME.max(vocabulary));
        let parameters = parameters(self.config) as f64;
        Memory {
            weights: bytes(parameters),
            moments: bytes(2.0 * parameters),
            reference: 0,
            sampling: 0,
            gradients: bytes(parameters * (1.0 + at_a_time)),
            tape: bytes(at_a_time * (tokens * per_token + logits)),
            saving: bytes(2.0 * parameters),
        }
    }

    /// The caches and logits of the rows decoded at a time, for so many prompts and samples of each.
    fn sampling(&self, prompts: usize, samples: usize) -> u64 {
        let threads = self.threads.min(prompts.max(1));
        let share = prompts.saturating_mul(samples).div_ceil(threads);
        // A prompt's samples are decoded together, by one thread.
        let groups = (ROWS_PER_THREAD.min(share) / samples.max(1)).max(1) as f64;
        let rows = groups * samples as f64;
        let positions = rows * self.lengths.completion as f64 + groups * self.lengths.prompt as f64;
        let keys = self.config.num_key_value_heads * self.config.head_dim;
        let per_position = (2 * self.config.num_hidden_layers * keys) as f64;
        let logits = rows * self.config.vocab_size as f64;
        bytes(threads as f64 * (positions * per_position + logits))
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

    /// RL of 4 prompts × 4 samples in 2 updates: 8 sequences of 10 tokens, micro-batches of 20, so
    /// two of four at a time on two threads. Per token 2·(32 + 32 + 16 + 48) + 40 + 48 = 344 numbers;
    /// logits 20·10. Sampling: 2 threads × 2 groups of 4 rows: 8·6 + 2·4 positions of 2·2·4 numbers,
    /// and 8·10 logits.
    #[test]
    fn memory_by_hand() {
        let budget = "stage.rl.tokens_per_micro_batch=20";
        let short = recipe(&[budget, "stage.sft.batch_size=1", "data.held_out=1"]);
        let found = memory(&short, &config(), LENGTHS, 2);
        let p = 4 * 1288;
        let expected = Memory {
            weights: p,
            moments: 2 * p,
            reference: p,
            sampling: 4 * 2 * (56 * 16 + 80),
            gradients: 3 * p,
            tape: 4 * 2 * (20 * 344 + 200),
            saving: 2 * p,
        };
        assert_eq!(found, expected);
        assert_eq!(found.peak(), 9 * p + 4 * 2 * (976 + 7080));
    }

    #[test]
    fn more_threads_and_longer_completions_need_more() {
        let peak = |threads, completion| {
            let lengths = Lengths {
                completion,
                ..LENGTHS
            };
            memory(&recipe(&[]), &config(), lengths, threads).peak()
        };
        assert!(peak(1, 24) < peak(2, 24));
        assert!(peak(2, 12) < peak(2, 24));
    }
}
