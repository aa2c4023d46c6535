//! The innermost tile of a matrix product, once per instruction set.

use std::marker::PhantomData;

use crate::simd::{InstructionSet, instruction_set};

/// The most rows a tile has.
pub(crate) const MR: usize = 12;
/// Rows of an AVX-512 tile: with two registers each, half of them.
pub(super) const MR_AVX512: usize = 8;
/// The most columns a tile has: two AVX-512 registers.
pub(crate) const NR: usize = 32;
/// Columns of an AVX2 tile: two registers.
pub(super) const NR_AVX2: usize = 16;

/// Rows of a tile on this machine: what goes into its registers. No result depends on it.
#[inline]
pub(crate) fn tile_rows() -> usize {
    match instruction_set() {
        InstructionSet::Avx512 => MR_AVX512,
        InstructionSet::Avx2 | InstructionSet::Portable => MR,
    }
}

/// Columns of a tile, and so of a packed panel, on this machine.
#[inline]
pub(crate) fn tile_columns() -> usize {
    match instruction_set() {
        InstructionSet::Avx2 => NR_AVX2,
        InstructionSet::Avx512 | InstructionSet::Portable => NR,
    }
}

/// A tile of its own, for results that do not lie row after row.
#[derive(Clone)]
#[repr(align(64))]
pub(crate) struct Tile(pub(crate) [[f32; NR]; MR]);

impl Tile {
    pub(crate) fn zero() -> Self {
        Self([[0.0; NR]; MR])
    }

    /// The first rows of the tile, as a place for a product.
    pub(crate) fn output(&mut self, height: usize) -> Output<'_> {
        Output {
            data: self.0.as_flattened_mut().into(),
            row_stride: NR,
            height,
            width: tile_columns(),
            ahead: false,
        }
    }
}

/// Up to [`tile_rows`] rows of the left operand, read where they are.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

/// Where a tile of the result starts, and how far the memory from there on belongs to the result.
///
/// Of that memory a product touches the tile's elements alone, so tiles side by side may be computed
/// at once.
pub(crate) struct Place<'a> {
    start: *mut f32,
    length: usize,
    lent: PhantomData<&'a mut [f32]>,
}

impl<'a> From<&'a mut [f32]> for Place<'a> {
    fn from(data: &'a mut [f32]) -> Self {
        Self {
            start: data.as_mut_ptr(),
            length: data.len(),
            lent: PhantomData,
        }
    }
}

impl Place<'_> {
    /// # Safety
    /// The memory must be valid for as long as the place lives, and nobody else may use the elements
    /// of the tile that is computed there.
    pub(super) unsafe fn new(start: *mut f32, length: usize) -> Self {
        Self {
            start,
            length,
            lent: PhantomData,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    #[cfg(target_arch = "x86_64")]
    pub(super) fn as_mut_ptr(&mut self) -> *mut f32 {
        self.start
    }

    /// Some of a row of the tile, which starts `at` elements behind the tile's first.
    ///
    /// # Safety
    /// They must be elements of the tile the place was lent for.
    pub(super) unsafe fn line(&mut self, at: usize, width: usize) -> &mut [f32] {
        assert!(at <= self.length && width <= self.length - at);
        // SAFETY: inside the memory that was lent, and nobody else uses elements of the tile.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(at), width) }
    }
}

/// Up to [`tile_rows`] rows and [`tile_columns`] of the result, read and written where they are.
pub(crate) struct Output<'a> {
    /// Whether what lies behind the panel is wanted next, and should be fetched meanwhile: a hint.
    #[cfg_attr(
        not(target_arch = "x86_64"),
        expect(dead_code, reason = "elsewhere there is no way to fetch ahead")
    )]
    pub(crate) ahead: bool,
    pub(crate) data: Place<'a>,
    pub(crate) row_stride: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

