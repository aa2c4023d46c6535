//! The differentiable pass: packed sequences in, log-probabilities and entropies out.

use std::sync::Arc;

use candle_core::{Device, Tensor};
use equipoise_core::Ragged;
use equipoise_kernels::ops::{
    LogProbs, attention, gather_rows, linear, linear_add, log_probs, rms_norm, rope, swiglu,
};

use super::{Decoder, Weights};
use crate::{
    Gradients, ModelError, Need, Parameters, Policy, Tape, TokenBatch, TokenCotangents,
    TokenOutputs,
};

/// A batch laid out for the graph. The last token of a sequence predicts nothing that is scored, so
/// it is not fed.
struct Packed {
    ids: Arc<[u32]>,
    positions: Arc<[u32]>,
    offsets: Arc<[usize]>,
    /// Rows of the hidden state whose prediction is scored, and what they should predict.
    rows: Arc<[u32]>,
    targets: Arc<[u32]>,
    /// Borders of the scored tokens, a row per sequence.
    borders: Vec<usize>,
}

impl Packed {
    fn new(batch: &TokenBatch, limit: usize, vocabulary: usize) -> Result<Self, ModelError> {
        let (mut ids, mut positions, mut offsets) = (vec![], vec![], vec![0]);
        let (mut rows, mut targets, mut borders) = (vec![], vec![], vec![0]);
        for (row, (tokens, scored)) in batch.tokens().rows().zip(batch.scored().rows()).enumerate()
        {
            let fail = |reason: String| Err(ModelError::Batch(format!("sequence {row}: {reason}")));
            if scored.first() == Some(&true) {
                return fail("its first token is scored, but nothing predicts it".to_owned());
            }
            let fed = tokens.len().saturating_sub(1);
            if fed > limit {
                let length = tokens.len();
                return fail(format!(
                    "{length} tokens, but the model reads at most {limit}"
                ));
            }
            if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return fail(format!("token {id} is not in a vocabulary of {vocabulary}"));
            }
            let start = ids.len();
            for t in 0..fed {
                if scored[t + 1] {
                    rows.push((start + t) as u32);
                    targets.push(tokens[t + 1]);
                }
            }
            ids.extend_from_slice(&tokens[..fed]);
            positions.extend(0..fed as u32);
            offsets.push(ids.len());
            borders.push(rows.len());
        }
        Ok(Self {
            ids: ids.into(),
            positions: positions.into(),
            offsets: offsets.into(),
            rows: rows.into(),
            targets: targets.into(),
            borders,
        })
    }
}

impl Decoder {
    /// Log-probabilities (column 0) and entropies (column 1) of the scored tokens.
    fn graph(&self, weights: &Weights, batch: &Packed, need: &Need) -> Result<Tensor, ModelError> {
        let (epsilon, head_dim) = (self.config.rms_norm_eps, self.config.head_dim);
        let rotate = |x: &Tensor| rope(x, batch.positions.clone(), self.rotary.clone());
        let mut x = gather_rows(&weights.embedding, batch.ids.clone())?; // (tokens, hidden)
        for layer in &weights.layers {
            let h = rms_norm(&x, &layer.input_norm, epsilon)?;
            let query = linear(&h, &layer.query)?; // (tokens, heads · head_dim)
            let key = linear(&h, &layer.key)?; // (tokens, key_value_heads · head_dim)
            let value = linear(&h, &layer.value)?;
            let query = rotate(&rms_norm(&query, &layer.query_norm, epsilon)?)?;
            let key = rotate(&rms_norm(&key, &layer.key_norm, epsilon)?)?;
            let mixed = attention(&query, &key, &value, batch.offsets.clone(), head_dim)?;
            x = linear_add(&mixed, &layer.output, &x)?;
            let h = rms_norm(&x, &layer.post_attention_norm, epsilon)?;
            let gated = swiglu(&linear(&h, &layer.gate)?, &linear(&h, &layer.up)?)?;
            x = linear_add(&gated, &layer.down, &x)?;
        }
        let scored = gather_rows(&x, batch.rows.clone())?; // (scored, hidden)
        let hidden = rms_norm(&scored, &weights.norm, epsilon)?;
        let op = LogProbs {
            targets: batch.targets.clone(),
            temperature: need.temperature,
        };
        Ok(log_probs(&hidden, &weights.head, op)?) // (scored, 2)
    }

    fn packed(&self, batch: &TokenBatch, need: &Need) -> Result<Packed, ModelError> {
        let temperature = need.temperature;
        if !(temperature.is_finite() && temperature > 0.0) {
            let reason = format!("the temperature is {temperature}; it must be positive");
            return Err(ModelError::Batch(reason));
        }
        Packed::new(
            batch,
            self.config.max_position_embeddings,
            self.config.vocab_size,
        )
    }
}

fn outputs(result: &Tensor, borders: &[usize]) -> Result<TokenOutputs, ModelError> {
    let pairs = result.flatten_all()?.to_vec1::<f32>()?;
    let column = |at: usize| {
        let values = pairs.iter().skip(at).step_by(2).copied().collect();
        Ragged::from_parts(values, borders.to_vec())
            .ok_or_else(|| ModelError::Batch("the borders do not fit the outputs".to_owned()))
    };
    Ok(TokenOutputs {
        logprobs: column(0)?,
        entropies: column(1)?,
    })
}

impl Policy for Decoder {
    fn forward(&self, batch: &TokenBatch, need: &Need) -> Result<Box<dyn Tape>, ModelError> {
        let packed = self.packed(batch, need)?;
        let result = self.graph(&self.tracked, &packed, need)?;
        let outputs = outputs(&result, &packed.borders)?;
        Ok(Box::new(GraphTape {
            result,
            outputs,
            parameters: self.parameters.clone(),
        }))
    }

    fn score(&self, batch: &TokenBatch, need: &Need) -> Result<TokenOutputs, ModelError> {
        let packed = self.packed(batch, need)?;
        outputs(&self.graph(&self.detached, &packed, need)?, &packed.borders)
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

struct GraphTape {
    result: Tensor,
    outputs: TokenOutputs,
    parameters: Parameters,
}

impl Tape for GraphTape {
    fn outputs(&self) -> &TokenOutputs {
        &self.outputs
    }

    fn backward(
        self: Box<Self>,
        cotangents: &TokenCotangents,
        gradients: &mut Gradients,
    ) -> Result<(), ModelError> {
        let borders = self.outputs.logprobs.offsets();
        let entropies = cotangents.entropies.as_ref();
        if cotangents.logprobs.offsets() != borders
            || entropies.is_some_and(|rows| rows.offsets() != borders)
        {
            let reason = "the cotangents do not have the borders of the outputs".to_owned();
            return Err(ModelError::Batch(reason));
        }
        let values = cotangents.logprobs.values().iter().enumerate();
        let pairs: Vec<f32> = values
            .flat_map(|(at, &logprob)| [logprob, entropies.map_or(0.0, |rows| rows.values()[at])])
            .collect();
        let cotangents = Tensor::from_vec(pairs, self.result.shape(), &Device::Cpu)?;
        // candle seeds a backward pass with one, so the cotangents enter as a product.
        let store = (&self.result * cotangents)?.sum_all()?.backward()?;
        for (index, (name, var)) in self.parameters.iter().enumerate() {
            let gradient = store
                .get(var)
                .ok_or_else(|| ModelError::NoGradient(name.to_owned()))?;
            gradients.add(index, gradient)?;
        }
        Ok(())
    }
}
