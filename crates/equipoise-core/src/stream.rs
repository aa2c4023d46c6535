//! Random numbers addressed by coordinates instead of drawn from a shared generator.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a random stream is for. Two domains never share a number, whatever their coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// Initial weights; the coordinates are the parameter's position.
    Initialisation,
    /// Problems to train on; the coordinates are the problem's number.
    Problem,
    /// Problems held out for evaluation; the coordinates are the problem's number.
    HeldOut,
    /// Demonstrations for supervised fine-tuning; the coordinates are the demonstration's number.
    Demonstration,
    /// Sampled tokens; the coordinates are step, prompt and sample index.
    Sample,
    /// The order of a data set; the coordinates are the epoch.
    Shuffle,
    /// Tests and tools.
    Other,
}

impl Domain {
    /// The number that stands for this domain inside the generator's key. Part of the saved format:
    /// changing one changes every run.
    fn tag(self) -> u64 {
        match self {
            Self::Initialisation => 1,
            Self::Problem => 2,
            Self::HeldOut => 3,
            Self::Demonstration => 4,
            Self::Sample => 5,
            Self::Shuffle => 6,
            Self::Other => 7,
        }
    }
}

/// A reproducible stream of random numbers, a pure function of its address.
///
/// The generator is ChaCha with eight rounds. Its 256-bit key is the run seed, the domain and the
/// first two coordinates side by side, and its 64-bit stream number is the third coordinate, so
/// different addresses cannot collide.
#[derive(Clone, Debug)]
pub struct Stream(ChaCha8Rng);

impl Stream {
    /// The stream at the address (`seed`, `domain`, `coordinates`).
    pub fn new(seed: u64, domain: Domain, coordinates: [u64; 3]) -> Self {
        let mut key = [0_u8; 32];
        let words = [seed, domain.tag(), coordinates[0], coordinates[1]];
        for (bytes, word) in key.chunks_exact_mut(8).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(coordinates[2]);
        Self(generator)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number uniform in [0, 1), a multiple of 2⁻⁵³.
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1_u64 << 53) as f64)
    }

    /// A whole number uniform in `0..bound`, without bias.
    ///
    /// Returns 0 for `bound == 0`, the only answer that does not panic.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Lemire's multiplication method (arXiv:1805.10941): the high word is uniform once the low
        // words that would favour small results are rejected.
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            let low = product as u64;
            if low >= bound || low >= bound.wrapping_neg() % bound.max(1) {
                return (product >> 64) as u64;
            }
        }
    }

    /// A whole number uniform in `low..=high`; `low` if the range is empty.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        if high <= low {
            return low;
        }
        let span = high.abs_diff(low);
        let offset = if span == u64::MAX {
            self.next_u64()
        } else {
            self.below(span + 1)
        };
        low.wrapping_add(offset as i64)
    }

    /// A normal deviate with mean 0 and standard deviation 1 (Box and Muller, 1958).
    pub fn normal(&mut self) -> f64 {
        // 1 − u is in (0, 1], so that the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Puts `items` in a uniformly random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }

    /// One of `items`, uniformly; `None` if there are none.
    pub fn choose<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            None
        } else {
            items.get(self.below(items.len() as u64) as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_address_matters() {
        let base = Stream::new(1, Domain::Sample, [2, 3, 4]).next_u64();
        let others = [
            Stream::new(2, Domain::Sample, [2, 3, 4]),
            Stream::new(1, Domain::Problem, [2, 3, 4]),
            Stream::new(1, Domain::Sample, [3, 3, 4]),
            Stream::new(1, Domain::Sample, [2, 4, 4]),
            Stream::new(1, Domain::Sample, [2, 3, 5]),
        ];
        for mut other in others {
            assert_ne!(base, other.next_u64());
        }
    }

    /// The saved runs of users depend on these numbers; a new version of the generator's crate that
    /// changed them would have to be noticed here.
    #[test]
    fn numbers_do_not_change_between_versions() {
        let mut stream = Stream::new(0, Domain::Other, [0, 0, 0]);
        let drawn = [stream.next_u64(), stream.next_u64(), stream.next_u64()];
        let expected = [
            4567777864591039416,
            2867697342826812380,
            11500974177988203256,
        ];
        assert_eq!(drawn, expected);
    }

    #[test]
    fn below_is_uniform_and_in_range() {
        let mut stream = Stream::new(7, Domain::Other, [0, 0, 0]);
        let mut counts = [0_u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        // Five standard deviations of a binomial count with mean 10 000.
        assert!(
            counts.iter().all(|&count| count.abs_diff(10_000) < 463),
            "{counts:?}"
        );
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
    }

    #[test]
    fn between_covers_both_ends_and_extremes() {
        let mut stream = Stream::new(7, Domain::Other, [1, 0, 0]);
        let drawn: Vec<i64> = (0..200).map(|_| stream.between(-2, 2)).collect();
        assert_eq!(drawn.iter().min(), Some(&-2));
        assert_eq!(drawn.iter().max(), Some(&2));
        assert_eq!(stream.between(5, 4), 5);
        stream.between(i64::MIN, i64::MAX);
    }

    #[test]
    fn normal_has_the_right_moments() {
        let mut stream = Stream::new(7, Domain::Other, [2, 0, 0]);
        let drawn: Vec<f64> = (0..40_000).map(|_| stream.normal()).collect();
        let mean = drawn.iter().sum::<f64>() / 40_000.0;
        let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 40_000.0;
        assert!(mean.abs() < 0.025, "{mean}");
        assert!((variance - 1.0).abs() < 0.036, "{variance}");
        assert!(drawn.iter().all(|x| x.is_finite()));
    }

    #[test]
    fn shuffle_is_a_permutation() {
        let mut items: Vec<u32> = (0..100).collect();
        Stream::new(7, Domain::Shuffle, [0, 0, 0]).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn choose_takes_an_item_or_none() {
        let mut stream = Stream::new(7, Domain::Other, [3, 0, 0]);
        assert_eq!(stream.choose::<u8>(&[]), None);
        assert!([4, 5].contains(stream.choose(&[4, 5]).unwrap()));
    }
}