/// `out = rows · panel`, or `out += rows · panel` if `accumulate`, the panel being `depth` rows of
/// [`tile_columns`] packed columns.
///
/// # Panics
/// If the operands do not hold `depth` columns of the output's height, or the output's sizes are
/// not in `1..=tile_rows()` and `1..=tile_columns()` or past its data.
pub(crate) fn multiply(
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    out: Output<'_>,
    accumulate: bool,
) {
    assert!((1..=tile_rows()).contains(&out.height) && (1..=tile_columns()).contains(&out.width));
    assert!(panel.len() == depth * tile_columns() && depth > 0);
    let last = (out.height - 1) * rows.row_stride + (depth - 1) * rows.column_stride;
    assert!(last < rows.data.len());
    assert!((out.height - 1) * out.row_stride + out.width <= out.data.len());
    match instruction_set() {
        // SAFETY: the instruction set was found on this machine, and the assertions above are
        // the function's requirements.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx512 => unsafe { multiply_avx512(rows, panel, depth, out, accumulate) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        InstructionSet::Avx2 => unsafe { multiply_avx2(rows, panel, depth, out, accumulate) },
        _ => multiply_portable::<NR>(rows, panel, depth, out, accumulate),
    }
}

/// The definition the other two agree with bit for bit.
fn multiply_portable<const N: usize>(
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    mut out: Output<'_>,
    accumulate: bool,
) {
    let (panel, _) = panel.as_chunks::<N>();
    for i in 0..out.height {
        // SAFETY: row i of the output's tile.
        let c = unsafe { out.data.line(i * out.row_stride, out.width) };
        if !accumulate {
            c.fill(0.0);
        }
        for (p, b) in panel.iter().enumerate().take(depth) {
            let a = rows.data[i * rows.row_stride + p * rows.column_stride];
            for (c, &b) in c.iter_mut().zip(b) {
                *c = a.mul_add(b, *c);
            }
        }
    }
}

