//! The pass without a graph: rows of new tokens over cached keys and values, on the calling thread.
//!
//! Every row is computed as [`Policy::score`](crate::Policy::score) would compute it, to the last
//! bit, whatever the other rows are.

use std::convert::Infallible;

use equipoise_core::TokenId;
use equipoise_kernels::attention::Heads;
use equipoise_kernels::attention::cache::{Blocks, Segment};
use equipoise_kernels::gemm::{MatrixRef, Packed, Parallelism, Precision, linear_rows};
use equipoise_kernels::rows::elementwise::{add, add_to_rows, scale};
use equipoise_kernels::rows::{rms_norm, rope, swiglu};

use super::Decoder;
use super::cache::Pool;
pub use super::cache::{KeyValues, Sequence};
use super::view::{Numbers, lend};
use super::weights::{Linear, Weights};
use crate::{ModelError, OutputHeads};

/// The matrices of a model of up to so many numbers are copied for sampling: 256 MiB of them.
pub const COPIED: usize = 1 << 26;

/// The weights as a sampler reads them: the trainer's own memory, and packed copies of the matrices
/// where they are worth their memory.
///
/// They are in lower precision, which has to be made anyway; and for models of at most 64 million
/// parameters in single precision, too, because a packed matrix makes full use of the vector units
/// however few the rows are. Larger matrices are read where they are. No bit depends on it.
pub struct View<'a> {
    decoder: &'a Decoder,
    weights: Weights<Operand<'a>>,
}

/// A parameter as the sampler reads it.
struct Operand<'a> {
    exact: Numbers<'a>,
    /// Transposed, in the place of `exact` in products.
    packed: Option<Packed>,
}

impl Operand<'_> {
    /// y = x·wᵀ, or y += x·wᵀ if `accumulate`.
    fn multiply(&self, x: &[f32], y: &mut [f32], accumulate: bool) {
        let Numbers {
            values,
            rows,
            columns,
            ..
        } = self.exact;
        let count = x.len() / columns;
        match &self.packed {
            None => linear_rows(x, values, y, [count, rows, columns], accumulate),
            Some(packed) => {
                packed.multiply(MatrixRef::row_major(x, count, columns), y, accumulate);
            }
        }
    }

    fn values(&self) -> &[f32] {
        self.exact.values
    }
}

/// Scratch memory of one thread.
#[derive(Debug, Default)]
pub struct Workspace {
    x: Vec<f32>,
    normed: Vec<f32>,
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    mixed: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    gated: Vec<f32>,
    projected: Vec<f32>,
    /// The inner product of an adapter.
    inner: Vec<f32>,
    scores: Vec<f32>,
    positions: Vec<u32>,
    pool: Pool,
}

impl Workspace {
    /// Takes back the memory of a finished sequence, for the next ones.
    pub fn recycle(&mut self, sequence: Sequence) {
        self.pool.give_back(sequence);
    }
}

impl Decoder {
    /// Lends the weights to `body`. They cannot be written meanwhile: an optimiser waits.
    ///
    /// # Errors
    /// If the model has no vocabulary projection, or a weight is not single precision in the CPU's
    /// memory.
    pub fn with_view<R>(&self, body: impl FnOnce(&View<'_>) -> R) -> Result<R, ModelError> {
        if self.config.heads == OutputHeads::Score {
            let reason = "a model with only a score head has no vocabulary to sample from";
            return Err(ModelError::Unsupported(reason.to_owned()));
        }
        lend(&self.weights, |weights| {
            let table = match weights.vocabulary {
                // Only looked up, never multiplied.
                Some(_) => weights.embedding.values.as_ptr(),
                None => std::ptr::null(),
            };
            let precision = self.precision;
            let worth = precision != Precision::F32 || self.base.scalar_count() <= COPIED;
            let pack = |matrix: &Numbers<'_>| {
                let multiplied = matrix.is_matrix && matrix.values.as_ptr() != table;
                (worth && multiplied).then(|| {
                    let w = MatrixRef::row_major(matrix.values, matrix.rows, matrix.columns);
                    Packed::new(w.transposed(), precision, Parallelism::Pool)
                })
            };
            let Ok(weights) = weights.try_map::<_, Infallible>(|parameter| {
                Ok(Operand {
                    exact: *parameter,
                    packed: pack(parameter),
                })
            });
            body(&View {
                decoder: self,
                weights,
            })
        })
    }
}

