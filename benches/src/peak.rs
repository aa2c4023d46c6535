//! The most a machine does in matrix products: what a roofline compares with.

use std::time::Instant;

use equipoise_kernels::gemm::{MatrixRef, Packed, Parallelism, Precision};
use rayon::prelude::*;

use crate::numbers;

/// Floating-point operations a second of the best product found, on all threads of the pool: rows in
/// blocks of 128, as the model goes through them, operands that stay in the caches.
pub fn peak_flops(precision: Precision) -> f64 {
    let (rows, inner, columns) = (128, 512, 512);
    let (x, w) = (numbers(rows * inner), numbers(inner * columns));
    let w = MatrixRef::row_major(&w, inner, columns);
    let packed = Packed::new(w, precision, Parallelism::Serial);
    let threads = rayon::current_num_threads();
    let mut best = 0.0_f64;
    for _ in 0..12 {
        let start = Instant::now();
        const PRODUCTS: usize = 60;
        (0..threads).into_par_iter().with_max_len(1).for_each(|_| {
            let mut y = vec![0.0; rows * columns];
            for _ in 0..PRODUCTS {
                packed.multiply(MatrixRef::row_major(&x, rows, inner), &mut y, false);
            }
            std::hint::black_box(&y);
        });
        let work = (2 * rows * inner * columns * PRODUCTS * threads) as f64;
        best = best.max(work / start.elapsed().as_secs_f64());
    }
    best
}
