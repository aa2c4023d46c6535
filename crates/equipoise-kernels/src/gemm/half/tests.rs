//! The rounding, the bound, and that all ways to the same product agree.

use super::*;
use crate::gemm::micro::MR;
use crate::gemm::packed::Way;
use crate::gemm::{Packed, Parallelism, Precision};
use equipoise_core::{Domain, Stream};

fn random(length: usize, seed: u64) -> Vec<f32> {
    let mut stream = Stream::new(seed, Domain::Other, [4, 5, 6]);
    (0..length).map(|_| stream.normal() as f32).collect()
}

#[test]
fn rounding_by_hand() {
    let rounded = |x: f32| f32::from_bits(round(x));
    // Eight significant bits: between 1 and 2 the steps are 1/128.
    assert_eq!(rounded(1.0), 1.0);
    assert_eq!(
        rounded(1.0 + 1.0 / 256.0),
        1.0,
        "a tie goes to the even one"
    );
    assert_eq!(
        rounded(1.0 + 3.0 / 256.0),
        1.0 + 2.0 / 128.0,
        "and here, too"
    );
    assert_eq!(rounded(1.0 + 1.1 / 256.0), 1.0 + 1.0 / 128.0);
    assert_eq!(rounded(-3.3), -3.296_875);
    assert_eq!(rounded(f32::INFINITY), f32::INFINITY);
    assert!(rounded(f32::NAN).is_nan());
    assert!(rounded(f32::from_bits(0x7f80_0001)).is_nan());
    assert!(rounded(f32::from_bits(0xffff_ffff)).is_nan());
    let agrees = |x: &f32| rounded(*x) == ::half::bf16::from_f32(*x).to_f32();
    assert!(random(1000, 1).iter().all(agrees));
}

/// Operands that are exact in bfloat16 and sums that are exact in single precision: 3·5 + 2·7 = 29.
#[test]
fn a_product_by_hand() {
    let (a, b) = ([3.0, 2.0, 1.0], [5.0, 7.0, 0.5]);
    let packed = Packed::new(
        MatrixRef::row_major(&b, 3, 1),
        Precision::Bf16,
        Parallelism::Serial,
    );
    let mut c = [100.0];
    packed.multiply(MatrixRef::row_major(&a, 1, 3), &mut c, true);
    assert_eq!(c, [129.5]);
}

const SHAPES: [(usize, usize, usize); 8] = [
    (1, 1, 1),
    (3, 5, 7),
    (8, 32, 16),
    (9, 33, 17),
    (70, 40, 300),
    (2, 100, 1025),
    (65, 31, 513),
    (130, 96, 64),
];

/// The definition: pair by pair, the odd one first.
fn reference(a: &[f32], b_t: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
    let rounded = |x: f32| f32::from_bits(round(x));
    let element = |at: usize| {
        let (a, b) = (&a[at / n * k..][..k], &b_t[at % n * k..][..k]);
        let pairs = a.chunks(2).zip(b.chunks(2));
        pairs.fold(0.0_f32, |sum, (a, b)| {
            let odd = match (a.get(1), b.get(1)) {
                (Some(&a), Some(&b)) => rounded(a).mul_add(rounded(b), sum),
                _ => sum,
            };
            rounded(a[0]).mul_add(rounded(b[0]), odd)
        })
    };
    (0..m * n).map(element).collect()
}

