//! The training pass: packed sequences in, log-probabilities, entropies and scores out, and the
//! derivative back.

use equipoise_core::Ragged;
use equipoise_kernels::rows::elementwise::{add, add_scaled};
use equipoise_kernels::rows::rms_norm;
use rayon::prelude::*;

use super::arena::Buffer;
use super::layer::{self, Activations, BLOCK, LayerPanels, Pass};
use super::layout::Layout;
use super::view::{Numbers, lend};
use super::vocabulary::{Scored, Vocabulary};
use super::weights::Weights;
use super::{Decoder, backward};
use crate::{
    Gradients, ModelError, Need, OutputHeads, Parameters, Policy, Tape, TokenBatch,
    TokenCotangents, TokenOutputs,
};

/// What a forward pass leaves for the backward pass.
struct Saved {
    /// The input of every layer, and the output of the last.
    inputs: Vec<Buffer>,
    /// Empty if layers are recomputed.
    layers: Vec<Activations>,
    head: Head,
}

/// The end of the forward pass: only rows that are scored reach it.
struct Head {
    /// The rows before and after the last normalisation: first those of scored tokens, then one per
    /// sequence where sequences are scored.
    rows: Buffer,
    normed: Buffer,
    scored: Vec<Scored>,
    /// What a frozen vocabulary needs of the logits for the gradient.
    sums: Option<Buffer>,
}

/// What of a forward pass is kept.
#[derive(Clone, Copy, PartialEq)]
enum Keep {
    Nothing,
    Inputs,
    Everything,
}

impl Decoder {
    fn layout(&self, batch: &TokenBatch, need: &Need) -> Result<Layout, ModelError> {
        let scores = need.values || need.sequence_scores;
        if scores && self.weights.score.is_none() {
            return Err(ModelError::Batch(
                "values or sequence scores are asked for, but the model has no score head".into(),
            ));
        }
        if self.config.heads == OutputHeads::Score && !scores {
            return Err(ModelError::Batch(
                "the model has only a score head: ask for values or sequence scores".into(),
            ));
        }
        let limit = self.config.max_position_embeddings;
        Layout::new(batch, need, limit, self.config.vocab_size)
    }

    fn pass<'a>(&'a self, layout: &'a Layout, need: &Need) -> Pass<'a> {
        Pass {
            config: &self.config,
            layout,
            rotary: &self.rotary,
            arena: &self.arena,
            precision: self.precision,
            dropout: need.dropout.map(|dropout| (dropout, &layout.keys[..])),
        }
    }

    /// Runs the layers and the head; keeps what the backward pass needs.
    fn run(
        &self,
        weights: &Weights<Numbers<'_>>,
        pass: Pass<'_>,
        need: &Need,
        keep: Keep,
    ) -> Saved {
        let hidden = pass.config.hidden_size;
        let mut x = pass.arena.take(pass.tokens() * hidden);
        embed(&weights.embedding, &pass.layout.ids, &mut x);
        let mut panels = self.panels();
        let (mut inputs, mut layers) = (Vec::new(), Vec::new());
        let mut activations = None;
        for layer in &weights.layers {
            let mut current = activations.take().unwrap_or_else(|| Activations::new(pass));
            let mut out = pass.arena.take(x.len());
            let output = Some(&mut out[..]);
            layer::forward(pass, layer, &mut panels, &x, &mut current, output);
            let input = std::mem::replace(&mut x, out);
            match keep {
                Keep::Everything => layers.push(current),
                _ => activations = Some(current),
            }
            if keep != Keep::Nothing {
                inputs.push(input);
            }
        }
        self.keep_panels(panels);
        let head = head(weights, pass, need, keep, &x);
        inputs.push(x);
        Saved {
            inputs,
            layers,
            head,
        }
    }
}

/// Runs `body` on a thread of the current rayon pool. A pass has hundreds of short parallel loops; begun
/// on another thread, each of them would wake the pool and put that thread to sleep.
fn in_the_pool<R: Send>(body: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| body())
}

