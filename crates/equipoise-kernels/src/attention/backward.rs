//! Gradients of attention, the probabilities computed again block by block.

use std::cell::Cell;

use rayon::prelude::*;

use super::sequences::Part;
use super::tiles::{Operand, Panels, exponentials, score_gradients};
use super::{Heads, QUERIES, Sequences, SharedRows};
use crate::gemm::MatrixRef;
use crate::rows::elementwise::add;

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
    /// One head's rows side by side.
    rows: Vec<f32>,
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
/// Queries are summed in order of head, then of position; where a prefix is shared, its own sequence
/// comes first and then those that go on from it, in order. Spread over the current rayon pool; the
/// result does not depend on it.
///
/// # Panics
/// If the lengths are not those of the sequences' tokens.
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
    sequences: &Sequences,
    dquery: &mut [f32],
    dkey: &mut [f32],
    dvalue: &mut [f32],
) {
    let tokens = sequences.tokens();
    heads.check(query.len(), key.len(), value.len(), tokens);
    heads.check(dquery.len(), dkey.len(), dvalue.len(), tokens);
    assert_eq!(dout.len(), query.len(), "a gradient for each result");
    let d = heads.head_dim;
    let narrow = heads.key_value * d;
    // What sequences owe to rows of a prefix lies beside the result until all have run: each has its
    // own place there, so that no two tasks write to the same one.
    let mut shared_rows = 0;
    let mut tasks = Vec::new();
    for part in sequences.parts() {
        tasks.extend((0..heads.key_value).map(|shared| Task {
            heads,
            part,
            shared_rows,
            shared,
        }));
        shared_rows += part.prefix.len();
    }
    let mut shared_key = vec![0.0; shared_rows * narrow];
    let mut shared_value = vec![0.0; shared_rows * narrow];
    let gradients = Gradients {
        query: SharedRows::new(dquery, heads.query, d),
        key: SharedRows::new(dkey, heads.key_value, d),
        value: SharedRows::new(dvalue, heads.key_value, d),
        shared_key: SharedRows::new(&mut shared_key, heads.key_value, d),
        shared_value: SharedRows::new(&mut shared_value, heads.key_value, d),
    };
    let operands = Operands {
        query,
        key,
        value,
        dout,
    };
    tasks.into_par_iter().for_each(|task| {
        if task.part.rows.is_empty() {
            return;
        }
        let mut scratch = SCRATCH.take();
        task.run(operands, &gradients, &mut scratch);
        SCRATCH.set(scratch);
    });
    let settle = |out: &mut [f32], owed: &[f32]| {
        let parts = sequences.parts().iter();
        let rows = parts.flat_map(|part| part.prefix.clone());
        for (row, owed) in rows.zip(owed.chunks_exact(narrow)) {
            add(&mut out[row * narrow..][..narrow], owed);
        }
    };
    rayon::join(
        || settle(dkey, &shared_key),
        || settle(dvalue, &shared_value),
    );
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
    /// What is owed to rows of prefixes.
    shared_key: SharedRows<'a>,
    shared_value: SharedRows<'a>,
}

/// One sequence, with all heads that share one key-value head.
struct Task<'a> {
    heads: Heads,
    part: &'a Part,
    /// Where its prefix's rows start among all that are owed.
    shared_rows: usize,
    shared: usize,
}

impl Task<'_> {
    fn run(&self, operands: Operands<'_>, gradients: &Gradients<'_>, scratch: &mut Scratch) {
        let (d, length) = (self.heads.head_dim, self.part.length());
        let (part, heads, rows) = (self.part, self.heads, &mut scratch.rows);
        let keys = part.head(heads, self.shared, length, operands.key, rows);
        scratch.keys.pack(keys, length, d);
        scratch.keys_transposed.pack(keys.transposed(), d, length);
        let values = part.head(heads, self.shared, length, operands.value, rows);
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
            for first in (self.part.prefix.len()..length).step_by(QUERIES) {
                self.block(operands, head, first, gradients, scratch);
            }
        }
        let prefix = self.part.prefix.len();
        for (sums, own, owed) in [
            (&scratch.dkey, &gradients.key, &gradients.shared_key),
            (&scratch.dvalue, &gradients.value, &gradients.shared_value),
        ] {
            for (position, sum) in sums.chunks_exact(d).enumerate() {
                let (out, row) = match position < prefix {
                    true => (owed, self.shared_rows + position),
                    false => (own, self.part.row(position)),
                };
                // SAFETY: a token's key-value head belongs to one task, as the place of what a
                // sequence owes to a token does, and this borrow ends here.
                unsafe { out.head(row, self.shared) }.copy_from_slice(sum);
            }
        }
    }

    /// The queries from position `first` on, of one head.
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
        let rows = QUERIES.min(self.part.length() - first);
        let from = self.part.row(first) * wide + head * d;
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
            let out = unsafe { gradients.query.head(self.part.row(first) + row, head) };
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
