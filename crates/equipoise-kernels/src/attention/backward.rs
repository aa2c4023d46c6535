//! Gradients of attention, the probabilities computed again block by block.

use std::cell::Cell;

use rayon::prelude::*;

use super::tiles::{Operand, Panels, exponentials, score_gradients};
use super::{Heads, QUERIES, SharedRows};
use crate::gemm::MatrixRef;

#[derive(Default)]
struct Scratch {
    keys: Panels,
    keys_transposed: Panels,
    values_transposed: Panels,
    queries: Panels,
    douts: Panels,
    probabilities: Vec<f32>,
    products: Vec<f32>,
    dquery: Vec<f32>,
    dkey: Vec<f32>,
    dvalue: Vec<f32>,
}

thread_local! {
    static SCRATCH: Cell<Scratch> = Cell::default();
}

/// Gradients of [`forward`](super::forward): writes those of query, key and value, given that of the
/// result.
///
/// ```text
/// dvⱼ = Σₜ pₜⱼ doₜ        dsₜⱼ = pₜⱼ (doₜ·vⱼ − Σₖ pₜₖ doₜ·vₖ)
/// dqₜ = scale Σⱼ dsₜⱼ kⱼ        dkⱼ = scale Σₜ dsₜⱼ qₜ
/// ```
///
/// Queries are summed in order of head, then of position. Spread over the current rayon pool; the
/// result does not depend on it.
///
/// # Panics
/// If the lengths do not fit, or the offsets do not rise from 0 to the number of tokens.
#[expect(
    clippy::too_many_arguments,
    reason = "three operands and their gradients"
)]
pub fn backward(
    heads: Heads,
    query: &[f32],
    key: &[f32],
    value: &[f32],
    dout: &[f32],
    offsets: &[usize],
    dquery: &mut [f32],
    dkey: &mut [f32],
    dvalue: &mut [f32],
) {
    heads.check(query.len(), key.len(), value.len(), offsets);
    heads.check(dquery.len(), dkey.len(), dvalue.len(), offsets);
    assert_eq!(dout.len(), query.len(), "a gradient for each result");
    let d = heads.head_dim;
    let sequences = offsets.windows(2).filter(|pair| pair[0] < pair[1]);
    let tasks: Vec<_> = sequences
        .flat_map(|pair| (0..heads.key_value).map(|shared| (pair[0], pair[1] - pair[0], shared)))
        .collect();
    let gradients = Gradients {
        query: SharedRows::new(dquery, heads.query, d),
        key: SharedRows::new(dkey, heads.key_value, d),
        value: SharedRows::new(dvalue, heads.key_value, d),
    };
    let operands = Operands {
        query,
        key,
        value,
        dout,
    };
    tasks.into_par_iter().for_each(|(start, length, shared)| {
        let mut scratch = SCRATCH.take();
        let task = Task {
            heads,
            start,
            length,
            shared,
        };
        task.run(operands, &gradients, &mut scratch);
        SCRATCH.set(scratch);
    });
}

#[derive(Clone, Copy)]
struct Operands<'a> {
    query: &'a [f32],
    key: &'a [f32],
    value: &'a [f32],
    dout: &'a [f32],
}

struct Gradients<'a> {
    query: SharedRows<'a>,
    key: SharedRows<'a>,
    value: SharedRows<'a>,
}

/// One sequence, with all heads that share one key-value head.
struct Task {
    heads: Heads,
    start: usize,
    length: usize,
    shared: usize,
}