impl View<'_> {
    /// How keys and values lie in a block of the cache.
    fn blocks(&self) -> Blocks {
        let config = &self.decoder.config;
        Blocks {
            layers: config.num_hidden_layers,
            heads: Heads {
                query: config.num_attention_heads,
                key_value: config.num_key_value_heads,
                head_dim: config.head_dim,
            },
        }
    }

    /// The number of tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.decoder.config.vocab_size
    }

    /// Computes a whole prompt's keys and values and writes the logits after its last token.
    ///
    /// # Errors
    /// As [`View::step`]; also if the prompt is empty.
    pub fn prefill(
        &self,
        tokens: &[TokenId],
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<KeyValues, ModelError> {
        if tokens.is_empty() {
            return Err(ModelError::Batch("the prompt is empty".to_owned()));
        }
        let mut sequences = [Sequence::default()];
        let rows = vec![0; tokens.len()];
        self.forward(tokens, &rows, &mut sequences, workspace)?;
        let hidden = self.decoder.config.hidden_size;
        let last = workspace.x.len() - hidden..workspace.x.len();
        workspace.normed.resize(hidden, 0.0);
        let epsilon = self.decoder.config.rms_norm_eps as f32;
        let norm = self.weights.norm.values();
        rms_norm::forward(&workspace.x[last], norm, epsilon, &mut workspace.normed);
        self.logits(&workspace.normed, logits);
        let [Sequence { own, .. }] = sequences;
        Ok(own)
    }

    /// Feeds one token to each sequence and writes a row of logits for each.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or a sequence would pass the model's longest length.
    pub fn step(
        &self,
        tokens: &[TokenId],
        sequences: &mut [Sequence],
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<(), ModelError> {
        let rows: Vec<usize> = (0..tokens.len()).collect();
        self.forward(tokens, &rows, sequences, workspace)?;
        let (count, hidden) = (tokens.len(), self.decoder.config.hidden_size);
        let epsilon = self.decoder.config.rms_norm_eps as f32;
        workspace.normed.resize(count * hidden, 0.0);
        let norm = self.weights.norm.values();
        rms_norm::forward(&workspace.x, norm, epsilon, &mut workspace.normed);
        self.logits(&workspace.normed, logits);
        Ok(())
    }

    fn logits(&self, normed: &[f32], logits: &mut [f32]) {
        let projection = self.weights.vocabulary.as_ref();
        projection
            .unwrap_or(&self.weights.embedding)
            .multiply(normed, logits, false);
    }

    /// Runs all layers over new tokens, token i belonging to sequence `owner[i]` and following the
    /// earlier ones of the same sequence; leaves the residual stream in `workspace.x`.
    fn forward(
        &self,
        tokens: &[TokenId],
        owner: &[usize],
        sequences: &mut [Sequence],
        workspace: &mut Workspace,
    ) -> Result<(), ModelError> {
        let config = &self.decoder.config;
        let (hidden, head_dim) = (config.hidden_size, config.head_dim);
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let (q_width, kv_width) = (heads * head_dim, kv_heads * head_dim);
        let (inner, epsilon) = (config.intermediate_size, config.rms_norm_eps as f32);
        let count = tokens.len();
        let w = workspace;

        w.pool.fit(self.blocks().length());
        w.positions.clear();
        w.x.clear();
        let mut places = Vec::with_capacity(count);
        for (&token, &owner) in tokens.iter().zip(owner) {
            let sequence = &mut sequences[owner];
            let position = sequence.len();
            let limit = config.max_position_embeddings;
            if position >= limit {
                let reason =
                    format!("position {position} is beyond what the model reads ({limit})");
                return Err(ModelError::Batch(reason));
            }
            let row = token as usize * hidden..(token as usize + 1) * hidden;
            let embedded = self.weights.embedding.values().get(row).ok_or_else(|| {
                let size = config.vocab_size;
                ModelError::Batch(format!("token {token} is not in a vocabulary of {size}"))
            })?;
            w.x.extend_from_slice(embedded);
            w.positions.push(position as u32);
            places.push(sequence.own.push(&mut w.pool));
        }
        for (buffer, width) in [
            (&mut w.normed, hidden),
            (&mut w.query, q_width),
            (&mut w.key, kv_width),
            (&mut w.value, kv_width),
            (&mut w.mixed, q_width),
            (&mut w.gate, inner),
            (&mut w.up, inner),
            (&mut w.gated, inner),
            (&mut w.projected, hidden),
        ] {
            buffer.resize(count * width, 0.0);
        }
        let mut scratch = Vec::new();
        let blocks = self.blocks();
        for (l, layer) in self.weights.layers.iter().enumerate() {
            rms_norm::forward(&w.x, layer.input_norm.values(), epsilon, &mut w.normed);
            project(&layer.query, &w.normed, &mut w.query, &mut w.inner);
            project(&layer.key, &w.normed, &mut w.key, &mut w.inner);
            project(&layer.value, &w.normed, &mut w.value, &mut w.inner);
            for (x, norm, heads) in [
                (&mut w.query, &layer.query_norm, heads),
                (&mut w.key, &layer.key_norm, kv_heads),
            ] {
                if let Some(norm) = norm {
                    scratch.clear();
                    scratch.extend_from_slice(x);
                    rms_norm::forward(&scratch, norm.values(), epsilon, x);
                }
                rope::rotate(x, &w.positions, heads, &self.decoder.rotary);
            }
            for (i, (&owner, &place)) in owner.iter().zip(&places).enumerate() {
                let row = i * kv_width..(i + 1) * kv_width;
                let (block, slot) = sequences[owner].own.slot(place);
                blocks.store(block, l, slot, &w.key[row.clone()], &w.value[row]);
            }
            self.attend_rows(l, owner, &places, sequences, w);
            project(&layer.output, &w.mixed, &mut w.projected, &mut w.inner);
            add(&mut w.x, &w.projected);
            let norm = layer.post_attention_norm.values();
            rms_norm::forward(&w.x, norm, epsilon, &mut w.normed);
            project(&layer.gate, &w.normed, &mut w.gate, &mut w.inner);
            project(&layer.up, &w.normed, &mut w.up, &mut w.inner);
            swiglu::forward(&w.gate, &w.up, &mut w.gated);
            project(&layer.down, &w.gated, &mut w.projected, &mut w.inner);
            add(&mut w.x, &w.projected);
        }
        Ok(())
    }

    /// Attention of every new row over its sequence's positions up to its own.
    fn attend_rows(
        &self,
        layer: usize,
        owner: &[usize],
        places: &[usize],
        sequences: &[Sequence],
        workspace: &mut Workspace,
    ) {
        let blocks = self.blocks();
        let width = blocks.heads.query * blocks.heads.head_dim;
        let Workspace {
            query,
            mixed,
            scores,
            ..
        } = workspace;
        let rows = query.chunks_exact(width).zip(mixed.chunks_exact_mut(width));
        for ((query, mixed), (&owner, &place)) in rows.zip(owner.iter().zip(places)) {
            let sequence = &sequences[owner];
            let prefix = sequence.prefix.as_deref();
            let prefix = prefix.map_or(Segment::EMPTY, |prefix| prefix.segment(prefix.len()));
            let own = sequence.own.segment(place + 1);
            blocks.attend(layer, query, [prefix, own], scores, mixed);
        }
    }
}

/// A linear layer with its bias and adapter, in the order of additions of the training pass. The
/// last argument is scratch: the adapter's inner product.
fn project(linear: &Linear<Operand<'_>>, x: &[f32], y: &mut [f32], inner: &mut Vec<f32>) {
    linear.weight.multiply(x, y, false);
    if let Some(bias) = &linear.bias {
        add_to_rows(y, bias.values());
    }
    if let Some(adapter) = &linear.adapter {
        let Numbers { rows, columns, .. } = adapter.down.exact;
        inner.resize(x.len() / columns * rows, 0.0);
        adapter.down.multiply(x, inner, false);
        scale(inner, adapter.scale);
        adapter.up.multiply(inner, y, true);
    }
}
