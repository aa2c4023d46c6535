//! Axes: round ticks, and the way from a value to a position.

/// Where an axis starts and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// Wherever the data do.
    Data,
    /// Wherever the data do, but 0 is on the axis.
    Zero,
    /// At 0 and 1.
    Whole,
}

/// A vertical axis: its ends, its ticks, and whether it is logarithmic.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
    /// The values that get a grid line and a label, in rising order.
    pub(super) ticks: Vec<f64>,
}

impl Scale {
    /// An axis for `values`, which must be finite. `least` is the shortest span a linear axis may
    /// have, so that rounding errors of a constant do not fill it. A constant is in the middle of an axis
    /// as long as it is large, whose ticks can be told from each other.
    pub(super) fn new(values: &[f64], range: Range, least: f64) -> Self {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (mut low, mut high) = match range {
            Range::Whole => (low.min(0.0), high.max(1.0)),
            Range::Zero => (low.min(0.0), high.max(0.0)),
            Range::Data => (low, high),
        };
        if !(low.is_finite() && high.is_finite()) {
            (low, high) = (0.0, 1.0);
        }
        let largest = low.abs().max(high.abs());
        if high - low < least.max(largest * 1e-6) {
            let least = least.max(largest);
            match (low >= 0.0 && low < least, high <= 0.0 && high > -least) {
                (true, _) => (low, high) = (0.0, low + least),
                (_, true) => (low, high) = (high - least, 0.0),
                _ => {
                    let middle = f64::midpoint(low, high);
                    let middle = if middle.abs() < 0.01 * least {
                        0.0
                    } else {
                        middle
                    };
                    (low, high) = (middle - least / 2.0, middle + least / 2.0);
                }
            }
        }
        let ticks = round_ticks(low, high, 4);
        Self {
            low: ticks.first().copied().map_or(low, |tick| tick.min(low)),
            high: ticks.last().copied().map_or(high, |tick| tick.max(high)),
            logarithmic: false,
            ticks,
        }
    }

    /// A logarithmic axis, if the values are positive and span so much that a linear one would hide
    /// most of them: the largest more than 20 times the 5 % quantile.
    pub(super) fn logarithmic(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (&smallest, &largest) = (sorted.first()?, sorted.last()?);
        if smallest <= 0.0 || largest < 20.0 * sorted[sorted.len() / 20] {
            return None;
        }
        let (first, last) = (smallest.log10().floor(), largest.log10().ceil());
        let stride = ((last - first) / 5.0).ceil().max(1.0);
        let count = ((last - first) / stride).ceil() as i32;
        let ticks: Vec<f64> = (0..=count)
            .map(|index| 10_f64.powf(first + stride * f64::from(index)))
            .collect();
        Some(Self {
            low: first,
            high: first + stride * f64::from(count),
            logarithmic: true,
            ticks,
        })
    }

    /// Whether the axis is logarithmic.
    pub(super) fn is_logarithmic(&self) -> bool {
        self.logarithmic
    }

    /// Whether a value cannot be told from 0 on this axis.
    pub(super) fn is_nothing(&self, value: f64) -> bool {
        !self.logarithmic && value.abs() < 1e-4 * (self.high - self.low)
    }

