//! Mean and variance of weighted numbers, and numbers brought to mean 0 and variance 1.

use crate::centre::LARGE;
use crate::estimators::{Correction, Normalisation};
use crate::sum::{bounded, largest, sum};
use crate::tokens::{Row, Tokens, rows};
use crate::{Group, TIE_TOLERANCE};

/// What a whitening adds to the variance, as verl does.
const WHITENING_EPSILON: f64 = 1e-8;

/// Mean and variance, in units that keep squares from overflowing.
pub(crate) struct Moments {
    mean: f64,
    variance: f64,
    unit: f64,
    tolerance: f64,
}

impl Moments {
    /// The moments of pairs of a value and its weight.
    pub(crate) fn of(
        pairs: impl Iterator<Item = (f64, f64)> + Clone,
        correction: Correction,
    ) -> Self {
        let size = largest(pairs.clone().map(|(value, _)| value));
        let unit = if size > LARGE { size } else { 1.0 };
        let weight = sum(pairs.clone().map(|(_, weight)| weight));
        let mean = sum(pairs
            .clone()
            .map(|(value, weight)| weight * in_units(value, unit)))
            / weight;
        let squares =
            sum(pairs.map(|(value, weight)| weight * (in_units(value, unit) - mean).powi(2)));
        Self {
            mean,
            variance: correction.deviation(squares, weight).powi(2),
            unit,
            tolerance: TIE_TOLERANCE * size.max(1.0) / unit,
        }
    }

    /// (x − mean) / √(variance + 1e-8), and 0 for what equals the mean up to rounding.
    pub(crate) fn whitened(&self, value: f64) -> f64 {
        self.over(value, self.whitening())
    }

    /// What a whitening divides by.
    fn whitening(&self) -> f64 {
        let epsilon = WHITENING_EPSILON / self.unit / self.unit;
        (self.variance + epsilon).sqrt()
    }

    /// (x − mean) / (standard deviation + ε), and 0 for what equals the mean up to rounding.
    pub(crate) fn standardised(&self, value: f64, epsilon: f64) -> f64 {
        self.over(value, self.variance.sqrt() + epsilon / self.unit)
    }

    fn over(&self, value: f64, divisor: f64) -> f64 {
        match in_units(value, self.unit) - self.mean {
            deviation if deviation.abs() <= self.tolerance => 0.0,
            deviation => bounded(deviation / divisor),
        }
    }
}

/// The quotient, without a division where it changes nothing: there may be millions of values.
fn in_units(value: f64, unit: f64) -> f64 {
    if unit == 1.0 { value } else { value / unit }
}

/// Brings the trained tokens of all scorable responses to mean 0 and variance 1.
pub(crate) fn whiten_tokens(groups: &[Group<'_>], tokens: &mut Tokens, correction: Correction) {
    let moments = {
        let pairs = rows(groups).zip(tokens.iter()).flat_map(|(row, values)| {
            let counted = move |t: usize| row.reward.is_some() && row.is_trained(t);
            let values = values.iter().enumerate().filter(move |(t, _)| counted(*t));
            values.map(|(_, value)| (*value, 1.0))
        });
        Moments::of(pairs, correction)
    };
    let divisor = moments.whitening();
    for (index, row) in rows(groups).enumerate() {
        if row.reward.is_none() {
            continue;
        }
        for (t, value) in tokens.response_mut(index).iter_mut().enumerate() {
            if row.is_trained(t) {
                *value = moments.over(*value, divisor);
            }
        }
    }
}

/// Normalises one number per response over the scorable responses, or over their trained tokens.
pub(crate) fn normalise(
    groups: &[Group<'_>],
    values: &mut [f64],
    over: Normalisation,
    correction: Correction,
    epsilon: f64,
) {
    let scorable = |row: &Row<'_, '_>| row.reward.is_some();
    normalise_kept(groups, values, over, correction, epsilon, scorable);
}

/// As [`normalise`], over those responses that are kept; the others are left as they are.
pub(crate) fn normalise_kept(
    groups: &[Group<'_>],
    values: &mut [f64],
    over: Normalisation,
    correction: Correction,
    epsilon: f64,
    kept: impl Fn(&Row<'_, '_>) -> bool + Copy,
) {
    let tokens = match over {
        Normalisation::None => return,
        Normalisation::Batch => false,
        Normalisation::Tokens => true,
    };
    let pairs = rows(groups).zip(values.iter()).filter(|(row, _)| kept(row));
    let pairs = pairs.map(|(row, value)| (*value, if tokens { row.trained() as f64 } else { 1.0 }));
    let moments = Moments::of(pairs.filter(|(_, weight)| *weight > 0.0), correction);
    for (value, row) in values.iter_mut().zip(rows(groups)) {
        if kept(&row) {
            *value = match tokens {
                true if row.trained() == 0 => 0.0,
                true => moments.whitened(*value),
                false => moments.standardised(*value, epsilon),
            };
        }
    }
}
