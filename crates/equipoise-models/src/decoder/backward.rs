//! One decoder layer over all rows of a batch, backwards.
//!
//! The gradient of the residual stream comes in and leaves through the same buffer. What the forward
//! pass did not keep (normalised and rotated rows, the gated product) is computed again block by
//! block.

use equipoise_kernels::attention;
use equipoise_kernels::rows::elementwise::{add, add_columns};
use equipoise_kernels::rows::{rms_norm, rope, swiglu};
use rayon::prelude::*;

use super::arena::{Buffer, scratch};
use super::layer::{Activations, BLOCK, LayerPanels, Pass, blocks_of, rotated};
use super::linear::Input;
use super::view::Numbers;
use super::weights::{Layer, Linear};
use crate::Gradients;

/// Gradients of the inner products of a layer's adapters, for the gradient of `down`; empty where
/// there is no adapter.
struct Inner {
    buffer: Buffer,
    width: usize,
}

impl Inner {
    fn new(pass: Pass<'_>, linear: &Linear<Numbers<'_>>) -> Self {
        let rank = linear.adapter.as_ref().map_or(0, |a| a.down.rows);
        Self {
            buffer: pass.arena.take(pass.tokens() * rank),
            width: rank,
        }
    }

    /// The blocks of rows, empty ones where there is no adapter.
    fn blocks(&mut self, count: usize) -> Vec<&mut [f32]> {
        let width = self.width;
        blocks_of((width > 0).then_some(&mut self.buffer[..]), width, count)
    }
}

/// One row of partial sums per block, added up in the order of the blocks.
struct Partial {
    buffer: Buffer,
    width: usize,
}

impl Partial {
    fn new(pass: Pass<'_>, width: usize) -> Self {
        let blocks = pass.tokens().div_ceil(BLOCK);
        Self {
            buffer: pass.arena.zeros(blocks * width),
            width,
        }
    }

    fn finish(self, parameter: &Numbers<'_>, gradients: &mut Gradients) {
        if let Some(index) = parameter.index {
            add_columns(gradients.buffer(index, self.width), &self.buffer);
        }
    }
}

/// Sends the gradient of a layer's output, `dx`, back to its input, and adds the gradients of the
/// layer's trained parameters.
pub(super) fn backward(
    pass: Pass<'_>,
    layer: &Layer<Numbers<'_>>,
    panels: &mut LayerPanels,
    x: &[f32],
    activations: Activations,
    dx: &mut Buffer,
    gradients: &mut Gradients,
) {
    panels.pack_backward(layer, pass.precision);
    let activations = feed_forward(pass, layer, panels, activations, dx, gradients);
    attention_half(pass, layer, panels, x, activations, dx, gradients);
}

/// The second half; leaves the gradient of `middle` in `dx`.
fn feed_forward(
    pass: Pass<'_>,
    layer: &Layer<Numbers<'_>>,
    panels: &LayerPanels,
    mut activations: Activations,
    dx: &mut Buffer,
    gradients: &mut Gradients,
) -> Activations {
    let (tokens, hidden) = (pass.tokens(), pass.config.hidden_size);
    let inner = pass.config.intermediate_size;
    let blocks = tokens.div_ceil(BLOCK);
    let mut gated = pass.arena.take(tokens * inner);
    let mut h = pass.arena.take(tokens * hidden);
    let mut dmiddle = pass.arena.take(tokens * hidden);
    let mut dnorm = Partial::new(pass, hidden);
    let [mut inner_gate, mut inner_up, mut inner_down] =
        [&layer.gate, &layer.up, &layer.down].map(|linear| Inner::new(pass, linear));
    let Activations {
        middle, gate, up, ..
    } = &mut activations;
    (
        dx.par_chunks(BLOCK * hidden),
        middle.par_chunks(BLOCK * hidden),
        gate.par_chunks_mut(BLOCK * inner),
        up.par_chunks_mut(BLOCK * inner),
        gated.par_chunks_mut(BLOCK * inner),
        h.par_chunks_mut(BLOCK * hidden),
        dmiddle.par_chunks_mut(BLOCK * hidden),
        dnorm.buffer.par_chunks_mut(hidden),
        inner_gate.blocks(blocks),
        inner_up.blocks(blocks),
        inner_down.blocks(blocks),
    )
        .into_par_iter()
        .enumerate()
        .for_each(
            |(at, (dx, middle, gate, up, gated, h, dmiddle, dnorm, in_gate, in_up, in_down))| {
                let rows = pass.block(at);
                let norm = layer.post_attention_norm.values;
                rms_norm::forward(middle, norm, pass.epsilon(), h);
                swiglu::forward(gate, up, gated);
                let mut dgated = scratch(gated.len());
                let down = &panels.down;
                down.input_gradient(&layer.down, dx, &mut dgated, in_down, false, rows);
                // The gradients of gate and up take their places.
                swiglu::backward_in_place(gate, up, &dgated);
                let mut dh = scratch(h.len());
                let (gates, ups) = (&panels.gate, &panels.up);
                gates.input_gradient(&layer.gate, gate, &mut dh, in_gate, false, rows);
                ups.input_gradient(&layer.up, up, &mut dh, in_up, true, rows);
                rms_norm::backward(middle, norm, pass.epsilon(), &dh, dmiddle, dnorm);
                add(dmiddle, dx);
            },
        );
    let mut input = Input::new(&gated, inner, pass.rows(), pass.precision);
    input.weight_gradient(&layer.down, dx, &inner_down.buffer, gradients);
    drop(input);
    drop(gated);
    let mut input = Input::new(&h, hidden, pass.rows(), pass.precision);
    input.weight_gradient(&layer.gate, gate, &inner_gate.buffer, gradients);
    input.weight_gradient(&layer.up, up, &inner_up.buffer, gradients);
    dnorm.finish(&layer.post_attention_norm, gradients);
    *dx = dmiddle;
    activations
}

