//! The sizes of a model, as in a Hugging Face `config.json`.

mod json;
mod rope_scaling;

use serde_json::{Map, Value};

use crate::ModelError;

pub(crate) use json::VALUE_HEAD;
pub use rope_scaling::{Llama3, RopeScaling, Yarn};

/// No size may be larger. It is beyond every model there is, and no product of two overflows.
const LARGEST_SIZE: usize = 1 << 24;
/// No model may have more layers.
const MOST_LAYERS: usize = 1 << 14;
/// No model may have more scalars in all its parameters together.
const MOST_SCALARS: u128 = 1 << 40;
/// No model may have more numbers in its table of rotary angles.
const LARGEST_ROTARY_TABLE: usize = 1 << 32;

/// The families of decoders this crate knows. They differ in biases and normalisations only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Qwen2 and Qwen2.5 (arXiv:2412.15115): biases on queries, keys and values.
    Qwen2,
    /// Qwen3 (arXiv:2505.09388): each head's queries and keys are normalised.
    Qwen3,
    /// Llama 2 and 3 (arXiv:2407.21783).
    Llama,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Qwen2, Self::Qwen3, Self::Llama];

    /// The `model_type` of a `config.json`.
    pub fn model_type(self) -> &'static str {
        match self {
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Llama => "llama",
        }
    }

    /// The prefix of transformers' classes.
    fn class(self) -> &'static str {
        match self {
            Self::Qwen2 => "Qwen2",
            Self::Qwen3 => "Qwen3",
            Self::Llama => "Llama",
        }
    }
}

/// What a trunk ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputHeads {
    /// The projection to the vocabulary: a language model, transformers' `ForCausalLM`.
    #[default]
    Vocabulary,
    /// One number per position beside it: a policy with a value function.
    VocabularyAndScore,
    /// One number in its place: a reward model or a value function alone, transformers'
    /// `ForSequenceClassification` with one label.
    Score,
}

/// The sizes and options of a decoder. Names are those of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The family.
    pub family: Family,
    /// Number of tokens in the vocabulary.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of decoder layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key-value heads; divides the number of query heads.
    pub num_key_value_heads: usize,
    /// Width of one head; even. Need not be hidden_size / num_attention_heads.
    pub head_dim: usize,
    /// Width of the feed-forward block.
    pub intermediate_size: usize,
    /// Base of the rotary frequencies.
    pub rope_theta: f64,
    /// How the frequencies are stretched for long texts.
    pub rope_scaling: RopeScaling,
    /// Whether queries, keys and values have biases, and the output projection, too, except in
    /// Qwen2 (which always has the former and never the latter).
    pub attention_bias: bool,
    /// Whether the feed-forward block has biases (Llama alone can).
    pub mlp_bias: bool,
    /// ε of the normalisations.
    pub rms_norm_eps: f64,
    /// Whether the vocabulary projection is the embedding's matrix.
    pub tie_word_embeddings: bool,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// The tokens that end a text.
    pub eos_token_ids: Vec<u32>,
    /// What the trunk ends in.
    pub heads: OutputHeads,
    /// What else stood in the `config.json` the model was read from; written back as it was.
    pub other: Map<String, Value>,
}

