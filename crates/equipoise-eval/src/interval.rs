//! How sure a number is: intervals from a formula.

use crate::EvalError;
use crate::outcomes::mean;

/// The 97.5 % quantile of the normal distribution: two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Two ends between which the truth lies with some confidence.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end, at least `low`.
    pub high: f64,
}

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
///
/// ```
/// let interval = equipoise_eval::wilson(0.8, 10);
/// assert!((interval.low - 0.490_162).abs() < 1e-6 && (interval.high - 0.943_318).abs() < 1e-6);
/// ```
pub fn wilson(share: f64, count: usize) -> Interval {
    score(share, count, Z)
}

/// [`wilson`] at another confidence `level`, such as 0.99.
///
/// # Errors
/// [`EvalError::OutOfRange`] unless 0 < `level` < 1.
pub fn wilson_at(share: f64, count: usize, level: f64) -> Result<Interval, EvalError> {
    Ok(score(share, count, two_sided(level)?))
}

fn score(share: f64, count: usize, z: f64) -> Interval {
    if count == 0 {
        return Interval {
            low: 0.0,
            high: 1.0,
        };
    }
    let (n, p, z2) = (count as f64, share, z * z);
    let centre = p + z2 / (2.0 * n);
    let spread = z * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
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
    Interval {
        low: low.min(p),
        high: high.max(p),
    }
}

/// The standard error of a mean over independent problems, √(Σ (xᵢ − x̄)² / (n − 1) / n); `None` for
/// fewer than two.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let (n, centre) = (values.len(), mean(values));
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    (n > 1).then(|| (squares / (n - 1) as f64 / n as f64).sqrt())
}

/// The clustered standard error of a mean over all members of clusters, such as all samples of all
/// problems, or all questions about all texts (Miller, "Adding Error Bars to Evals",
/// arXiv:2411.00640, section 2.2).
///
/// ```text
/// SE² = Σᵢ (sᵢ − s̄)² / (n − 1) / n  +  (1/n²) Σ_c Σ_{i ≠ j in c} (sᵢ − s̄)(sⱼ − s̄)
/// ```
///
/// n members in all, s̄ their mean. With one member a cluster it is [`standard_error`]; with
/// members that move together it is up to √(size) times as large. `None` for fewer than two
/// clusters, which say nothing about a third. Negative correlation can make the sum negative; it is
/// then 0.
///
/// ```
/// use equipoise_eval::clustered_standard_error;
/// // Four zeros and ones: independent, √(1 / 3 / 4); in two clusters of equals, SE² doubles but for
/// // the correction of the first term: 1/12 + (1/16) · 4 · ¼ = 0.1458.
/// let alone: Vec<Vec<f64>> = [0.0, 0.0, 1.0, 1.0].map(|x| vec![x]).to_vec();
/// assert!((clustered_standard_error(&alone).unwrap().powi(2) - 1.0 / 12.0).abs() < 1e-12);
/// let pairs = [vec![0.0, 0.0], vec![1.0, 1.0]];
/// assert!((clustered_standard_error(&pairs).unwrap().powi(2) - 7.0 / 48.0).abs() < 1e-12);
/// ```
pub fn clustered_standard_error<C: AsRef<[f64]>>(clusters: &[C]) -> Option<f64> {
    let clusters = clusters.iter().map(AsRef::as_ref);
    let clusters: Vec<&[f64]> = clusters.filter(|cluster| !cluster.is_empty()).collect();
    let all: Vec<f64> = clusters.iter().copied().flatten().copied().collect();
    let (n, centre) = (all.len() as f64, mean(&all));
    let independent = standard_error(&all)?.powi(2);
    let cross = clusters.iter().map(|cluster| {
        let sum: f64 = cluster.iter().map(|value| value - centre).sum();
        let squares: f64 = cluster.iter().map(|value| (value - centre).powi(2)).sum();
        sum * sum - squares
    });
    let variance = independent + cross.sum::<f64>() / (n * n);
    (clusters.len() > 1).then(|| variance.max(0.0).sqrt())
}

