//! `config.json`, read and written.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Config, Family, Llama3, OutputHeads, RopeScaling, Yarn};
use crate::ModelError;

/// A key of our own, which transformers passes over.
pub(crate) const VALUE_HEAD: &str = "equipoise_value_head";

/// Keys that are interpreted, and so are not carried along.
const KNOWN: [&str; 27] = [
    VALUE_HEAD,
    "id2label",
    "label2id",
    "architectures",
    "model_type",
    "attention_bias",
    "mlp_bias",
    "eos_token_id",
    "head_dim",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_scaling",
    "rope_parameters",
    "rope_theta",
    "tie_word_embeddings",
    "torch_dtype",
    "dtype",
    "vocab_size",
    "use_sliding_window",
    "num_labels",
    "sliding_window",
];

impl Config {
    /// As the JSON transformers reads, without what was carried along.
    pub(crate) fn to_json(&self) -> Value {
        let task = match self.heads {
            OutputHeads::Score => "ForSequenceClassification",
            _ => "ForCausalLM",
        };
        let eos = match &self.eos_token_ids[..] {
            [] => Value::Null,
            [id] => json!(id),
            ids => json!(ids),
        };
        let mut json = json!({
            "architectures": [format!("{}{task}", self.family.class())],
            "model_type": self.family.model_type(),
            "eos_token_id": eos,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "max_position_embeddings": self.max_position_embeddings,
            "num_attention_heads": self.num_attention_heads,
            "num_hidden_layers": self.num_hidden_layers,
            "num_key_value_heads": self.num_key_value_heads,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_scaling": self.rope_scaling.to_json(),
            "rope_theta": self.rope_theta,
            "tie_word_embeddings": self.tie_word_embeddings,
            "torch_dtype": "float32",
            "vocab_size": self.vocab_size,
        });
        if self.family != Family::Llama {
            json["use_sliding_window"] = json!(false);
            json["sliding_window"] = Value::Null;
        }
        if self.family != Family::Qwen2 {
            json["attention_bias"] = json!(self.attention_bias);
        }
        if self.family == Family::Llama {
            json["mlp_bias"] = json!(self.mlp_bias);
        }
        match self.heads {
            OutputHeads::Vocabulary => {}
            OutputHeads::VocabularyAndScore => json[VALUE_HEAD] = json!(true),
            OutputHeads::Score => {
                // transformers counts the labels by their names.
                json["id2label"] = json!({ "0": "LABEL_0" });
                json["label2id"] = json!({ "LABEL_0": 0 });
            }
        }
        json
    }

    /// The whole file: what was carried along, and over it what this crate interprets.
    pub(crate) fn to_file(&self) -> Value {
        let mut whole = self.other.clone();
        if let Value::Object(known) = self.to_json() {
            whole.extend(known);
        }
        Value::Object(whole)
    }

    /// From the JSON of a `config.json`; `path` is only for messages.
    pub(crate) fn from_json(json: &Value, path: &Path) -> Result<Self, ModelError> {
        let fields = Fields { json, path };
        let family = fields.family()?;
        fields.refuse_what_is_not_done()?;
        let qwen2 = family == Family::Qwen2;
        let heads = fields.size("num_attention_heads")?;
        let hidden_size = fields.size("hidden_size")?;
        let max_position_embeddings = fields.size("max_position_embeddings")?;
        let config = Self {
            family,
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            num_hidden_layers: fields.size("num_hidden_layers")?,
            num_attention_heads: heads,
            num_key_value_heads: fields
                .optional_size("num_key_value_heads")?
                .unwrap_or(heads),
            // transformers' defaults: 128 for Qwen3, an equal share of the stream for the others.
            head_dim: fields.optional_size("head_dim")?.unwrap_or(match family {
                Family::Qwen3 => 128,
                _ => hidden_size / heads.max(1),
            }),
            intermediate_size: fields.size("intermediate_size")?,
            rope_theta: fields.theta()?,
            rope_scaling: fields.rope_scaling(max_position_embeddings)?,
            attention_bias: qwen2 || fields.flag("attention_bias")?,
            mlp_bias: family == Family::Llama && fields.flag("mlp_bias")?,
            rms_norm_eps: fields.number("rms_norm_eps", json.get("rms_norm_eps"))?,
            tie_word_embeddings: fields.flag("tie_word_embeddings")?,
            max_position_embeddings,
            eos_token_ids: fields.tokens("eos_token_id")?,
            heads: fields.heads()?,
            other: other(json),
        };
        config.validate()?;
        // It would act in training alone, where transformers applies it and this crate has none.
        let dropout = fields
            .optional_number("attention_dropout", json)?
            .unwrap_or(0.0);
        if dropout != 0.0 {
            return fields.unsupported(format!(
                "attention_dropout is {dropout}, which this crate does not have; set it to 0"
            ));
        }
        Ok(config)
    }
}

