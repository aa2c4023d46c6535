//! How sure a measured share is.

/// The 97.5 % quantile of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// The 95 % Wilson score interval of a share seen in `count` independent trials (E. B. Wilson,
/// "Probable inference, the law of succession, and statistical inference", Journal of the American
/// Statistical Association 22, 1927, pages 209–212):
///
/// ```text
/// (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n)      p = share, n = count, z = 1.96
/// ```
///
/// Unlike p ± z √(p(1 − p)/n) it stays inside [0, 1] and does not collapse at 0 and 1. With nothing
/// seen it is all of [0, 1].
pub(crate) fn wilson(share: f64, count: usize) -> (f64, f64) {
    if count == 0 {
        return (0.0, 1.0);
    }
    let (n, p, z2) = (count as f64, share, Z * Z);
    let centre = p + z2 / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // The bounds at 0 and 1 are exact; rounding must not move them, nor any bound past the share.
    let low = if p <= 0.0 {
        0.0
    } else {
        (centre - spread) / scale
    };
    let high = if p >= 1.0 {
        1.0
    } else {
        (centre + spread) / scale
    };
    (low.min(p), high.max(p))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close((low, high): (f64, f64), expected: (f64, f64)) {
        assert!((low - expected.0).abs() < 5e-8, "{low}");
        assert!((high - expected.1).abs() < 5e-8, "{high}");
    }

    /// n = 4, p = ½: z² = 3.841459, centre ½, spread z √(1/16 + z²/64) / (1 + z²/4)
    /// = 1.9599640 · 0.3500326 / 1.9603647 = 0.3499610.
    #[test]
    fn by_hand() {
        close(wilson(0.5, 4), (0.5 - 0.349_961_0, 0.5 + 0.349_961_0));
        // p = 1: low = (1 + z²/2n − z²/2n) / (1 + z²/n) = n / (n + z²) = 10 / 13.841459.
        close(wilson(1.0, 10), (0.722_467_2, 1.0));
        assert_eq!(wilson(0.0, 0), (0.0, 1.0));
    }

    /// Solves the definition, |p − x| = z √(x(1 − x)/n), by bisection instead of by its formula.
    fn reference(hits: usize, count: usize) -> (f64, f64) {
        let (n, p) = (count as f64, hits as f64 / count as f64);
        let inside = |x: f64| (p - x).abs() <= Z * (x * (1.0 - x) / n).sqrt();
        let edge = |mut out: f64| {
            let mut within = p;
            for _ in 0..200 {
                let middle = f64::midpoint(out, within);
                *(if inside(middle) {
                    &mut within
                } else {
                    &mut out
                }) = middle;
            }
            within
        };
        (edge(0.0), edge(1.0))
    }

    proptest! {
        #[test]
        fn agrees_with_its_definition(count in 1_usize..2000, share in 0.0..1.0_f64) {
            let hits = ((count as f64 * share) as usize).clamp(1, count);
            prop_assume!(hits < count);
            let ((low, high), expected) = (wilson(hits as f64 / count as f64, count), reference(hits, count));
            prop_assert!((low - expected.0).abs() < 1e-9);
            prop_assert!((high - expected.1).abs() < 1e-9);
        }

        #[test]
        fn holds_the_share_and_is_symmetric(count in 1_usize..2000, share in 0.0..=1.0_f64) {
            let hits = (count as f64 * share) as usize;
            let p = hits as f64 / count as f64;
            let (low, high) = wilson(p, count);
            prop_assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
            let (other_low, other_high) = wilson((count - hits) as f64 / count as f64, count);
            prop_assert!((low - (1.0 - other_high)).abs() < 1e-12);
            prop_assert!((high - (1.0 - other_low)).abs() < 1e-12);
        }
    }
}
