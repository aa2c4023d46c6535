//! Products of operands rounded to bfloat16, added up in single precision.
//!
//! Two neighbouring inner positions share a 32-bit word, the even one in its low half. The innermost
//! step takes a word of each operand and adds both products to the sum, first that of the odd
//! position and then that of the even one, as Intel's manual defines `VDPBF16PS`. The instruction
//! rounds to nearest even and takes denormal operands and results for zero; without it, two fused
//! multiply-adds do the same but for denormals. An odd inner dimension is filled up with a zero.
//!
//! An operand x is rounded to x(1 + δ) with |δ| ≤ 2⁻⁸, so for inner dimension k
//!
//! ```text
//! |computed − Σ aᵢbᵢ| ≤ (2⁻⁷ + 2⁻¹⁶ + k·2⁻²³) · Σ |aᵢbᵢ|        (numbers above 2⁻¹⁰⁰)
//! ```

use std::cell::Cell;

use super::MatrixRef;
use super::micro::{NR, NR_AVX2, Output, Rows, tile_columns, tile_rows};
use super::pack::Left;
use crate::simd::per_instruction_set;

/// The bits of x rounded to bfloat16, nearest even, in the high half of a word. NaN stays NaN.
#[inline(always)]
fn round(x: f32) -> u32 {
    let bits = x.to_bits();
    let rounded = bits.wrapping_add(0x7fff + (bits >> 16 & 1));
    // A NaN's payload must neither carry into the exponent nor be cut to nothing.
    let kept = if x.is_nan() {
        bits | 0x0040_0000
    } else {
        rounded
    };
    kept & 0xffff_0000
}

#[inline(always)]
fn pair(even: f32, odd: f32) -> u32 {
    round(even) >> 16 | round(odd)
}

per_instruction_set! {
    /// Rounds a row; the last word of an odd one has a zero.
    fn round_row(row: &[f32], pairs: &mut [u32]) {
        let (whole, rest) = row.as_chunks::<2>();
        for (pair_out, &[even, odd]) in pairs.iter_mut().zip(whole) {
            *pair_out = pair(even, odd);
        }
        if let ([last], Some(out)) = (rest, pairs.get_mut(whole.len())) {
            *out = pair(*last, 0.0);
        }
    }
}

per_instruction_set! {
    /// Rounds two rows into one of pairs.
    fn round_rows(even: &[f32], odd: &[f32], pairs: &mut [u32]) {
        for ((pair_out, &even), &odd) in pairs.iter_mut().zip(even).zip(odd) {
            *pair_out = pair(even, odd);
        }
    }
}

/// Zeros, for what lies beyond an odd inner dimension.
const ZEROS: [f32; NR] = [0.0; NR];

/// Copies `width` columns of `b` from `column` on into a panel: pair by pair of its `depth` inner
/// positions, N words each, filled up with zeros.
pub(super) fn panel<const N: usize>(
    b: MatrixRef<'_>,
    depth: usize,
    column: usize,
    width: usize,
    out: &mut [u32],
) {
    let (out, _) = out.as_chunks_mut::<N>();
    let first = column * b.column_stride;
    if b.column_stride == 1 {
        for (p, out) in out.iter_mut().enumerate() {
            let row = |p: usize| match p < depth {
                true => &b.data[first + p * b.row_stride..][..width],
                false => &ZEROS[..width],
            };
            round_rows(row(2 * p), row(2 * p + 1), &mut out[..width]);
            out[width..].fill(0);
        }
        return;
    }
    // Columns lie along the inner dimension: sixteen words of each at a time, then across.
    let mut words = [[0_u32; 16]; N];
    let mut gathered = [0.0_f32; 32];
    for (chunk, out) in out.chunks_mut(16).enumerate() {
        let start = 32 * chunk;
        let count = 32.min(depth - start);
        for (j, words) in words.iter_mut().enumerate().take(width) {
            let at = first + j * b.column_stride + start * b.row_stride;
            let source = if b.row_stride == 1 {
                &b.data[at..][..count]
            } else {
                for (i, x) in gathered[..count].iter_mut().enumerate() {
                    *x = b.data[at + i * b.row_stride];
                }
                &gathered[..count]
            };
            round_row(source, words);
        }
        for (p, out) in out.iter_mut().enumerate() {
            for (out, words) in out.iter_mut().zip(&words) {
                *out = words[p];
            }
        }
    }
}

/// Both numbers of a pair, in the order in which their products are added.
#[inline(always)]
fn widen(pair: u32) -> [f32; 2] {
    [
        f32::from_bits(pair & 0xffff_0000),
        f32::from_bits(pair << 16),
    ]
}

