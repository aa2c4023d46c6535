//! Root-mean-square normalisation of the last dimension.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{ROWS_PER_TASK, elements, gradient_elements, tensor_like, with_elements};
use crate::rows::rms_norm::{backward, forward};

/// Normalises rows as long as `weight`; see [`crate::rows::rms_norm`] for the formula. The shape
/// stays; the last dimension may hold several such rows side by side (the heads of QK-norm).
///
/// # Errors
/// If the last dimension is not a multiple of the weight's length, or an operand is not contiguous
/// f32 on the CPU.
pub fn rms_norm(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
    x.apply_op2(
        weight,
        RmsNorm {
            epsilon: epsilon as f32,
        },
    )
}

struct RmsNorm {
    epsilon: f32,
}

impl CustomOp2 for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let width = weight_layout.shape().dims1()?;
        let last = x_layout.dims().last().copied().unwrap_or(0);
        if width == 0 || last % width != 0 {
            candle_core::bail!("rms_norm: rows of {last} cannot be cut into weights of {width}");
        }
        let x = elements(self.name(), "x", x, x_layout)?;
        let weight = elements(self.name(), "the weight", weight, weight_layout)?;
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(ROWS_PER_TASK * width)
            .zip(x.par_chunks(ROWS_PER_TASK * width))
            .for_each(|(y, x)| forward(x, weight, self.epsilon, y));
        Ok((CpuStorage::F32(y), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let width = weight.elem_count();
        let mut dx = vec![0.0; x.elem_count()];
        let mut dweight = vec![0.0; width];
        gradient_elements(grad, |dy| -> Result<()> {
            with_elements(x, |x| {
                with_elements(weight, |weight| {
                    let block = ROWS_PER_TASK * width;
                    let partial: Vec<Vec<f32>> = dx
                        .par_chunks_mut(block)
                        .zip(x.par_chunks(block).zip(dy.par_chunks(block)))
                        .map(|(dx, (x, dy))| {
                            let mut dweight = vec![0.0; width];
                            backward(x, weight, self.epsilon, dy, dx, &mut dweight);
                            dweight
                        })
                        .collect();
                    for partial in partial {
                        for (total, part) in dweight.iter_mut().zip(partial) {
                            *total += part;
                        }
                    }
                })
            })?
        })??;
        Ok((
            Some(tensor_like(dx, x)?),
            Some(tensor_like(dweight, weight)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};

    fn slow(x: &Tensor, weight: &Tensor, epsilon: f64) -> Result<Tensor> {
        let rows = x.reshape(((), weight.elem_count()))?;
        let scale = (rows.sqr()?.mean_keepdim(1)? + epsilon)?.sqrt()?;
        rows.broadcast_div(&scale)?
            .broadcast_mul(weight)?
            .reshape(x.shape())
    }

    #[test]
    fn agrees_with_the_slow_way() -> Result<()> {
        let (x, w) = (random(&[150, 24], 1)?, random(&[24], 2)?);
        check_against(
            &[x.clone(), w],
            |t| rms_norm(&t[0], &t[1], 1e-5),
            |t| slow(&t[0], &t[1], 1e-5),
        )?;
        let heads = random(&[8], 3)?;
        check_against(
            &[x, heads],
            |t| rms_norm(&t[0], &t[1], 0.1),
            |t| slow(&t[0], &t[1], 0.1),
        )
    }

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let (x, w) = (random(&[3, 5], 1)?, random(&[5], 2)?);
        check_gradients(&[x, w], |t| rms_norm(&t[0], &t[1], 1e-3))
    }
}
