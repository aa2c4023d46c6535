//! Picking rows of a matrix: the embedding, and the positions whose predictions are scored.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{elements, gradient_elements, tensor_like};

/// The rows `ids` of a matrix of shape (rows, width), in that order: shape (ids, width).
///
/// The gradient adds up where an id occurs more than once, in the order of the ids.
///
/// # Errors
/// If an id is not a row, or the matrix is not contiguous f32 on the CPU.
pub fn gather_rows(matrix: &Tensor, ids: Arc<[u32]>) -> Result<Tensor> {
    matrix.apply_op1(Gather { ids })
}

struct Gather {
    ids: Arc<[u32]>,
}

impl CustomOp1 for Gather {
    fn name(&self) -> &'static str {
        "gather_rows"
    }

    fn cpu_fwd(&self, matrix: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, width) = layout.shape().dims2()?;
        let matrix = elements(self.name(), "the matrix", matrix, layout)?;
        if let Some(id) = self.ids.iter().find(|&&id| id as usize >= rows) {
            candle_core::bail!("gather_rows: there is no row {id} in a matrix of {rows} rows");
        }
        let mut y = Vec::with_capacity(self.ids.len() * width);
        for &id in self.ids.iter() {
            y.extend_from_slice(&matrix[id as usize * width..][..width]);
        }
        Ok((CpuStorage::F32(y), (self.ids.len(), width).into()))
    }

    fn bwd(&self, matrix: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let (rows, width) = matrix.dims2()?;
        let mut dmatrix = vec![0.0_f32; rows * width];
        gradient_elements(grad, |dy| {
            // Sorted by row, so that rows can be summed in parallel; the sort is stable, so each
            // row's sum is in the order of the ids.
            let mut order: Vec<(u32, u32)> = self.ids.iter().copied().zip(0..).collect();
            order.sort_by_key(|&(id, _)| id);
            let mut groups = Vec::new();
            let mut rest = dmatrix.as_mut_slice();
            let mut next_row = 0;
            for group in order.chunk_by(|a, b| a.0 == b.0) {
                let skip = (group[0].0 as usize - next_row) * width;
                let (row, after) = rest[skip..].split_at_mut(width);
                groups.push((group, row));
                rest = after;
                next_row = group[0].0 as usize + 1;
            }
            groups
                .into_par_iter()
                .with_min_len(16)
                .for_each(|(group, row)| {
                    for &(_, at) in group {
                        let dy = &dy[at as usize * width..][..width];
                        for (d, dy) in row.iter_mut().zip(dy) {
                            *d += dy;
                        }
                    }
                });
        })?;
        Ok(Some(tensor_like(dmatrix, matrix)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};
    use candle_core::Device;

    #[test]
    fn agrees_with_the_slow_way() -> Result<()> {
        let ids: Arc<[u32]> = Arc::from([3, 0, 3, 3, 1]);
        let index = Tensor::new(&ids[..], &Device::Cpu)?;
        let matrix = random(&[5, 6], 1)?;
        check_gradients(std::slice::from_ref(&matrix), |t| {
            gather_rows(&t[0], ids.clone())
        })?;
        check_against(
            &[matrix],
            |t| gather_rows(&t[0], ids.clone()),
            |t| t[0].index_select(&index, 0),
        )
    }

    #[test]
    fn a_missing_row_is_an_error() -> Result<()> {
        let error = gather_rows(&random(&[2, 3], 1)?, Arc::from([0, 2])).unwrap_err();
        assert!(error.to_string().contains("no row 2"), "{error}");
        Ok(())
    }
}
