//! Products of few rows whose columns a crew shares out, so that each thread reads its part of the
//! weights alone.

use std::marker::PhantomData;
use std::ops::Range;

use super::micro::{Place, tile_columns, tile_rows};
use super::{MatrixRef, Packed, rows_part};
use crate::crew::Crew;

/// The most panels one part computes: with more, the last part to begin would be waited for.
const PANELS: usize = 16;

/// A right operand, packed or where it is.
#[derive(Clone, Copy, Debug)]
pub enum Right<'a> {
    /// Packed.
    Packed(&'a Packed),
    /// Transposed: the n × k weights of y = x·wᵀ, row-major, as
    /// [`linear_rows`](super::linear_rows) reads them.
    Rows(&'a [f32], usize),
}

impl Right<'_> {
    fn columns(&self) -> usize {
        match self {
            Self::Packed(packed) => packed.columns(),
            &Self::Rows(_, columns) => columns,
        }
    }
}

/// `result = left·right`, or `result += left·right` if `accumulate`; `result` is row-major.
#[derive(Debug)]
pub struct Product<'a> {
    /// The rows.
    pub left: MatrixRef<'a>,
    /// The weights.
    pub right: Right<'a>,
    /// Where the product goes.
    pub result: &'a mut [f32],
    /// Whether it is added to what is there.
    pub accumulate: bool,
}

/// A row-major result whose columns several tasks write, each its own.
pub(super) struct Grid<'a> {
    start: *mut f32,
    rows: usize,
    columns: usize,
    lent: PhantomData<&'a mut [f32]>,
}

// SAFETY: threads reach the memory through `place` alone, whose callers promise disjoint tiles.
unsafe impl Sync for Grid<'_> {}

impl<'a> Grid<'a> {
    /// # Panics
    /// If the memory does not hold `rows × columns` numbers.
    pub(super) fn new(c: &'a mut [f32], rows: usize, columns: usize) -> Self {
        let elements = rows.checked_mul(columns);
        assert_eq!(Some(c.len()), elements, "the result is {rows} × {columns}");
        Self {
            start: c.as_mut_ptr(),
            rows,
            columns,
            lent: PhantomData,
        }
    }

    pub(super) fn columns(&self) -> usize {
        self.columns
    }

    /// Where the tile that starts at an element goes.
    ///
    /// # Safety
    /// Nobody else may use the tile's elements while the place lives.
    pub(super) unsafe fn place(&self, row: usize, column: usize) -> Place<'_> {
        assert!(row < self.rows && column < self.columns);
        let at = row * self.columns + column;
        // SAFETY: inside the memory; the caller promises that the tile is nobody else's.
        unsafe { Place::new(self.start.add(at), self.rows * self.columns - at) }
    }

    /// Zeros in some columns of all rows.
    ///
    /// # Safety
    /// Nobody else may use them.
    pub(super) unsafe fn clear(&self, columns: Range<usize>) {
        if columns.is_empty() {
            return;
        }
        for row in 0..self.rows {
            // SAFETY: passed on; the tile is these columns of the row.
            let mut place = unsafe { self.place(row, columns.start) };
            // SAFETY: as above.
            unsafe { place.line(0, columns.len()) }.fill(0.0);
        }
    }
}

/// One product, cut into parts of so many columns.
struct Shared<'a> {
    left: MatrixRef<'a>,
    right: Right<'a>,
    grid: Grid<'a>,
    accumulate: bool,
    part: usize,
    parts: usize,
}

