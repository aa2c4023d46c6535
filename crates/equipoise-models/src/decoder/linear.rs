//! Linear layers over blocks of rows: the product, the bias, the adapter, and their gradients.

use equipoise_kernels::gemm::{MatrixRef, Packed, Parallelism, Precision};
use equipoise_kernels::rows::elementwise::{add, add_columns, add_to_rows, scale};
use rayon::prelude::*;

use super::arena::{Arena, Operand, scratch};
use super::dropout::Dropout;
use super::view::Numbers;
use super::weights::Linear;
use crate::Gradients;

/// Rows of a weight's gradient one task computes.
const GRADIENT_ROWS: usize = 96;

/// The operands of one linear layer, packed for one direction.
#[derive(Debug, Default)]
pub(super) struct Panels {
    weight: Packed,
    down: Packed,
    up: Packed,
}

/// The rows a task works on.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) arena: &'a Arena,
    pub(super) count: usize,
    /// What the adapters' input loses, and the address of each row.
    pub(super) dropout: Option<(Dropout, &'a [u64])>,
}

fn matrix<'a>(parameter: &Numbers<'a>) -> MatrixRef<'a> {
    MatrixRef::row_major(parameter.values, parameter.rows, parameter.columns)
}

impl Panels {
    /// Packs what the forward pass multiplies by.
    pub(super) fn pack_forward(&mut self, linear: &Linear<Numbers<'_>>, precision: Precision) {
        let pool = Parallelism::Pool;
        let weight = matrix(&linear.weight).transposed();
        self.weight.pack(weight, precision, pool);
        if let Some(adapter) = &linear.adapter {
            let (down, up) = (matrix(&adapter.down), matrix(&adapter.up));
            self.down.pack(down.transposed(), precision, pool);
            self.up.pack(up.transposed(), precision, pool);
        }
    }

    /// Packs what the gradient of the input multiplies by.
    pub(super) fn pack_backward(&mut self, linear: &Linear<Numbers<'_>>, precision: Precision) {
        let pool = Parallelism::Pool;
        self.weight.pack(matrix(&linear.weight), precision, pool);
        if let Some(adapter) = &linear.adapter {
            self.down.pack(matrix(&adapter.down), precision, pool);
            self.up.pack(matrix(&adapter.up), precision, pool);
        }
    }

    /// y = x·Wᵀ + b + (scale·x·downᵀ)·upᵀ, packed for the forward pass.
    pub(super) fn apply(
        &self,
        linear: &Linear<Numbers<'_>>,
        x: &[f32],
        y: &mut [f32],
        rows: Rows<'_>,
    ) {
        let inputs = linear.weight.columns;
        let x_matrix = MatrixRef::row_major(x, rows.count, inputs);
        self.weight.multiply(x_matrix, y, false);
        if let Some(bias) = &linear.bias {
            add_to_rows(y, bias.values);
        }
        if let Some(adapter) = &linear.adapter {
            let rank = adapter.down.rows;
            let mut inner = scratch(rows.count * rank);
            match rows.dropout {
                None => self.down.multiply(x_matrix, &mut inner, false),
                Some((dropout, keys)) => {
                    let mut kept = scratch(x.len());
                    kept.copy_from_slice(x);
                    dropout.apply(&mut kept, keys, adapter.number);
                    let kept = MatrixRef::row_major(&kept, rows.count, inputs);
                    self.down.multiply(kept, &mut inner, false);
                }
            }
            scale(&mut inner, adapter.scale);
            let inner = MatrixRef::row_major(&inner, rows.count, rank);
            self.up.multiply(inner, y, true);
        }
    }

    /// dx = dy·W + …, packed for the backward pass; added to what is there if `accumulate`. The
    /// gradient of the adapter's inner product, scale·dy·up, goes to `dinner` (empty without an
    /// adapter).
    pub(super) fn input_gradient(
        &self,
        linear: &Linear<Numbers<'_>>,
        dy: &[f32],
        dx: &mut [f32],
        dinner: &mut [f32],
        accumulate: bool,
        rows: Rows<'_>,
    ) {
        let dy = MatrixRef::row_major(dy, rows.count, linear.weight.rows);
        self.weight.multiply(dy, dx, accumulate);
        if let Some(adapter) = &linear.adapter {
            self.up.multiply(dy, dinner, false);
            scale(dinner, adapter.scale);
            let dinner = MatrixRef::row_major(dinner, rows.count, adapter.down.rows);
            let Some((dropout, keys)) = rows.dropout else {
                self.down.multiply(dinner, dx, true);
                return;
            };
            let mut part = scratch(dx.len());
            self.down.multiply(dinner, &mut part, false);
            dropout.apply(&mut part, keys, adapter.number);
            add(dx, &part);
        }
    }
}

/// All rows of a pass: an input of linear layers, packed when the first gradient asks for it.
pub(super) struct Input<'a> {
    pub(super) x: &'a [f32],
    pub(super) width: usize,
    pub(super) rows: Rows<'a>,
    pub(super) precision: Precision,
    packed: Option<Operand>,
}

