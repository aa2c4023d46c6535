//! Rotary position embedding (Su et al., arXiv:2104.09864), in the half-split layout of Llama and
//! Qwen: element i of a head is rotated with element i + D/2.
//!
//! ```text
//! y[i]       = x[i] cos φ − x[i + D/2] sin φ
//! y[i + D/2] = x[i + D/2] cos φ + x[i] sin φ        φ = position · θ^(−2i/D)
//! ```

use crate::simd::per_instruction_set;

/// The cosines and sines of every position up to a limit.
#[derive(Clone, Debug)]
pub struct Table {
    cosines: Vec<f32>,
    sines: Vec<f32>,
    half: usize,
}

impl Table {
    /// The table for heads of `head_dim` elements and the positions `0..positions`. Angles are
    /// computed in double precision.
    ///
    /// # Panics
    /// If `head_dim` is odd, or the table does not fit into the memory.
    pub fn new(head_dim: usize, positions: usize, theta: f64) -> Self {
        assert!(
            head_dim.is_multiple_of(2),
            "rotary heads have an even number of elements"
        );
        let frequency = |i: usize| theta.powf(-2.0 * i as f64 / head_dim as f64);
        let frequencies: Vec<f64> = (0..head_dim / 2).map(frequency).collect();
        Self::from_frequencies(&frequencies, positions, 1.0)
            .expect("the table fits into the memory")
    }

    /// The table for other frequencies φ/position, one for each pair of a head's elements, and with
    /// cosines and sines multiplied by `scale` (YaRN, arXiv:2309.00071). `None` if it does not fit into
    /// the memory: a configuration may promise more positions than a machine can hold.
    pub fn from_frequencies(frequencies: &[f64], positions: usize, scale: f64) -> Option<Self> {
        let (mut cosines, mut sines) = (Vec::new(), Vec::new());
        let count = positions.checked_mul(frequencies.len())?;
        cosines.try_reserve_exact(count).ok()?;
        sines.try_reserve_exact(count).ok()?;
        for position in 0..positions {
            for &frequency in frequencies {
                let angle = position as f64 * frequency;
                cosines.push((scale * angle.cos()) as f32);
                sines.push((scale * angle.sin()) as f32);
            }
        }
        Some(Self {
            cosines,
            sines,
            half: frequencies.len(),
        })
    }

    /// How many positions the table holds.
    pub fn positions(&self) -> usize {
        self.cosines.len() / self.half.max(1)
    }

    /// Elements of one head.
    pub fn head_dim(&self) -> usize {
        2 * self.half
    }

    fn at(&self, position: u32) -> (&[f32], &[f32]) {
        let range = position as usize * self.half..(position as usize + 1) * self.half;
        (&self.cosines[range.clone()], &self.sines[range])
    }
}

/// Rotates every head of every row of `x`, in place. Rows are `heads · head_dim` long, and row i
/// stands at `positions[i]`.
///
/// # Panics
/// If a position is not in the table.
pub fn rotate(x: &mut [f32], positions: &[u32], heads: usize, table: &Table) {
    for (row, &position) in x.chunks_exact_mut(heads * table.head_dim()).zip(positions) {
        let (cosines, sines) = table.at(position);
        rotate_row(row, cosines, sines, 1.0);
    }
}

/// The transposed of [`rotate`]: its gradient, and, a rotation being orthogonal, its inverse where the
/// table is not scaled.
///
/// # Panics
/// If a position is not in the table.
pub fn rotate_back(x: &mut [f32], positions: &[u32], heads: usize, table: &Table) {
    for (row, &position) in x.chunks_exact_mut(heads * table.head_dim()).zip(positions) {
        let (cosines, sines) = table.at(position);
        rotate_row(row, cosines, sines, -1.0);
    }
}

per_instruction_set! {
    fn rotate_row(row: &mut [f32], cosines: &[f32], sines: &[f32], direction: f32) {
        let half = cosines.len();
        for head in row.chunks_exact_mut(2 * half) {
            let (low, high) = head.split_at_mut(half);
            for (((a, b), &cosine), &sine) in low.iter_mut().zip(high).zip(cosines).zip(sines) {
                let sine = sine * direction;
                (*a, *b) = (*a * cosine - *b * sine, *b * cosine + *a * sine);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_larger_than_the_memory_is_not_made() {
        assert!(Table::from_frequencies(&[1.0; 64], usize::MAX / 64, 1.0).is_none());
        assert!(Table::from_frequencies(&[1.0; 64], usize::MAX, 1.0).is_none());
    }

    #[test]
    fn a_quarter_turn_by_hand() {
        // With θ = 1 every frequency is 1; the angle at position 1 is one radian.
        let table = Table::new(2, 2, 1.0);
        let mut x = [1.0, 0.0];
        rotate(&mut x, &[1], 1, &table);
        assert!(
            (x[0] - 0.540_302).abs() < 1e-6 && (x[1] - 0.841_471).abs() < 1e-6,
            "{x:?}"
        );
    }

    #[test]
    fn a_scale_multiplies_the_result() {
        let (frequencies, x) = ([0.5, 0.25], [1.0, 2.0, 3.0, 4.0]);
        let (mut plain, mut scaled) = (x, x);
        rotate(
            &mut plain,
            &[3],
            1,
            &Table::from_frequencies(&frequencies, 4, 1.0).unwrap(),
        );
        rotate(
            &mut scaled,
            &[3],
            1,
            &Table::from_frequencies(&frequencies, 4, 2.0).unwrap(),
        );
        for (plain, scaled) in plain.iter().zip(scaled) {
            assert!((2.0 * plain - scaled).abs() < 1e-6);
        }
    }

    #[test]
    fn rotating_back_undoes_it() {
        let table = Table::new(8, 10, 10_000.0);
        let original: Vec<f32> = (0..3 * 2 * 8).map(|i| (i as f32).sin()).collect();
        let mut x = original.clone();
        rotate(&mut x, &[0, 4, 9], 2, &table);
        assert_eq!(x[..16], original[..16], "position 0 does not turn");
        assert!(x[16..] != original[16..]);
        rotate_back(&mut x, &[0, 4, 9], 2, &table);
        for (x, original) in x.iter().zip(original) {
            assert!((x - original).abs() < 1e-6);
        }
    }

    /// The point of the embedding: a product of a query and a key depends on their distance alone.
    #[test]
    fn products_depend_on_the_distance_alone() {
        let table = Table::new(8, 40, 10_000.0);
        let product = |query_at: u32, key_at: u32| -> f32 {
            let mut query: Vec<f32> = (0..8).map(|i| (i as f32 + 0.5).cos()).collect();
            let mut key: Vec<f32> = (0..8).map(|i| (i as f32 * 0.7).sin()).collect();
            rotate(&mut query, &[query_at], 1, &table);
            rotate(&mut key, &[key_at], 1, &table);
            query.iter().zip(&key).map(|(q, k)| q * k).sum()
        };
        assert!((product(7, 3) - product(37, 33)).abs() < 1e-5);
        assert!((product(7, 3) - product(7, 4)).abs() > 1e-3);
    }
}
