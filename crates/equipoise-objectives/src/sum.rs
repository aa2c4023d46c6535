//! Sums of many numbers that do not lose the small ones.

/// Adds up blocks of 128 numbers plainly and the blocks with Neumaier's compensation: the error of a sum of
/// n numbers is that of 128, whatever n.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    block: f64,
    count: u32,
    total: f64,
    lost: f64,
}

impl Sum {
    pub(crate) fn add(&mut self, value: f64) {
        self.block += value;
        self.count += 1;
        if self.count == 128 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let next = self.total + self.block;
        // What the larger of the two swallowed of the smaller. Nothing to be saved of an infinite sum.
        let lost = if self.total.abs() >= self.block.abs() {
            (self.total - next) + self.block
        } else {
            (self.block - next) + self.total
        };
        if next.is_finite() {
            self.lost += lost;
        }
        self.total = next;
        (self.block, self.count) = (0.0, 0);
    }

    pub(crate) fn value(mut self) -> f64 {
        self.flush();
        self.total + self.lost
    }
}

/// The sum of some numbers.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    values.into_iter().for_each(|value| sum.add(value));
    sum.value()
}

/// Their mean; 0 if there are none.
pub(crate) fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len().max(1) as f64;
    sum(values) / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_survive() {
        let mut values = vec![1e16];
        values.extend([1.0; 1000]);
        values.push(-1e16);
        // Plainly every 1 would be rounded away or doubled. The first block keeps 127 of them only roughly.
        let plain: f64 = values.iter().sum();
        let found = sum(values.iter().copied());
        assert!((found - 1000.0).abs() <= 128.0, "{found} {plain}");
        let error = |sum: f64| (sum - 10_000.0).abs();
        assert!(error(sum([0.1; 100_000])) < 1e-10);
        assert!(error([0.1; 100_000].iter().sum()) > 1e-8);
    }

    #[test]
    fn what_is_not_finite_is_passed_on() {
        assert!(sum([1.0, f64::NAN]).is_nan());
        assert_eq!(sum([1.0, f64::INFINITY]), f64::INFINITY);
        assert_eq!(sum([f64::MAX; 2]), f64::INFINITY);
        assert_eq!(mean([].into_iter()), 0.0);
    }
}
