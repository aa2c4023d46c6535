//! The sizes of a model, as in a Hugging Face `config.json`.

use std::path::Path;

use serde_json::{Value, json};

use crate::ModelError;

/// No size may be larger. It is beyond every model there is, and no product of two overflows.
const LARGEST_SIZE: usize = 1 << 24;
/// No model may have more layers.
const MOST_LAYERS: usize = 1 << 14;
/// No model may have more scalars in all its parameters together.
const MOST_SCALARS: u128 = 1 << 40;
/// No model may have more numbers in its table of rotary angles.
const LARGEST_ROTARY_TABLE: usize = 1 << 32;

/// The sizes of a Qwen3-shaped decoder (Qwen3 technical report, arXiv:2505.09388). Names are those
/// of Hugging Face's `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
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
    /// ε of the normalisations.
    pub rms_norm_eps: f64,
    /// Whether the vocabulary projection is the embedding's matrix.
    pub tie_word_embeddings: bool,
    /// The longest sequence, in tokens.
    pub max_position_embeddings: usize,
    /// The token that ends a text.
    pub eos_token_id: Option<u32>,
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
        if self
            .eos_token_id
            .is_some_and(|id| id as usize >= self.vocab_size)
        {
            return fail(format!(
                "eos_token_id is not in a vocabulary of {}",
                self.vocab_size
            ));
        }
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
        let layer = attention + 3 * hidden * inner + 2 * hidden;
        let vocabulary_matrices = if self.tie_word_embeddings { 1 } else { 2 };
        vocabulary_matrices * vocabulary * hidden + layers * layer + hidden
    }

    /// Name and shape of every parameter, as transformers' `Qwen3ForCausalLM` names them.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (hidden, inner) = (self.hidden_size, self.intermediate_size);
        let queries = self.num_attention_heads * self.head_dim;
        let keys = self.num_key_value_heads * self.head_dim;
        let mut shapes = vec![
            (
                "model.embed_tokens.weight".to_owned(),
                vec![self.vocab_size, hidden],
            ),
            ("model.norm.weight".to_owned(), vec![hidden]),
        ];
        if !self.tie_word_embeddings {
            shapes.push(("lm_head.weight".to_owned(), vec![self.vocab_size, hidden]));
        }
        for layer in 0..self.num_hidden_layers {
            let of_layer = [
                ("input_layernorm.weight", vec![hidden]),
                ("self_attn.q_proj.weight", vec![queries, hidden]),
                ("self_attn.k_proj.weight", vec![keys, hidden]),
                ("self_attn.v_proj.weight", vec![keys, hidden]),
                ("self_attn.o_proj.weight", vec![hidden, queries]),
                ("self_attn.q_norm.weight", vec![self.head_dim]),
                ("self_attn.k_norm.weight", vec![self.head_dim]),
                ("post_attention_layernorm.weight", vec![hidden]),
                ("mlp.gate_proj.weight", vec![inner, hidden]),
                ("mlp.up_proj.weight", vec![inner, hidden]),
                ("mlp.down_proj.weight", vec![hidden, inner]),
            ];
            let prefix = format!("model.layers.{layer}.");
            shapes.extend(of_layer.map(|(name, shape)| (format!("{prefix}{name}"), shape)));
        }
        shapes
    }

    /// As the JSON transformers reads.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            "attention_bias": false,
            "attention_dropout": 0.0,
            "bos_token_id": null,
            "eos_token_id": self.eos_token_id,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_scaling": null,
            "rope_theta": self.rope_theta,
            "sliding_window": null,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": "float32",
            "use_cache": true,
            "use_sliding_window": false,
            "vocab_size": self.vocab_size,
        })
    }

    /// From the JSON of a `config.json`; `path` is only for messages.
    pub(crate) fn from_json(json: &Value, path: &Path) -> Result<Self, ModelError> {
        let fields = Fields { json, path };
        let unsupported = |reason: String| {
            Err(ModelError::Unsupported(format!(
                "{}: {reason}",
                path.display()
            )))
        };
        match json.get("model_type").and_then(Value::as_str) {
            Some("qwen3") => {}
            other => {
                let found = other.unwrap_or("nothing");
                return unsupported(format!("model_type is {found}; \"qwen3\" is supported"));
            }
        }
        for key in ["attention_bias", "use_sliding_window"] {
            if fields.flag(key)? {
                return unsupported(format!("{key} = true; only false is supported"));
            }
        }
        let layer_types = json.get("layer_types").and_then(Value::as_array);
        if let Some(kind) =
            layer_types.and_then(|kinds| kinds.iter().find(|&kind| kind != "full_attention"))
        {
            return unsupported(format!(
                "layer_types has {kind}; only \"full_attention\" is supported"
            ));
        }
        if let Some(act) = json
            .get("hidden_act")
            .and_then(Value::as_str)
            .filter(|&a| a != "silu")
        {
            return unsupported(format!("hidden_act is {act}; only \"silu\" is supported"));
        }
        // transformers 5 keeps the rotary settings in one object, earlier versions beside the rest.
        let rotary: Vec<&Value> = ["rope_parameters", "rope_scaling"]
            .iter()
            .filter_map(|&key| json.get(key))
            .collect();
        let kinds = rotary
            .iter()
            .filter_map(|r| r.get("rope_type").or_else(|| r.get("type")));
        if let Some(kind) = kinds.into_iter().find(|&kind| kind != "default") {
            return unsupported(format!(
                "rope_type is {kind}; only \"default\" is supported"
            ));
        }
        let theta = rotary
            .iter()
            .find_map(|r| r.get("rope_theta"))
            .or_else(|| json.get("rope_theta"));
        let config = Self {
            vocab_size: fields.size("vocab_size")?,
            hidden_size: fields.size("hidden_size")?,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: fields.size("num_attention_heads")?,
            num_key_value_heads: fields.size("num_key_value_heads")?,
            head_dim: fields.size("head_dim")?,
            intermediate_size: fields.size("intermediate_size")?,
            rope_theta: fields.number("rope_theta", theta)?,
            rms_norm_eps: fields.number("rms_norm_eps", json.get("rms_norm_eps"))?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?,
            max_position_embeddings: fields.size("max_position_embeddings")?,
            eos_token_id: fields.token("eos_token_id")?,
        };
        config.validate()?;
        Ok(config)
    }
}

