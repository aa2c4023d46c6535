//! A right operand copied once into the order in which tiles read it, for many products.
//!
//! A training pass multiplies every block of rows by the same weights. Packing them once takes the
//! copying out of the inner loops and lets blocks of rows go through several products in a row
//! while they are in the cache.

use std::cell::Cell;
use std::ops::Range;

use rayon::prelude::*;

use super::half;
use super::micro::{self, NR, Output, tile_columns, tile_rows};
use super::{KC, MatrixRef, Parallelism, Precision, pack};

/// Inner positions done at a time in bfloat16: as many bytes as in single precision.
const HALF_KC: usize = 2 * KC;

/// A `k × n` right operand, packed.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    way: Way,
    k: usize,
    n: usize,
    /// Panel after panel of a tile's columns, each inner index by inner index. In bfloat16 without an
    /// instruction for it, widened as [`half::widened_panel`] says.
    panels: Vec<f32>,
    /// The same in pairs of inner indices, in bfloat16.
    pairs: Vec<u32>,
}

thread_local! {
    static PAIRS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
    static LEFT: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// How a product in a precision is computed on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Way {
    /// Single precision.
    #[default]
    Exact,
    /// Rounded operands, widened and multiplied in single precision in the order of the instruction.
    Widened,
    /// Rounded operands in pairs, by the instruction.
    Pairs,
}

impl From<Precision> for Way {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::Exact,
            Precision::Bf16 if half::has_instruction() => Self::Pairs,
            Precision::Bf16 => Self::Widened,
        }
    }
}

impl Packed {
    /// Copies an operand, rounding it in lower precision.
    pub fn new(b: MatrixRef<'_>, precision: Precision, parallelism: Parallelism) -> Self {
        let mut packed = Self::default();
        packed.pack(b, precision, parallelism);
        packed
    }

    /// Copies another operand into the same memory.
    pub fn pack(&mut self, b: MatrixRef<'_>, precision: Precision, parallelism: Parallelism) {
        self.pack_for(b, precision.into(), parallelism);
    }

    pub(super) fn pack_for(&mut self, b: MatrixRef<'_>, way: Way, parallelism: Parallelism) {
        (self.k, self.n, self.way) = (b.rows, b.columns, way);
        let (k, n) = (self.k, self.n);
        let columns = tile_columns();
        let panels = n.div_ceil(columns);
        let width = |panel: usize| columns.min(n - panel * columns);
        match way {
            Way::Exact => {
                self.panels.resize(panels * columns * k, 0.0);
                each(&mut self.panels, k * columns, parallelism, |panel, out| {
                    pack::panels(b, 0, k, panel * columns, width(panel), out);
                });
            }
            Way::Widened => {
                let depth = k.next_multiple_of(2);
                self.panels.resize(panels * columns * depth, 0.0);
                each(
                    &mut self.panels,
                    depth * columns,
                    parallelism,
                    |panel, out| {
                        half::widened_panel(b, k, panel * columns, width(panel), out);
                    },
                );
            }
            Way::Pairs => {
                let depth = k.div_ceil(2);
                self.pairs.resize(panels * columns * depth, 0);
                each(
                    &mut self.pairs,
                    depth * columns,
                    parallelism,
                    |panel, out| {
                        half::panel::<NR>(b, k, panel * columns, width(panel), out);
                    },
                );
            }
        }
    }

    /// The inner dimension.
    pub fn rows(&self) -> usize {
        self.k
    }

    /// The columns of a product.
    pub fn columns(&self) -> usize {
        self.n
    }

    /// `c = a·b`, or `c += a·b` if `accumulate`, on this thread, b being this operand and `c`
    /// row-major. In single precision the same bits as [`matmul`](super::matmul); in bfloat16 `a` is
    /// rounded on the way, and the sums are those of [`half`](super::half).
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn multiply(&self, a: MatrixRef<'_>, c: &mut [f32], accumulate: bool) {
        self.part(a, 0..self.n.div_ceil(tile_columns()), c, accumulate);
    }

    /// The columns of some panels: `c` has as many.
    fn part(&self, a: MatrixRef<'_>, panels: Range<usize>, c: &mut [f32], accumulate: bool) {
        let (m, k) = (a.rows, self.k);
        let columns = tile_columns();
        let n = self.n.min(panels.end * columns) - panels.start * columns;
        assert_eq!(a.columns, k, "inner dimensions");
        assert_eq!(Some(c.len()), m.checked_mul(n), "the result is {m} × {n}");
        if m == 0 || n == 0 || k == 0 {
            if !accumulate {
                c.fill(0.0);
            }
            return;
        }
        match self.way {
            Way::Pairs => self.by_pairs(a, panels, n, c, accumulate),
            way => {
                let widened = way == Way::Widened;
                let stored = if widened { k.next_multiple_of(2) } else { k };
                let mut buffer = LEFT.take();
                for inner in (0..stored).step_by(KC) {
                    let depth = KC.min(stored - inner);
                    let left = match widened {
                        true => half::widened_left(a, inner, KC.min(k - inner), &mut buffer),
                        false => pack::left(a, inner, depth, &mut buffer),
                    };
                    tiles(c, [m, n], |panel, row, out| {
                        let start = ((panels.start + panel) * stored + inner) * columns;
                        let panel = &self.panels[start..][..depth * columns];
                        let add = accumulate || inner > 0;
                        micro::multiply(left.tile(row), panel, depth, out, add);
                    });
                }
                LEFT.set(buffer);
            }
        }
    }

