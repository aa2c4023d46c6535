//! The pass without a graph: rows of new tokens over cached keys and values, on the calling thread.
//!
//! Every row is computed as [`Policy::score`](crate::Policy::score) would compute it, to the last
//! bit, whatever the other rows are.

use std::ops::Deref;
use std::sync::Arc;

use candle_core::{CpuStorage, Storage, Tensor};
use equipoise_core::TokenId;
use equipoise_kernels::gemm::linear_rows;
use equipoise_kernels::rows::attention::{Segment, attend};
use equipoise_kernels::rows::{rms_norm, rope, swiglu};

use super::Decoder;
use crate::ModelError;

/// Keys and values of consecutive positions, in every layer.
#[derive(Clone, Debug)]
pub struct KeyValues {
    /// Layer after layer, position after position: `key_value_width` elements each.
    keys: Vec<f32>,
    values: Vec<f32>,
    capacity: usize,
    length: usize,
    width: usize,
}

impl KeyValues {
    /// How many positions are filled.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no position is filled.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Forgets all positions, keeping the memory.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    fn at(&self, layer: usize, position: usize) -> usize {
        (layer * self.capacity + position) * self.width
    }

    fn segment(&self, layer: usize, length: usize) -> Segment<'_> {
        let at = self.at(layer, 0);
        Segment {
            keys: &self.keys[at..],
            values: &self.values[at..],
            stride: self.width,
            length,
        }
    }
}

/// A sequence being written: positions it shares with others, and its own after them.
#[derive(Clone, Debug)]
pub struct Sequence {
    /// Positions computed once for several sequences: the prompt.
    pub prefix: Option<Arc<KeyValues>>,
    /// The positions after the prefix.
    pub own: KeyValues,
}

impl Sequence {
    /// The number of positions filled: where the next token stands.
    pub fn len(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.len()) + self.own.len()
    }

    /// Whether no position is filled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct LayerView<'a> {
    input_norm: &'a [f32],
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    output: &'a [f32],
    query_norm: &'a [f32],
    key_norm: &'a [f32],
    post_attention_norm: &'a [f32],
    gate: &'a [f32],
    up: &'a [f32],
    down: &'a [f32],
}

/// The weights as slices: the trainer's own memory, not a copy.
pub struct View<'a> {
    decoder: &'a Decoder,
    embedding: &'a [f32],
    layers: Vec<LayerView<'a>>,
    norm: &'a [f32],
    head: &'a [f32],
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
    scores: Vec<f32>,
    positions: Vec<u32>,
}