struct Fields<'a> {
    json: &'a Value,
    path: &'a Path,
}

impl Fields<'_> {
    fn malformed(&self, key: &str, expected: &str, found: Option<&Value>) -> ModelError {
        let found = found.map_or("nothing".to_owned(), Value::to_string);
        ModelError::Malformed {
            path: self.path.to_owned(),
            reason: format!("{key} must be {expected}, found {found}"),
        }
    }

    fn size(&self, key: &str) -> Result<usize, ModelError> {
        let value = self.json.get(key);
        let size = value
            .and_then(Value::as_u64)
            .and_then(|size| usize::try_from(size).ok());
        size.ok_or_else(|| self.malformed(key, "a whole number", value))
    }

    /// A missing flag is false, as in transformers' `Qwen3Config`.
    fn flag(&self, key: &str) -> Result<bool, ModelError> {
        match self.json.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            found => Err(self.malformed(key, "true or false", found)),
        }
    }

    /// transformers allows a list of tokens, too; more than one would have to be ignored here.
    fn token(&self, key: &str) -> Result<Option<u32>, ModelError> {
        match self.json.get(key) {
            None | Some(Value::Null) => Ok(None),
            found => {
                let id = found.and_then(Value::as_u64);
                let id = id.and_then(|id| u32::try_from(id).ok());
                let malformed = || self.malformed(key, "one token id or null", found);
                id.map(Some).ok_or_else(malformed)
            }
        }
    }

    fn number(&self, key: &str, value: Option<&Value>) -> Result<f64, ModelError> {
        value
            .and_then(Value::as_f64)
            .ok_or_else(|| self.malformed(key, "a number", value))
    }
}