/// # Safety
/// The machine must have AVX-512F; `rows`, `panel` and `out` must be as [`multiply`] asserts.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
unsafe fn multiply_avx512(
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    mut out: Output<'_>,
    accumulate: bool,
) {
    use std::arch::x86_64::{
        _MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch, _mm512_fmadd_ps, _mm512_loadu_ps,
        _mm512_mask_storeu_ps, _mm512_maskz_loadu_ps, _mm512_set1_ps, _mm512_setzero_ps,
    };
    // Rows past the height repeat the last one, so that the tile is always whole; what they compute is
    // thrown away.
    let offsets: [usize; MR_AVX512] =
        std::array::from_fn(|i| i.min(out.height - 1) * rows.row_stride);
    let mask = (1_u64 << out.width) - 1;
    let (mask_low, mask_high) = (mask as u16, (mask >> 16) as u16);
    // SAFETY: rows below the height are in the output, and the masks leave out the columns past its
    // width, of which nothing is read or written; the panel holds `depth` rows of NR floats; every
    // offset plus `(depth - 1) · column_stride` is below the data's length.
    unsafe {
        let mut low = [_mm512_setzero_ps(); MR_AVX512];
        let mut high = low;
        if !accumulate {
            // Nothing is read now, so the lines to be written are asked for while the chain runs.
            for i in 0..MR_AVX512 {
                let c = out.data.as_mut_ptr().wrapping_add(i * out.row_stride);
                _mm_prefetch::<_MM_HINT_ET0>(c.cast());
                _mm_prefetch::<_MM_HINT_ET0>(c.wrapping_add(16).cast());
            }
        }
        if accumulate {
            for i in 0..MR_AVX512 {
                if i < out.height {
                    let c = out.data.as_mut_ptr().add(i * out.row_stride);
                    low[i] = _mm512_maskz_loadu_ps(mask_low, c);
                    high[i] = _mm512_maskz_loadu_ps(mask_high, c.wrapping_add(16));
                }
            }
        }
        let mut b = panel.as_ptr();
        let mut a = rows.data.as_ptr();
        for _ in 0..depth {
            // Where rows lie side by side (a transposed operand), every step is in another line, and
            // often another page, than the last: too far apart for the processor to guess.
            _mm_prefetch::<_MM_HINT_T0>(a.wrapping_add(16 * rows.column_stride).cast());
            if out.ahead {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(depth * NR).cast());
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(depth * NR + 16).cast());
            }
            let b_low = _mm512_loadu_ps(b);
            let b_high = _mm512_loadu_ps(b.add(16));
            for i in 0..MR_AVX512 {
                let x = _mm512_set1_ps(*a.add(offsets[i]));
                low[i] = _mm512_fmadd_ps(x, b_low, low[i]);
                high[i] = _mm512_fmadd_ps(x, b_high, high[i]);
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

/// Rows of what the AVX2 registers hold at once: six of sixteen columns, in twelve registers.
#[cfg(target_arch = "x86_64")]
const MR_AVX2: usize = 6;

/// A tile in pieces of one to six rows, no two of which differ by more than one row: from four rows on
/// there are chains enough to keep both units busy, and a piece costs what its rows cost.
///
/// # Safety
/// The machine must have AVX2 and FMA; `rows`, `panel` and `out` as for [`multiply_avx512`], but for
/// up to [`MR`] rows and [`NR_AVX2`] columns.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn multiply_avx2(
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    mut out: Output<'_>,
    accumulate: bool,
) {
    let pieces = out.height.div_ceil(MR_AVX2);
    let mut row = 0;
    for piece in 0..pieces {
        let height = (out.height - row).div_ceil(pieces - piece);
        let rows = Rows {
            data: &rows.data[row * rows.row_stride..],
            ..rows
        };
        // Asked for once is enough.
        let ahead = out.ahead && piece == 0;
        if out.width == NR_AVX2 {
            let c = out.data.as_mut_ptr().wrapping_add(row * out.row_stride);
            let stride = out.row_stride;
            // SAFETY: the output holds these rows of sixteen columns; the rest is passed on.
            unsafe { rows_avx2(height, rows, panel, depth, c, stride, accumulate, ahead) };
        } else {
            // A piece at the edge is computed whole, beside the output.
            let mut whole = [[0.0; NR_AVX2]; MR_AVX2];
            if accumulate {
                for (i, line) in whole.iter_mut().enumerate().take(height) {
                    let at = (row + i) * out.row_stride;
                    // SAFETY: a row of the output's tile.
                    let c = unsafe { out.data.line(at, out.width) };
                    line[..out.width].copy_from_slice(c);
                }
            }
            let c = whole.as_flattened_mut().as_mut_ptr();
            // SAFETY: as above, with an output of its own.
            unsafe { rows_avx2(height, rows, panel, depth, c, NR_AVX2, accumulate, ahead) };
            for (i, line) in whole.iter().enumerate().take(height) {
                let at = (row + i) * out.row_stride;
                // SAFETY: as above.
                let c = unsafe { out.data.line(at, out.width) };
                c.copy_from_slice(&line[..out.width]);
            }
        }
        row += height;
    }
}

/// One to six rows of sixteen columns.
///
/// # Safety
/// As for [`piece_avx2`] of that many rows.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
#[expect(
    clippy::too_many_arguments,
    reason = "inlined; a structure would be taken apart at once"
)]
unsafe fn rows_avx2(
    height: usize,
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    c: *mut f32,
    c_stride: usize,
    accumulate: bool,
    ahead: bool,
) {
    // SAFETY: passed on.
    unsafe {
        match height {
            1 => piece_avx2::<1>(rows, panel, depth, c, c_stride, accumulate, ahead),
            2 => piece_avx2::<2>(rows, panel, depth, c, c_stride, accumulate, ahead),
            3 => piece_avx2::<3>(rows, panel, depth, c, c_stride, accumulate, ahead),
            4 => piece_avx2::<4>(rows, panel, depth, c, c_stride, accumulate, ahead),
            5 => piece_avx2::<5>(rows, panel, depth, c, c_stride, accumulate, ahead),
            _ => piece_avx2::<6>(rows, panel, depth, c, c_stride, accumulate, ahead),
        }
    }
}