    /// The same by the instruction.
    fn by_pairs(
        &self,
        a: MatrixRef<'_>,
        panels: Range<usize>,
        n: usize,
        c: &mut [f32],
        accumulate: bool,
    ) {
        let (m, k) = (a.rows, self.k);
        let mut buffer = PAIRS.take();
        for inner in (0..k).step_by(HALF_KC) {
            let left = half::left(a, inner, HALF_KC.min(k - inner), &mut buffer);
            let depth = HALF_KC.min(k - inner).div_ceil(2);
            tiles(c, [m, n], |panel, row, out| {
                let start = ((panels.start + panel) * k.div_ceil(2) + inner / 2) * NR;
                let panel = &self.pairs[start..][..depth * NR];
                let rows = half::PairRows {
                    data: &left.data[row * left.row_stride..],
                    ..left
                };
                half::multiply(rows, panel, depth, out, accumulate || inner > 0);
            });
        }
        PAIRS.set(buffer);
    }

    /// `a·b` for few rows of `a`, the columns spread over the current rayon pool. The bits of
    /// [`multiply`](Self::multiply).
    ///
    /// # Panics
    /// If the inner dimensions differ.
    pub fn multiply_few(&self, a: MatrixRef<'_>) -> Vec<f32> {
        let (m, n, columns) = (a.rows, self.n, tile_columns());
        let mut parts = vec![0.0; m * n.next_multiple_of(columns)];
        each(&mut parts, m * columns, Parallelism::Pool, |panel, part| {
            let width = columns.min(n - panel * columns);
            self.part(a, panel..panel + 1, &mut part[..m * width], false);
        });
        let mut c = vec![0.0; m * n];
        for (part, column) in parts
            .chunks_exact((m * columns).max(1))
            .zip((0..n).step_by(columns))
        {
            let width = columns.min(n - column);
            for (part, c) in part.chunks_exact(width).zip(c.chunks_exact_mut(n)) {
                c[column..column + width].copy_from_slice(part);
            }
        }
        c
    }
}

/// Calls `tile` with every panel, row and place of a result.
fn tiles(c: &mut [f32], [m, n]: [usize; 2], tile: impl Fn(usize, usize, Output<'_>)) {
    let (height, width) = (tile_rows(), tile_columns());
    for (panel, column) in (0..n).step_by(width).enumerate() {
        for row in (0..m).step_by(height) {
            let out = Output {
                data: &mut c[row * n + column..],
                row_stride: n,
                height: height.min(m - row),
                width: width.min(n - column),
                // While a panel meets its last rows, the next one is fetched: with few rows there
                // is more to fetch than to compute.
                ahead: row + height >= m,
            };
            tile(panel, row, out);
        }
    }
}

/// Runs `task` on every chunk of `length`, with its number.
fn each<T: Send>(
    all: &mut [T],
    length: usize,
    parallelism: Parallelism,
    task: impl Fn(usize, &mut [T]) + Sync,
) {
    if all.is_empty() {
        return;
    }
    let task = |(at, chunk): (usize, &mut [T])| task(at, chunk);
    match parallelism {
        Parallelism::Pool => all.par_chunks_mut(length).enumerate().for_each(task),
        Parallelism::Serial => all.chunks_mut(length).enumerate().for_each(task),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::matmul;

    #[test]
    fn the_bits_are_those_of_the_plain_product() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        for (m, n, k) in [(1, 1, 1), (9, 33, 17), (70, 40, 300), (65, 31, 513)] {
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..k * n).map(|i| number(i + 31)).collect();
            let a = MatrixRef::row_major(&a, m, k);
            let b = MatrixRef::row_major(&b, n, k).transposed();
            for accumulate in [false, true] {
                let start: Vec<f32> = (0..m * n).map(|i| number(i + 77)).collect();
                let mut expected = start.clone();
                matmul(a, b, &mut expected, accumulate, Parallelism::Serial);
                for parallelism in [Parallelism::Serial, Parallelism::Pool] {
                    let mut found = start.clone();
                    let packed = Packed::new(b, Precision::F32, parallelism);
                    packed.multiply(a, &mut found, accumulate);
                    assert_eq!(found, expected, "{m} × {n} × {k}");
                    if !accumulate {
                        assert_eq!(packed.multiply_few(a), expected, "{m} × {n} × {k}");
                    }
                }
            }
        }
    }

    #[test]
    fn memory_is_used_again_for_another_shape() {
        let (first, second) = ([1.0; 6], [2.0; 2]);
        for precision in [Precision::F32, Precision::Bf16] {
            let serial = Parallelism::Serial;
            let mut packed = Packed::new(MatrixRef::row_major(&first, 3, 2), precision, serial);
            packed.pack(MatrixRef::row_major(&second, 1, 2), precision, serial);
            let mut c = [0.0; 2];
            packed.multiply(MatrixRef::row_major(&[3.0], 1, 1), &mut c, false);
            assert_eq!(c, [6.0, 6.0]);
        }
    }
}