/// [`panel`] for a machine without the instruction: each pair of inner positions as two rows of rounded
/// numbers, the odd one first. A chain of fused multiply-adds over them is what the instruction does.
pub(super) fn widened_panel(
    b: MatrixRef<'_>,
    depth: usize,
    column: usize,
    width: usize,
    out: &mut [f32],
) {
    let columns = tile_columns();
    let mut pairs = vec![0; out.len() / 2];
    match columns {
        NR_AVX2 => panel::<NR_AVX2>(b, depth, column, width, &mut pairs),
        _ => panel::<NR>(b, depth, column, width, &mut pairs),
    }
    widen_lines(&pairs, columns, out);
}

/// Lines of `width` pairs, each into a line of the odd numbers and one of the even ones.
fn widen_lines(pairs: &[u32], width: usize, out: &mut [f32]) {
    let lines = out.chunks_exact_mut(2 * width);
    for (pairs, lines) in pairs.chunks_exact(width).zip(lines) {
        let (odd, even) = lines.split_at_mut(width);
        for ((odd, even), &pair) in odd.iter_mut().zip(even).zip(pairs) {
            [*odd, *even] = widen(pair);
        }
    }
}

per_instruction_set! {
    fn widen_all(pairs: &[u32], out: &mut [f32]) {
        let (out, _) = out.as_chunks_mut::<2>();
        for (out, &pair) in out.iter_mut().zip(pairs) {
            *out = widen(pair);
        }
    }
}

thread_local! {
    static PAIRS: Cell<Vec<u32>> = const { Cell::new(Vec::new()) };
}

/// [`left`] for a machine without the instruction, in the order of [`widened_panel`].
pub(super) fn widened_left<'a>(
    a: MatrixRef<'_>,
    inner: usize,
    depth: usize,
    buffer: &'a mut Vec<f32>,
) -> Left<'a> {
    let mut pairs = PAIRS.take();
    let rows = left(a, inner, depth, &mut pairs);
    let (row_stride, column_stride) = (rows.row_stride, rows.column_stride);
    buffer.resize(2 * rows.data.len(), 0.0);
    let left = if column_stride == 1 {
        widen_all(rows.data, buffer);
        (2 * row_stride, 1)
    } else {
        // Rows side by side.
        widen_lines(rows.data, column_stride, buffer);
        (1, column_stride)
    };
    PAIRS.set(pairs);
    Left {
        rows: Rows {
            data: buffer,
            row_stride: left.0,
            column_stride: left.1,
        },
        per_row: left.0,
    }
}

/// Up to [`tile_rows`] rows of the left operand, in pairs.
#[derive(Clone, Copy)]
pub(super) struct PairRows<'a> {
    pub(super) data: &'a [u32],
    pub(super) row_stride: usize,
    /// From one pair of inner positions to the next.
    pub(super) column_stride: usize,
}

/// Rounds the inner positions `inner..inner + depth` of all rows of `a` into `buffer`, and says how
/// they lie there.
pub(super) fn left<'a>(
    a: MatrixRef<'_>,
    inner: usize,
    depth: usize,
    buffer: &'a mut Vec<u32>,
) -> PairRows<'a> {
    let pairs = depth.div_ceil(2);
    buffer.resize(a.rows * pairs, 0);
    if a.column_stride == 1 {
        for (row, out) in buffer.chunks_exact_mut(pairs).enumerate() {
            round_row(&a.data[row * a.row_stride + inner..][..depth], out);
        }
        return PairRows {
            data: buffer,
            row_stride: pairs,
            column_stride: 1,
        };
    }
    // Rows side by side: words of two lines of the memory.
    let zeros = vec![0.0; a.rows];
    for (p, out) in buffer.chunks_exact_mut(a.rows).enumerate() {
        let line = |p: usize| match p < depth && a.row_stride == 1 {
            true => &a.data[(inner + p) * a.column_stride..][..a.rows],
            false => &zeros[..],
        };
        if a.row_stride == 1 {
            round_rows(line(2 * p), line(2 * p + 1), out);
        } else {
            let at = |i: usize, p: usize| match p < depth {
                true => a.data[i * a.row_stride + (inner + p) * a.column_stride],
                false => 0.0,
            };
            for (i, out) in out.iter_mut().enumerate() {
                *out = pair(at(i, 2 * p), at(i, 2 * p + 1));
            }
        }
    }
    PairRows {
        data: buffer,
        row_stride: 1,
        column_stride: a.rows,
    }
}

