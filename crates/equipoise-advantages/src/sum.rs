//! Sums that do not lose their small terms.

/// The sum of the values, compensated (Neumaier): its error does not grow with their number.
///
/// A value that is not finite makes the sum what plain addition would make it.
pub(crate) fn sum(values: impl IntoIterator<Item = f64>) -> f64 {
    // Four sums in turn, since each addition of one waits for the one before.
    let mut lanes = [Compensated::default(); 4];
    let mut values = values.into_iter();
    'all: loop {
        for lane in &mut lanes {
            match values.next() {
                Some(value) => lane.add(value),
                None => break 'all,
            }
        }
    }
    let mut all = Compensated::default();
    for lane in lanes {
        all.add(lane.total);
        all.lost += lane.lost;
    }
    match all.total.is_finite() {
        true => all.total + all.lost,
        false => all.total,
    }
}

/// A sum and what rounding has taken from it.
#[derive(Clone, Copy, Default)]
struct Compensated {
    total: f64,
    lost: f64,
}

impl Compensated {
    fn add(&mut self, value: f64) {
        let next = self.total + value;
        self.lost += if self.total.abs() >= value.abs() {
            (self.total - next) + value
        } else {
            (value - next) + self.total
        };
        self.total = next;
    }
}

/// The sum of the values; beyond the largest number it is that number.
pub(crate) fn bounded_sum(values: impl IntoIterator<Item = f64>) -> f64 {
    bounded(sum(values))
}

/// The nearest number that is finite; what is not a number stays so.
pub(crate) fn bounded(value: f64) -> f64 {
    value.clamp(-f64::MAX, f64::MAX)
}

/// The largest absolute value; 0 if there is none.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> f64 {
    values
        .into_iter()
        .fold(0.0, |largest, value| value.abs().max(largest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_are_not_lost() {
        assert_eq!(sum([1.0, 1e100, 1.0, -1e100]), 2.0);
        assert_eq!(sum(std::iter::repeat_n(0.1, 1_000_000)), 100_000.0);
        assert!(sum([f64::NAN, 1.0]).is_nan());
        assert_eq!(bounded(f64::INFINITY), f64::MAX);
        assert_eq!(bounded_sum([f64::MAX, f64::MAX]), f64::MAX);
    }
}
