//! The innermost tile of a matrix product, once per instruction set.

use crate::simd::{InstructionSet, instruction_set};

/// Rows of a tile.
pub(super) const MR: usize = 8;
/// Columns of a tile: two AVX-512 registers.
pub(super) const NR: usize = 32;

/// A tile of the result, accumulated in place.
#[derive(Clone)]
#[repr(align(64))]
pub(super) struct Tile(pub(super) [[f32; NR]; MR]);

impl Tile {
    pub(super) fn zero() -> Self {
        Self([[0.0; NR]; MR])
    }

    pub(super) fn rows_mut(&mut self, height: usize) -> impl Iterator<Item = &mut [f32; NR]> {
        self.0.iter_mut().take(height)
    }
}

/// Up to [`MR`] rows of the left operand, read where they are.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
    pub(super) height: usize,
}

/// `tile += rows · panel`, the panel being `depth` rows of [`NR`] packed columns.
///
/// # Panics
/// If the operands do not hold `depth` columns of `height` rows, or the height is not in `1..=MR`.
pub(super) fn multiply(rows: Rows<'_>, panel: &[f32], depth: usize, tile: &mut Tile) {
    assert!((1..=MR).contains(&rows.height) && panel.len() == depth * NR && depth > 0);
    let last = (rows.height - 1) * rows.row_stride + (depth - 1) * rows.column_stride;
    assert!(last < rows.data.len());
    match instruction_set() {
        // SAFETY: the instruction set was found on this machine, and the assertions above are
        // the function's requirements.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { multiply_avx512(rows, panel, depth, tile) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { multiply_avx2(rows, panel, depth, tile) },
        _ => multiply_portable(rows, panel, depth, tile),
    }
}

/// The definition the other two agree with bit for bit.
fn multiply_portable(rows: Rows<'_>, panel: &[f32], depth: usize, tile: &mut Tile) {
    let (panel, _) = panel.as_chunks::<NR>();
    for (p, b) in panel.iter().enumerate().take(depth) {
        for i in 0..rows.height {
            let a = rows.data[i * rows.row_stride + p * rows.column_stride];
            for (c, &b) in tile.0[i].iter_mut().zip(b) {
                *c = a.mul_add(b, *c);
            }
        }
    }
}

/// Where each of the eight rows starts; rows past the height repeat the last one, so that the tile
/// is always whole and what they compute is thrown away.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn row_offsets(rows: &Rows<'_>) -> [usize; MR] {
    std::array::from_fn(|i| i.min(rows.height - 1) * rows.row_stride)
}

/// # Safety
/// The machine must have AVX-512F; `rows` and `panel` must hold `depth` columns, as [`multiply`]
/// asserts.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn multiply_avx512(rows: Rows<'_>, panel: &[f32], depth: usize, tile: &mut Tile) {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_loadu_ps, _mm512_set1_ps, _mm512_storeu_ps};
    let offsets = row_offsets(&rows);
    // SAFETY: a tile row holds NR = 32 floats, two registers; the panel holds `depth` rows of NR
    // floats; every offset plus `(depth - 1) · column_stride` is below the data's length.
    unsafe {
        let mut low = [_mm512_set1_ps(0.0); MR];
        let mut high = low;
        for i in 0..MR {
            low[i] = _mm512_loadu_ps(tile.0[i].as_ptr());
            high[i] = _mm512_loadu_ps(tile.0[i].as_ptr().add(16));
        }
        let mut b = panel.as_ptr();
        let mut a = rows.data.as_ptr();
        for _ in 0..depth {
            let b_low = _mm512_loadu_ps(b);
            let b_high = _mm512_loadu_ps(b.add(16));
            for i in 0..MR {
                let x = _mm512_set1_ps(*a.add(offsets[i]));
                low[i] = _mm512_fmadd_ps(x, b_low, low[i]);
                high[i] = _mm512_fmadd_ps(x, b_high, high[i]);
            }
            b = b.add(NR);
            a = a.wrapping_add(rows.column_stride);
        }
        for i in 0..MR {
            _mm512_storeu_ps(tile.0[i].as_mut_ptr(), low[i]);
            _mm512_storeu_ps(tile.0[i].as_mut_ptr().add(16), high[i]);
        }
    }
}

