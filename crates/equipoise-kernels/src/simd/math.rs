//! Reductions in a fixed order, and an exponential the compiler can vectorise.
//!
//! Everything is `inline(always)`, so that each copy is compiled for its caller's instruction set.

/// How many partial sums a reduction keeps: the width of an AVX-512 register in floats. It is the
/// same on every machine, because it decides the order of the additions and so the result.
pub(crate) const LANES: usize = 16;

/// Adds sixteen partial sums as a balanced tree.
#[inline(always)]
fn tree_sum(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Folds `xs` into sixteen lanes, each element going to lane `index % 16`, and adds the lanes.
#[inline(always)]
fn reduce(xs: &[f32], step: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    let (blocks, tail) = xs.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = step(lanes[lane], block[lane]);
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(tail) {
        *lane = step(*lane, x);
    }
    tree_sum(lanes)
}

/// Σ xᵢ
#[inline(always)]
pub(crate) fn sum(xs: &[f32]) -> f32 {
    reduce(xs, |accumulated, x| accumulated + x)
}

/// Σ xᵢ²
#[inline(always)]
pub(crate) fn square_sum(xs: &[f32]) -> f32 {
    reduce(xs, |accumulated, x| x.mul_add(x, accumulated))
}

/// Σ xᵢ yᵢ over the shorter of the two.
#[inline(always)]
pub(crate) fn dot(xs: &[f32], ys: &[f32]) -> f32 {
    let length = xs.len().min(ys.len());
    let (xs, ys) = (&xs[..length], &ys[..length]);
    let mut lanes = [0.0_f32; LANES];
    let (x_blocks, x_tail) = xs.as_chunks::<LANES>();
    let (y_blocks, y_tail) = ys.as_chunks::<LANES>();
    for (x, y) in x_blocks.iter().zip(y_blocks) {
        for lane in 0..LANES {
            lanes[lane] = x[lane].mul_add(y[lane], lanes[lane]);
        }
    }
    for (lane, (&x, &y)) in x_tail.iter().zip(y_tail).enumerate() {
        lanes[lane] = x.mul_add(y, lanes[lane]);
    }
    tree_sum(lanes)
}

/// The largest element; −∞ for none. NaN elements are passed over.
#[inline(always)]
pub(crate) fn max(xs: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (blocks, tail) = xs.as_chunks::<LANES>();
    for block in blocks {
        for lane in 0..LANES {
            lanes[lane] = if block[lane] > lanes[lane] {
                block[lane]
            } else {
                lanes[lane]
            };
        }
    }
    for (lane, &x) in lanes.iter_mut().zip(tail) {
        *lane = if x > *lane { x } else { *lane };
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
}

/// eˣ, within two units in the last place for −87 ≤ x ≤ 88; 0 below, and the largest finite result
/// above, so a finite argument never gives infinity. NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts: the first has trailing zero bits, so that n·LN2_HIGH is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    // Adding and subtracting 1.5·2²³ rounds to the nearest whole number.
    const ROUND: f32 = 12_582_912.0;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = clamped * LOG2_E + ROUND;
    let whole = shifted - ROUND;
    let rest = (clamped - whole * LN2_HIGH) - whole * LN2_LOW;
    // Coefficients of the Cephes library's expf.
    let mut poly = 1.987_569_1e-4;
    poly = poly * rest + 1.398_2e-3;
    poly = poly * rest + 8.333_452e-3;
    poly = poly * rest + 4.166_579_6e-2;
    poly = poly * rest + 1.666_666_6e-1;
    poly = poly * rest + 5.000_000_3e-1;
    let value = poly * rest * rest + rest + 1.0;
    // The low bits of `shifted` hold the whole number in two's complement.
    let exponent = (shifted.to_bits() << 23).wrapping_add(127 << 23);
    let result = value * f32::from_bits(exponent);
    if x < -87.0 { 0.0 } else { result }
}

/// Replaces each x by e^(x − shift) and returns their sum.
#[inline(always)]
pub(crate) fn exp_sum(xs: &mut [f32], shift: f32) -> f32 {
    for x in xs.iter_mut() {
        *x = exp(*x - shift);
    }
    sum(xs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate_over_its_range() {
        for step in 0..=1_750_000 {
            let x = -87.0 + step as f32 * 1e-4;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.5e-7, "exp({x}) is off by {error:e}");
        }
    }

    #[test]
    fn exp_has_no_surprise_at_the_ends() {
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(-88.0), 0.0);
        assert!(exp(1e30).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn reductions_agree_with_plain_loops() {
        for length in [0, 1, 15, 16, 17, 32, 100, 257] {
            let xs: Vec<f32> = (0..length).map(|i| ((i * 37) % 19) as f32 - 9.0).collect();
            let ys: Vec<f32> = (0..length).map(|i| ((i * 11) % 7) as f32 - 3.0).collect();
            assert_eq!(sum(&xs), xs.iter().sum::<f32>());
            assert_eq!(square_sum(&xs), xs.iter().map(|x| x * x).sum::<f32>());
            assert_eq!(
                dot(&xs, &ys),
                xs.iter().zip(&ys).map(|(x, y)| x * y).sum::<f32>()
            );
            assert_eq!(
                max(&xs),
                xs.iter().copied().fold(f32::NEG_INFINITY, f32::max)
            );
        }
    }
}