/// The first half: `dx` holds the gradient of `middle` and then that of the layer's input.
fn attention_half(
    pass: Pass<'_>,
    layer: &Layer<Numbers<'_>>,
    panels: &LayerPanels,
    x: &[f32],
    mut activations: Activations,
    dx: &mut Buffer,
    gradients: &mut Gradients,
) {
    let (tokens, hidden) = (pass.tokens(), pass.config.hidden_size);
    let (query_width, key_width) = pass.widths();
    let blocks = tokens.div_ceil(BLOCK);
    // Their memory is asked for again below.
    activations.gate = pass.arena.take(0);
    activations.up = pass.arena.take(0);

    let mut dmixed = pass.arena.take(tokens * query_width);
    let mut inner_output = Inner::new(pass, &layer.output);
    (
        dx.par_chunks(BLOCK * hidden),
        dmixed.par_chunks_mut(BLOCK * query_width),
        inner_output.blocks(blocks),
    )
        .into_par_iter()
        .enumerate()
        .for_each(|(at, (dx, dmixed, inner))| {
            let output = &panels.output;
            output.input_gradient(&layer.output, dx, dmixed, inner, false, pass.block(at));
        });
    let mut input = Input::new(&activations.mixed, query_width, pass.rows(), pass.precision);
    input.weight_gradient(&layer.output, dx, &inner_output.buffer, gradients);
    drop(input);

    let mut dquery = pass.arena.take(tokens * query_width);
    let mut dkey = pass.arena.take(tokens * key_width);
    let mut dvalue = pass.arena.take(tokens * key_width);
    let (query, key) = rotated(pass, layer, &activations);
    attention::backward(
        pass.heads(),
        &query,
        &key,
        &activations.value,
        &dmixed,
        &pass.layout.sequences,
        &mut dquery,
        &mut dkey,
        &mut dvalue,
    );
    drop((query, key, dmixed));
    let heads = pass.heads();
    unrotate(
        pass,
        &activations.query,
        layer.query_norm.as_ref(),
        heads.query,
        &mut dquery,
        gradients,
    );
    unrotate(
        pass,
        &activations.key,
        layer.key_norm.as_ref(),
        heads.key_value,
        &mut dkey,
        gradients,
    );

    let mut h = pass.arena.take(tokens * hidden);
    let mut dnorm = Partial::new(pass, hidden);
    let [mut inner_query, mut inner_key, mut inner_value] =
        [&layer.query, &layer.key, &layer.value].map(|linear| Inner::new(pass, linear));
    (
        x.par_chunks(BLOCK * hidden),
        dx.par_chunks_mut(BLOCK * hidden),
        h.par_chunks_mut(BLOCK * hidden),
        dquery.par_chunks(BLOCK * query_width),
        dkey.par_chunks(BLOCK * key_width),
        dvalue.par_chunks(BLOCK * key_width),
        dnorm.buffer.par_chunks_mut(hidden),
        inner_query.blocks(blocks),
        inner_key.blocks(blocks),
        inner_value.blocks(blocks),
    )
        .into_par_iter()
        .enumerate()
        .for_each(
            |(at, (x, dx, h, dquery, dkey, dvalue, dnorm, in_query, in_key, in_value))| {
                let rows = pass.block(at);
                let norm = layer.input_norm.values;
                rms_norm::forward(x, norm, pass.epsilon(), h);
                let mut dh = scratch(x.len());
                let LayerPanels {
                    query, key, value, ..
                } = panels;
                query.input_gradient(&layer.query, dquery, &mut dh, in_query, false, rows);
                key.input_gradient(&layer.key, dkey, &mut dh, in_key, true, rows);
                value.input_gradient(&layer.value, dvalue, &mut dh, in_value, true, rows);
                let mut dinput = scratch(x.len());
                rms_norm::backward(x, norm, pass.epsilon(), &dh, &mut dinput, dnorm);
                add(dx, &dinput);
            },
        );
    let mut input = Input::new(&h, hidden, pass.rows(), pass.precision);
    input.weight_gradient(&layer.query, &dquery, &inner_query.buffer, gradients);
    input.weight_gradient(&layer.key, &dkey, &inner_key.buffer, gradients);
    input.weight_gradient(&layer.value, &dvalue, &inner_value.buffer, gradients);
    dnorm.finish(&layer.input_norm, gradients);
}

/// Turns the gradient of rotated (and normalised) rows into that of the raw ones, in place.
fn unrotate(
    pass: Pass<'_>,
    raw: &[f32],
    norm: Option<&Numbers<'_>>,
    heads: usize,
    d: &mut [f32],
    gradients: &mut Gradients,
) {
    let head_dim = pass.config.head_dim;
    let width = heads * head_dim;
    let mut dnorm = Partial::new(pass, head_dim);
    (
        d.par_chunks_mut(BLOCK * width),
        raw.par_chunks(BLOCK * width),
        pass.layout.positions.par_chunks(BLOCK),
        dnorm.buffer.par_chunks_mut(head_dim),
    )
        .into_par_iter()
        .for_each(|(d, raw, positions, dnorm)| {
            rope::rotate_back(d, positions, heads, pass.rotary);
            if let Some(norm) = norm {
                let mut draw = scratch(d.len());
                rms_norm::backward(raw, norm.values, pass.epsilon(), d, &mut draw, dnorm);
                d.copy_from_slice(&draw);
            }
        });
    if let Some(norm) = norm {
        dnorm.finish(norm, gradients);
    }
}
