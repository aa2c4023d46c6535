//! Sums whose rounding error does not grow with the number of terms.

/// The sum of the terms with Neumaier's compensation; beyond the largest number it is that number.
pub(crate) fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0);
    for term in terms {
        let next = total + term;
        lost += if total.abs() >= term.abs() {
            (total - next) + term
        } else {
            (term - next) + total
        };
        total = next;
    }
    if total.is_infinite() {
        return total.clamp(-f64::MAX, f64::MAX);
    }
    total + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_are_not_lost() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 100_000)), 10_000.0);
        assert_eq!(sum([f64::MAX, f64::MAX]), f64::MAX);
    }
}
