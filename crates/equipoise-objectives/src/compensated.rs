//! Sums whose rounding error does not grow with the number of terms.

/// A running sum with Neumaier's compensation: the error is that of the last rounding, however many
/// terms there are.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds a term.
    pub(crate) fn add(&mut self, term: f64) {
        let total = self.total + term;
        self.lost += if self.total.abs() >= term.abs() {
            (self.total - total) + term
        } else {
            (term - total) + self.total
        };
        self.total = total;
    }

    /// The sum so far; a sum beyond the largest number is that number.
    pub(crate) fn value(self) -> f64 {
        if self.total.is_infinite() {
            return self.total.clamp(-f64::MAX, f64::MAX);
        }
        self.total + self.lost
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(terms: I) -> Self {
        let mut sum = Self::default();
        for term in terms {
            sum.add(term);
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_are_not_lost() {
        let sum: Sum = [1.0, 1e100, 1.0, -1e100].into_iter().collect();
        assert_eq!(sum.value(), 2.0);
        let tenths: Sum = std::iter::repeat_n(0.1, 100_000).collect();
        assert_eq!(tenths.value(), 10_000.0);
        let huge: Sum = [f64::MAX, f64::MAX].into_iter().collect();
        assert_eq!(huge.value(), f64::MAX);
    }
}
