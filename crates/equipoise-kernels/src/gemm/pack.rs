//! Copying operands into the order in which a tile reads them.

use super::MatrixRef;
use super::micro::{MR, NR, NR_AVX2, Rows, tile_columns, tile_rows};
use crate::simd::{InstructionSet, instruction_set};

/// Some inner positions of a left operand, as tiles read them.
#[derive(Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(super) rows: Rows<'a>,
    /// From the start of one row's tile to that of the next row's, if it began one.
    pub(super) per_row: usize,
}

impl<'a> Left<'a> {
    /// How many of `rows` rows a tile should have: as many as its registers hold, or, where a tile may
    /// start anywhere, as many as leave no small rest.
    pub(super) fn height(&self, rows: usize) -> usize {
        match self.per_row == self.rows.row_stride {
            true => rows.div_ceil(rows.div_ceil(tile_rows()).max(1)),
            false => tile_rows(),
        }
    }

    /// The tile that starts at a row.
    pub(crate) fn tile(&self, row: usize) -> Rows<'a> {
        Rows {
            data: &self.rows.data[row * self.per_row..],
            ..self.rows
        }
    }
}

/// The inner positions `inner..inner + depth` of all rows of `a`: where they are, or, where rows lie
/// side by side, copied tile by tile into `buffer`.
///
/// Read in place, every step of such a tile is in another line and often another page of the memory,
/// and at the widths that models have these lines compete for the same few places of the cache. The
/// AVX-512 tile asks for its lines ahead and reads in place; whether the copy would pay there was not
/// measured.
pub(crate) fn left<'a>(
    a: MatrixRef<'a>,
    inner: usize,
    depth: usize,
    buffer: &'a mut Vec<f32>,
) -> Left<'a> {
    let in_place = a.column_stride == 1 || instruction_set() == InstructionSet::Avx512;
    if in_place || a.row_stride != 1 {
        return Left {
            rows: Rows {
                data: &a.data[inner * a.column_stride..],
                row_stride: a.row_stride,
                column_stride: a.column_stride,
            },
            per_row: a.row_stride,
        };
    }
    let height = tile_rows();
    buffer.resize(a.rows.next_multiple_of(height) * depth, 0.0);
    for p in 0..depth {
        let source = &a.data[(inner + p) * a.column_stride..][..a.rows];
        for (tile, source) in source.chunks(height).enumerate() {
            let out = &mut buffer[(tile * depth + p) * height..][..height];
            match (out.as_chunks_mut::<MR>().0, source.as_chunks::<MR>().0) {
                // A copy of known length needs no call.
                ([out], [source]) => *out = *source,
                _ => out[..source.len()].copy_from_slice(source),
            }
        }
    }
    Left {
        rows: Rows {
            data: buffer,
            row_stride: 1,
            column_stride: height,
        },
        per_row: depth,
    }
}

/// Copies a block of `b` into panels of [`tile_columns`], each stored inner index by inner index; the
/// last panel is filled up with zeros.
pub(crate) fn panels(
    b: MatrixRef<'_>,
    inner: usize,
    depth: usize,
    column: usize,
    columns: usize,
    packed: &mut [f32],
) {
    match tile_columns() {
        NR_AVX2 => panels_of::<NR_AVX2>(b, inner, depth, column, columns, packed),
        _ => panels_of::<NR>(b, inner, depth, column, columns, packed),
    }
}

fn panels_of<const N: usize>(
    b: MatrixRef<'_>,
    inner: usize,
    depth: usize,
    column: usize,
    columns: usize,
    packed: &mut [f32],
) {
    for (panel, out) in packed.chunks_exact_mut(depth * N).enumerate() {
        let start = panel * N;
        if start >= columns {
            break;
        }
        let width = N.min(columns - start);
        let first = inner * b.row_stride + (column + start) * b.column_stride;
        let (out, _) = out.as_chunks_mut::<N>();
        if b.column_stride == 1 {
            for (p, out) in out.iter_mut().enumerate() {
                let source = &b.data[first + p * b.row_stride..][..width];
                match source.as_chunks::<N>().0 {
                    // A copy of known length needs no call.
                    [source] => *out = *source,
                    _ => {
                        out[..width].copy_from_slice(source);
                        out[width..].fill(0.0);
                    }
                }
            }
        } else {
            transposed(&b.data[first..], b.column_stride, b.row_stride, width, out);
        }
    }
}

/// Packs `width` columns that lie `column_stride` apart, each with inner stride `inner_stride`.
///
/// Goes through 16 inner positions at a time, so that each cache line of the source is read once.
fn transposed<const N: usize>(
    source: &[f32],
    column_stride: usize,
    inner_stride: usize,
    width: usize,
    out: &mut [[f32; N]],
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
        for j in 0..N {
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
