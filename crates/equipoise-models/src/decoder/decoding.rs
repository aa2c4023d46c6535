//! The pass without a graph: rows of new tokens over cached keys and values, by one thread or a crew.
//!
//! Every row is computed as [`Policy::score`](crate::Policy::score) would compute it, to the last
//! bit, whatever the other rows are and however many threads there are.

use std::convert::Infallible;

use equipoise_core::TokenId;
use equipoise_kernels::attention::Heads;
use equipoise_kernels::attention::cache::{Blocks, Segment};
use equipoise_kernels::crew::{Crew, Pieces};
use equipoise_kernels::gemm::{
    MatrixRef, Packed, Parallelism, Precision, Product, Right, multiply_together,
};
use equipoise_kernels::rows::elementwise::{add, add_to_rows, scale};
use equipoise_kernels::rows::{rms_norm, rope, swiglu};

use super::Decoder;
use super::cache::Pool;
pub use super::cache::{KeyValues, Sequence};
use super::view::{Numbers, lend};
use super::weights::{Layer, Linear, Weights};
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
    /// y = x·wᵀ, or y += x·wᵀ if `accumulate`, to be computed.
    fn product<'b>(&'b self, x: &'b [f32], y: &'b mut [f32], accumulate: bool) -> Product<'b> {
        let Numbers {
            values,
            rows,
            columns,
            ..
        } = self.exact;
        Product {
            left: MatrixRef::row_major(x, x.len() / columns, columns),
            right: match &self.packed {
                None => Right::Rows(values, rows),
                Some(packed) => Right::Packed(packed),
            },
            result: y,
            accumulate,
        }
    }

    fn values(&self) -> &[f32] {
        self.exact.values
    }
}

