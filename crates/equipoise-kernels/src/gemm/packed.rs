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
use super::together::Grid;
use super::{KC, MatrixRef, Parallelism, Precision, pack};

/// Inner positions done at a time in bfloat16: as many bytes as in single precision.
const HALF_KC: usize = 2 * KC;

/// A `k × n` right operand, packed.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    way: Way,
    k: usize,
    n: usize,
    /// Panel after panel of a tile's columns, each inner index by inner index; what follows is left of
    /// larger operands. In bfloat16 without an instruction for it, widened as [`half::widened_panel`]
    /// says.
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
                let memory = grown(&mut self.panels, panels * columns * k);
                each(memory, k * columns, parallelism, |panel, out| {
                    pack::panels(b, 0, k, panel * columns, width(panel), out);
                });
            }
            Way::Widened => {
                let depth = k.next_multiple_of(2);
                let memory = grown(&mut self.panels, panels * columns * depth);
                each(memory, depth * columns, parallelism, |panel, out| {
                    half::widened_panel(b, k, panel * columns, width(panel), out);
                });
            }
            Way::Pairs => {
                let depth = k.div_ceil(2);
                let memory = grown(&mut self.pairs, panels * columns * depth);
                each(memory, depth * columns, parallelism, |panel, out| {
                    half::panel::<NR>(b, k, panel * columns, width(panel), out);
                });
            }
        }
    }

    /// How many numbers its memory holds, which may be left of larger operands.
    pub fn memory(&self) -> usize {
        self.panels.len().max(self.pairs.len())
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
        let c = Grid::new(c, a.rows, self.n);
        // SAFETY: nobody else has any part of the result.
        unsafe { self.part(a, 0..self.n.div_ceil(tile_columns()), &c, 0, accumulate) };
    }

    /// Whether products are of the operand as it was given.
    pub(super) fn is_exact(&self) -> bool {
        self.way == Way::Exact
    }

    /// The columns of some panels, into those of `c` that are `before` columns further left.
    ///
    /// # Safety
    /// Nobody else may use these columns of `c`.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub(super) unsafe fn part(
        &self,
        a: MatrixRef<'_>,
        panels: Range<usize>,
        c: &Grid<'_>,
        before: usize,
        accumulate: bool,
    ) {
        let (m, k) = (a.rows, self.k);
        assert_eq!(a.columns, k, "inner dimensions");
        let columns = tile_columns();
        let place = panels.start * columns - before;
        let width = (self.n.min(panels.end * columns)).saturating_sub(panels.start * columns);
        assert!(
            place + width <= c.columns(),
            "{width} columns from {place} on"
        );
        if m == 0 || width == 0 {
            return;
        }
        if k == 0 {
            if !accumulate {
                // SAFETY: passed on.
                unsafe { c.clear(place..place + width) };
            }
            return;
        }
        let part = Part { c, m, place, width };
        match self.way {
            // SAFETY: passed on.
            Way::Pairs => unsafe { self.by_pairs(a, panels.start, part, accumulate) },
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
                    let height = left.height(m);
                    let tile = |panel, row, out: Output<'_>| {
                        let start = ((panels.start + panel) * stored + inner) * columns;
                        let panel = &self.panels[start..][..depth * columns];
                        let add = accumulate || inner > 0;
                        micro::multiply(left.tile(row), panel, depth, out, add);
                    };
                    // SAFETY: passed on.
                    unsafe { part.tiles(height, tile) };
                }
                LEFT.set(buffer);
            }
        }
    }

    /// The same by the instruction, from a panel on.
    ///
    /// # Safety
    /// Nobody else may use the part of the result.
    unsafe fn by_pairs(&self, a: MatrixRef<'_>, first: usize, part: Part<'_>, accumulate: bool) {
        let k = self.k;
        let mut buffer = PAIRS.take();
        for inner in (0..k).step_by(HALF_KC) {
            let left = half::left(a, inner, HALF_KC.min(k - inner), &mut buffer);
            let depth = HALF_KC.min(k - inner).div_ceil(2);
            let tile = |panel, row, out: Output<'_>| {
                let start = ((first + panel) * k.div_ceil(2) + inner / 2) * NR;
                let panel = &self.pairs[start..][..depth * NR];
                let rows = half::PairRows {
                    data: &left.data[row * left.row_stride..],
                    ..left
                };
                half::multiply(rows, panel, depth, out, accumulate || inner > 0);
            };
            // SAFETY: passed on.
            unsafe { part.tiles(tile_rows(), tile) };
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
            let part = Grid::new(&mut part[..m * width], m, width);
            // SAFETY: nobody else has this part.
            unsafe { self.part(a, panel..panel + 1, &part, panel * columns, false) };
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

/// Some columns of a result: `width` of them from `place` on, in all `m` rows.
#[derive(Clone, Copy)]
struct Part<'a> {
    c: &'a Grid<'a>,
    m: usize,
    place: usize,
    width: usize,
}

/// With no more tiles below each other than this, a panel is left so soon that the next one has to be
/// asked for at once.
const FEW_TILES: usize = 3;

impl Part<'_> {
    /// Calls `tile` with every panel, row and place of the part, in tiles of `height` rows.
    ///
    /// # Safety
    /// Nobody else may use the part.
    unsafe fn tiles(&self, height: usize, tile: impl Fn(usize, usize, Output<'_>)) {
        let (m, width) = (self.m, tile_columns());
        let few = m <= FEW_TILES * height;
        for (panel, column) in (0..self.width).step_by(width).enumerate() {
            for row in (0..m).step_by(height) {
                // While a panel meets some rows, the next one is fetched: the last of many rows, so
                // that it is still near when it is needed, and the first of few, of which there is
                // more to fetch than to compute.
                let ahead = match few {
                    true => row == 0,
                    false => row + height >= m,
                };
                let out = Output {
                    // SAFETY: passed on; the tiles of a part are disjoint.
                    data: unsafe { self.c.place(row, self.place + column) },
                    row_stride: self.c.columns(),
                    height: height.min(m - row),
                    width: width.min(self.width - column),
                    ahead,
                };
                tile(panel, row, out);
            }
        }
    }
}

/// The first numbers of some memory, which never shrinks: what is written over need not be cleared.
fn grown<T: Clone + Default>(memory: &mut Vec<T>, length: usize) -> &mut [T] {
    if memory.len() < length {
        // The old memory goes first.
        *memory = Vec::new();
        *memory = vec![T::default(); length];
    }
    &mut memory[..length]
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
