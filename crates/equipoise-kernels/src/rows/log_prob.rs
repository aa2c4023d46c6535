//! Log-probability and entropy of one row of logits, and their gradients.
//!
//! ```text
//! zⱼ = logitⱼ / τ        log pⱼ = zⱼ − max(z) − ln Σₖ e^(zₖ − max(z))        H = −Σⱼ pⱼ log pⱼ
//! ```

use crate::simd::{LANES, exp, max, per_instruction_set};

/// Logits whose statistics are taken at once. They are added in single precision before they join a
/// sum in double precision, so long vocabularies lose nothing; and a row can be computed block by
/// block without ever existing as a whole.
pub const BLOCK: usize = 32 * LANES;

/// What the backward pass and the caller need of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowStatistics {
    /// The largest scaled logit.
    pub maximum: f32,
    /// ln Σₖ e^(zₖ − maximum).
    pub log_sum: f32,
    /// The entropy in nats.
    pub entropy: f32,
}

/// The statistics of a row so far, to which blocks of [`BLOCK`] logits are added in order.
///
/// ```text
/// S = Σₖ e^(zₖ − m)        W = Σₖ e^(zₖ − m) (zₖ − m)        m the largest so far
/// ```
///
/// When the maximum moves from m to m', S becomes S·e^(m−m') and W becomes e^(m−m')·(W + S·(m−m')).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Running {
    maximum: f32,
    mass: f64,
    weighted: f64,
}

impl Default for Running {
    fn default() -> Self {
        Self {
            maximum: f32::NEG_INFINITY,
            mass: 0.0,
            weighted: 0.0,
        }
    }
}

impl Running {
    /// Adds a block: all of them but the last of a row hold [`BLOCK`] logits. Scales the logits by
    /// `inverse_temperature` in place.
    pub fn add(&mut self, logits: &mut [f32], inverse_temperature: f32) {
        let block = block_sums(logits, inverse_temperature);
        if block.maximum == f32::NEG_INFINITY {
            return; // tokens ruled out, all of them
        }
        let (mut low, mut high) = (*self, block);
        if low.maximum > high.maximum {
            (low, high) = (high, low);
        }
        if low.mass > 0.0 {
            let shift = f64::from(low.maximum) - f64::from(high.maximum);
            let factor = shift.exp();
            high.mass += factor * low.mass;
            high.weighted += if factor > 0.0 {
                factor * (low.weighted + low.mass * shift)
            } else {
                0.0
            };
        }
        *self = high;
    }

    /// The largest scaled logit so far.
    pub fn maximum(&self) -> f32 {
        self.maximum
    }

    /// The statistics of the whole row.
    pub fn finish(&self) -> RowStatistics {
        let log_sum = self.mass.ln();
        RowStatistics {
            maximum: self.maximum,
            log_sum: log_sum as f32,
            // H = ln S − Σ p (z − max)
            entropy: (log_sum - self.weighted / self.mass) as f32,
        }
    }
}

/// Scales the row by `inverse_temperature` in place and returns its statistics.
pub fn statistics(logits: &mut [f32], inverse_temperature: f32) -> RowStatistics {
    let mut running = Running::default();
    for block in logits.chunks_mut(BLOCK) {
        running.add(block, inverse_temperature);
    }
    running.finish()
}

per_instruction_set! {
    fn block_sums(logits: &mut [f32], inverse_temperature: f32) -> Running {
        for z in logits.iter_mut() {
            *z *= inverse_temperature;
        }
        let maximum = max(logits);
        let mut masses = [0.0_f32; LANES];
        let mut weighteds = [0.0_f32; LANES];
        let (chunks, tail) = logits.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                let shifted = chunk[lane] - maximum;
                let e = exp(shifted);
                masses[lane] += e;
                // A logit of −∞ (a token ruled out) has e = 0 and takes no part.
                weighteds[lane] += if e > 0.0 { e * shifted } else { 0.0 };
            }
        }
        for (lane, &z) in tail.iter().enumerate() {
            let shifted = z - maximum;
            let e = exp(shifted);
            masses[lane] += e;
            weighteds[lane] += if e > 0.0 { e * shifted } else { 0.0 };
        }
        let (mut mass, mut weighted) = (0.0_f64, 0.0_f64);
        for lane in 0..LANES {
            mass += f64::from(masses[lane]);
            weighted += f64::from(weighteds[lane]);
        }
        Running { maximum, mass, weighted }
    }
}

impl RowStatistics {
    /// The log-probability of a token with scaled logit `z`.
    #[inline]
    pub fn log_prob(&self, z: f32) -> f32 {
        z - self.maximum - self.log_sum
    }
}

