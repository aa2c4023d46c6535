//! Products of blocks whose useful part is a triangle, tile by tile.

use std::ops::Range;

use crate::gemm::micro::{self, Output, Rows, tile_columns, tile_rows};
use crate::gemm::{MatrixRef, pack};
use crate::simd::{dot, exp_sum, max, per_instruction_set};

/// Inner positions done at a time, so that a panel stays in the first-level cache.
const DEPTH: usize = 256;

/// A left operand read where it is.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// A packed right operand of `depth` inner positions.
#[derive(Default)]
pub(super) struct Panels {
    data: Vec<f32>,
    depth: usize,
    columns: usize,
}

impl Panels {
    /// Packs an operand into the memory of the last one.
    pub(super) fn pack(&mut self, b: MatrixRef<'_>, depth: usize, columns: usize) {
        (self.depth, self.columns) = (depth, columns);
        self.data
            .resize(depth * columns.next_multiple_of(tile_columns()), 0.0);
        if depth > 0 && columns > 0 {
            pack::panels(b, 0, depth, 0, columns, &mut self.data);
        }
    }

    fn part(&self, panel: usize, inner: &Range<usize>) -> &[f32] {
        let columns = tile_columns();
        &self.data[(panel * self.depth + inner.start) * columns..][..inner.len() * columns]
    }

    /// One tile: rows `row..row + height` of `a` with panel `panel`, over `inner`.
    fn tile(
        &self,
        a: Operand<'_>,
        row: usize,
        panel: usize,
        inner: Range<usize>,
        out: Output<'_>,
        accumulate: bool,
    ) {
        let rows = Rows {
            data: &a.data[row * a.row_stride + inner.start * a.column_stride..],
            row_stride: a.row_stride,
            column_stride: a.column_stride,
        };
        micro::multiply(rows, self.part(panel, &inner), inner.len(), out, accumulate);
    }

    /// c = a·b for `rows` rows, of which row i needs only the columns up to `last(i)`, which rises;
    /// others may or may not be written. `c` has rows `stride` apart.
    pub(super) fn lower_columns(
        &self,
        a: Operand<'_>,
        rows: usize,
        c: &mut [f32],
        stride: usize,
        last: impl Fn(usize) -> usize,
    ) {
        // Of a tile that reaches beyond the row, only what lies in it.
        let columns = self.columns.min(stride);
        for row in (0..rows).step_by(tile_rows()) {
            let height = tile_rows().min(rows - row);
            let needed = last(row + height - 1) + 1;
            for column in (0..needed).step_by(tile_columns()) {
                let out = Output {
                    data: (&mut c[row * stride + column..]).into(),
                    row_stride: stride,
                    height,
                    width: tile_columns().min(columns - column),
                    ahead: false,
                };
                self.tile(a, row, column / tile_columns(), 0..self.depth, out, false);
            }
        }
    }

    /// c = a·b, or c += a·b if `accumulate`, where the tile that starts at row i needs only the
    /// inner positions `needed(i, height)`. `c` has contiguous rows.
    pub(super) fn some_depth(
        &self,
        a: Operand<'_>,
        rows: usize,
        c: &mut [f32],
        accumulate: bool,
        needed: impl Fn(usize, usize) -> Range<usize>,
    ) {
        let stride = self.columns;
        for start in (0..self.depth).step_by(DEPTH) {
            let end = self.depth.min(start + DEPTH);
            for row in (0..rows).step_by(tile_rows()) {
                let height = tile_rows().min(rows - row);
                let needed = needed(row, height);
                let inner = needed.start.max(start)..needed.end.min(end);
                if inner.is_empty() {
                    continue;
                }
                let first = inner.start == needed.start;
                for column in (0..self.columns).step_by(tile_columns()) {
                    let out = Output {
                        data: (&mut c[row * stride + column..]).into(),
                        row_stride: stride,
                        height,
                        width: tile_columns().min(self.columns - column),
                        ahead: false,
                    };
                    let add = accumulate || !first;
                    self.tile(a, row, column / tile_columns(), inner.clone(), out, add);
                }
            }
        }
    }
}

per_instruction_set! {
    /// Turns a row of products into e^(scale·x − the largest), and returns the sum.
    pub(super) fn exponentials(row: &mut [f32], scale: f32) -> f32 {
        for x in row.iter_mut() {
            *x *= scale;
        }
        let maximum = max(row);
        exp_sum(row, maximum)
    }
}

per_instruction_set! {
    /// From a row's exponentials and the products do·vⱼ to pⱼ and the gradient of q·kⱼ, in place:
    ///
    /// ```text
    /// dsⱼ = scale · pⱼ (do·vⱼ − Σₖ pₖ do·vₖ)
    /// ```
    pub(super) fn score_gradients(p: &mut [f32], products: &mut [f32], total: f32, scale: f32) {
        let inverse = 1.0 / total;
        for p in p.iter_mut() {
            *p *= inverse;
        }
        let mean = dot(p, products);
        for (product, p) in products.iter_mut().zip(p.iter()) {
            *product = scale * *p * (*product - mean);
        }
    }
}
