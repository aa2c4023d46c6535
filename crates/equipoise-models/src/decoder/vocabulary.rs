//! The vocabulary projection, straight to log-probabilities and entropies.
//!
//! Logits exist for one block of the vocabulary and one block of rows at a time, and the backward
//! pass computes them again. So memory does not grow with tokens times vocabulary.
//!
//! Where the weight is frozen, as under an adapter, the backward pass needs of a row's logits only one
//! vector: the mean of the weight's rows under the probabilities. It is added up in the forward pass
//! while the logits are there, as the running sums are, and they are not computed again:
//!
//! ```text
//! mⱼ = Σₖ e^(zₖ − max) wₖ over the blocks up to j, scaled by e^(max − max') when the maximum moves to max'
//! d log p / d hidden = (w_target − m / S) / τ        S = Σₖ e^(zₖ − max)
//! ```

use equipoise_kernels::gemm::{MatrixRef, Packed, Parallelism};
use equipoise_kernels::rows::elementwise::{add_scaled, scale};
use equipoise_kernels::rows::log_prob::{self, RowStatistics, Running};
use rayon::prelude::*;

use super::arena::{Buffer, scratch};
use super::layer::{BLOCK, Pass, blocks_of};
use super::linear::product_of_columns;
use super::view::Numbers;
use crate::Gradients;

/// The projection of some rows: what to score and how.
#[derive(Clone, Copy)]
pub(super) struct Vocabulary<'a> {
    pub(super) pass: Pass<'a>,
    /// (vocabulary, hidden).
    pub(super) weight: &'a Numbers<'a>,
    /// The token each row is asked for.
    pub(super) targets: &'a [u32],
    pub(super) inverse_temperature: f32,
}

/// The result for one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scored {
    pub(super) logprob: f32,
    pub(super) statistics: RowStatistics,
}

impl<'a> Vocabulary<'a> {
    /// The blocks of the vocabulary: where each starts, and its rows of the weight.
    fn blocks(&self) -> impl Iterator<Item = (usize, MatrixRef<'a>)> {
        let (weight, width) = (self.weight, self.weight.columns);
        let rows = weight.values.chunks(log_prob::BLOCK * width);
        rows.enumerate().map(move |(at, rows)| {
            let matrix = MatrixRef::row_major(rows, rows.len() / width, width);
            (at * log_prob::BLOCK, matrix)
        })
    }

    /// log softmax(hidden·weightᵀ/τ) at the targets, and the statistics of the rows; and, if asked for,
    /// the sums m above.
    pub(super) fn forward(&self, hidden: &[f32], with_sums: bool) -> (Vec<Scored>, Option<Buffer>) {
        let width = self.weight.columns;
        let (precision, pool) = (self.pass.precision, Parallelism::Pool);
        let mut running = vec![(Running::default(), f32::NAN); self.targets.len()];
        let mut sums_of_rows = with_sums.then(|| self.pass.arena.take(hidden.len()));
        let (mut packed, mut back) = (Packed::default(), Packed::default());
        for (first, rows) in self.blocks() {
            packed.pack(rows.transposed(), precision, pool);
            if with_sums {
                back.pack(rows, precision, pool);
            }
            let columns = packed.columns();
            let blocks = self.targets.len().div_ceil(BLOCK);
            let weighted = blocks_of(sums_of_rows.as_deref_mut(), width, blocks);
            (
                running.par_chunks_mut(BLOCK),
                hidden.par_chunks(BLOCK * width),
                self.targets.par_chunks(BLOCK),
                weighted,
            )
                .into_par_iter()
                .for_each(|(running, hidden, targets, weighted)| {
                    let mut logits = scratch(targets.len() * columns);
                    let hidden = MatrixRef::row_major(hidden, targets.len(), width);
                    packed.multiply(hidden, &mut logits, false);
                    let mut sums_of_rows = weighted.chunks_exact_mut(width);
                    let rows = running.iter_mut().zip(targets);
                    for (logits, ((sums, chosen), &target)) in
                        logits.chunks_exact_mut(columns).zip(rows)
                    {
                        let before = sums.maximum();
                        sums.add(logits, self.inverse_temperature);
                        let at = (target as usize).checked_sub(first);
                        if let Some(z) = at.and_then(|at| logits.get(at)) {
                            *chosen = *z;
                        }
                        if let Some(weighted) = sums_of_rows.next() {
                            let now = sums.maximum();
                            if first > 0 && now > before {
                                scale(weighted, (before - now).exp());
                            }
                            log_prob::masses(logits, now);
                        }
                    }
                    if weighted.is_empty() {
                        return;
                    }
                    let masses = MatrixRef::row_major(&logits, targets.len(), columns);
                    back.multiply(masses, weighted, first > 0);
                });
        }
        let scored = running
            .into_iter()
            .map(|(running, chosen)| {
                let statistics = running.finish();
                Scored {
                    logprob: statistics.log_prob(chosen),
                    statistics,
                }
            })
            .collect();
        (scored, sums_of_rows)
    }