impl Task {
    fn run(&self, operands: Operands<'_>, gradients: &Gradients<'_>, scratch: &mut Scratch) {
        let (d, length) = (self.heads.head_dim, self.length);
        let narrow = self.heads.key_value * d;
        let from = self.start * narrow + self.shared * d;
        let keys = MatrixRef::strided(&operands.key[from..], length, d, narrow);
        let values = MatrixRef::strided(&operands.value[from..], length, d, narrow);
        scratch.keys.pack(keys, length, d);
        scratch.keys_transposed.pack(keys.transposed(), d, length);
        scratch
            .values_transposed
            .pack(values.transposed(), d, length);
        for sums in [&mut scratch.dkey, &mut scratch.dvalue] {
            sums.clear();
            sums.resize(length * d, 0.0);
        }
        for scores in [&mut scratch.probabilities, &mut scratch.products] {
            scores.resize(QUERIES * length, 0.0);
        }
        scratch.dquery.resize(QUERIES * d, 0.0);
        let sharing = self.heads.sharing();
        for head in self.shared * sharing..(self.shared + 1) * sharing {
            for first in (0..length).step_by(QUERIES) {
                self.block(operands, head, first, gradients, scratch);
            }
        }
        for (sums, out) in [
            (&scratch.dkey, &gradients.key),
            (&scratch.dvalue, &gradients.value),
        ] {
            for (row, sum) in sums.chunks_exact(d).enumerate() {
                // SAFETY: a token's key-value head belongs to one task, and this borrow ends here.
                unsafe { out.head(self.start + row, self.shared) }.copy_from_slice(sum);
            }
        }
    }

    /// The queries from `first` on, of one head.
    fn block(
        &self,
        operands: Operands<'_>,
        head: usize,
        first: usize,
        gradients: &Gradients<'_>,
        scratch: &mut Scratch,
    ) {
        let d = self.heads.head_dim;
        let wide = self.heads.query * d;
        let rows = QUERIES.min(self.length - first);
        let from = (self.start + first) * wide + head * d;
        let [queries, douts] = [operands.query, operands.dout].map(|all| Operand {
            data: &all[from..],
            row_stride: wide,
            column_stride: 1,
        });
        let stride = first + rows;
        let p = &mut scratch.probabilities[..rows * stride];
        let products = &mut scratch.products[..rows * stride];
        let last = |row| first + row;
        let (keys, values) = (&scratch.keys_transposed, &scratch.values_transposed);
        keys.lower_columns(queries, rows, p, stride, last);
        values.lower_columns(douts, rows, products, stride, last);
        let each = p.chunks_exact_mut(stride);
        for (row, (p, products)) in each.zip(products.chunks_exact_mut(stride)).enumerate() {
            let length = first + row + 1;
            let scale = self.heads.scale();
            let total = exponentials(&mut p[..length], scale);
            score_gradients(&mut p[..length], &mut products[..length], total, scale);
            // Tiles reach beyond the diagonal.
            p[length..].fill(0.0);
            products[length..].fill(0.0);
        }

        let dscores = Operand {
            data: products,
            row_stride: stride,
            column_stride: 1,
        };
        let dquery = &mut scratch.dquery[..rows * d];
        let to_diagonal = |row: usize, height: usize| 0..first + row + height;
        scratch
            .keys
            .some_depth(dscores, rows, dquery, false, to_diagonal);
        for (row, block) in dquery.chunks_exact(d).enumerate() {
            // SAFETY: a token's query head belongs to one task, and this borrow ends here.
            let out = unsafe { gradients.query.head(self.start + first + row, head) };
            out.copy_from_slice(block);
        }

        let [queries, douts] =
            [queries, douts].map(|block| MatrixRef::strided(block.data, rows, d, wide));
        scratch.queries.pack(queries, rows, d);
        scratch.douts.pack(douts, rows, d);
        // Transposed: rows are keys, and a tile of keys meets only the queries at or after it.
        let from_diagonal = |key: usize, _: usize| key.saturating_sub(first)..rows;
        let [dscores, p] = [&*products, &*p].map(|data| Operand {
            data,
            row_stride: 1,
            column_stride: stride,
        });
        let (dkey, dvalue) = (&mut scratch.dkey, &mut scratch.dvalue);
        let queries = &scratch.queries;
        queries.some_depth(dscores, stride, dkey, true, from_diagonal);
        scratch
            .douts
            .some_depth(p, stride, dvalue, true, from_diagonal);
    }
}
