//! A right operand copied once into the order in which tiles read it, for many products.
//!
//! A training pass multiplies every block of rows by the same weights. Packing them once takes the
//! copying out of the inner loops and lets blocks of rows go through several products in a row
//! while they are in the cache.

use rayon::prelude::*;

use super::micro::{self, MR, NR, Output};
use super::{KC, MatrixRef, Parallelism, Precision, pack, rows_from};

/// A `k × n` right operand, packed.
#[derive(Clone, Debug, Default)]
pub struct Packed {
    k: usize,
    n: usize,
    /// Panel after panel of `NR` columns, each inner index by inner index.
    panels: Vec<f32>,
}

impl Packed {
    /// Copies an operand.
    pub fn new(b: MatrixRef<'_>, precision: Precision, parallelism: Parallelism) -> Self {
        let mut packed = Self::default();
        packed.pack(b, precision, parallelism);
        packed
    }

    /// Copies another operand into the same memory.
    pub fn pack(&mut self, b: MatrixRef<'_>, _precision: Precision, parallelism: Parallelism) {
        (self.k, self.n) = (b.rows, b.columns);
        self.panels.resize(self.n.div_ceil(NR) * NR * self.k, 0.0);
        if self.panels.is_empty() {
            return;
        }
        let (k, n) = (self.k, self.n);
        let task = |(panel, out): (usize, &mut [f32])| {
            let column = panel * NR;
            pack::panels(b, 0, k, column, NR.min(n - column), out);
        };
        match parallelism {
            Parallelism::Pool => self
                .panels
                .par_chunks_mut(k * NR)
                .enumerate()
                .for_each(task),
            Parallelism::Serial => self.panels.chunks_mut(k * NR).enumerate().for_each(task),
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
    /// row-major. The same bits as [`matmul`](super::matmul).
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn multiply(&self, a: MatrixRef<'_>, c: &mut [f32], accumulate: bool) {
        let (m, n, k) = (a.rows, self.n, self.k);
        assert_eq!(a.columns, k, "inner dimensions");
        assert_eq!(Some(c.len()), m.checked_mul(n), "the result is {m} × {n}");
        if m == 0 || n == 0 || k == 0 {
            if !accumulate {
                c.fill(0.0);
            }
            return;
        }
        for inner in (0..k).step_by(KC) {
            let depth = KC.min(k - inner);
            for (panel, column) in self.panels.chunks_exact(k * NR).zip((0..n).step_by(NR)) {
                let panel = &panel[inner * NR..][..depth * NR];
                for row in (0..m).step_by(MR) {
                    let out = Output {
                        data: &mut c[row * n + column..],
                        row_stride: n,
                        height: MR.min(m - row),
                        width: NR.min(n - column),
                    };
                    let a = rows_from(a, row, inner);
                    micro::multiply(a, panel, depth, out, accumulate || inner > 0);
                }
            }
        }
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
                    Packed::new(b, Precision::F32, parallelism).multiply(a, &mut found, accumulate);
                    assert_eq!(found, expected, "{m} × {n} × {k}");
                }
            }
        }
    }

    #[test]
    fn memory_is_used_again_for_another_shape() {
        let (first, second) = ([1.0; 6], [2.0; 2]);
        let mut packed = Packed::new(
            MatrixRef::row_major(&first, 3, 2),
            Precision::F32,
            Parallelism::Serial,
        );
        packed.pack(
            MatrixRef::row_major(&second, 1, 2),
            Precision::F32,
            Parallelism::Serial,
        );
        let mut c = [0.0; 2];
        packed.multiply(MatrixRef::row_major(&[3.0], 1, 1), &mut c, false);
        assert_eq!(c, [6.0, 6.0]);
    }
}