/// M rows of sixteen columns.
///
/// # Safety
/// The machine must have AVX2 and FMA; `c` must be valid for M rows of sixteen floats, `c_stride`
/// apart; `(M - 1) · row_stride + (depth - 1) · column_stride` must be below the length of the rows'
/// data; and the panel must hold `depth` rows of sixteen floats.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn piece_avx2<const M: usize>(
    rows: Rows<'_>,
    panel: &[f32],
    depth: usize,
    c: *mut f32,
    c_stride: usize,
    accumulate: bool,
    ahead: bool,
) {
    use std::arch::x86_64::{
        _MM_HINT_T0, _mm_prefetch, _mm256_broadcast_ss, _mm256_fmadd_ps, _mm256_loadu_ps,
        _mm256_setzero_ps, _mm256_storeu_ps,
    };
    let offsets: [usize; M] = std::array::from_fn(|i| i * rows.row_stride);
    // SAFETY: what is read and written lies in the operands, as required above.
    unsafe {
        let mut low = [_mm256_setzero_ps(); M];
        let mut high = low;
        for i in 0..M {
            let c = c.add(i * c_stride);
            if accumulate {
                low[i] = _mm256_loadu_ps(c);
                high[i] = _mm256_loadu_ps(c.add(8));
            } else {
                // To be written when the chain has run.
                _mm_prefetch::<_MM_HINT_T0>(c.cast());
            }
        }
        let mut b = panel.as_ptr();
        let mut a = rows.data.as_ptr();
        for _ in 0..depth {
            if ahead {
                _mm_prefetch::<_MM_HINT_T0>(b.wrapping_add(depth * NR_AVX2).cast());
            }
            let b_low = _mm256_loadu_ps(b);
            let b_high = _mm256_loadu_ps(b.add(8));
            for i in 0..M {
                let x = _mm256_broadcast_ss(&*a.add(offsets[i]));
                low[i] = _mm256_fmadd_ps(x, b_low, low[i]);
                high[i] = _mm256_fmadd_ps(x, b_high, high[i]);
            }
            b = b.wrapping_add(NR_AVX2);
            a = a.wrapping_add(rows.column_stride);
        }
        for i in 0..M {
            let c = c.add(i * c_stride);
            _mm256_storeu_ps(c, low[i]);
            _mm256_storeu_ps(c.add(8), high[i]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEPTH: usize = 50;
    const STRIDE: usize = NR + 3;

    fn number(i: usize) -> f32 {
        ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0
    }

    type Multiply<'a> = &'a dyn Fn(Rows<'_>, &[f32], Output<'_>, bool);

    /// All sizes of a tile: the result is that of the definition, and nothing beside the output is
    /// written.
    fn check<const N: usize>(what: &str, most_rows: usize, multiply: Multiply<'_>) {
        let data: Vec<f32> = (0..MR * DEPTH).map(number).collect();
        let panel: Vec<f32> = (0..DEPTH * N).map(|i| number(i + 77)).collect();
        let before: Vec<f32> = (0..MR * STRIDE).map(|i| number(i + 99)).collect();
        for height in 1..=most_rows {
            for width in [1, 7, 15, 16, 17, 31, NR].into_iter().filter(|&w| w <= N) {
                for accumulate in [false, true] {
                    let run = |multiply: Multiply<'_>| {
                        let mut after = before.clone();
                        let rows = Rows {
                            data: &data[..height * DEPTH],
                            row_stride: DEPTH,
                            column_stride: 1,
                        };
                        // No longer than it has to be, so that a read past the end is found.
                        let out = Output {
                            data: (&mut after[..(height - 1) * STRIDE + width]).into(),
                            row_stride: STRIDE,
                            height,
                            width,
                            ahead: false,
                        };
                        multiply(rows, &panel, out, accumulate);
                        after
                    };
                    let expected = run(&|rows, panel, out, accumulate| {
                        multiply_portable::<N>(rows, panel, DEPTH, out, accumulate);
                    });
                    for (at, (now, before)) in expected.iter().zip(&before).enumerate() {
                        let inside = at / STRIDE < height && at % STRIDE < width;
                        assert!(inside || now == before, "{height} × {width}: {at}");
                    }
                    assert_eq!(run(multiply), expected, "{what}, {height} × {width}");
                }
            }
        }
    }

    /// The instruction sets this machine lacks cannot be tested here, but those it has must all
    /// agree, not only the best one.
    #[test]
    fn every_available_instruction_set_gives_the_same_bits() {
        #[cfg(target_arch = "x86_64")]
        {
            if instruction_set() == InstructionSet::Avx512 {
                check::<NR>("AVX-512", MR_AVX512, &|rows, panel, out, accumulate| {
                    // SAFETY: the instruction set was found, and the operands have DEPTH columns and
                    // the output its rows and columns.
                    unsafe { multiply_avx512(rows, panel, DEPTH, out, accumulate) };
                });
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                check::<NR_AVX2>("AVX2", MR, &|rows, panel, out, accumulate| {
                    // SAFETY: as above.
                    unsafe { multiply_avx2(rows, panel, DEPTH, out, accumulate) };
                });
            }
        }
        let chosen: Multiply<'_> = &|rows, panel, out, accumulate| {
            multiply(rows, panel, DEPTH, out, accumulate);
        };
        match tile_columns() {
            NR_AVX2 => check::<NR_AVX2>("the chosen one", tile_rows(), chosen),
            _ => check::<NR>("the chosen one", tile_rows(), chosen),
        }
    }
}
