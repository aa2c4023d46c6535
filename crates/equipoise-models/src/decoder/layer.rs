//! One decoder layer over all rows of a batch, forwards.
//!
//! ```text
//! h  = RMSNorm(x)                       q, k, v = h·Wq, h·Wk, h·Wv
//! x' = x + Attention(rope(norm(q)), rope(norm(k)), v)·Wo
//! h' = RMSNorm(x')                      x'' = x' + (silu(h'·Wgate) ∘ h'·Wup)·Wdown
//! ```
//!
//! Rows go through everything but the attention in blocks of [`BLOCK`], each on one thread, so that
//! what one product writes is still in the cache when the next one reads it.

use equipoise_kernels::attention::{self, Heads};
use equipoise_kernels::gemm::Precision;
use equipoise_kernels::rows::elementwise::add;
use equipoise_kernels::rows::rope::Table;
use equipoise_kernels::rows::{rms_norm, rope, swiglu};
use rayon::prelude::*;

use super::arena::{Arena, Buffer, scratch};
use super::dropout::Dropout;
use super::layout::Layout;
use super::linear::{Panels, Rows};
use super::view::Numbers;
use super::weights::{Layer, Linear};
use crate::Config;

/// Rows one task takes through a layer. Sums over rows are taken block by block, so it is part of
/// the result and does not depend on the machine.
pub(super) const BLOCK: usize = 96;

/// The blocks of rows of `width` numbers, as many as asked for; of what is not there, empty ones.
pub(super) fn blocks_of(all: Option<&mut [f32]>, width: usize, count: usize) -> Vec<&mut [f32]> {
    let mut blocks: Vec<&mut [f32]> = match all {
        None => Vec::new(),
        Some(all) => all.chunks_mut(BLOCK * width).collect(),
    };
    blocks.resize_with(count, Default::default);
    blocks
}

/// Everything a pass over a batch has in common.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a> {
    pub(super) config: &'a Config,
    pub(super) layout: &'a Layout,
    pub(super) rotary: &'a Table,
    pub(super) arena: &'a Arena,
    pub(super) precision: Precision,
    /// The dropout of adapters and the address of every row.
    pub(super) dropout: Option<(Dropout, &'a [u64])>,
}

impl<'a> Pass<'a> {
    pub(super) fn tokens(&self) -> usize {
        self.layout.tokens()
    }

    pub(super) fn epsilon(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }

    pub(super) fn heads(&self) -> Heads {
        Heads {
            query: self.config.num_attention_heads,
            key_value: self.config.num_key_value_heads,
            head_dim: self.config.head_dim,
        }
    }

    /// The widths of queries and of keys.
    pub(super) fn widths(&self) -> (usize, usize) {
        let heads = self.heads();
        (
            heads.query * heads.head_dim,
            heads.key_value * heads.head_dim,
        )
    }

    /// All rows.
    pub(super) fn rows(&self) -> Rows<'a> {
        Rows {
            arena: self.arena,
            count: self.tokens(),
            dropout: self.dropout,
        }
    }

    /// The rows of block `at`.
    pub(super) fn block(&self, at: usize) -> Rows<'a> {
        let range = at * BLOCK..self.tokens().min((at + 1) * BLOCK);
        Rows {
            arena: self.arena,
            count: range.len(),
            dropout: self.dropout.map(|(dropout, keys)| (dropout, &keys[range])),
        }
    }
}

/// The packed weights of a layer.
#[derive(Debug, Default)]
pub(super) struct LayerPanels {
    pub(super) query: Panels,
    pub(super) key: Panels,
    pub(super) value: Panels,
    pub(super) output: Panels,
    pub(super) gate: Panels,
    pub(super) up: Panels,
    pub(super) down: Panels,
}

impl LayerPanels {
    fn pack_forward(&mut self, layer: &Layer<Numbers<'_>>, precision: Precision) {
        self.each(layer, |panels, linear| {
            panels.pack_forward(linear, precision)
        });
    }

    pub(super) fn pack_backward(&mut self, layer: &Layer<Numbers<'_>>, precision: Precision) {
        self.each(layer, |panels, linear| {
            panels.pack_backward(linear, precision)
        });
    }