/// `out = rows · panel`, or `out += rows · panel` if `accumulate`, over `depth` pairs, by the
/// instruction.
///
/// # Panics
/// If this machine has no such instruction, the operands do not hold `depth` pairs of the output's height, or the output's sizes are not
/// in `1..=tile_rows()` and `1..=NR` or past its data.
pub(super) fn multiply(
    rows: PairRows<'_>,
    panel: &[u32],
    depth: usize,
    out: Output<'_>,
    accumulate: bool,
) {
    assert!((1..=tile_rows()).contains(&out.height) && (1..=NR).contains(&out.width));
    assert!(panel.len() == depth * NR && depth > 0);
    let last = (out.height - 1) * rows.row_stride + (depth - 1) * rows.column_stride;
    assert!(last < rows.data.len());
    assert!((out.height - 1) * out.row_stride + out.width <= out.data.len());
    assert!(has_instruction(), "asked for where it exists");
    #[cfg(not(target_arch = "x86_64"))]
    let _ = accumulate;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instructions were found on this machine, and the assertions above are the
    // function's requirements.
    unsafe {
        multiply_avx512bf16(rows, panel, depth, out, accumulate);
    }
}

/// Whether this machine multiplies bfloat16 directly; without, such products are exact in the same
/// sense and no faster than those in single precision.
pub fn has_instruction() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::simd::{InstructionSet, instruction_set};
        is_x86_feature_detected!("avx512bf16") && instruction_set() == InstructionSet::Avx512
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// # Safety
/// The machine must have AVX-512F and AVX512-BF16; `rows`, `panel` and `out` must be as [`multiply`]
/// asserts.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn multiply_avx512bf16(
    rows: PairRows<'_>,
    panel: &[u32],
    depth: usize,
    mut out: Output<'_>,
    accumulate: bool,
) {
    use super::micro::MR_AVX512;
    use std::arch::x86_64::{
        __m512bh, __m512i, _MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch, _mm512_dpbf16_ps,
        _mm512_loadu_si512, _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_epi32,
        _mm512_setzero_ps,
    };
    // Rows past the height repeat the last one; what they compute is thrown away.
    let offsets: [usize; MR_AVX512] =
        std::array::from_fn(|i| i.min(out.height - 1) * rows.row_stride);
    let mask = (1_u64 << out.width) - 1;
    let (mask_low, mask_high) = (mask as u16, (mask >> 16) as u16);
    // SAFETY: rows below the height are in the output, and the masks leave out the columns past its
    // width, of which nothing is read or written; the panel holds `depth` rows of NR words; every
    // offset plus `(depth - 1) · column_stride` is below the data's length. Both vector types are 512
    // bits without invalid values.
    unsafe {
        let words = |x: __m512i| std::mem::transmute::<__m512i, __m512bh>(x);
        let mut low = [_mm512_setzero_ps(); MR_AVX512];
        let mut high = low;
        if accumulate {
            for i in 0..MR_AVX512 {
                if i < out.height {
                    let c = out.data.as_mut_ptr().add(i * out.row_stride);
                    low[i] = _mm512_maskz_loadu_ps(mask_low, c);
                    high[i] = _mm512_maskz_loadu_ps(mask_high, c.wrapping_add(16));
                }
            }
        } else {
            for i in 0..MR_AVX512 {
                let c = out.data.as_mut_ptr().wrapping_add(i * out.row_stride);
                _mm_prefetch::<_MM_HINT_ET0>(c.cast());
                _mm_prefetch::<_MM_HINT_ET0>(c.wrapping_add(16).cast());
            }
        }
        let mut b = panel.as_ptr();
        let mut a = rows.data.as_ptr();
        for _ in 0..depth {
            if out.ahead {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(depth * NR).cast());
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(depth * NR + 16).cast());
            }
            let b_low = words(_mm512_loadu_si512(b.cast()));
            let b_high = words(_mm512_loadu_si512(b.add(16).cast()));
            for i in 0..MR_AVX512 {
                let x = words(_mm512_set1_epi32(a.add(offsets[i]).cast::<i32>().read()));
                low[i] = _mm512_dpbf16_ps(low[i], x, b_low);
                high[i] = _mm512_dpbf16_ps(high[i], x, b_high);
            }
            b = b.add(NR);
            a = a.wrapping_add(rows.column_stride);
        }
        for i in 0..MR_AVX512 {
            if i < out.height {
                let c = out.data.as_mut_ptr().add(i * out.row_stride);
                _mm512_mask_storeu_ps(c, mask_low, low[i]);
                _mm512_mask_storeu_ps(c.wrapping_add(16), mask_high, high[i]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
