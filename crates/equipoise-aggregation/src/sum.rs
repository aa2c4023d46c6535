//! Sums over a batch.

/// The sum with Neumaier's compensation: its error does not grow with the number of terms.
///
/// A sum that overflows, or has a term that is not finite, is the plain sum.
pub(crate) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    // Beyond the finite numbers the compensation is a difference of infinities.
    if sum.is_finite() { sum + lost } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lost_comes_back() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100].into_iter()), 2.0);
        assert_eq!(sum((0..100_000).map(|_| 0.1)), 10_000.0);
        assert_eq!(sum([].into_iter()), 0.0);
    }

    #[test]
    fn what_is_not_finite_stays() {
        assert_eq!(sum([f64::MAX, f64::MAX].into_iter()), f64::INFINITY);
        assert_eq!(sum([1.0, f64::NEG_INFINITY].into_iter()), f64::NEG_INFINITY);
        assert!(sum([1.0, f64::NAN, 1.0].into_iter()).is_nan());
    }
}
