//! Dropout of the adapters' inputs, a function of addresses alone.

/// Which inputs of the adapters are dropped in a training step (PEFT's `lora_dropout`).
///
/// Whether an element is kept is a function of the seed, the step, the sequence's number in the
/// batch, the position, the adapter and the element. So micro-batches and threads change nothing,
/// and the backward pass need not store a mask.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The seed of the run.
    pub seed: u64,
    /// The optimiser step.
    pub step: u64,
    /// The number of the batch's first sequence within the step: its micro-batches differ in it.
    pub first_sequence: u64,
    /// The probability of dropping an element, in [0, 1).
    pub probability: f64,
}

/// A bijective mix of 64 bits: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
#[inline(always)]
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dropout {
    /// The address of a row: a token of a sequence.
    pub(super) fn key(&self, sequence: usize, position: usize) -> u64 {
        let parts = [
            self.step,
            self.first_sequence + sequence as u64,
            position as u64,
        ];
        parts.into_iter().fold(mix(self.seed), |key, part| {
            mix(key.wrapping_add(GOLDEN) ^ mix(part.wrapping_add(GOLDEN)))
        })
    }

    /// Drops elements of every row and scales the others up, so that the mean stays.
    pub(super) fn apply(&self, x: &mut [f32], keys: &[u64], adapter: u64) {
        if keys.is_empty() {
            return;
        }
        // A probability below one, times 2³², fits.
        let limit = (self.probability * f64::from(u32::MAX)) as u32;
        let scale = (1.0 / (1.0 - self.probability)) as f32;
        let width = x.len() / keys.len();
        for (row, key) in x.chunks_exact_mut(width.max(1)).zip(keys) {
            let key = mix(key ^ mix(adapter.wrapping_add(GOLDEN)));
            for (at, x) in row.iter_mut().enumerate() {
                let word = mix(key.wrapping_add(GOLDEN.wrapping_mul(at as u64 + 1)));
                *x *= if (word >> 32) as u32 >= limit {
                    scale
                } else {
                    0.0
                };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: Dropout = Dropout {
        seed: 3,
        step: 5,
        first_sequence: 0,
        probability: 0.25,
    };

    fn applied(dropout: Dropout, rows: usize) -> Vec<f32> {
        let keys: Vec<u64> = (0..rows).map(|row| dropout.key(row, 7)).collect();
        let mut x = vec![1.0; rows * 100];
        dropout.apply(&mut x, &keys, 2);
        x
    }

    #[test]
    fn a_quarter_is_dropped_and_the_mean_stays() {
        let x = applied(HALF, 400);
        let dropped = x.iter().filter(|&&x| x == 0.0).count() as f64 / x.len() as f64;
        // Four standard deviations of 40 000 draws.
        assert!((dropped - 0.25).abs() < 0.009, "{dropped}");
        let kept = x.iter().find(|&&x| x != 0.0);
        assert_eq!(kept, Some(&(4.0 / 3.0)));
    }

    #[test]
    fn every_coordinate_matters_and_micro_batches_do_not() {
        let whole = applied(HALF, 4);
        let second = Dropout {
            first_sequence: 2,
            ..HALF
        };
        assert_eq!(applied(second, 2), whole[200..]);
        for other in [
            Dropout { seed: 4, ..HALF },
            Dropout { step: 6, ..HALF },
            second,
        ] {
            assert_ne!(applied(other, 4), whole);
        }
        let mut x = vec![1.0; 100];
        HALF.apply(&mut x, &[HALF.key(0, 8)], 2);
        assert_ne!(x, whole[..100], "another position");
        let mut x = vec![1.0; 100];
        HALF.apply(&mut x, &[HALF.key(0, 7)], 3);
        assert_ne!(x, whole[..100], "another adapter");
    }

    #[test]
    fn nothing_is_dropped_at_probability_zero() {
        let none = Dropout {
            probability: 0.0,
            ..HALF
        };
        assert_eq!(applied(none, 2), [1.0; 200]);
    }
}