/// # Safety
/// The machine must have AVX2 and FMA; `rows` and `panel` as for [`multiply_avx512`].
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_avx2(rows: Rows<'_>, panel: &[f32], depth: usize, tile: &mut Tile) {
    use std::arch::x86_64::{
        _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let offsets = row_offsets(&rows);
    // Sixteen registers hold four rows of sixteen columns, so the tile is done in four quarters.
    for half_row in [0, 4] {
        for half_column in [0, 16] {
            // SAFETY: both halves lie inside the tile and the panel; offsets as above.
            unsafe {
                let mut low = [_mm256_setzero_ps(); 4];
                let mut high = low;
                for i in 0..4 {
                    let c = tile.0[half_row + i].as_ptr().add(half_column);
                    low[i] = _mm256_loadu_ps(c);
                    high[i] = _mm256_loadu_ps(c.add(8));
                }
                let mut b = panel.as_ptr().add(half_column);
                let mut a = rows.data.as_ptr();
                for _ in 0..depth {
                    let b_low = _mm256_loadu_ps(b);
                    let b_high = _mm256_loadu_ps(b.add(8));
                    for i in 0..4 {
                        let x = _mm256_broadcast_ss(&*a.add(offsets[half_row + i]));
                        low[i] = _mm256_fmadd_ps(x, b_low, low[i]);
                        high[i] = _mm256_fmadd_ps(x, b_high, high[i]);
                    }
                    b = b.wrapping_add(NR);
                    a = a.wrapping_add(rows.column_stride);
                }
                for i in 0..4 {
                    let c = tile.0[half_row + i].as_mut_ptr().add(half_column);
                    _mm256_storeu_ps(c, low[i]);
                    _mm256_storeu_ps(c.add(8), high[i]);
                }
            }
        }
    }
}

/// Packs `width` columns that lie `column_stride` apart, each with inner stride `inner_stride`.
///
/// Goes through 16 inner positions at a time, so that each cache line of the source is read once.
pub(super) fn pack_transposed(
    source: &[f32],
    column_stride: usize,
    inner_stride: usize,
    width: usize,
    out: &mut [[f32; NR]],
) {
    let depth = out.len();
    if inner_stride != 1 {
        for (p, out) in out.iter_mut().enumerate() {
            for (j, out) in out.iter_mut().enumerate() {
                *out = if j < width {
                    source[j * column_stride + p * inner_stride]
                } else {
                    0.0
                };
            }
        }
        return;
    }
    for start in (0..depth).step_by(16) {
        let count = 16.min(depth - start);
        for j in 0..NR {
            if j < width {
                let column = &source[j * column_stride + start..][..count];
                for (p, &x) in column.iter().enumerate() {
                    out[start + p][j] = x;
                }
            } else {
                for out in &mut out[start..start + count] {
                    out[j] = 0.0;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The instruction sets this machine lacks cannot be tested here, but those it has must all
    /// agree, not only the best one.
    #[test]
    fn every_available_instruction_set_gives_the_same_bits() {
        let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
        let data: Vec<f32> = (0..MR * 50).map(number).collect();
        let panel: Vec<f32> = (0..50 * NR).map(|i| number(i + 77)).collect();
        for height in 1..=MR {
            let rows = Rows {
                data: &data,
                row_stride: 50,
                column_stride: 1,
                height,
            };
            let mut expected = Tile::zero();
            multiply_portable(rows, &panel, 50, &mut expected);
            let compare = |tile: &Tile| assert_eq!(tile.0[..height], expected.0[..height]);
            #[cfg(target_arch = "x86_64")]
            {
                if is_x86_feature_detected!("avx512f") {
                    let mut tile = Tile::zero();
                    // SAFETY: the feature was just detected, and the operands have 50 columns.
                    unsafe { multiply_avx512(rows, &panel, 50, &mut tile) };
                    compare(&tile);
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    let mut tile = Tile::zero();
                    // SAFETY: as above.
                    unsafe { multiply_avx2(rows, &panel, 50, &mut tile) };
                    compare(&tile);
                }
            }
            let mut tile = Tile::zero();
            multiply(rows, &panel, 50, &mut tile);
            compare(&tile);
        }
    }
}