    fn each(
        &mut self,
        layer: &Layer<Numbers<'_>>,
        pack: impl Fn(&mut Panels, &Linear<Numbers<'_>>),
    ) {
        pack(&mut self.query, &layer.query);
        pack(&mut self.key, &layer.key);
        pack(&mut self.value, &layer.value);
        pack(&mut self.output, &layer.output);
        pack(&mut self.gate, &layer.gate);
        pack(&mut self.up, &layer.up);
        pack(&mut self.down, &layer.down);
    }
}

/// What the backward pass of a layer needs beside its input.
#[derive(Debug)]
pub(super) struct Activations {
    /// Before normalisation and rotation.
    pub(super) query: Buffer,
    pub(super) key: Buffer,
    pub(super) value: Buffer,
    /// What the attention gives.
    pub(super) mixed: Buffer,
    /// The residual stream between the two halves.
    pub(super) middle: Buffer,
    pub(super) gate: Buffer,
    pub(super) up: Buffer,
}

impl Activations {
    pub(super) fn new(pass: Pass<'_>) -> Self {
        let (query, key) = pass.widths();
        let (hidden, inner) = (pass.config.hidden_size, pass.config.intermediate_size);
        let take = |width: usize| pass.arena.take(pass.tokens() * width);
        Self {
            query: take(query),
            key: take(key),
            value: take(key),
            mixed: take(query),
            middle: take(hidden),
            gate: take(inner),
            up: take(inner),
        }
    }
}

/// Queries and keys as the attention compares them: normalised where the model does so, and rotated.
pub(super) fn rotated(
    pass: Pass<'_>,
    layer: &Layer<Numbers<'_>>,
    activations: &Activations,
) -> (Buffer, Buffer) {
    let (query_width, key_width) = pass.widths();
    let heads = pass.heads();
    let sides = [
        (
            &activations.query,
            &layer.query_norm,
            query_width,
            heads.query,
        ),
        (
            &activations.key,
            &layer.key_norm,
            key_width,
            heads.key_value,
        ),
    ];
    let [query, key] = sides.map(|(raw, norm, width, heads)| {
        let mut out = pass.arena.take(raw.len());
        out.par_chunks_mut(BLOCK * width)
            .zip(raw.par_chunks(BLOCK * width))
            .zip(pass.layout.positions.par_chunks(BLOCK))
            .for_each(|((out, raw), positions)| {
                match norm {
                    Some(norm) => rms_norm::forward(raw, norm.values, pass.epsilon(), out),
                    None => out.copy_from_slice(raw),
                }
                rope::rotate(out, positions, heads, pass.rotary);
            });
        out
    });
    (query, key)
}

/// Runs a layer: reads `x`, fills `activations`, writes the layer's output to `out` unless it is not
/// asked for (the backward pass recomputes the rest without it).
pub(super) fn forward(
    pass: Pass<'_>,
    layer: &Layer<Numbers<'_>>,
    panels: &mut LayerPanels,
    x: &[f32],
    activations: &mut Activations,
    out: Option<&mut [f32]>,
) {
    panels.pack_forward(layer, pass.precision);
    let panels = &*panels;
    let hidden = pass.config.hidden_size;
    let inner = pass.config.intermediate_size;
    let (query_width, key_width) = pass.widths();

    let Activations {
        query, key, value, ..
    } = activations;
    (
        x.par_chunks(BLOCK * hidden),
        query.par_chunks_mut(BLOCK * query_width),
        key.par_chunks_mut(BLOCK * key_width),
        value.par_chunks_mut(BLOCK * key_width),
    )
        .into_par_iter()
        .enumerate()
        .for_each(|(at, (x, query, key, value))| {
            let rows = pass.block(at);
            let mut h = scratch(x.len());
            rms_norm::forward(x, layer.input_norm.values, pass.epsilon(), &mut h);
            panels.query.apply(&layer.query, &h, query, rows);
            panels.key.apply(&layer.key, &h, key, rows);
            panels.value.apply(&layer.value, &h, value, rows);
        });

    let (query, key) = rotated(pass, layer, activations);
    attention::forward(
        pass.heads(),
        &query,
        &key,
        &activations.value,
        &pass.layout.sequences,
        &mut activations.mixed,
    );
    drop((query, key));

    let Activations {
        mixed,
        middle,
        gate,
        up,
        ..
    } = activations;
    let halves = (
        x.par_chunks(BLOCK * hidden),
        mixed.par_chunks(BLOCK * query_width),
        middle.par_chunks_mut(BLOCK * hidden),
        gate.par_chunks_mut(BLOCK * inner),
        up.par_chunks_mut(BLOCK * inner),
    )
        .into_par_iter()
        .enumerate();
    let first_half = |at: usize,
                      x: &[f32],
                      mixed: &[f32],
                      middle: &mut [f32],
                      gate: &mut [f32],
                      up: &mut [f32]| {
        let rows = pass.block(at);
        panels.output.apply(&layer.output, mixed, middle, rows);
        add(middle, x);
        let mut h = scratch(middle.len());
        let norm = layer.post_attention_norm.values;
        rms_norm::forward(middle, norm, pass.epsilon(), &mut h);
        panels.gate.apply(&layer.gate, &h, gate, rows);
        panels.up.apply(&layer.up, &h, up, rows);
    };
    match out {
        None => halves.for_each(|(at, (x, mixed, middle, gate, up))| {
            first_half(at, x, mixed, middle, gate, up);
        }),
        Some(out) => halves.zip(out.par_chunks_mut(BLOCK * hidden)).for_each(
            |((at, (x, mixed, middle, gate, up)), out)| {
                first_half(at, x, mixed, middle, gate, up);
                let mut gated = scratch(gate.len());
                swiglu::forward(gate, up, &mut gated);
                panels.down.apply(&layer.down, &gated, out, pass.block(at));
                add(out, middle);
            },
        ),
    }
}