impl Decoder {
    /// Lends the weights to `body` as slices, without copying them. They cannot be written
    /// meanwhile: an optimiser waits.
    ///
    /// # Errors
    /// If a weight is not single precision in the CPU's memory.
    pub fn with_view<R>(&self, body: impl FnOnce(&View<'_>) -> R) -> Result<R, ModelError> {
        let weights = &self.detached;
        let mut tensors: Vec<&Tensor> = vec![&weights.embedding, &weights.norm, &weights.head];
        for layer in &weights.layers {
            tensors.extend([
                &layer.input_norm,
                &layer.query,
                &layer.key,
                &layer.value,
                &layer.output,
                &layer.query_norm,
                &layer.key_norm,
                &layer.post_attention_norm,
                &layer.gate,
                &layer.up,
                &layer.down,
            ]);
        }
        let guards: Vec<_> = tensors
            .iter()
            .map(|tensor| tensor.storage_and_layout())
            .collect();
        let slices = guards.iter().map(|(storage, layout)| {
            match (storage.deref(), layout.contiguous_offsets()) {
                (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => Ok(&all[start..end]),
                _ => Err(ModelError::Unsupported(
                    "sampling needs f32 weights on the CPU".to_owned(),
                )),
            }
        });
        let slices = slices.collect::<Result<Vec<&[f32]>, ModelError>>()?;
        let layers = slices[3..].chunks_exact(11).map(|layer| LayerView {
            input_norm: layer[0],
            query: layer[1],
            key: layer[2],
            value: layer[3],
            output: layer[4],
            query_norm: layer[5],
            key_norm: layer[6],
            post_attention_norm: layer[7],
            gate: layer[8],
            up: layer[9],
            down: layer[10],
        });
        Ok(body(&View {
            decoder: self,
            embedding: slices[0],
            layers: layers.collect(),
            norm: slices[1],
            head: slices[2],
        }))
    }
}

impl View<'_> {
    /// An empty cache with room for `capacity` positions.
    pub fn cache(&self, capacity: usize) -> KeyValues {
        let config = &self.decoder.config;
        let width = config.num_key_value_heads * config.head_dim;
        let size = config.num_hidden_layers * capacity * width;
        KeyValues {
            keys: vec![0.0; size],
            values: vec![0.0; size],
            capacity,
            length: 0,
            width,
        }
    }

    /// The number of tokens in the vocabulary.
    pub fn vocabulary(&self) -> usize {
        self.decoder.config.vocab_size
    }

    /// Feeds a whole prompt into an empty cache and writes the logits after its last token.
    ///
    /// # Errors
    /// As [`View::step`]; also if the prompt is empty.
    pub fn prefill(
        &self,
        tokens: &[TokenId],
        cache: KeyValues,
        workspace: &mut Workspace,
        logits: &mut [f32],
    ) -> Result<KeyValues, ModelError> {
        if tokens.is_empty() {
            return Err(ModelError::Batch("the prompt is empty".to_owned()));
        }
        let mut sequences = [Sequence {
            prefix: None,
            own: cache,
        }];
        let rows = vec![0; tokens.len()];
        self.forward(tokens, &rows, &mut sequences, workspace)?;
        let hidden = self.decoder.config.hidden_size;
        let last = workspace.x.len() - hidden..workspace.x.len();
        workspace.normed.resize(hidden, 0.0);
        let epsilon = self.decoder.config.rms_norm_eps as f32;
        rms_norm::forward(
            &workspace.x[last],
            self.norm,
            epsilon,
            &mut workspace.normed,
        );
        linear_rows(
            &workspace.normed,
            self.head,
            logits,
            1,
            self.vocabulary(),
            hidden,
        );
        let [Sequence { own, .. }] = sequences;
        Ok(own)
    }

    /// Feeds one token to each sequence and writes a row of logits for each.
    ///
    /// # Errors
    /// If a token is not in the vocabulary, or a sequence has no room or would pass the model's
    /// longest length.
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
        rms_norm::forward(&workspace.x, self.norm, epsilon, &mut workspace.normed);
        linear_rows(
            &workspace.normed,
            self.head,
            logits,
            count,
            self.vocabulary(),
            hidden,
        );
        Ok(())
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

        w.positions.clear();
        w.x.clear();
        let mut places = Vec::with_capacity(count);
        for (&token, &owner) in tokens.iter().zip(owner) {
            let sequence = &mut sequences[owner];
            let position = sequence.len();
            if sequence.own.length >= sequence.own.capacity
                || position >= config.max_position_embeddings
            {
                let limit = config.max_position_embeddings;
                let reason = format!("no room at position {position} (the model reads {limit})");
                return Err(ModelError::Batch(reason));
            }
            let row = token as usize * hidden..(token as usize + 1) * hidden;
            let embedded = self.embedding.get(row).ok_or_else(|| {
                let size = config.vocab_size;
                ModelError::Batch(format!("token {token} is not in a vocabulary of {size}"))
            })?;
            w.x.extend_from_slice(embedded);
            w.positions.push(position as u32);
            places.push(sequence.own.length);
            sequence.own.length += 1;
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
        for (l, layer) in self.layers.iter().enumerate() {
            rms_norm::forward(&w.x, layer.input_norm, epsilon, &mut w.normed);
            linear_rows(&w.normed, layer.query, &mut w.query, count, q_width, hidden);
            linear_rows(&w.normed, layer.key, &mut w.key, count, kv_width, hidden);
            linear_rows(
                &w.normed,
                layer.value,
                &mut w.value,
                count,
                kv_width,
                hidden,
            );
            for (x, norm, heads) in [
                (&mut w.query, layer.query_norm, heads),
                (&mut w.key, layer.key_norm, kv_heads),
            ] {
                scratch.clear();
                scratch.extend_from_slice(x);
                rms_norm::forward(&scratch, norm, epsilon, x);
                rope::rotate(x, &w.positions, heads, &self.decoder.rotary);
            }
            for (i, (&owner, &place)) in owner.iter().zip(&places).enumerate() {
                let own = &mut sequences[owner].own;
                let at = own.at(l, place);
                let row = i * kv_width..(i + 1) * kv_width;
                own.keys[at..at + kv_width].copy_from_slice(&w.key[row.clone()]);
                own.values[at..at + kv_width].copy_from_slice(&w.value[row]);
            }
            self.attend_rows(l, owner, &places, sequences, w);
            linear_rows(
                &w.mixed,
                layer.output,
                &mut w.projected,
                count,
                hidden,
                q_width,
            );
            add(&mut w.x, &w.projected);
            rms_norm::forward(&w.x, layer.post_attention_norm, epsilon, &mut w.normed);
            linear_rows(&w.normed, layer.gate, &mut w.gate, count, inner, hidden);
            linear_rows(&w.normed, layer.up, &mut w.up, count, inner, hidden);
            swiglu::forward(&w.gate, &w.up, &mut w.gated);
            linear_rows(&w.gated, layer.down, &mut w.projected, count, hidden, inner);
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
        let config = &self.decoder.config;
        let (heads, head_dim) = (config.num_attention_heads, config.head_dim);
        let sharing = heads / config.num_key_value_heads;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let Workspace {
            query,
            mixed,
            scores,
            ..
        } = workspace;
        let width = heads * head_dim;
        let rows = query.chunks_exact(width).zip(mixed.chunks_exact_mut(width));
        for ((query, mixed), (&owner, &place)) in rows.zip(owner.iter().zip(places)) {
            let sequence = &sequences[owner];
            let own = sequence.own.segment(layer, place + 1);
            let prefix = match &sequence.prefix {
                Some(prefix) => prefix.segment(layer, prefix.length),
                None => Segment {
                    keys: &[],
                    values: &[],
                    stride: 0,
                    length: 0,
                },
            };
            scores.resize(prefix.length + own.length, 0.0);
            let heads = query
                .chunks_exact(head_dim)
                .zip(mixed.chunks_exact_mut(head_dim));
            for (head, (query, mixed)) in heads.enumerate() {
                let shared = head / sharing * head_dim;
                let segments = [of_head(prefix, shared), of_head(own, shared)];
                attend(query, segments, scale, scores, mixed);
            }
        }
    }
}

/// The part of a segment that belongs to the key-value head starting at `shared`.
fn of_head(segment: Segment<'_>, shared: usize) -> Segment<'_> {
    if segment.length == 0 {
        return segment;
    }
    Segment {
        keys: &segment.keys[shared..],
        values: &segment.values[shared..],
        ..segment
    }
}

fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}