fn embed(embedding: &Numbers<'_>, ids: &[u32], x: &mut [f32]) {
    let width = embedding.columns;
    for (row, &id) in x.chunks_exact_mut(width).zip(ids) {
        row.copy_from_slice(&embedding.values[id as usize * width..][..width]);
    }
}

/// The rows of the head among those of the residual stream.
fn head_rows(layout: &Layout) -> impl Iterator<Item = usize> {
    let rows = layout.rows.iter().chain(&layout.lasts);
    rows.map(|&row| row as usize)
}

fn vocabulary<'a>(
    weights: &'a Weights<Numbers<'a>>,
    pass: Pass<'a>,
    need: &Need,
) -> Vocabulary<'a> {
    Vocabulary {
        pass,
        weight: weights.vocabulary.as_ref().unwrap_or(&weights.embedding),
        targets: &pass.layout.targets,
        inverse_temperature: (1.0 / need.temperature) as f32,
    }
}

fn head(
    weights: &Weights<Numbers<'_>>,
    pass: Pass<'_>,
    need: &Need,
    keep: Keep,
    x: &[f32],
) -> Head {
    let hidden = pass.config.hidden_size;
    let count = pass.layout.rows.len() + pass.layout.lasts.len();
    let mut rows = pass.arena.take(count * hidden);
    for (row, at) in rows.chunks_exact_mut(hidden).zip(head_rows(pass.layout)) {
        row.copy_from_slice(&x[at * hidden..][..hidden]);
    }
    let mut normed = pass.arena.take(rows.len());
    normed
        .par_chunks_mut(BLOCK * hidden)
        .zip(rows.par_chunks(BLOCK * hidden))
        .for_each(|(normed, rows)| {
            rms_norm::forward(rows, weights.norm.values, pass.epsilon(), normed);
        });
    let of_tokens = &normed[..pass.layout.rows.len() * hidden];
    let (scored, sums) = match pass.config.heads {
        OutputHeads::Score => (Vec::new(), None),
        _ => {
            let vocabulary = vocabulary(weights, pass, need);
            // A gradient of the weight or of entropies needs the logits themselves, later.
            let frozen = vocabulary.weight.index.is_none();
            let with_sums = keep != Keep::Nothing && frozen && !need.entropy_gradients;
            vocabulary.forward(of_tokens, with_sums)
        }
    };
    Head {
        rows,
        normed,
        scored,
        sums,
    }
}

/// A row's number from the score head, added up in double precision.
fn score(row: &[f32], weight: &[f32]) -> f32 {
    let products = row.iter().zip(weight);
    products
        .map(|(&x, &w)| f64::from(x) * f64::from(w))
        .sum::<f64>() as f32
}

fn outputs(
    head: &Head,
    layout: &Layout,
    need: &Need,
    score_weight: Option<&Numbers<'_>>,
) -> Result<TokenOutputs, ModelError> {
    let ragged = |values: Vec<f32>| {
        Ragged::from_parts(values, layout.borders.clone())
            .ok_or_else(|| ModelError::Batch("the borders do not fit the outputs".to_owned()))
    };
    let mut scores = Vec::new();
    if let Some(weight) = score_weight {
        let rows = head.normed.chunks_exact(weight.values.len());
        scores.extend(rows.map(|row| score(row, weight.values)));
    }
    let of_sequences = scores.split_off(layout.rows.len().min(scores.len()));
    let column = |of: fn(&Scored) -> f32| match head.scored.len() == layout.rows.len() {
        true => ragged(head.scored.iter().map(of).collect()),
        // No vocabulary: a row of nothing for each sequence.
        false => {
            let mut rows = Ragged::new();
            (1..layout.borders.len()).for_each(|_| rows.push_row([]));
            Ok(rows)
        }
    };
    Ok(TokenOutputs {
        logprobs: column(|scored| scored.logprob)?,
        entropies: column(|scored| scored.statistics.entropy)?,
        values: match need.values {
            true => Some(ragged(scores)?),
            false => None,
        },
        sequence_scores: need.sequence_scores.then_some(of_sequences),
    })
}