/// value ± z · error at confidence `level`: the interval of the central limit theorem, for hundreds
/// of problems; for fewer take the bootstrap or [`wilson`].
///
/// # Errors
/// [`EvalError::OutOfRange`] unless 0 < `level` < 1.
pub fn normal_interval(value: f64, error: f64, level: f64) -> Result<Interval, EvalError> {
    let z = two_sided(level)?;
    Ok(Interval {
        low: value - z * error,
        high: value + z * error,
    })
}

/// The z with P(|N(0, 1)| ≤ z) = level.
pub(crate) fn two_sided(level: f64) -> Result<f64, EvalError> {
    if level > 0.0 && level < 1.0 {
        Ok(quantile(f64::midpoint(level, 1.0)))
    } else {
        let what = "the confidence level";
        Err(EvalError::range(what, level, "between 0 and 1"))
    }
}

/// Φ⁻¹(p), the quantile of the normal distribution; infinite at 0 and 1.
pub(crate) fn quantile(p: f64) -> f64 {
    if p > 0.5 {
        return -quantile(1.0 - p);
    }
    if p <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if p == 0.5 {
        return 0.0;
    }
    // Below 0 the distribution is exact to the last digits, so that bisection is, too; it is asked
    // for a few times in an evaluation.
    let (mut low, mut high) = (-40.0, 0.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if cumulative(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
}

/// Φ(x), the share of the normal distribution below x.
pub(crate) fn cumulative(x: f64) -> f64 {
    libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(interval: Interval, expected: (f64, f64)) {
        assert!((interval.low - expected.0).abs() < 5e-8, "{interval:?}");
        assert!((interval.high - expected.1).abs() < 5e-8, "{interval:?}");
    }

    /// n = 4, p = ½: z² = 3.841459, centre ½, spread z √(1/16 + z²/64) / (1 + z²/4)
    /// = 1.9599640 · 0.3500326 / 1.9603647 = 0.3499610.
    #[test]
    fn by_hand() {
        close(wilson(0.5, 4), (0.5 - 0.349_961_0, 0.5 + 0.349_961_0));
        // p = 1: low = (1 + z²/2n − z²/2n) / (1 + z²/n) = n / (n + z²) = 10 / 13.841459.
        close(wilson(1.0, 10), (0.722_467_2, 1.0));
        close(wilson(0.0, 0), (0.0, 1.0));
        // z = 2.5758293 at 99 %: 10 / (10 + 6.6348966).
        close(wilson_at(1.0, 10, 0.99).unwrap(), (0.601_145_9, 1.0));
        assert!((two_sided(0.95).unwrap() - Z).abs() < 1e-14);
        assert_eq!(quantile(0.5), 0.0);
        assert!((quantile(1e-9) + 5.997_807_015_007_686).abs() < 1e-12);
        assert!(two_sided(1.0).is_err() && two_sided(f64::NAN).is_err());
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
            let (low, high) = reference(hits, count);
            let found = wilson(hits as f64 / count as f64, count);
            prop_assert!((found.low - low).abs() < 1e-9);
            prop_assert!((found.high - high).abs() < 1e-9);
        }

        #[test]
        fn holds_the_share_and_is_symmetric(count in 1_usize..2000, share in 0.0..=1.0_f64) {
            let hits = (count as f64 * share) as usize;
            let p = hits as f64 / count as f64;
            let Interval { low, high } = wilson(p, count);
            prop_assert!(0.0 <= low && low <= p && p <= high && high <= 1.0);
            let other = wilson((count - hits) as f64 / count as f64, count);
            prop_assert!((low - (1.0 - other.high)).abs() < 1e-12);
            prop_assert!((high - (1.0 - other.low)).abs() < 1e-12);
        }
    }
}