/// Draws an index with the probabilities of a row of scaled logits, from a number that is uniform in
/// [0, 1): the first at which the running sum of probabilities passes it.
///
/// Exponentials are single precision and sums double; blocks are passed over by their sums, so the
/// cost is that of one pass of vectorised exponentials.
pub fn draw(scaled: &[f32], row: RowStatistics, uniform: f64) -> usize {
    let mut masses = [0.0_f64; 1024];
    let step = BLOCK * scaled.len().div_ceil(BLOCK * masses.len()).max(1);
    let mut total = 0.0;
    for (mass, part) in masses.iter_mut().zip(scaled.chunks(step)) {
        *mass = part
            .chunks(BLOCK)
            .map(|block| mass_of(block, row.maximum))
            .sum();
        total += *mass;
    }
    let threshold = uniform * total;
    let (mut sum, mut last) = (0.0, 0);
    for ((part, mass), start) in scaled.chunks(step).zip(masses).zip((0..).step_by(step)) {
        if sum + mass <= threshold {
            sum += mass;
            continue;
        }
        // Rounding may leave the running sum short of the part's: then it is the last one that can
        // be drawn at all.
        let mut weights = [0.0_f32; BLOCK];
        for (block, start) in part.chunks(BLOCK).zip((start..).step_by(BLOCK)) {
            let weights = &mut weights[..block.len()];
            weigh(block, row.maximum, weights);
            for (at, &weight) in weights.iter().enumerate() {
                if weight > 0.0 {
                    last = start + at;
                }
                sum += f64::from(weight);
                if sum > threshold {
                    return start + at;
                }
            }
        }
        return last;
    }
    // The sums of the parts are added in the order of the total, so this is never reached but for
    // numbers that are none.
    last
}

per_instruction_set! {
    fn mass_of(block: &[f32], maximum: f32) -> f64 {
        let mut lanes = [0.0_f32; LANES];
        let (chunks, tail) = block.as_chunks::<LANES>();
        for chunk in chunks {
            for lane in 0..LANES {
                lanes[lane] += exp(chunk[lane] - maximum);
            }
        }
        for (lane, &z) in lanes.iter_mut().zip(tail) {
            *lane += exp(z - maximum);
        }
        lanes.into_iter().map(f64::from).sum()
    }
}

per_instruction_set! {
    fn weigh(block: &[f32], maximum: f32, weights: &mut [f32]) {
        for (weight, &z) in weights.iter_mut().zip(block) {
            *weight = exp(z - maximum);
        }
    }
}

per_instruction_set! {
    /// Replaces scaled logits by e^(z − maximum), the weights that a mean over the vocabulary is made of.
    /// A maximum of −∞ (only tokens that are ruled out so far) gives zeros.
    pub fn masses(scaled: &mut [f32], maximum: f32) {
        if maximum == f32::NEG_INFINITY {
            scaled.fill(0.0);
            return;
        }
        for z in scaled.iter_mut() {
            *z = exp(*z - maximum);
        }
    }
}

