//! Matrix products, in single precision or of operands rounded to bfloat16 ([`half`]).
//!
//! Every element of the result is one chain of fused multiply-adds over the inner dimension, in
//! ascending order: `c = fma(a₀, b₀, 0)`, `c = fma(a₁, b₁, c)`, … Blocking and threads only decide
//! *when* a step is done, never the order inside an element. So one row's result does not depend on
//! how many other rows are computed with it, on the number of threads, or on the instruction set —
//! which is what lets the sampler and the trainer agree to the last bit.

pub mod half;
pub(crate) mod micro;
pub(crate) mod pack;
mod packed;
mod together;

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

pub use packed::Packed;
pub use together::{Product, Right, multiply_together};

use micro::{Output, Tile, tile_columns, tile_rows};
use together::Grid;

/// Inner-dimension block: one packed panel of this depth (256 × 32 floats) stays in the first-level
/// cache while the rows pass by.
const KC: usize = 256;
/// Columns packed at a time.
const NC: usize = 1024;
/// Rows one task computes.
const MC: usize = 64;

/// A read-only matrix view with arbitrary strides, in elements.
#[derive(Clone, Copy, Debug)]
pub struct MatrixRef<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixRef<'a> {
    /// A matrix stored row after row.
    ///
    /// # Panics
    /// If `data` does not hold `rows × columns` elements.
    pub fn row_major(data: &'a [f32], rows: usize, columns: usize) -> Self {
        // Checked: the micro-kernels rely on every product of a stride and an index being in range.
        let elements = rows.checked_mul(columns);
        assert_eq!(elements, Some(data.len()), "a {rows} × {columns} matrix");
        Self {
            data,
            rows,
            columns,
            row_stride: columns,
            column_stride: 1,
        }
    }

    /// Rows that start `row_stride` apart in `data`; the last one need not be followed by anything.
    pub(crate) fn strided(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        let end = |last: usize| last.checked_mul(row_stride)?.checked_add(columns);
        let fits = rows == 0 || end(rows - 1).is_some_and(|end| end <= data.len());
        assert!(fits, "{rows} rows of {columns}, {row_stride} apart");
        Self {
            data,
            rows,
            columns,
            row_stride,
            column_stride: 1,
        }
    }

    /// The number of rows.
    pub fn rows(self) -> usize {
        self.rows
    }

    /// The number of columns.
    pub fn columns(self) -> usize {
        self.columns
    }

    /// The same numbers with rows and columns exchanged; nothing is moved.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// The rows `start..end`.
    ///
    /// # Panics
    /// If they are not all there.
    pub fn row_range(self, start: usize, end: usize) -> Self {
        assert!(
            start <= end && end <= self.rows,
            "rows {start}..{end} of {}",
            self.rows
        );
        let from = (start * self.row_stride).min(self.data.len());
        Self {
            data: &self.data[from..],
            rows: end - start,
            ..self
        }
    }
}

/// What the operands of a product are rounded to. Sums are in single precision either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Not at all.
    #[default]
    F32,
    /// To bfloat16, with the error bound of [`half`]. Several times faster where
    /// [`half::has_instruction`].
    Bf16,
}

/// Whether a product may use the other threads of the pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parallelism {
    /// This thread alone.
    Serial,
    /// The current rayon pool.
    Pool,
}

/// `c = a·b`, or `c += a·b` if `accumulate`; `c` is row-major.
///
/// # Panics
/// If the shapes do not fit.
pub fn matmul(
    a: MatrixRef<'_>,
    b: MatrixRef<'_>,
    c: &mut [f32],
    accumulate: bool,
    parallelism: Parallelism,
) {
    let (m, n, k) = (a.rows, b.columns, a.columns);
    assert_eq!(a.columns, b.rows, "inner dimensions");
    assert_eq!(Some(c.len()), m.checked_mul(n), "the result is {m} × {n}");
    if m == 0 || n == 0 || k == 0 {
        // A sum of nothing.
        if !accumulate {
            c.fill(0.0);
        }
        return;
    }
    with_buffer(
        KC.min(k) * NC.min(n.next_multiple_of(tile_columns())),
        |packed| {
            for column in (0..n).step_by(NC) {
                let columns = NC.min(n - column);
                for inner in (0..k).step_by(KC) {
                    let depth = KC.min(k - inner);
                    pack::panels(b, inner, depth, column, columns, packed);
                    let block = Block {
                        inner,
                        depth,
                        column,
                        columns,
                        panels: packed,
                        accumulate: accumulate || inner > 0,
                    };
                    let task = |(at, rows): (usize, &mut [f32])| block.product(a, at * MC, rows, n);
                    match parallelism {
                        Parallelism::Pool if m > MC => {
                            c.par_chunks_mut(MC * n).enumerate().for_each(task);
                        }
                        _ => c.chunks_mut(MC * n).enumerate().for_each(task),
                    }
                }
            }
        },
    );
}

