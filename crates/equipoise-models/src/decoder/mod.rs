//! The decoder: RMSNorm, rotary positions, grouped-query attention, SwiGLU, and a tied or untied
//! vocabulary projection.
//!
//! Two ways through the same weights, with the same bits at the end: the training pass works on
//! packed sequences and can go back, and [`decoding`] runs row by row over a cache.

mod adapter;
mod arena;
mod backward;
mod cache;
pub mod decoding;
mod dropout;
mod heads;
mod layer;
mod layout;
mod linear;
mod train;
mod view;
mod vocabulary;
mod weights;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{Device, Tensor, Var};
use equipoise_core::{Domain, Stream};
use equipoise_kernels::gemm::Precision;
use equipoise_kernels::rows::rope::Table;

pub(crate) use adapter::matrix_name;
pub use dropout::Dropout;

use crate::{Config, LoraConfig, ModelError, Parameters};
use arena::Arena;
use layer::LayerPanels;
use view::Stored;
use weights::{Layer, Linear, Weights};

/// A decoder language model.
#[derive(Clone)]
pub struct Decoder {
    config: Config,
    /// Everything but an adapter.
    base: Parameters,
    /// Everything that is trained.
    parameters: Parameters,
    adapter: Option<Arc<LoraConfig>>,
    weights: Arc<Weights<Stored>>,
    rotary: Arc<Table>,
    precision: Precision,
    activation_checkpointing: bool,
    arena: Arena,
    /// Memory for packed weights, one set for each pass that runs.
    panels: Arc<Mutex<Vec<LayerPanels>>>,
}

/// Tensors as parameters that can be trained.
fn variables(tensors: HashMap<String, Tensor>) -> Result<Parameters, ModelError> {
    let entries = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, Var::from_tensor(&tensor)?)));
    let entries = entries.collect::<Result<Vec<_>, ModelError>>()?;
    Ok(Parameters::new(entries))
}

/// The weights a configuration needs, found by name. What a family does not have is not found.
fn weights(
    config: &Config,
    find: impl Fn(&str) -> Option<Stored>,
) -> Result<Weights<Stored>, ModelError> {
    let required =
        |name: String| find(&name).ok_or_else(|| ModelError::Config(format!("{name} is missing")));
    let layers = (0..config.num_hidden_layers).map(|layer| {
        let weight = |name: &str| format!("model.layers.{layer}.{name}.weight");
        let linear = |name: &str| {
            Ok::<_, ModelError>(Linear {
                weight: required(weight(name))?,
                bias: find(&format!("model.layers.{layer}.{name}.bias")),
                adapter: None,
            })
        };
        Ok(Layer {
            input_norm: required(weight("input_layernorm"))?,
            query: linear("self_attn.q_proj")?,
            key: linear("self_attn.k_proj")?,
            value: linear("self_attn.v_proj")?,
            output: linear("self_attn.o_proj")?,
            query_norm: find(&weight("self_attn.q_norm")),
            key_norm: find(&weight("self_attn.k_norm")),
            post_attention_norm: required(weight("post_attention_layernorm"))?,
            gate: linear("mlp.gate_proj")?,
            up: linear("mlp.up_proj")?,
            down: linear("mlp.down_proj")?,
        })
    });
    Ok(Weights {
        layers: layers.collect::<Result<_, ModelError>>()?,
        norm: required("model.norm.weight".to_owned())?,
        embedding: required("model.embed_tokens.weight".to_owned())?,
        vocabulary: match config.has_own_projection() {
            true => Some(required("lm_head.weight".to_owned())?),
            false => None,
        },
        score: find("score.weight"),
    })
}

