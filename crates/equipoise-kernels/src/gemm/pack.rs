//! Copying the right operand into the order in which a tile reads them.

use super::MatrixRef;
use super::micro::NR;

/// Copies a block of `b` into panels of `NR` columns, each stored inner index by inner index; the
/// last panel is filled up with zeros.
pub(crate) fn panels(
    b: MatrixRef<'_>,
    inner: usize,
    depth: usize,
    column: usize,
    columns: usize,
    packed: &mut [f32],
) {
    for (panel, out) in packed.chunks_exact_mut(depth * NR).enumerate() {
        let start = panel * NR;
        if start >= columns {
            break;
        }
        let width = NR.min(columns - start);
        let first = inner * b.row_stride + (column + start) * b.column_stride;
        let (out, _) = out.as_chunks_mut::<NR>();
        if b.column_stride == 1 {
            for (p, out) in out.iter_mut().enumerate() {
                out[..width].copy_from_slice(&b.data[first + p * b.row_stride..][..width]);
                out[width..].fill(0.0);
            }
        } else {
            transposed(&b.data[first..], b.column_stride, b.row_stride, width, out);
        }
    }
}

/// Packs `width` columns that lie `column_stride` apart, each with inner stride `inner_stride`.
///
/// Goes through 16 inner positions at a time, so that each cache line of the source is read once.
fn transposed(
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