    /// The gradient with respect to `hidden` from the sums of [`forward`](Self::forward), where only
    /// log-probabilities have cotangents.
    pub(super) fn backward_from_sums(
        &self,
        sums: &[f32],
        scored: &[Scored],
        cotangents: &[(f32, f32)],
        dhidden: &mut [f32],
    ) {
        let width = self.weight.columns;
        let rows = sums.par_chunks(width).zip(dhidden.par_chunks_mut(width));
        rows.zip(self.targets)
            .zip(scored.par_iter().zip(cotangents))
            .for_each(|(((sums, dhidden), &target), (scored, &(cotangent, _)))| {
                let cotangent = cotangent * self.inverse_temperature;
                let mass = scored.statistics.log_sum.exp();
                add_scaled(dhidden, sums, -cotangent / mass);
                let chosen = &self.weight.values[target as usize * width..][..width];
                add_scaled(dhidden, chosen, cotangent);
            });
    }

    /// The gradient with respect to `hidden` into `dhidden`; that of the weight, if it is trained,
    /// into `gradients`. `cotangents` are those of each row's log-probability and entropy.
    pub(super) fn backward(
        &self,
        hidden: &[f32],
        scored: &[Scored],
        cotangents: &[(f32, f32)],
        dhidden: &mut [f32],
        gradients: &mut Gradients,
    ) {
        let (width, count) = (self.weight.columns, self.targets.len());
        let (precision, arena) = (self.pass.precision, self.pass.arena);
        let pool = Parallelism::Pool;
        let trained = self.weight.index;
        let packed_hidden = trained.map(|_| {
            let hidden = MatrixRef::row_major(hidden, count, width);
            arena.pack(hidden, precision)
        });
        if let Some(index) = trained {
            gradients.buffer(index, self.weight.values.len());
        }
        let (mut forward, mut back) = (Packed::default(), Packed::default());
        for (first, rows) in self.blocks() {
            forward.pack(rows.transposed(), precision, pool);
            back.pack(rows, precision, pool);
            let columns = forward.columns();
            let mut dlogits: Buffer = arena.take(count * columns);
            (
                dlogits.par_chunks_mut(BLOCK * columns),
                dhidden.par_chunks_mut(BLOCK * width),
                hidden.par_chunks(BLOCK * width),
                self.targets.par_chunks(BLOCK),
                scored.par_chunks(BLOCK),
                cotangents.par_chunks(BLOCK),
            )
                .into_par_iter()
                .for_each(|(logits, dhidden, hidden, targets, scored, cotangents)| {
                    let rows = targets.len();
                    let hidden = MatrixRef::row_major(hidden, rows, width);
                    forward.multiply(hidden, logits, false);
                    let each = scored.iter().zip(targets).zip(cotangents);
                    for (logits, ((scored, &target), &(logprob, entropy))) in
                        logits.chunks_exact_mut(columns).zip(each)
                    {
                        scale(logits, self.inverse_temperature);
                        log_prob::backward(
                            logits,
                            scored.statistics,
                            (target as usize).wrapping_sub(first),
                            logprob,
                            entropy,
                            self.inverse_temperature,
                        );
                    }
                    let dlogits = MatrixRef::row_major(logits, rows, columns);
                    back.multiply(dlogits, dhidden, first > 0);
                });
            if let (Some(index), Some(hidden)) = (trained, &packed_hidden) {
                let all = gradients.buffer(index, self.weight.values.len());
                let block = &mut all[first * width..(first + columns) * width];
                product_of_columns(&dlogits, columns, hidden, block, true);
            }
        }
    }
}