/// `y = x·wᵀ`, or `y += x·wᵀ` if `accumulate`, for a few rows of `x` on this thread, the weights read
/// where they are.
///
/// The result is the same to the last bit as [`matmul`]'s; only the roles of the operands inside the
/// tiles are exchanged, so that not the weights are packed but the rows.
/// `x` is `rows × k`, `w` is `n × k`, `y` is `rows × n`, all row-major; the sizes are given as
/// `[rows, n, k]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn linear_rows(
    x: &[f32],
    w: &[f32],
    y: &mut [f32],
    [rows, n, k]: [usize; 3],
    accumulate: bool,
) {
    let (x, w) = (
        MatrixRef::row_major(x, rows, k),
        MatrixRef::row_major(w, n, k),
    );
    let y = Grid::new(y, rows, n);
    // SAFETY: nobody else has any part of the result.
    unsafe { rows_part(x, w, &y, 0..n, accumulate) };
}

/// The outputs `outputs` of [`linear_rows`].
///
/// # Safety
/// Nobody else may use these columns of `y`.
///
/// # Panics
/// If the shapes do not fit.
unsafe fn rows_part(
    x: MatrixRef<'_>,
    weights: MatrixRef<'_>,
    y: &Grid<'_>,
    outputs: Range<usize>,
    accumulate: bool,
) {
    let (rows, k) = (x.rows, x.columns);
    assert!(
        weights.columns == k && outputs.end <= weights.rows,
        "linear {weights:?}"
    );
    if k == 0 {
        if !accumulate {
            // SAFETY: passed on.
            unsafe { y.clear(outputs) };
        }
        return;
    }
    let columns = x.transposed();
    let most = tile_columns();
    with_buffer(KC.min(k) * most, |packed| {
        for row in (0..rows).step_by(most) {
            let width = most.min(rows - row);
            for inner in (0..k).step_by(KC) {
                let depth = KC.min(k - inner);
                pack::panels(columns, inner, depth, row, width, packed);
                for output in outputs.clone().step_by(tile_rows()) {
                    let height = tile_rows().min(outputs.end - output);
                    let mut tile = Tile::zero();
                    let continued = accumulate || inner > 0;
                    // SAFETY: passed on.
                    let mut place = unsafe { y.place(row, output) };
                    if continued {
                        for j in 0..width {
                            // SAFETY: passed on; the place is of `width` rows and `height` columns.
                            let out = unsafe { place.line(j * y.columns(), height) };
                            for (i, &mut value) in out.iter_mut().enumerate() {
                                tile.0[i][j] = value;
                            }
                        }
                    }
                    let panel = &packed[..depth * most];
                    let weights = rows_from(weights, output, inner);
                    micro::multiply(weights, panel, depth, tile.output(height), continued);
                    for j in 0..width {
                        // SAFETY: as above.
                        let out = unsafe { place.line(j * y.columns(), height) };
                        for (i, value) in out.iter_mut().enumerate() {
                            *value = tile.0[i][j];
                        }
                    }
                }
            }
        }
    });
}

/// One packed block of the right operand, and its place in the product.
struct Block<'a> {
    inner: usize,
    depth: usize,
    column: usize,
    columns: usize,
    panels: &'a [f32],
    /// Whether the result holds earlier blocks' part of the chain.
    accumulate: bool,
}

impl Block<'_> {
    /// Its part of the rows of `c`, which are those of `a` from `row` on and `n` long.
    fn product(&self, a: MatrixRef<'_>, row: usize, c: &mut [f32], n: usize) {
        let rows = c.len() / n;
        let width = tile_columns();
        for start in (0..self.columns).step_by(width) {
            let panel = &self.panels[start * self.depth..][..self.depth * width];
            for i in (0..rows).step_by(tile_rows()) {
                let a = rows_from(a, row + i, self.inner);
                let out = Output {
                    data: (&mut c[i * n + self.column + start..]).into(),
                    row_stride: n,
                    height: tile_rows().min(rows - i),
                    width: width.min(self.columns - start),
                    ahead: false,
                };
                micro::multiply(a, panel, self.depth, out, self.accumulate);
            }
        }
    }
}