impl Policy for Decoder {
    fn forward(&self, batch: &TokenBatch, need: &Need) -> Result<Box<dyn Tape>, ModelError> {
        let layout = self.layout(batch, need)?;
        let keep = match self.activation_checkpointing {
            true => Keep::Inputs,
            false => Keep::Everything,
        };
        let (saved, outputs) = lend(&self.weights, |weights| {
            in_the_pool(|| {
                let pass = self.pass(&layout, need);
                let saved = self.run(weights, pass, need, keep);
                let outputs = outputs(&saved.head, &layout, need, weights.score.as_ref())?;
                Ok::<_, ModelError>((saved, outputs))
            })
        })??;
        Ok(Box::new(EngineTape {
            decoder: self.clone(),
            layout,
            need: *need,
            saved,
            outputs,
        }))
    }

    fn score(&self, batch: &TokenBatch, need: &Need) -> Result<TokenOutputs, ModelError> {
        let layout = self.layout(batch, need)?;
        lend(&self.weights, |weights| {
            in_the_pool(|| {
                let pass = self.pass(&layout, need);
                let saved = self.run(weights, pass, need, Keep::Nothing);
                outputs(&saved.head, &layout, need, weights.score.as_ref())
            })
        })?
    }

    fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

struct EngineTape {
    decoder: Decoder,
    layout: Layout,
    need: Need,
    saved: Saved,
    outputs: TokenOutputs,
}

impl Tape for EngineTape {
    fn outputs(&self) -> &TokenOutputs {
        &self.outputs
    }