fn other(json: &Value) -> Map<String, Value> {
    let mut other = json.as_object().cloned().unwrap_or_default();
    other.retain(|key, _| !KNOWN.contains(&key.as_str()));
    other
}

impl RopeScaling {
    fn to_json(&self) -> Value {
        match self {
            Self::Default => Value::Null,
            Self::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Self::Llama3(llama) => json!({
                "rope_type": "llama3",
                "factor": llama.factor,
                "low_freq_factor": llama.low_freq_factor,
                "high_freq_factor": llama.high_freq_factor,
                "original_max_position_embeddings": llama.original_max_position_embeddings,
            }),
            Self::Yarn(yarn) => {
                let mut json = json!({
                    "rope_type": "yarn",
                    "factor": yarn.factor,
                    "original_max_position_embeddings": yarn.original_max_position_embeddings,
                    "beta_fast": yarn.beta_fast,
                    "beta_slow": yarn.beta_slow,
                    "truncate": yarn.truncate,
                });
                for (key, value) in [
                    ("attention_factor", yarn.attention_factor),
                    ("mscale", yarn.mscale),
                    ("mscale_all_dim", yarn.mscale_all_dim),
                ] {
                    if let Some(value) = value {
                        json[key] = json!(value);
                    }
                }
                json
            }
        }
    }
}

struct Fields<'a> {
    json: &'a Value,
    path: &'a Path,
}

impl<'a> Fields<'a> {
    fn malformed(&self, key: &str, expected: &str, found: Option<&Value>) -> ModelError {
        let found = found.map_or("nothing".to_owned(), Value::to_string);
        ModelError::Malformed {
            path: self.path.to_owned(),
            reason: format!("{key} must be {expected}, found {found}"),
        }
    }

    fn unsupported<T>(&self, reason: String) -> Result<T, ModelError> {
        let path = self.path.display();
        Err(ModelError::Unsupported(format!("{path}: {reason}")))
    }

    fn family(&self) -> Result<Family, ModelError> {
        let found = self.json.get("model_type").and_then(Value::as_str);
        let known = |family: &Family| Some(family.model_type()) == found;
        if let Some(family) = Family::ALL.into_iter().find(known) {
            return Ok(family);
        }
        let names = Family::ALL.map(|family| format!("\"{}\"", family.model_type()));
        let (found, names) = (found.unwrap_or("nothing"), names.join(", "));
        self.unsupported(format!("model_type is {found}; known are {names}"))
    }

    fn refuse_what_is_not_done(&self) -> Result<(), ModelError> {
        if self.flag("use_sliding_window")? {
            return self.unsupported(
                "use_sliding_window = true; only attention over the whole text is supported".into(),
            );
        }
        let kinds = self.json.get("layer_types").and_then(Value::as_array);
        let mut kinds = kinds.into_iter().flatten();
        if let Some(kind) = kinds.find(|&kind| kind != "full_attention") {
            return self.unsupported(format!(
                "layer_types has {kind}; only \"full_attention\" is supported"
            ));
        }
        let act = self.json.get("hidden_act").and_then(Value::as_str);
        if let Some(act) = act.filter(|&act| act != "silu") {
            return self.unsupported(format!("hidden_act is {act}; only \"silu\" is supported"));
        }
        if self
            .json
            .get("quantization_config")
            .is_some_and(|x| !x.is_null())
        {
            return self.unsupported("the weights are quantised (quantization_config)".into());
        }
        Ok(())
    }

    /// The number under a key, where there is one.
    fn optional_number(&self, key: &str, place: &Value) -> Result<Option<f64>, ModelError> {
        match place.get(key) {
            None | Some(Value::Null) => Ok(None),
            found => self.number(key, found).map(Some),
        }
    }

