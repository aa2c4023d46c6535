//! What the tests of the optimiser share.

use candle_core::{DType, Var};
use equipoise_optim::{AdamW, AdamWConfig};

/// Usual numbers, without weight decay.
pub(crate) fn config() -> AdamWConfig {
    AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.0,
        decay_vectors: false,
        frozen: Default::default(),
    }
}

/// An optimiser of a configuration known to be valid.
pub(crate) fn optimizer(config: AdamWConfig) -> AdamW {
    AdamW::new(config).unwrap()
}

/// The elements of a parameter of any type and shape.
pub(crate) fn values(parameter: &Var) -> Vec<f32> {
    let flat = parameter.flatten_all().unwrap();
    flat.to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}