impl std::fmt::Debug for Decoder {
    /// What it is; not its numbers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder")
            .field("config", &self.config)
            .field("adapter", &self.adapter)
            .field("precision", &self.precision)
            .finish_non_exhaustive()
    }
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
        Self::from_parameters(config, variables(tensors)?)
    }

    fn from_parameters(config: Config, parameters: Parameters) -> Result<Self, ModelError> {
        let (frequencies, scale) = config
            .rope_scaling
            .frequencies(config.head_dim, config.rope_theta);
        let positions = config.max_position_embeddings;
        let rotary = Table::from_frequencies(&frequencies, positions, scale).ok_or_else(|| {
            ModelError::Config(format!(
                "the rotary angles of max_position_embeddings = {positions} do not fit into the memory; \
                 lower it to the longest sequence there will be"
            ))
        })?;
        Self::with_rotary(config, parameters, Arc::new(rotary))
    }

    /// The same with a table of rotary angles that another model has already.
    fn with_rotary(
        config: Config,
        parameters: Parameters,
        rotary: Arc<Table>,
    ) -> Result<Self, ModelError> {
        let weights = weights(&config, |name| {
            let index = parameters.position(name)?;
            Some(Stored {
                tensor: parameters.get(name)?.as_detached_tensor(),
                index: Some(index),
            })
        })?;
        Ok(Self {
            config,
            base: parameters.clone(),
            parameters,
            adapter: None,
            weights: Arc::new(weights),
            rotary,
            precision: Precision::F32,
            activation_checkpointing: false,
            arena: Arena::default(),
            panels: Arc::default(),
        })
    }

    /// The same model computing its matrix products in another precision. Weights, gradients and
    /// everything between the products stay single precision.
    #[must_use]
    pub fn with_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// The precision of the matrix products.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The same model, recomputing each layer in the backward pass instead of keeping what it
    /// computed (Chen et al., arXiv:1604.06174): about a third more arithmetic, and the memory of one
    /// layer and of one row of the residual stream per layer and token. No result changes.
    #[must_use]
    pub fn with_activation_checkpointing(self, on: bool) -> Self {
        Self {
            activation_checkpointing: on,
            ..self
        }
    }

    fn panels(&self) -> LayerPanels {
        let mut spare = self.panels.lock().unwrap_or_else(PoisonError::into_inner);
        spare.pop().unwrap_or_default()
    }

    fn keep_panels(&self, panels: LayerPanels) {
        let mut spare = self.panels.lock().unwrap_or_else(PoisonError::into_inner);
        spare.push(panels);
    }

    /// A copy with weights of its own, which later changes to this model do not reach.
    ///
    /// # Errors
    /// If the tensors cannot be copied.
    pub fn frozen_copy(&self) -> Result<Self, ModelError> {
        let tensors = self
            .base
            .iter()
            .map(|(name, var)| Ok((name.to_owned(), var.as_detached_tensor().copy()?)));
        let tensors: HashMap<String, Tensor> = tensors.collect::<Result<_, ModelError>>()?;
        let copy = Self::with_rotary(
            self.config.clone(),
            variables(tensors)?,
            self.rotary.clone(),
        )?;
        let copy = copy
            .with_precision(self.precision)
            .with_activation_checkpointing(self.activation_checkpointing);
        let Some(lora) = &self.adapter else {
            return Ok(copy);
        };
        let matrices = self.parameters.iter().map(|(name, var)| {
            let matrix = Var::from_tensor(&var.as_detached_tensor().copy()?)?;
            Ok((name.to_owned(), matrix))
        });
        let matrices = matrices.filter(|m| {
            let of_base = |(name, _): &(String, Var)| self.base.get(name).is_some();
            !m.as_ref().is_ok_and(of_base)
        });
        let matrices = Parameters::new(matrices.collect::<Result<_, ModelError>>()?);
        copy.attach((**lora).clone(), matrices)
    }

    /// All weights but an adapter's, by the names they have in a Hugging Face checkpoint.
    pub fn base(&self) -> &Parameters {
        &self.base
    }

    /// The sizes.
    pub fn config(&self) -> &Config {
        &self.config
    }
}
