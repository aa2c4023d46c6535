//! Matrix products: `equipoise_kernels::gemm::matmul` beside candle's, which is the `gemm` crate's.
//!
//! Each product is measured by criterion, and then both are run alternately for a table of ratios,
//! which other work on the machine disturbs less.

use std::hint::black_box;

use candle_core::{Device, Tensor};
use criterion::{Criterion, Throughput};
use equipoise_benches::{Pair, numbers, pairs, table};
use equipoise_kernels::gemm::{MatrixRef, Parallelism, matmul};

/// How the operands of a product lie in memory.
#[derive(Clone, Copy)]
enum Layout {
    /// x·wᵀ, the weight stored row after row: the forward pass.
    Forward,
    /// dy·w: the gradient of the input.
    InputGradient,
    /// dyᵀ·x: the gradient of the weight.
    WeightGradient,
}

struct Product {
    name: &'static str,
    layout: Layout,
    m: usize,
    k: usize,
    n: usize,
}

const PRODUCTS: [Product; 5] = [
    Product {
        name: "up, forward",
        layout: Layout::Forward,
        m: 4096,
        k: 128,
        n: 384,
    },
    Product {
        name: "down, forward",
        layout: Layout::Forward,
        m: 4096,
        k: 384,
        n: 128,
    },
    Product {
        name: "up, gradient of x",
        layout: Layout::InputGradient,
        m: 4096,
        k: 384,
        n: 128,
    },
    Product {
        name: "up, gradient of w",
        layout: Layout::WeightGradient,
        m: 384,
        k: 4096,
        n: 128,
    },
    Product {
        name: "vocabulary, forward",
        layout: Layout::Forward,
        m: 4096,
        k: 256,
        n: 4096,
    },
];

impl Product {
    fn label(&self) -> String {
        format!("{} {}x{}x{}", self.name, self.m, self.k, self.n)
    }

    fn flops(&self) -> u64 {
        2 * (self.m * self.k * self.n) as u64
    }

    /// Ours and candle's way to compute it, both into fresh memory.
    fn pair(&self) -> Pair {
        let (m, k, n, layout) = (self.m, self.k, self.n, self.layout);
        let (a, b) = (numbers(m * k), numbers(k * n));
        let tensor = |values: &[f32], rows: usize, columns: usize| {
            Tensor::from_slice(values, (rows, columns), &Device::Cpu).expect("the sizes fit")
        };
        let turned = |values: &[f32], rows, columns| {
            tensor(values, rows, columns).t().expect("two dimensions")
        };
        let theirs = match layout {
            Layout::Forward => (tensor(&a, m, k), turned(&b, n, k)),
            Layout::InputGradient => (tensor(&a, m, k), tensor(&b, k, n)),
            Layout::WeightGradient => (turned(&a, k, m), tensor(&b, k, n)),
        };
        let ours = move || {
            let a = match layout {
                Layout::WeightGradient => MatrixRef::row_major(&a, k, m).transposed(),
                _ => MatrixRef::row_major(&a, m, k),
            };
            let b = match layout {
                Layout::Forward => MatrixRef::row_major(&b, n, k).transposed(),
                _ => MatrixRef::row_major(&b, k, n),
            };
            let mut c = vec![0.0; m * n];
            matmul(a, b, &mut c, false, Parallelism::Pool);
            black_box(c);
        };
        let theirs = move || {
            black_box(theirs.0.matmul(&theirs.1).expect("the shapes fit"));
        };
        Pair {
            name: self.label(),
            work: Some(self.flops() as f64),
            ours: Box::new(ours),
            theirs: Box::new(theirs),
        }
    }
}

fn main() {
    let mut criterion = Criterion::default().sample_size(20).configure_from_args();
    for product in &PRODUCTS {
        let mut group = criterion.benchmark_group(product.label());
        group.throughput(Throughput::Elements(product.flops()));
        let Pair {
            mut ours,
            mut theirs,
            ..
        } = product.pair();
        group.bench_function("equipoise", |bencher| bencher.iter(&mut ours));
        group.bench_function("candle", |bencher| bencher.iter(&mut theirs));
        group.finish();
    }
    criterion.final_summary();
    let kernels = if cfg!(feature = "gemm-avx512") {
        "`gemm` with its AVX-512 kernels switched on"
    } else {
        "`gemm` as candle uses it"
    };
    table(kernels, pairs(101), PRODUCTS.iter().map(Product::pair));
}