impl Config {
    /// Checks that such a model exists.
    ///
    /// # Errors
    /// [`ModelError::Config`] naming the sizes that do not fit.
    pub fn validate(&self) -> Result<(), ModelError> {
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ];
        let fail = |reason: String| Err(ModelError::Config(reason));
        for (name, size) in sizes {
            let most = match name {
                "num_hidden_layers" => MOST_LAYERS,
                _ => LARGEST_SIZE,
            };
            if size == 0 {
                return fail(format!("{name} is 0; it must be positive"));
            }
            if size > most {
                return fail(format!("{name} is {size}; the most is {most}"));
            }
        }
        if !self
            .num_attention_heads
            .is_multiple_of(self.num_key_value_heads)
        {
            return fail(format!(
                "num_key_value_heads ({}) must divide num_attention_heads ({})",
                self.num_key_value_heads, self.num_attention_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return fail(format!(
                "head_dim ({}) must be even: rotary pairs",
                self.head_dim
            ));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return fail(format!("rope_theta ({}) must be positive", self.rope_theta));
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps > 0.0) {
            return fail(format!(
                "rms_norm_eps ({}) must be positive",
                self.rms_norm_eps
            ));
        }
        let eos = &self.eos_token_ids;
        if let Some(id) = eos.iter().find(|&&id| id as usize >= self.vocab_size) {
            let size = self.vocab_size;
            return fail(format!(
                "eos_token_id {id} is not in a vocabulary of {size}"
            ));
        }
        if self.mlp_bias && self.family != Family::Llama {
            let family = self.family.model_type();
            return fail(format!("mlp_bias is true, but {family} has no such biases"));
        }
        if (self.family == Family::Qwen2) && !self.attention_bias {
            return fail("attention_bias is false, but qwen2 always has such biases".to_owned());
        }
        self.rope_scaling.validate().map_err(ModelError::Config)?;
        if self.max_position_embeddings * self.head_dim > LARGEST_ROTARY_TABLE {
            return fail(format!(
                "max_position_embeddings ({}) times head_dim ({}) is more than {LARGEST_ROTARY_TABLE}",
                self.max_position_embeddings, self.head_dim
            ));
        }
        let scalars = self.scalar_count();
        if scalars > MOST_SCALARS {
            return fail(format!(
                "it would have {scalars} scalars; the most is {MOST_SCALARS}"
            ));
        }
        Ok(())
    }

    /// The scalars in all parameters, counted without listing them.
    fn scalar_count(&self) -> u128 {
        let [vocabulary, hidden, layers, heads, kv_heads, head_dim, inner] = [
            self.vocab_size,
            self.hidden_size,
            self.num_hidden_layers,
            self.num_attention_heads,
            self.num_key_value_heads,
            self.head_dim,
            self.intermediate_size,
        ]
        .map(|size| size as u128);
        let attention = 2 * hidden * head_dim * (heads + kv_heads) + 2 * head_dim;
        // An upper bound: every bias there could be.
        let biases = head_dim * (heads + 2 * kv_heads) + 2 * hidden + 2 * inner;
        let layer = attention + 3 * hidden * inner + 2 * hidden + biases;
        let vocabulary_matrices = if self.tie_word_embeddings { 1 } else { 2 };
        vocabulary_matrices * vocabulary * hidden + layers * layer + hidden
    }

    /// Whether each head's queries and keys are normalised.
    pub fn query_key_norm(&self) -> bool {
        self.family == Family::Qwen3
    }

    /// Whether the output projection of the attention has a bias.
    pub fn output_bias(&self) -> bool {
        self.attention_bias && self.family != Family::Qwen2
    }

    /// Whether the vocabulary projection is a matrix of its own.
    pub(crate) fn has_own_projection(&self) -> bool {
        self.heads != OutputHeads::Score && !self.tie_word_embeddings
    }

    /// Name and shape of every parameter, as transformers names them.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let queries = self.num_attention_heads * self.head_dim;
        let keys = self.num_key_value_heads * self.head_dim;
        let named = |name: &str, shape: Vec<usize>| (name.to_owned(), shape);
        let mut shapes = vec![
            named("model.embed_tokens.weight", vec![self.vocab_size, hidden]),
            named("model.norm.weight", vec![hidden]),
        ];
        if self.heads != OutputHeads::Vocabulary {
            shapes.push(named("score.weight", vec![1, hidden]));
        }
        if self.has_own_projection() {
            shapes.push(named("lm_head.weight", vec![self.vocab_size, hidden]));
        }
        let (attention, output, mlp) = (self.attention_bias, self.output_bias(), self.mlp_bias);
        for layer in 0..self.num_hidden_layers {
            let mut push = |name: &str, shape: Vec<usize>| {
                shapes.push((format!("model.layers.{layer}.{name}"), shape));
            };
            push("input_layernorm.weight", vec![hidden]);
            push("post_attention_layernorm.weight", vec![hidden]);
            if self.query_key_norm() {
                push("self_attn.q_norm.weight", vec![self.head_dim]);
                push("self_attn.k_norm.weight", vec![self.head_dim]);
            }
            for (name, outputs, inputs, bias) in [
                ("self_attn.q_proj", queries, hidden, attention),
                ("self_attn.k_proj", keys, hidden, attention),
                ("self_attn.v_proj", keys, hidden, attention),
                ("self_attn.o_proj", hidden, queries, output),
                ("mlp.gate_proj", inner, hidden, mlp),
                ("mlp.up_proj", inner, hidden, mlp),
                ("mlp.down_proj", hidden, inner, mlp),
            ] {
                push(&format!("{name}.weight"), vec![outputs, inputs]);
                if bias {
                    push(&format!("{name}.bias"), vec![outputs]);
                }
            }
        }
        shapes
    }
}