/// The matrix from a row and an inner index on.
fn rows_from(a: MatrixRef<'_>, row: usize, inner: usize) -> micro::Rows<'_> {
    micro::Rows {
        data: &a.data[row * a.row_stride + inner * a.column_stride..],
        row_stride: a.row_stride,
        column_stride: a.column_stride,
    }
}

thread_local! {
    static BUFFER: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Lends the thread's packing buffer, grown to `length`. It is taken out while lent: a task stolen
/// in the meantime finds none and makes its own.
fn with_buffer<R>(length: usize, body: impl FnOnce(&mut [f32]) -> R) -> R {
    let mut buffer = BUFFER.take();
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    let result = body(&mut buffer[..length]);
    BUFFER.set(buffer);
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use equipoise_core::{Domain, Stream};

    fn random(length: usize, seed: u64) -> Vec<f32> {
        let mut stream = Stream::new(seed, Domain::Other, [0; 3]);
        (0..length).map(|_| stream.normal() as f32).collect()
    }

    /// The definition: one chain of fused multiply-adds per element.
    fn reference(a: &[f32], b: &[f32], m: usize, n: usize, k: usize) -> Vec<f32> {
        let mut c = vec![0.0_f32; m * n];
        for i in 0..m {
            for j in 0..n {
                for p in 0..k {
                    c[i * n + j] = a[i * k + p].mul_add(b[p * n + j], c[i * n + j]);
                }
            }
        }
        c
    }

    fn transpose(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        (0..columns * rows)
            .map(|at| x[(at % rows) * columns + at / rows])
            .collect()
    }

    const SHAPES: [(usize, usize, usize); 9] = [
        (1, 1, 1),
        (3, 5, 7),
        (8, 32, 16),
        (9, 33, 17),
        (70, 40, 300),
        (130, 65, 20),
        (2, 1100, 3),
        (65, 31, 513),
        (200, 96, 64),
    ];

    #[test]
    fn every_layout_is_the_defining_chain_to_the_last_bit() {
        for (m, n, k) in SHAPES {
            let (a, b) = (random(m * k, 1), random(k * n, 2));
            let expected = reference(&a, &b, m, n, k);
            let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
            let layouts_a = [
                MatrixRef::row_major(&a, m, k),
                MatrixRef::row_major(&a_t, k, m).transposed(),
            ];
            let layouts_b = [
                MatrixRef::row_major(&b, k, n),
                MatrixRef::row_major(&b_t, n, k).transposed(),
            ];
            for a in layouts_a {
                for b in layouts_b {
                    for parallelism in [Parallelism::Serial, Parallelism::Pool] {
                        let mut c = vec![f32::NAN; m * n];
                        matmul(a, b, &mut c, false, parallelism);
                        assert_eq!(c, expected, "{m} × {n} × {k}");
                    }
                }
            }
            let mut y = vec![f32::NAN; m * n];
            linear_rows(&a, &b_t, &mut y, [m, n, k], false);
            assert_eq!(y, expected, "rows, {m} × {n} × {k}");
            let mut expected = expected;
            matmul(
                layouts_a[0],
                layouts_b[0],
                &mut expected,
                true,
                Parallelism::Serial,
            );
            linear_rows(&a, &b_t, &mut y, [m, n, k], true);
            assert_eq!(y, expected, "rows added, {m} × {n} × {k}");
        }
    }

    #[test]
    fn accumulation_adds_to_what_is_there() {
        let (a, b) = (random(6 * 4, 3), random(4 * 5, 4));
        let mut c = vec![1.0; 30];
        let (a, b) = (
            MatrixRef::row_major(&a, 6, 4),
            MatrixRef::row_major(&b, 4, 5),
        );
        matmul(a, b, &mut c, true, Parallelism::Serial);
        let mut plain = vec![0.0; 30];
        matmul(a, b, &mut plain, false, Parallelism::Serial);
        for (c, plain) in c.iter().zip(plain) {
            assert!((c - 1.0 - plain).abs() < 1e-5);
        }
    }

    #[test]
    fn an_empty_inner_dimension_gives_zeros() {
        let mut c = vec![3.0; 4];
        let (a, b) = (
            MatrixRef::row_major(&[], 2, 0),
            MatrixRef::row_major(&[], 0, 2),
        );
        matmul(a, b, &mut c, false, Parallelism::Serial);
        assert_eq!(c, [0.0; 4]);
    }
}