    fn backward(
        self: Box<Self>,
        cotangents: &TokenCotangents,
        gradients: &mut Gradients,
    ) -> Result<(), ModelError> {
        self.check(cotangents)?;
        let Self {
            decoder,
            layout,
            need,
            saved,
            ..
        } = *self;
        lend(&decoder.weights, |weights| {
            in_the_pool(|| {
                let pass = decoder.pass(&layout, &need);
                let mut panels = decoder.panels();
                back(
                    weights,
                    pass,
                    &need,
                    saved,
                    cotangents,
                    &mut panels,
                    gradients,
                );
                decoder.keep_panels(panels);
            });
        })
    }
}

impl EngineTape {
    fn check(&self, cotangents: &TokenCotangents) -> Result<(), ModelError> {
        let fail = |reason: &str| Err(ModelError::Batch(reason.to_owned()));
        if cotangents.values.is_some() && self.outputs.values.is_none() {
            return fail("there are cotangents of values, but no values were asked for");
        }
        let (found, outputs) = (cotangents, &self.outputs);
        let pairs = [
            (Some(&found.logprobs), Some(&outputs.logprobs)),
            (found.entropies.as_ref(), Some(&outputs.entropies)),
            (found.values.as_ref(), outputs.values.as_ref()),
        ];
        let differ = |(found, output): &(Option<&Ragged<f32>>, Option<&Ragged<f32>>)| {
            found.is_some_and(|f| output.is_none_or(|output| f.offsets() != output.offsets()))
        };
        if pairs.iter().any(differ) {
            return fail("the cotangents do not have the borders of the outputs");
        }
        let scores = |numbers: &Option<Vec<f32>>| numbers.as_ref().map(Vec::len);
        if let Some(count) = scores(&cotangents.sequence_scores)
            && scores(&self.outputs.sequence_scores) != Some(count)
        {
            return fail("the cotangents of sequence scores are not as many as the scores");
        }
        Ok(())
    }
}

/// The whole backward pass.
fn back(
    weights: &Weights<Numbers<'_>>,
    pass: Pass<'_>,
    need: &Need,
    saved: Saved,
    cotangents: &TokenCotangents,
    panels: &mut LayerPanels,
    gradients: &mut Gradients,
) {
    let Saved {
        mut inputs,
        mut layers,
        head,
    } = saved;
    // The output of the last layer: its scored rows are in the head.
    drop(inputs.pop());
    let mut dx = head_backward(weights, pass, need, head, cotangents, gradients);
    for layer in weights.layers.iter().rev() {
        let Some(x) = inputs.pop() else {
            break; // one input per layer was saved
        };
        let activations = layers.pop().unwrap_or_else(|| {
            let mut activations = Activations::new(pass);
            layer::forward(pass, layer, panels, &x, &mut activations, None);
            activations
        });
        backward::backward(pass, layer, panels, &x, activations, &mut dx, gradients);
    }
    if let Some(index) = weights.embedding.index {
        let width = weights.embedding.columns;
        let dembedding = gradients.buffer(index, weights.embedding.values.len());
        for (row, &id) in dx.chunks_exact(width).zip(&pass.layout.ids) {
            add(&mut dembedding[id as usize * width..][..width], row);
        }
    }
}

/// From the cotangents to the gradient of the residual stream after the last layer.
fn head_backward(
    weights: &Weights<Numbers<'_>>,
    pass: Pass<'_>,
    need: &Need,
    head: Head,
    cotangents: &TokenCotangents,
    gradients: &mut Gradients,
) -> Buffer {
    let hidden = pass.config.hidden_size;
    let tokens = pass.layout.rows.len();
    let entropies = cotangents.entropies.as_ref().map(Ragged::values);
    let pairs: Vec<(f32, f32)> = (cotangents.logprobs.values().iter().enumerate())
        .map(|(at, &logprob)| (logprob, entropies.map_or(0.0, |values| values[at])))
        .collect();
    let mut dnormed = pass.arena.zeros(head.normed.len());
    if pass.config.heads != OutputHeads::Score {
        let vocabulary = vocabulary(weights, pass, need);
        let dnormed = &mut dnormed[..tokens * hidden];
        let no_entropies = pairs.iter().all(|&(_, entropy)| entropy == 0.0);
        match &head.sums {
            Some(sums) if no_entropies => {
                vocabulary.backward_from_sums(sums, &head.scored, &pairs, dnormed);
            }
            _ => {
                let normed = &head.normed[..tokens * hidden];
                vocabulary.backward(normed, &head.scored, &pairs, dnormed, gradients);
            }
        }
    }
    if let Some(weight) = &weights.score {
        let zeros = || vec![0.0; tokens];
        let of_tokens = cotangents.values.as_ref();
        let mut all = of_tokens.map_or_else(zeros, |values| values.values().to_vec());
        all.extend(cotangents.sequence_scores.iter().flatten());
        all.resize(head.normed.len() / hidden, 0.0);
        for (dnormed, d) in dnormed.chunks_exact_mut(hidden).zip(&all) {
            add_scaled(dnormed, weight.values, *d);
        }
        if let Some(index) = weight.index {
            let dweight = gradients.buffer(index, hidden);
            for (normed, d) in head.normed.chunks_exact(hidden).zip(&all) {
                add_scaled(dweight, normed, *d);
            }
        }
    }
    let mut drows = pass.arena.take(dnormed.len());
    let blocks = drows.len().div_ceil(BLOCK * hidden);
    let mut partial = pass.arena.zeros(blocks * hidden);
    (
        head.rows.par_chunks(BLOCK * hidden),
        dnormed.par_chunks(BLOCK * hidden),
        drows.par_chunks_mut(BLOCK * hidden),
        partial.par_chunks_mut(hidden),
    )
        .into_par_iter()
        .for_each(|(rows, dnormed, drows, partial)| {
            let norm = weights.norm.values;
            rms_norm::backward(rows, norm, pass.epsilon(), dnormed, drows, partial);
        });
    if let Some(index) = weights.norm.index {
        let dnorm = gradients.buffer(index, hidden);
        for partial in partial.chunks_exact(hidden) {
            add(dnorm, partial);
        }
    }
    let mut dx = pass.arena.zeros(pass.tokens() * hidden);
    for (drow, at) in drows.chunks_exact(hidden).zip(head_rows(pass.layout)) {
        add(&mut dx[at * hidden..][..hidden], drow);
    }
    dx
}