    /// transformers 5 keeps the rotary settings in one object, earlier versions beside the rest.
    fn rotary(&self) -> impl Iterator<Item = &'a Value> {
        let keys = ["rope_parameters", "rope_scaling"].into_iter();
        keys.filter_map(|key| self.json.get(key))
            .filter(|x| x.is_object())
    }

    fn theta(&self) -> Result<f64, ModelError> {
        let nested = self.rotary().find_map(|r| r.get("rope_theta"));
        match nested.or_else(|| self.json.get("rope_theta")) {
            // transformers' default.
            None => Ok(10_000.0),
            found => self.number("rope_theta", found),
        }
    }

    fn rope_scaling(&self, positions: usize) -> Result<RopeScaling, ModelError> {
        let kind = |r: &'a Value| r.get("rope_type").or_else(|| r.get("type"));
        let scaled = |r: &'a Value| kind(r).is_some_and(|kind| kind != "default");
        // It may stand beside the rest or in a rotary object, whether positions are scaled or not.
        for place in std::iter::once(self.json).chain(self.rotary()) {
            let partial = self.optional_number("partial_rotary_factor", place)?;
            if let Some(partial) = partial.filter(|&partial| partial != 1.0) {
                return self.unsupported(format!("partial_rotary_factor is {partial}, not 1"));
            }
        }
        let Some(json) = self.rotary().find(|&r| scaled(r)) else {
            return Ok(RopeScaling::Default);
        };
        let number = |key: &str| self.number(key, json.get(key));
        let optional = |key: &str| self.optional_number(key, json);
        let original = || match json.get("original_max_position_embeddings") {
            // As in transformers: a file without it means the model's own length.
            None | Some(Value::Null) => Ok(positions),
            _ => Fields { json, ..*self }.size("original_max_position_embeddings"),
        };
        match kind(json).and_then(Value::as_str) {
            Some("linear") => Ok(RopeScaling::Linear {
                factor: number("factor")?,
            }),
            Some("llama3") => Ok(RopeScaling::Llama3(Llama3 {
                factor: number("factor")?,
                low_freq_factor: number("low_freq_factor")?,
                high_freq_factor: number("high_freq_factor")?,
                original_max_position_embeddings: original()?,
            })),
            Some("yarn") => {
                let given = |x: Option<f64>| x.filter(|&x| x != 0.0);
                Ok(RopeScaling::Yarn(Yarn {
                    factor: match optional("factor")? {
                        Some(factor) => factor,
                        None => positions as f64 / original()? as f64,
                    },
                    original_max_position_embeddings: original()?,
                    beta_fast: given(optional("beta_fast")?).unwrap_or(32.0),
                    beta_slow: given(optional("beta_slow")?).unwrap_or(1.0),
                    attention_factor: optional("attention_factor")?,
                    mscale: optional("mscale")?,
                    mscale_all_dim: optional("mscale_all_dim")?,
                    truncate: json.get("truncate") != Some(&Value::Bool(false)),
                }))
            }
            _ => {
                let found = kind(json).map_or("nothing".to_owned(), Value::to_string);
                self.unsupported(format!(
                    "rope_type is {found}; known are \"default\", \"linear\", \"llama3\", \"yarn\""
                ))
            }
        }
    }

    fn heads(&self) -> Result<OutputHeads, ModelError> {
        let names = self.json.get("architectures").and_then(Value::as_array);
        let names = names.into_iter().flatten().filter_map(Value::as_str);
        let mut scores = false;
        for name in names {
            scores |= name.ends_with("ForSequenceClassification");
            if !name.ends_with("ForSequenceClassification") && !name.ends_with("ForCausalLM") {
                return self.unsupported(format!(
                    "architectures names {name}; known are …ForCausalLM and …ForSequenceClassification"
                ));
            }
        }
        let labels = self.json.get("id2label").and_then(Value::as_object);
        if let Some(count) = labels.map(Map::len).filter(|&count| scores && count != 1) {
            return self.unsupported(format!("{count} labels; a score head has one"));
        }
        Ok(match (scores, self.flag(VALUE_HEAD)?) {
            (true, _) => OutputHeads::Score,
            (false, true) => OutputHeads::VocabularyAndScore,
            (false, false) => OutputHeads::Vocabulary,
        })
    }

    fn size(&self, key: &str) -> Result<usize, ModelError> {
        let size = self.optional_size(key)?;
        size.ok_or_else(|| self.malformed(key, "a whole number", self.json.get(key)))
    }

    fn optional_size(&self, key: &str) -> Result<Option<usize>, ModelError> {
        match self.json.get(key) {
            None | Some(Value::Null) => Ok(None),
            found => {
                let size = found.and_then(Value::as_u64);
                let size = size.and_then(|size| usize::try_from(size).ok());
                let malformed = || self.malformed(key, "a whole number", found);
                size.map(Some).ok_or_else(malformed)
            }
        }
    }

    /// A missing flag is false, as in transformers.
    fn flag(&self, key: &str) -> Result<bool, ModelError> {
        match self.json.get(key) {
            None | Some(Value::Null) => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            found => Err(self.malformed(key, "true or false", found)),
        }
    }

    /// One token, several, or none.
    fn tokens(&self, key: &str) -> Result<Vec<u32>, ModelError> {
        let id = |id: &Value| u32::try_from(id.as_u64()?).ok();
        let found = self.json.get(key);
        let ids = match found {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::Array(ids)) => ids.iter().map(id).collect(),
            Some(one) => id(one).map(|id| vec![id]),
        };
        ids.ok_or_else(|| self.malformed(key, "a token id, a list of them, or null", found))
    }

    fn number(&self, key: &str, value: Option<&Value>) -> Result<f64, ModelError> {
        let number = value.and_then(Value::as_f64);
        number.ok_or_else(|| self.malformed(key, "a number", value))
    }
}
