//! The Qwen3-shaped decoder: RMSNorm, rotary positions, grouped-query attention with normalised
//! queries and keys, SwiGLU, and a tied or untied vocabulary projection.
//!
//! Two ways through the same weights, with the same bits at the end: [`train`](self) builds a graph
//! over packed sequences, and [`decoding`] runs row by row over a cache.

pub mod decoding;
mod train;

use std::collections::HashMap;
use std::sync::Arc;

use candle_core::{Device, Tensor, Var};
use equipoise_core::{Domain, Stream};
use equipoise_kernels::rows::rope::Table;

use crate::{Config, ModelError, Parameters};

/// The weights of one layer.
#[derive(Clone, Debug)]
struct LayerWeights {
    input_norm: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    output: Tensor,
    query_norm: Tensor,
    key_norm: Tensor,
    post_attention_norm: Tensor,
    gate: Tensor,
    up: Tensor,
    down: Tensor,
}

/// All weights, as tensors that share the parameters' storage.
#[derive(Clone, Debug)]
struct Weights {
    embedding: Tensor,
    layers: Vec<LayerWeights>,
    norm: Tensor,
    /// The vocabulary projection; the embedding itself if tied.
    head: Tensor,
}

impl Weights {
    fn new(
        config: &Config,
        pick: impl Fn(&str) -> Result<Tensor, ModelError>,
    ) -> Result<Self, ModelError> {
        let layers = (0..config.num_hidden_layers).map(|layer| {
            let pick = |name: &str| pick(&format!("model.layers.{layer}.{name}.weight"));
            Ok(LayerWeights {
                input_norm: pick("input_layernorm")?,
                query: pick("self_attn.q_proj")?,
                key: pick("self_attn.k_proj")?,
                value: pick("self_attn.v_proj")?,
                output: pick("self_attn.o_proj")?,
                query_norm: pick("self_attn.q_norm")?,
                key_norm: pick("self_attn.k_norm")?,
                post_attention_norm: pick("post_attention_layernorm")?,
                gate: pick("mlp.gate_proj")?,
                up: pick("mlp.up_proj")?,
                down: pick("mlp.down_proj")?,
            })
        });
        let embedding = pick("model.embed_tokens.weight")?;
        Ok(Self {
            layers: layers.collect::<Result<Vec<_>, ModelError>>()?,
            norm: pick("model.norm.weight")?,
            head: if config.tie_word_embeddings {
                embedding.clone()
            } else {
                pick("lm_head.weight")?
            },
            embedding,
        })
    }
}

/// A decoder language model.
#[derive(Clone, Debug)]
pub struct Decoder {
    config: Config,
    parameters: Parameters,
    /// Tensors a graph is recorded over.
    tracked: Weights,
    /// The same storage without a graph.
    detached: Weights,
    rotary: Arc<Table>,
}

impl Decoder {
    /// A model with random weights: normal with standard deviation `initializer_range`, and ones
    /// for the normalisations. The numbers depend on `seed` alone.
    ///
    /// # Errors
    /// If the configuration is impossible.
    pub fn new(config: Config, initializer_range: f64, seed: u64) -> Result<Self, ModelError> {
        config.validate()?;
        let mut shapes = config.parameter_shapes();
        shapes.sort();
        let mut tensors = HashMap::new();
        for (position, (name, shape)) in shapes.into_iter().enumerate() {
            let count: usize = shape.iter().product();
            let mut stream = Stream::new(seed, Domain::Initialisation, [position as u64, 0, 0]);
            let mut values: Vec<f32> = Vec::new();
            values.try_reserve_exact(count).map_err(|_| {
                ModelError::Config(format!("{name} {shape:?} does not fit into the memory"))
            })?;
            if name.ends_with("norm.weight") {
                values.resize(count, 1.0);
            } else {
                values.extend((0..count).map(|_| (stream.normal() * initializer_range) as f32));
            }
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu)?);
        }
        Self::from_tensors(config, tensors)
    }

    /// A model with the given weights, one for each name of [`Config::parameter_shapes`].
    pub(crate) fn from_tensors(
        config: Config,
        tensors: HashMap<String, Tensor>,
    ) -> Result<Self, ModelError> {
        let entries = tensors
            .into_iter()
            .map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?)));
        let parameters = Parameters::new(entries.collect::<Result<Vec<_>, ModelError>>()?);
        let find = |name: &str| {
            parameters
                .get(name)
                .ok_or_else(|| ModelError::Config(format!("{name} is missing")))
        };
        let tracked = Weights::new(&config, |name| Ok(find(name)?.as_tensor().clone()))?;
        let detached = Weights::new(&config, |name| Ok(find(name)?.as_detached_tensor()))?;
        let rotary = Table::new(
            config.head_dim,
            config.max_position_embeddings,
            config.rope_theta,
        );
        Ok(Self {
            config,
            parameters,
            tracked,
            detached,
            rotary: Arc::new(rotary),
        })
    }

    /// A copy with weights of its own, which later changes to this model do not reach.
    ///
    /// # Errors
    /// If the tensors cannot be copied.
    pub fn frozen_copy(&self) -> Result<Self, ModelError> {
        let tensors = self
            .parameters
            .iter()
            .map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?)));
        Self::from_tensors(
            self.config.clone(),
            tensors.collect::<Result<_, ModelError>>()?,
        )
    }

    /// The sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