per_instruction_set! {
    /// Turns a row of scaled logits into the gradient with respect to the unscaled ones, given the
    /// cotangents of the target's log-probability and of the entropy.
    ///
    /// ```text
    /// d logitⱼ = (g·(1[j = target] − pⱼ) − h·pⱼ·(log pⱼ + H)) / τ
    /// ```
    pub fn backward(
        scaled: &mut [f32],
        row: RowStatistics,
        target: usize,
        log_prob_cotangent: f32,
        entropy_cotangent: f32,
        inverse_temperature: f32,
    ) {
        let shift = row.maximum + row.log_sum;
        for z in scaled.iter_mut() {
            let log_prob = *z - shift;
            let p = exp(log_prob);
            let entropy_part = entropy_cotangent * p * (log_prob + row.entropy);
            let gradient = -log_prob_cotangent * p - if p > 0.0 { entropy_part } else { 0.0 };
            *z = gradient * inverse_temperature;
        }
        if let Some(z) = scaled.get_mut(target) {
            *z += log_prob_cotangent * inverse_temperature;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_logits_by_hand() {
        // p = (3/4, 1/4): log p = −0.287682, −1.386294; H = 0.562335.
        let mut logits = [3.0_f32.ln(), 0.0];
        let row = statistics(&mut logits, 1.0);
        assert!((row.log_prob(logits[0]) + 0.287_682).abs() < 1e-6);
        assert!((row.log_prob(logits[1]) + 1.386_294).abs() < 1e-6);
        assert!((row.entropy - 0.562_335).abs() < 1e-6);
        // Temperature ½ squares the odds: 9 to 1.
        let mut logits = [3.0_f32.ln(), 0.0];
        let row = statistics(&mut logits, 2.0);
        assert!((row.log_prob(logits[1]) - 0.1_f32.ln()).abs() < 1e-6);
    }

    /// The maximum rises and falls from block to block, and one block is ruled out.
    #[test]
    fn blocks_agree_with_the_definition_in_double_precision() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 50.0 - 10.0;
        let mut logits: Vec<f32> = (0..5 * BLOCK + 77).map(number).collect();
        logits[2 * BLOCK + 3] = 40.0;
        logits[3 * BLOCK..4 * BLOCK].fill(f32::NEG_INFINITY);
        logits[4 * BLOCK + 1] = 41.0;
        let z: Vec<f64> = logits.iter().map(|&x| f64::from(x) / 1.25).collect();
        let mass: f64 = z.iter().map(|z| (z - 41.0 / 1.25).exp()).sum();
        let log_sum = mass.ln() + 41.0 / 1.25;
        let entropy: f64 = z
            .iter()
            .filter(|z| z.is_finite())
            .map(|z| -(z - log_sum).exp() * (z - log_sum))
            .sum();
        let row = statistics(&mut logits, 1.0 / 1.25);
        assert!((f64::from(row.log_prob(logits[5])) - (z[5] - log_sum)).abs() < 5e-6);
        assert!((f64::from(row.entropy) - entropy).abs() < 2e-6);
    }

    #[test]
    fn a_long_row_keeps_its_precision() {
        let mut logits = vec![0.25_f32; 151_936];
        let row = statistics(&mut logits, 1.0);
        let exact = (151_936_f64).ln();
        assert!((f64::from(row.entropy) - exact).abs() < 2e-6);
        assert!((f64::from(row.log_prob(0.25)) + exact).abs() < 2e-6);
    }

    #[test]
    fn masses_by_hand() {
        let mut row = [2.0_f32, 2.0 - 2.0_f32.ln(), f32::NEG_INFINITY];
        masses(&mut row, 2.0);
        assert!((row[1] - 0.5).abs() < 1e-6, "{row:?}");
        assert_eq!((row[0], row[2]), (1.0, 0.0));
        let mut none = [f32::NEG_INFINITY; 2];
        masses(&mut none, f32::NEG_INFINITY);
        assert_eq!(none, [0.0, 0.0]);
    }

    #[test]
    fn draws_are_the_inverse_of_the_running_sum() {
        // Probabilities ½, ¼, ⅛, ⅛, one ruled out between them.
        let mut logits = [0.5_f32, 0.25, 0.0, 0.125, 0.125].map(f32::ln);
        let row = statistics(&mut logits, 1.0);
        let drawn = [0.0, 0.49, 0.51, 0.74, 0.76, 0.87, 0.88, 1.0 - 1e-16];
        assert_eq!(
            drawn.map(|uniform| draw(&logits, row, uniform)),
            [0, 0, 1, 1, 3, 3, 4, 4]
        );
    }

    /// Over many blocks, and more than there are sums to keep.
    #[test]
    fn draws_from_long_rows_agree_with_a_plain_running_sum() {
        for length in [BLOCK, 3 * BLOCK + 7, 1024 * BLOCK + 100] {
            let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 100.0 - 10.0;
            let mut logits: Vec<f32> = (0..length).map(number).collect();
            let row = statistics(&mut logits, 1.0);
            let weight = |z: &f32| f64::from(z - row.maximum).exp();
            let total: f64 = logits.iter().map(weight).sum();
            for uniform in [0.0, 0.1, 0.5, 0.77, 0.999] {
                let drawn = draw(&logits, row, uniform);
                let before: f64 = logits[..drawn].iter().map(weight).sum();
                let after = before + weight(&logits[drawn]);
                let slack = 1e-6 * total;
                assert!(before <= uniform * total + slack && uniform * total < after + slack);
            }
        }
    }

    #[test]
    fn extreme_logits_stay_finite() {
        let mut logits = [1e30, -1e30, 0.0];
        let row = statistics(&mut logits, 1.0);
        assert_eq!(row.log_prob(logits[0]), 0.0);
        assert_eq!(row.entropy, 0.0);
        backward(&mut logits, row, 0, 1.0, 1.0, 1.0);
        assert!(logits.iter().all(|x| x.is_finite()), "{logits:?}");
    }

    #[test]
    fn gradients_agree_with_central_differences() {
        let logits = [0.3_f32, -1.2, 0.8, 2.0, -0.4];
        let (g, h, inverse_temperature, target) = (0.7, -0.3, 1.0 / 0.8, 2);
        let value = |logits: &[f64]| -> f64 {
            let z: Vec<f64> = logits
                .iter()
                .map(|x| x * f64::from(inverse_temperature))
                .collect();
            let log_sum = z.iter().map(|z| z.exp()).sum::<f64>().ln();
            let entropy: f64 = z.iter().map(|z| -(z - log_sum).exp() * (z - log_sum)).sum();
            g * (z[target] - log_sum) + h * entropy
        };
        let mut gradient = logits;
        let row = statistics(&mut gradient, inverse_temperature);
        backward(
            &mut gradient,
            row,
            target,
            g as f32,
            h as f32,
            inverse_temperature,
        );
        for j in 0..logits.len() {
            let shifted = |delta: f64| {
                let mut moved: Vec<f64> = logits.iter().map(|&x| f64::from(x)).collect();
                moved[j] += delta;
                value(&moved)
            };
            let numeric = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            let analytic = f64::from(gradient[j]);
            assert!(
                (analytic - numeric).abs() < 1e-6,
                "{j}: {analytic} and {numeric}"
            );
        }
    }
}
