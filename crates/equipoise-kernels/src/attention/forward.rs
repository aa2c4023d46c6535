//! Attention of whole sequences.

use std::cell::Cell;

use rayon::prelude::*;

use super::sequences::Part;
use super::tiles::{Operand, Panels, exponentials};
use super::{Heads, QUERIES, Sequences, SharedRows};
use crate::gemm::micro::tile_rows;
use crate::rows::elementwise::scale;

/// Queries of one sequence that are one task; the keys before them are packed for each task.
const SPAN: usize = 512;

#[derive(Default)]
struct Scratch {
    keys: Panels,
    values: Panels,
    scores: Vec<f32>,
    out: Vec<f32>,
    /// One head's rows side by side.
    rows: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Attention of every token over itself and the tokens before it in its sequence.
///
/// `query` and `out` hold `heads.query · head_dim` numbers per token, `key` and `value`
/// `heads.key_value · head_dim`; queries and keys are already rotated. Spread over the current rayon
/// pool; the result does not depend on it.
///
/// # Panics
/// If the lengths are not those of the sequences' tokens.
pub fn forward(
    heads: Heads,
    query: &[f32],
    key: &[f32],
    value: &[f32],
    sequences: &Sequences,
    out: &mut [f32],
) {
    heads.check(query.len(), key.len(), value.len(), sequences.tokens());
    assert_eq!(out.len(), query.len(), "the result has the query's shape");
    let tasks: Vec<_> = (sequences.parts().iter())
        .flat_map(|part| {
            let (first, end) = (part.prefix.len(), part.length());
            let spans = (first..end).step_by(SPAN);
            spans.flat_map(move |first| {
                (0..heads.key_value).map(move |shared| Task {
                    part,
                    first,
                    end: end.min(first + SPAN),
                    shared,
                })
            })
        })
        .collect();
    let out = SharedRows::new(out, heads.query, heads.head_dim);
    tasks.into_par_iter().for_each(|task| {
        let mut scratch = SCRATCH.take();
        task.run(heads, query, key, value, &out, &mut scratch);
        SCRATCH.set(scratch);
    });
}

/// Some queries of one sequence, with all heads that share one key-value head.
struct Task<'a> {
    part: &'a Part,
    /// The positions of the queries.
    first: usize,
    end: usize,
    shared: usize,
}

impl Task<'_> {
    fn run(
        &self,
        heads: Heads,
        query: &[f32],
        key: &[f32],
        value: &[f32],
        out: &SharedRows<'_>,
        scratch: &mut Scratch,
    ) {
        let d = heads.head_dim;
        let wide = heads.query * d;
        let Scratch {
            keys, values, rows, ..
        } = scratch;
        let head = self.part.head(heads, self.shared, self.end, key, rows);
        keys.pack(head.transposed(), d, self.end);
        let head = self.part.head(heads, self.shared, self.end, value, rows);
        values.pack(head, self.end, d);
        scratch.scores.resize(QUERIES * self.end, 0.0);
        scratch.out.resize(QUERIES * d, 0.0);
        for head in self.shared * heads.sharing()..(self.shared + 1) * heads.sharing() {
            for first in (self.first..self.end).step_by(QUERIES) {
                let rows = QUERIES.min(self.end - first);
                let queries = Operand {
                    data: &query[self.part.row(first) * wide + head * d..],
                    row_stride: wide,
                    column_stride: 1,
                };
                let stride = first + rows;
                let scores = &mut scratch.scores[..rows * stride];
                let keys = &scratch.keys;
                keys.lower_columns(queries, rows, scores, stride, |row| first + row);
                let mut totals = [0.0; QUERIES];
                for (row, scores) in scores.chunks_exact_mut(stride).enumerate() {
                    let length = first + row + 1;
                    totals[row] = exponentials(&mut scores[..length], heads.scale());
                    // A tile's rows go as far as its last one.
                    let end = first + rows.min((row / tile_rows() + 1) * tile_rows());
                    scores[length..end].fill(0.0);
                }
                let weights = Operand {
                    data: scores,
                    row_stride: stride,
                    column_stride: 1,
                };
                let block = &mut scratch.out[..rows * d];
                let values = &scratch.values;
                values.some_depth(weights, rows, block, false, |row, height| {
                    0..first + row + height
                });
                for (row, (block, total)) in block.chunks_exact_mut(d).zip(totals).enumerate() {
                    scale(block, 1.0 / total);
                    // SAFETY: a token's head belongs to one task, and this borrow ends here.
                    let out = unsafe { out.head(self.part.row(first) + row, head) };
                    out.copy_from_slice(block);
                }
            }
        }
    }
}