#[test]
fn every_layout_gives_the_same_bits_within_the_bound() {
    for (m, n, k) in SHAPES {
        let (a, b) = (random(m * k, 1), random(k * n, 2));
        let transpose = |x: &[f32], rows: usize, columns: usize| -> Vec<f32> {
            (0..columns * rows)
                .map(|at| x[(at % rows) * columns + at / rows])
                .collect()
        };
        let (a_t, b_t) = (transpose(&a, m, k), transpose(&b, k, n));
        let lefts = [
            MatrixRef::row_major(&a, m, k),
            MatrixRef::row_major(&a_t, k, m).transposed(),
        ];
        let rights = [
            MatrixRef::row_major(&b, k, n),
            MatrixRef::row_major(&b_t, n, k).transposed(),
        ];
        let expected = reference(&a, &b_t, [m, n, k]);
        for left in lefts {
            for right in rights {
                for parallelism in [Parallelism::Serial, Parallelism::Pool] {
                    for way in [Way::from(Precision::Bf16), Way::Widened] {
                        let mut c = vec![f32::NAN; m * n];
                        let mut packed = Packed::default();
                        packed.pack_for(right, way, parallelism);
                        packed.multiply(left, &mut c, false);
                        assert_eq!(c, expected, "{m} × {n} × {k}, {way:?}");
                        assert_eq!(packed.multiply_few(left), expected, "{m} × {n} × {k}");
                    }
                }
            }
        }
        for (at, &found) in expected.iter().enumerate() {
            let (i, j) = (at / n, at % n);
            let products = (0..k).map(|p| f64::from(a[i * k + p]) * f64::from(b[p * n + j]));
            let (exact, absolute) = products.fold((0.0, 0.0), |(sum, absolute), x| {
                (sum + x, absolute + f64::abs(x))
            });
            let factor = 2_f64.powi(-7) + 2_f64.powi(-16) + k as f64 * 2_f64.powi(-23);
            let error = (f64::from(found) - exact).abs();
            assert!(error <= factor * absolute, "{m} × {n} × {k}: {error}");
        }
    }
}

/// Adding to a result continues the chain: a product cut in two is the product.
#[test]
fn accumulation_continues_the_sum() {
    let (a, b) = (random(5 * 32, 3), random(32 * 40, 4));
    let right = |from: usize, to: usize| {
        let b = MatrixRef::row_major(&b[from * 40..to * 40], to - from, 40);
        Packed::new(b, Precision::Bf16, Parallelism::Serial)
    };
    let left = |from: usize| MatrixRef::strided(&a[from..], 5, 16, 32);
    let mut cut = vec![0.0; 200];
    right(0, 16).multiply(left(0), &mut cut, false);
    right(16, 32).multiply(left(16), &mut cut, true);
    let mut whole = vec![0.0; 200];
    right(0, 32).multiply(MatrixRef::row_major(&a, 5, 32), &mut whole, false);
    assert_eq!(cut, whole);
}

/// A tile of the instruction at the edge of a result writes its own part and nothing beside it. Where
/// there is no instruction, the whole products above are all there is.
#[test]
fn a_tile_of_the_instruction_writes_its_part_alone() {
    let (depth, stride) = (37, NR + 3);
    let word = |x: &[f32]| pair(x[0], x[1]);
    let rows: Vec<u32> = random(2 * MR * depth, 5).chunks(2).map(word).collect();
    let panel: Vec<u32> = random(2 * NR * depth, 6).chunks(2).map(word).collect();
    let before = random(MR * stride, 7);
    let element = |i: usize, j: usize, start: f32| {
        (0..depth).fold(start, |sum, p| {
            let (a, b) = (widen(rows[i * depth + p]), widen(panel[p * NR + j]));
            a[1].mul_add(b[1], a[0].mul_add(b[0], sum))
        })
    };
    let heights = if has_instruction() { tile_rows() } else { 0 };
    for height in 1..=heights {
        for width in [1, 15, 16, 17, 31, NR] {
            for accumulate in [false, true] {
                let mut found = before.clone();
                let rows = PairRows {
                    data: &rows[..height * depth],
                    row_stride: depth,
                    column_stride: 1,
                };
                let out = Output {
                    data: (&mut found[..(height - 1) * stride + width]).into(),
                    row_stride: stride,
                    height,
                    width,
                    ahead: false,
                };
                multiply(rows, &panel, depth, out, accumulate);
                for (at, (&found, &before)) in found.iter().zip(&before).enumerate() {
                    let (i, j) = (at / stride, at % stride);
                    let start = if accumulate { before } else { 0.0 };
                    let expected = match i < height && j < width {
                        true => element(i, j, start),
                        false => before,
                    };
                    assert_eq!(found, expected, "{height} × {width}: {at}");
                }
            }
        }
    }
}
