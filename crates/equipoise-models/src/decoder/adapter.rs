//! A decoder with a low-rank adapter: the base frozen, the adapter trained.

use candle_core::{Device, Tensor, Var};
use equipoise_core::{Domain, Stream};
use equipoise_kernels::gemm::{MatrixRef, Parallelism, matmul};
use equipoise_kernels::ops::with_elements;
use equipoise_kernels::rows::elementwise::add_scaled;

use super::Decoder;
use super::view::Stored;
use super::weights::Adapter;
use crate::lora::{LoraConfig, MODULES, modules};
use crate::{ModelError, Parameters};

/// PEFT's name for one of an adapter's two matrices.
pub(crate) fn matrix_name(module: &str, matrix: &str) -> String {
    format!("base_model.model.{module}.{matrix}.weight")
}

impl Decoder {
    /// The same model with a new adapter. The base's weights are shared and frozen: they get no
    /// gradient. A is uniform within ±1/√inputs, as PEFT draws it, and B is zero, so nothing changes
    /// yet. The numbers depend on `seed` alone.
    ///
    /// # Errors
    /// If the adapter is impossible, or the model has one already.
    pub fn with_adapter(&self, lora: &LoraConfig, seed: u64) -> Result<Self, ModelError> {
        lora.validate(self.config.num_hidden_layers)?;
        let chosen = modules(self.config.num_hidden_layers).filter(|module| lora.targets(module));
        let mut entries = Vec::new();
        for (position, module) in chosen.enumerate() {
            let (outputs, inputs) = self.module_shape(&module)?;
            if lora.rank > outputs.min(inputs) {
                return Err(ModelError::Config(format!(
                    "lora: the rank is {}, more than {module} has: it is {outputs} × {inputs}, so {} says \
                     everything; lower the rank, or leave the module out of target_modules",
                    lora.rank,
                    outputs.min(inputs)
                )));
            }
            let mut stream = Stream::new(seed, Domain::Initialisation, [position as u64, 1, 0]);
            let bound = 1.0 / (inputs as f64).sqrt();
            let down = (0..lora.rank * inputs)
                .map(|_| (bound * (2.0 * stream.uniform() - 1.0)) as f32)
                .collect();
            let down = Tensor::from_vec(down, (lora.rank, inputs), &Device::Cpu)?;
            let up = Tensor::zeros((outputs, lora.rank), candle_core::DType::F32, &Device::Cpu)?;
            for (matrix, tensor) in [("lora_A", down), ("lora_B", up)] {
                entries.push((matrix_name(&module, matrix), Var::from_tensor(&tensor)?));
            }
        }
        self.attach(lora.clone(), Parameters::new(entries))
    }

    fn module_shape(&self, module: &str) -> Result<(usize, usize), ModelError> {
        let name = format!("{module}.weight");
        let weight = self.base.get(&name);
        let weight = weight.ok_or_else(|| ModelError::Config(format!("{name} is missing")))?;
        Ok(weight.dims2()?)
    }

    /// Puts an adapter's matrices, under PEFT's names, on the base.
    pub(crate) fn attach(
        &self,
        lora: LoraConfig,
        matrices: Parameters,
    ) -> Result<Self, ModelError> {
        if self.adapter.is_some() {
            let reason = "the model has an adapter already; merge it first";
            return Err(ModelError::Config(reason.to_owned()));
        }
        // A score head is trained beside the adapter.
        let score = self.base.get("score.weight");
        let score = score.map(|var| ("score.weight".to_owned(), var.clone()));
        let entries = matrices
            .iter()
            .map(|(name, var)| (name.to_owned(), var.clone()));
        let parameters = Parameters::new(entries.chain(score).collect());
        let mut weights = (*self.weights).clone();
        weights.for_each(|stored| stored.index = None);
        if let Some(score) = &mut weights.score {
            score.index = parameters.position("score.weight");
        }
        let mut number = 0;
        for (layer, weights) in weights.layers.iter_mut().enumerate() {
            for (module, linear) in MODULES.into_iter().zip(weights.linears_mut()) {
                let module = format!("model.layers.{layer}.{module}");
                let stored = |matrix: &str| {
                    let name = matrix_name(&module, matrix);
                    Some(Stored {
                        tensor: parameters.get(&name)?.as_detached_tensor(),
                        index: parameters.position(&name),
                    })
                };
                if let (Some(down), Some(up)) = (stored("lora_A"), stored("lora_B")) {
                    linear.adapter = Some(Adapter {
                        down,
                        up,
                        scale: lora.scale() as f32,
                        number,
                    });
                }
                number += 1;
            }
        }
        Ok(Self {
            parameters,
            weights: weights.into(),
            adapter: Some(lora.into()),
            ..self.clone()
        })
    }

    /// The adapter, if the model has one.
    pub fn adapter(&self) -> Option<&LoraConfig> {
        self.adapter.as_deref()
    }

    /// The base alone: the same memory without the adapter, nothing of it trained. As a reference
    /// for a divergence it costs nothing.
    pub fn without_adapter(&self) -> Self {
        let mut weights = (*self.weights).clone();
        weights.for_each(|stored| stored.index = None);
        for linear in weights
            .layers
            .iter_mut()
            .flat_map(|layer| layer.linears_mut())
        {
            linear.adapter = None;
        }
        Self {
            parameters: Parameters::default(),
            weights: weights.into(),
            adapter: None,
            ..self.clone()
        }
    }

    /// What the policy's divergence is measured from: the base if there is an adapter, else a copy.
    ///
    /// # Errors
    /// If the tensors cannot be copied.
    pub fn reference(&self) -> Result<Self, ModelError> {
        match self.adapter {
            Some(_) => Ok(self.without_adapter()),
            None => self.frozen_copy(),
        }
    }

    /// A model of its own in which W + s·B·A has taken W's place. This model and the base stay as
    /// they are.
    ///
    /// # Errors
    /// If the tensors cannot be copied.
    pub fn merged(&self) -> Result<Self, ModelError> {
        let merged = self.without_adapter().frozen_copy()?;
        let Some(lora) = self.adapter() else {
            return Ok(merged);
        };
        for module in modules(self.config.num_hidden_layers) {
            let of = |matrix: &str| self.parameters.get(&matrix_name(&module, matrix));
            let (Some(down), Some(up)) = (of("lora_A"), of("lora_B")) else {
                continue;
            };
            let (outputs, inputs) = self.module_shape(&module)?;
            let mut product = vec![0.0; outputs * inputs];
            with_elements(up, |up| {
                with_elements(down, |down| {
                    let up = MatrixRef::row_major(up, outputs, lora.rank);
                    let down = MatrixRef::row_major(down, lora.rank, inputs);
                    matmul(up, down, &mut product, false, Parallelism::Pool);
                })
            })??;
            if let Some(weight) = merged.base.get(&format!("{module}.weight")) {
                let mut sum = weight.flatten_all()?.to_vec1::<f32>()?;
                add_scaled(&mut sum, &product, lora.scale() as f32);
                weight.set(&Tensor::from_vec(sum, (outputs, inputs), &Device::Cpu)?)?;
            }
        }
        Ok(merged)
    }
}