/// Computes products that do not depend on each other, the columns of all of them shared out at once.
/// Every one has the bits of [`Packed::multiply`] or [`linear_rows`](super::linear_rows).
///
/// # Panics
/// If the shapes of one do not fit.
pub fn multiply_together<const N: usize>(crew: &Crew<'_>, products: [Product<'_>; N]) {
    // Units that are computed together anyway.
    let unit = |right: &Right<'_>| match right {
        Right::Packed(_) => tile_columns(),
        Right::Rows(..) => tile_rows(),
    };
    let units = |right: &Right<'_>| right.columns().div_ceil(unit(right));
    let all: usize = products.iter().map(|product| units(&product.right)).sum();
    // Single precision needs nothing done for each part anew; rounded rows are prepared once a part.
    let exact = |product: &Product<'_>| match product.right {
        Right::Packed(packed) => packed.is_exact(),
        Right::Rows(..) => true,
    };
    let parts_of_each = if products.iter().all(exact) { 4 } else { 1 };
    let most = match crew.members() {
        1 => all.max(1),
        members => (all / (parts_of_each * members)).clamp(1, PANELS),
    };
    let products = products.map(|product| {
        let columns = product.right.columns();
        let part = most * unit(&product.right);
        Shared {
            left: product.left,
            right: product.right,
            grid: Grid::new(product.result, product.left.rows, columns),
            accumulate: product.accumulate,
            part,
            parts: columns.div_ceil(part),
        }
    });
    let count = products.iter().map(|product| product.parts).sum();
    crew.run(count, |mut at| {
        for product in &products {
            if at < product.parts {
                let start = at * product.part;
                let columns = start..product.grid.columns().min(start + product.part);
                // SAFETY: the columns of different parts are disjoint.
                unsafe { product.compute(columns) };
                return;
            }
            at -= product.parts;
        }
    });
}

impl Shared<'_> {
    /// # Safety
    /// Nobody else may use these columns of the result.
    unsafe fn compute(&self, columns: Range<usize>) {
        match self.right {
            Right::Packed(packed) => {
                let width = tile_columns();
                let panels = columns.start / width..columns.end.div_ceil(width);
                // SAFETY: passed on.
                unsafe { packed.part(self.left, panels, &self.grid, 0, self.accumulate) };
            }
            Right::Rows(weights, outputs) => {
                let weights = MatrixRef::row_major(weights, outputs, self.left.columns);
                // SAFETY: passed on.
                unsafe { rows_part(self.left, weights, &self.grid, columns, self.accumulate) };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gemm::{Parallelism, Precision, linear_rows};

    #[test]
    fn shared_out_or_not_the_bits_are_the_same() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let (m, k) = (21, 300);
        let x: Vec<f32> = (0..m * k).map(number).collect();
        let left = MatrixRef::row_major(&x, m, k);
        let widths = [1, 40, 333];
        let weights = widths.map(|n| (0..n * k).map(|i| number(i + n)).collect::<Vec<f32>>());
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3);
        let pool = pool.build().unwrap();
        for precision in [Precision::F32, Precision::Bf16] {
            let packed: [Packed; 3] = std::array::from_fn(|i| {
                let w = MatrixRef::row_major(&weights[i], widths[i], k).transposed();
                Packed::new(w, precision, Parallelism::Serial)
            });
            for accumulate in [false, true] {
                let start = widths.map(|n| (0..m * n).map(number).collect::<Vec<f32>>());
                let (mut expected, mut of_rows) = (start.clone(), start.clone());
                for i in 0..3 {
                    packed[i].multiply(left, &mut expected[i], accumulate);
                    let sizes = [m, widths[i], k];
                    linear_rows(&x, &weights[i], &mut of_rows[i], sizes, accumulate);
                }
                for members in [1, 2, 3] {
                    let (mut found, mut found_of_rows) = (start.clone(), start.clone());
                    pool.install(|| {
                        Crew::gather(members, |crew| {
                            let mut results = found.iter_mut();
                            let products: [Product<'_>; 3] = std::array::from_fn(|i| Product {
                                left,
                                right: Right::Packed(&packed[i]),
                                result: results.next().unwrap(),
                                accumulate,
                            });
                            multiply_together(crew, products);
                            let mut results = found_of_rows.iter_mut();
                            let products: [Product<'_>; 3] = std::array::from_fn(|i| Product {
                                left,
                                right: Right::Rows(&weights[i], widths[i]),
                                result: results.next().unwrap(),
                                accumulate,
                            });
                            multiply_together(crew, products);
                        });
                    });
                    assert_eq!(found, expected, "{members} members");
                    assert_eq!(found_of_rows, of_rows, "{members} members, rows");
                }
            }
        }
    }
}
