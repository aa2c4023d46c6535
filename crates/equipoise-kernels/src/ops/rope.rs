//! Rotary position embedding of packed sequences.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{ROWS_PER_TASK, elements, gradient_elements, tensor_like};
use crate::rows::rope::{Table, rotate, rotate_back};

/// Rotates every head of `x`, of shape (tokens, heads · head_dim); token i stands at
/// `positions[i]`. See [`crate::rows::rope`].
///
/// # Errors
/// If the shapes do not fit, a position is past the table's end, or `x` is not contiguous f32 on
/// the CPU.
pub fn rope(x: &Tensor, positions: Arc<[u32]>, table: Arc<Table>) -> Result<Tensor> {
    x.apply_op1(Rope { positions, table })
}

struct Rope {
    positions: Arc<[u32]>,
    table: Arc<Table>,
}

impl Rope {
    fn in_place(&self, x: &mut [f32], heads: usize, turn: fn(&mut [f32], &[u32], usize, &Table)) {
        let width = heads * self.table.head_dim();
        x.par_chunks_mut(ROWS_PER_TASK * width)
            .zip(self.positions.par_chunks(ROWS_PER_TASK))
            .for_each(|(x, positions)| turn(x, positions, heads, &self.table));
    }
}

impl CustomOp1 for Rope {
    fn name(&self) -> &'static str {
        "rope"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (tokens, width) = layout.shape().dims2()?;
        let head_dim = self.table.head_dim();
        if head_dim == 0 || width % head_dim != 0 || tokens != self.positions.len() {
            candle_core::bail!(
                "rope: {tokens} × {width} does not fit heads of {head_dim} and {} positions",
                self.positions.len()
            );
        }
        let limit = self.table.positions();
        if let Some(position) = self.positions.iter().find(|&&at| at as usize >= limit) {
            candle_core::bail!("rope: position {position} is past the model's limit of {limit}");
        }
        let mut y = elements(self.name(), "x", x, layout)?.to_vec();
        self.in_place(&mut y, width / head_dim, rotate);
        Ok((CpuStorage::F32(y), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let heads = x.dim(1)? / self.table.head_dim();
        let mut dx = gradient_elements(grad, <[f32]>::to_vec)?;
        self.in_place(&mut dx, heads, rotate_back);
        Ok(Some(tensor_like(dx, x)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};
    use candle_core::{DType, Device};

    #[test]
    fn agrees_with_the_slow_way() -> Result<()> {
        let positions: Arc<[u32]> = (0..70).map(|i| (i * 5) % 31).collect();
        let table = Arc::new(Table::new(8, 31, 100.0));
        let angles: Vec<f64> = positions
            .iter()
            .flat_map(|&p| (0..4).map(move |i| f64::from(p) * 100_f64.powf(-f64::from(i) / 4.0)))
            .collect();
        let angles = Tensor::from_vec(angles, (70, 1, 4), &Device::Cpu)?;
        // The table holds single-precision values; the comparison starts from the same.
        let cosines = angles.cos()?.to_dtype(DType::F32)?.to_dtype(DType::F64)?;
        let sines = angles.sin()?.to_dtype(DType::F32)?.to_dtype(DType::F64)?;
        let slow = |t: &[Tensor]| {
            let heads = t[0].reshape((70, 3, 8))?;
            let (low, high) = (heads.narrow(2, 0, 4)?, heads.narrow(2, 4, 4)?);
            let turned_low = (low.broadcast_mul(&cosines)? - high.broadcast_mul(&sines)?)?;
            let turned_high = (high.broadcast_mul(&cosines)? + low.broadcast_mul(&sines)?)?;
            Tensor::cat(&[turned_low, turned_high], 2)?.reshape((70, 24))
        };
        let fast = |t: &[Tensor]| rope(&t[0], positions.clone(), table.clone());
        check_against(&[random(&[70, 24], 1)?], fast, slow)
    }

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let table = Arc::new(Table::new(4, 8, 10.0));
        let op = |t: &[Tensor]| rope(&t[0], Arc::from([0, 1, 7]), table.clone());
        check_gradients(&[random(&[3, 8], 1)?], op)
    }

    #[test]
    fn a_position_past_the_limit_is_an_error() -> Result<()> {
        let table = Arc::new(Table::new(4, 8, 10.0));
        let error = rope(&random(&[1, 4], 1)?, Arc::from([8]), table).unwrap_err();
        assert!(error.to_string().contains("limit of 8"), "{error}");
        Ok(())
    }
}