    /// Where a value is on the axis: 0 at its low end, 1 at its high end.
    pub(super) fn position(&self, value: f64) -> f64 {
        let value = if self.logarithmic {
            value.max(f64::MIN_POSITIVE).log10()
        } else {
            value
        };
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// About `count` round numbers that cover `low..=high`, steps of 1, 2, 2.5 or 5 times a power of
/// ten.
fn round_ticks(low: f64, high: f64, count: u32) -> Vec<f64> {
    let rough = (high - low) / f64::from(count);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step + 1e-9).floor();
    let last = (high / step - 1e-9).ceil();
    let ticks = (0..=(last - first) as u32).map(|index| (first + f64::from(index)) * step);
    // `0.0 + …` turns −0 into 0.
    ticks.map(|tick| 0.0 + tick).collect()
}

/// About `count` round whole numbers within `low..=high`.
pub(super) fn whole_ticks(low: f64, high: f64, count: u32) -> Vec<f64> {
    if high - low < 1.0 {
        return vec![low];
    }
    let rough = ((high - low) / f64::from(count.max(1))).max(1.0);
    let power = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let step = steps.into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let count = (last - first).max(0.0) as u32;
    (0..=count)
        .map(|index| (first + f64::from(index)) * step)
        .filter(|tick| (low..=high).contains(tick))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_cover_the_data() {
        let scale = Scale::new(&[0.13, 0.87], Range::Zero, 0.0);
        assert_eq!(scale.ticks, [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(scale.position(0.25), 0.25);
        let scale = Scale::new(&[-3.0, 41.0], Range::Data, 0.0);
        assert_eq!(scale.ticks, [-20.0, 0.0, 20.0, 40.0, 60.0]);
        let scale = Scale::new(&[0.5], Range::Whole, 0.0);
        assert_eq!((scale.position(0.0), scale.position(1.0)), (0.0, 1.0));
        assert!(scale.is_nothing(-1e-9) && !scale.is_nothing(0.001));
    }

    #[test]
    fn a_constant_still_has_an_axis() {
        for value in [0.0, 1.0, -7.5, 1e-9, 1e150] {
            for range in [Range::Data, Range::Zero, Range::Whole] {
                let scale = Scale::new(&[value; 3], range, 1e-3);
                assert!(scale.ticks.len() >= 2, "{value} {scale:?}");
                assert!((0.0..=1.0).contains(&scale.position(value)), "{scale:?}");
                assert!(scale.position(value).is_finite());
            }
        }
        assert!(Scale::new(&[], Range::Data, 1e-3).ticks.len() >= 2);
    }

    /// A learning rate that stays as it is: 0.001 is in the middle of 0.0005 to 0.0015.
    #[test]
    fn the_axis_of_a_constant_by_hand() {
        let scale = Scale::new(&[0.001; 40], Range::Data, 1e-12);
        assert_eq!(scale.ticks.len(), 5);
        for (tick, expected) in scale.ticks.iter().zip([0.5, 0.75, 1.0, 1.25, 1.5]) {
            assert!((tick * 1e3 - expected).abs() < 1e-9, "{:?}", scale.ticks);
        }
        assert!((scale.position(0.001) - 0.5).abs() < 1e-9);
        // What differs by more than rounding fills its axis as before.
        let scale = Scale::new(&[0.001, 0.00101], Range::Data, 1e-12);
        assert!(scale.position(0.00101) - scale.position(0.001) > 0.6);
    }

    #[test]
    fn only_wide_positive_data_get_a_logarithmic_axis() {
        assert_eq!(Scale::logarithmic(&[0.0, 1e6]), None);
        assert_eq!(Scale::logarithmic(&[1.0, 2.0, 15.0]), None);
        assert_eq!(Scale::logarithmic(&[]), None);
        let scale = Scale::logarithmic(&[0.2, 1.0, 300.0]).unwrap();
        let expected = [0.1, 1.0, 10.0, 100.0, 1000.0];
        assert_eq!(scale.ticks.len(), expected.len());
        for (tick, expected) in scale.ticks.iter().zip(expected) {
            assert!((tick / expected - 1.0).abs() < 1e-12, "{:?}", scale.ticks);
        }
        assert!((scale.position(10.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn step_ticks_are_whole_and_inside() {
        assert_eq!(whole_ticks(0.0, 149.0, 4), [0.0, 50.0, 100.0]);
        assert_eq!(whole_ticks(0.0, 3.0, 4), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(whole_ticks(7.0, 7.0, 4), [7.0]);
        assert_eq!(whole_ticks(1.0, 400.0, 4), [100.0, 200.0, 300.0, 400.0]);
        assert_eq!(whole_ticks(1.0, 300.0, 2), [200.0]);
    }
}