impl<'a> Input<'a> {
    pub(super) fn new(x: &'a [f32], width: usize, rows: Rows<'a>, precision: Precision) -> Self {
        Self {
            x,
            width,
            rows,
            precision,
            packed: None,
        }
    }

    fn pack(arena: &Arena, x: &[f32], width: usize, precision: Precision) -> Operand {
        let x = MatrixRef::row_major(x, x.len() / width, width);
        arena.pack(x, precision)
    }

    /// Adds the gradients of a layer's parameters that are trained: dW = dyᵀ·x, db = Σ dy, and for an
    /// adapter d up = scale·dyᵀ·(x·downᵀ), d down = dinnerᵀ·x.
    pub(super) fn weight_gradient(
        &mut self,
        linear: &Linear<Numbers<'_>>,
        dy: &[f32],
        dinner: &[f32],
        gradients: &mut Gradients,
    ) {
        let outputs = linear.weight.rows;
        if let Some(index) = linear.weight.index {
            let (arena, x, width) = (self.rows.arena, self.x, self.width);
            let precision = self.precision;
            let packed = self
                .packed
                .get_or_insert_with(|| Self::pack(arena, x, width, precision));
            let dw = gradients.buffer(index, outputs * width);
            product_of_columns(dy, outputs, packed, dw, true);
        }
        if let Some(index) = linear.bias.as_ref().and_then(|bias| bias.index) {
            add_columns(gradients.buffer(index, outputs), dy);
        }
        if linear.adapter.is_some() {
            self.adapter_gradient(linear, dy, dinner, gradients);
        }
    }

    fn adapter_gradient(
        &mut self,
        linear: &Linear<Numbers<'_>>,
        dy: &[f32],
        dinner: &[f32],
        gradients: &mut Gradients,
    ) {
        let Some(adapter) = &linear.adapter else {
            return;
        };
        let Rows {
            arena,
            count,
            dropout,
        } = self.rows;
        let (outputs, rank) = (linear.weight.rows, adapter.down.rows);
        let mut dropped = None;
        if let Some((dropout, keys)) = dropout {
            let kept = dropped.insert(arena.take(self.x.len()));
            kept.copy_from_slice(self.x);
            dropout.apply(kept, keys, adapter.number);
        }
        let x = dropped.as_deref().unwrap_or(self.x);
        // Both products have `rank` rows and many columns, so it is the wide operand that is packed.
        if let Some(index) = adapter.up.index {
            let down = matrix(&adapter.down).transposed();
            let down = arena.pack(down, self.precision);
            let mut inner = arena.take(count * rank);
            inner
                .par_chunks_mut(rank * GRADIENT_ROWS)
                .zip(x.par_chunks(self.width * GRADIENT_ROWS))
                .for_each(|(inner, x)| {
                    let x = MatrixRef::row_major(x, x.len() / self.width, self.width);
                    down.multiply(x, inner, false);
                    scale(inner, adapter.scale);
                });
            let dy = Self::pack(arena, dy, outputs, self.precision);
            let transposed = dy.multiply_few(narrow_of(&inner, count, rank));
            let dup = gradients.buffer(index, outputs * rank);
            for (output, row) in dup.chunks_exact_mut(rank).enumerate() {
                for (d, transposed) in row.iter_mut().zip(transposed.chunks_exact(outputs)) {
                    *d += transposed[output];
                }
            }
        }
        if let Some(index) = adapter.down.index {
            let ddown = match (&dropped, &mut self.packed) {
                // The undropped input is shared by all layers that read it.
                (None, packed) => packed
                    .get_or_insert_with(|| Self::pack(arena, self.x, self.width, self.precision))
                    .multiply_few(narrow_of(dinner, count, rank)),
                (Some(kept), _) => Self::pack(arena, kept, self.width, self.precision)
                    .multiply_few(narrow_of(dinner, count, rank)),
            };
            add(gradients.buffer(index, rank * self.width), &ddown);
        }
    }
}

/// A matrix of as many rows as the adapter's rank.
fn narrow_of(x: &[f32], count: usize, rank: usize) -> MatrixRef<'_> {
    MatrixRef::row_major(x, count, rank).transposed()
}

/// c = aᵀ·b for `a` with rows of `columns` numbers, c (columns × b's columns) shared out by rows.
pub(super) fn product_of_columns(
    a: &[f32],
    columns: usize,
    b: &Packed,
    c: &mut [f32],
    accumulate: bool,
) {
    let a = MatrixRef::row_major(a, a.len() / columns, columns).transposed();
    let width = b.columns();
    let threads = rayon::current_num_threads();
    // As many tasks for every thread, of equally many rows: no bit depends on the cut.
    let tasks = columns.div_ceil(GRADIENT_ROWS).next_multiple_of(threads);
    let task_rows = columns.div_ceil(tasks);
    c.par_chunks_mut(task_rows * width)
        .enumerate()
        .for_each(|(block, c)| {
            let first = block * task_rows;
            let rows = a.row_range(first, first + c.len() / width);
            b.multiply(rows, c, accumulate);
        });
}