/// Scratch memory of one crew.
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
    projected: Vec<f32>,
    /// The inner product of an adapter.
    inner: Vec<f32>,
    positions: Vec<u32>,
    /// The rows of sequence i are those from `bounds[i]` to `bounds[i + 1]`.
    bounds: Vec<usize>,
    /// Of every row that is still computed, its sequence, and its place among the sequence's own
    /// positions.
    rows: Vec<(usize, usize)>,
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

    /// Computes the keys and values of whole prompts, and writes a row of logits for each: those after
    /// its last token.
    ///
    /// # Errors
    /// As [`View::step`]; also if a prompt is empty.
    ///
    /// # Panics
    /// If `logits` does not hold a row of the vocabulary for each prompt.
    pub fn prefill(
        &self,
        crew: &Crew<'_>,
        prompts: &[&[TokenId]],
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<Vec<KeyValues>, ModelError> {
        if prompts.iter().any(|prompt| prompt.is_empty()) {
            return Err(ModelError::Batch("the prompt is empty".to_owned()));
        }
        let mut sequences: Vec<Sequence> = prompts.iter().map(|_| Sequence::default()).collect();
        self.forward(crew, prompts, &mut sequences, workspace, logits)?;
        Ok(sequences.into_iter().map(|sequence| sequence.own).collect())
    }

    /// Feeds one token to each sequence and writes a row of logits for each.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or a sequence would pass the model's longest length.
    ///
    /// # Panics
    /// If there are not as many sequences as tokens, or `logits` does not hold a row of the vocabulary for
    /// each.
    pub fn step(
        &self,
        crew: &Crew<'_>,
        tokens: &[TokenId],
        sequences: &mut [Sequence],
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<(), ModelError> {
        let tokens: Vec<&[TokenId]> = tokens.chunks(1).collect();
        self.forward(crew, &tokens, sequences, workspace, logits)
    }

    /// Looks up the new tokens of every sequence and makes room for them.
    fn embed(
        &self,
        tokens: &[&[TokenId]],
        sequences: &mut [Sequence],
        w: &mut Workspace,
    ) -> Result<(), ModelError> {
        let config = &self.decoder.config;
        let (hidden, limit) = (config.hidden_size, config.max_position_embeddings);
        w.pool.fit(self.blocks().length());
        w.positions.clear();
        w.rows.clear();
        w.x.clear();
        w.bounds.clear();
        w.bounds.push(0);
        for (at, (&tokens, sequence)) in tokens.iter().zip(sequences).enumerate() {
            for &token in tokens {
                let position = sequence.len();
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
                w.rows.push((at, sequence.own.push(&mut w.pool)));
            }
            w.bounds.push(w.rows.len());
        }
        Ok(())
    }

    /// Runs all layers over the new tokens of every sequence, and writes the logits after the last of
    /// each.
    fn forward(
        &self,
        crew: &Crew<'_>,
        tokens: &[&[TokenId]],
        sequences: &mut [Sequence],
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<(), ModelError> {
        let w = workspace;
        self.embed(tokens, sequences, w)?;
        let layers = &self.weights.layers;
        for (l, layer) in layers.iter().enumerate() {
            self.normalise(crew, w, l > 0, &layer.input_norm);
            self.attention_inputs(crew, l, layer, sequences, w);
            if l + 1 == layers.len() {
                self.keep_last_rows(w);
            }
            self.attend_rows(crew, l, sequences, w);
            let output = [(&layer.output, &mut w.projected)];
            project(crew, output, &w.mixed, &mut w.inner);
            self.normalise(crew, w, true, &layer.post_attention_norm);
            let gates = [(&layer.gate, &mut w.gate), (&layer.up, &mut w.up)];
            project(crew, gates, &w.normed, &mut w.inner);
            let inner = self.decoder.config.intermediate_size;
            let part = inner * crew.share(w.rows.len());
            let up = &w.up;
            crew.each(Pieces::of(&mut w.gate, part), |at, gate| {
                swiglu::forward_in_place(gate, &up[at * part..][..gate.len()]);
            });
            let down = [(&layer.down, &mut w.projected)];
            project(crew, down, &w.gate, &mut w.inner);
        }
        self.normalise(crew, w, true, &self.weights.norm);
        let projection = self.weights.vocabulary.as_ref();
        let projection = projection.unwrap_or(&self.weights.embedding);
        multiply_together(crew, [projection.product(&w.normed, logits, false)]);
        Ok(())
    }

    /// Adds what a layer's half computed to the residual stream, if it did, and normalises it.
    fn normalise(&self, crew: &Crew<'_>, w: &mut Workspace, add_first: bool, norm: &Operand<'_>) {
        let config = &self.decoder.config;
        let (hidden, epsilon) = (config.hidden_size, config.rms_norm_eps as f32);
        w.normed.resize(w.x.len(), 0.0);
        let part = hidden * crew.share(w.rows.len());
        let pieces = (Pieces::of(&mut w.x, part), Pieces::of(&mut w.normed, part));
        let projected = &w.projected;
        crew.each(pieces, |at, (x, normed)| {
            if add_first {
                add(x, &projected[at * part..][..x.len()]);
            }
            rms_norm::forward(x, norm.values(), epsilon, normed);
        });
    }

    /// Queries, keys and values of all rows, normalised and rotated, the keys and values stored.
    fn attention_inputs(
        &self,
        crew: &Crew<'_>,
        l: usize,
        layer: &Layer<Operand<'_>>,
        sequences: &mut [Sequence],
        w: &mut Workspace,
    ) {
        let config = &self.decoder.config;
        let (heads, kv_heads) = (config.num_attention_heads, config.num_key_value_heads);
        let (q_width, kv_width) = (heads * config.head_dim, kv_heads * config.head_dim);
        let epsilon = config.rms_norm_eps as f32;
        let projections = [
            (&layer.query, &mut w.query),
            (&layer.key, &mut w.key),
            (&layer.value, &mut w.value),
        ];
        project(crew, projections, &w.normed, &mut w.inner);
        let blocks = self.blocks();
        let (value, positions, rows, bounds) = (&w.value, &w.positions, &w.rows, &w.bounds);
        let pieces = (
            Pieces::of(sequences, 1),
            Pieces::between(&mut w.query, bounds, q_width),
            Pieces::between(&mut w.key, bounds, kv_width),
        );
        crew.each(pieces, |at, (sequence, query, key)| {
            let range = bounds[at]..bounds[at + 1];
            for (x, norm, heads) in [
                (query, &layer.query_norm, heads),
                (&mut *key, &layer.key_norm, kv_heads),
            ] {
                if let Some(norm) = norm {
                    rms_norm::forward_in_place(x, norm.values(), epsilon);
                }
                rope::rotate(x, &positions[range.clone()], heads, &self.decoder.rotary);
            }
            for (row, key) in range.zip(key.chunks_exact(kv_width)) {
                let (block, slot) = sequence[0].own.slot(rows[row].1);
                blocks.store(block, l, slot, key, &value[row * kv_width..][..kv_width]);
            }
        });
    }

    /// Once the last layer's keys and values are stored, only the last row of each sequence is needed.
    fn keep_last_rows(&self, w: &mut Workspace) {
        let config = &self.decoder.config;
        let (hidden, q_width) = (
            config.hidden_size,
            config.num_attention_heads * config.head_dim,
        );
        let sequences = w.bounds.len() - 1;
        if w.rows.len() == sequences {
            return;
        }
        for at in 0..sequences {
            let last = w.bounds[at + 1] - 1;
            w.rows[at] = w.rows[last];
            for (buffer, width) in [(&mut w.x, hidden), (&mut w.query, q_width)] {
                buffer.copy_within(last * width..(last + 1) * width, at * width);
            }
        }
        w.rows.truncate(sequences);
        w.x.truncate(sequences * hidden);
        w.query.truncate(sequences * q_width);
    }

    /// Attention of every new row over its sequence's positions up to its own.
    fn attend_rows(
        &self,
        crew: &Crew<'_>,
        layer: usize,
        sequences: &[Sequence],
        workspace: &mut Workspace,
    ) {
        let blocks = self.blocks();
        let width = blocks.heads.query * blocks.heads.head_dim;
        let Workspace {
            query, mixed, rows, ..
        } = workspace;
        mixed.resize(rows.len() * width, 0.0);
        crew.each(Pieces::of(mixed, width), |row, mixed| {
            let (owner, place) = rows[row];
            let sequence = &sequences[owner];
            let prefix = sequence.prefix.as_deref();
            let prefix = prefix.map_or(Segment::EMPTY, |prefix| prefix.segment(prefix.len()));
            let own = sequence.own.segment(place + 1);
            let query = &query[row * width..][..width];
            blocks.attend(layer, query, [prefix, own], mixed);
        });
    }
}

/// Linear layers of the same rows, with their biases and adapters, in the order of additions of the
/// training pass. The last argument is scratch: an adapter's inner product.
fn project<const N: usize>(
    crew: &Crew<'_>,
    linears: [(&Linear<Operand<'_>>, &mut Vec<f32>); N],
    x: &[f32],
    inner: &mut Vec<f32>,
) {
    let count = |linear: &Linear<Operand<'_>>| x.len() / linear.weight.exact.columns;
    let mut linears = linears;
    let products = linears.each_mut().map(|(linear, y)| {
        y.resize(count(linear) * linear.weight.exact.rows, 0.0);
        linear.weight.product(x, y, false)
    });
    multiply_together(crew, products);
    for (linear, y) in linears {
        if let Some(bias) = &linear.bias {
            let part = linear.weight.exact.rows * crew.share(count(linear));
            crew.each(Pieces::of(y, part), |_, y| add_to_rows(y, bias.values()));
        }
        if let Some(adapter) = &linear.adapter {
            inner.resize(count(linear) * adapter.down.exact.rows, 0.0);
            multiply_together(crew, [adapter.down.product(x, inner, false)]);
            scale(inner, adapter.scale);
            multiply_together(crew, [adapter.up.product(inner, y, true)]);
        }
    }
}
