//! Linear layers: a product with a transposed weight, optionally added to a residual.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};

use super::{elements, gradient_elements, tensor_like, with_elements};
use crate::gemm::{MatrixRef, Parallelism, matmul};

/// `x·wᵀ` for `x` of shape (rows, k) and `w` of shape (n, k): shape (rows, n).
///
/// # Errors
/// If the shapes do not fit, or an operand is not contiguous f32 on the CPU.
pub fn linear(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    x.apply_op2(weight, Linear)
}

/// `residual + x·wᵀ`, in one pass; shapes as for [`linear`], the residual (rows, n).
///
/// # Errors
/// As [`linear`].
pub fn linear_add(x: &Tensor, weight: &Tensor, residual: &Tensor) -> Result<Tensor> {
    x.apply_op3(weight, residual, LinearAdd)
}

fn dimensions(x: &Layout, weight: &Layout) -> Result<(usize, usize, usize)> {
    let (rows, k) = x.shape().dims2()?;
    let (n, inner) = weight.shape().dims2()?;
    if inner != k {
        candle_core::bail!("linear: x has {k} columns and the weight {inner}");
    }
    Ok((rows, n, k))
}

fn forward(x: &[f32], weight: &[f32], y: &mut [f32], accumulate: bool, dims: [usize; 3]) {
    let [rows, n, k] = dims;
    let x = MatrixRef::row_major(x, rows, k);
    let weight = MatrixRef::row_major(weight, n, k).transposed();
    matmul(x, weight, y, accumulate, Parallelism::Pool);
}

/// dx = dy·w and dw = dyᵀ·x.
fn backward(x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<(Tensor, Tensor)> {
    let (rows, k) = x.dims2()?;
    let n = weight.dim(0)?;
    let (mut dx, mut dweight) = (vec![0.0; rows * k], vec![0.0; n * k]);
    gradient_elements(grad, |dy| -> Result<()> {
        let dy = MatrixRef::row_major(dy, rows, n);
        with_elements(weight, |weight| {
            let weight = MatrixRef::row_major(weight, n, k);
            matmul(dy, weight, &mut dx, false, Parallelism::Pool);
        })?;
        with_elements(x, |x| {
            let x = MatrixRef::row_major(x, rows, k);
            matmul(dy.transposed(), x, &mut dweight, false, Parallelism::Pool);
        })
    })??;
    Ok((tensor_like(dx, x)?, tensor_like(dweight, weight)?))
}

struct Linear;

impl CustomOp2 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n, k) = dimensions(x_layout, weight_layout)?;
        let x = elements(self.name(), "x", x, x_layout)?;
        let weight = elements(self.name(), "the weight", weight, weight_layout)?;
        let mut y = vec![0.0; rows * n];
        forward(x, weight, &mut y, false, [rows, n, k]);
        Ok((CpuStorage::F32(y), (rows, n).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight) = backward(x, weight, grad)?;
        Ok((Some(dx), Some(dweight)))
    }
}

struct LinearAdd;

impl CustomOp3 for LinearAdd {
    fn name(&self) -> &'static str {
        "linear_add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        residual: &CpuStorage,
        residual_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, n, k) = dimensions(x_layout, weight_layout)?;
        if residual_layout.shape().dims2()? != (rows, n) {
            candle_core::bail!("linear_add: the residual must be {rows} × {n}");
        }
        let x = elements(self.name(), "x", x, x_layout)?;
        let weight = elements(self.name(), "the weight", weight, weight_layout)?;
        let residual = elements(self.name(), "the residual", residual, residual_layout)?;
        let mut y = vec![0.0; rows * n];
        forward(x, weight, &mut y, false, [rows, n, k]);
        // Added after the product, not accumulated into it: the sampler adds in the same order.
        for (y, residual) in y.iter_mut().zip(residual) {
            *y += residual;
        }
        Ok((CpuStorage::F32(y), (rows, n).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight) = backward(x, weight, grad)?;
        Ok((Some(dx), Some(dweight), Some(grad.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_gradients, random};

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let (x, w, r) = (
            random(&[5, 7], 1)?,
            random(&[3, 7], 2)?,
            random(&[5, 3], 3)?,
        );
        check_gradients(&[x.clone(), w.clone()], |t| linear(&t[0], &t[1]))?;
        check_gradients(&[x, w, r], |t| linear_add(&t[0], &t[1], &t[2]))
    }

    #[test]
    fn agrees_with_candle_and_its_autograd() -> Result<()> {
        let (x, w, r) = (
            random(&[70, 40], 1)?,
            random(&[33, 40], 2)?,
            random(&[70, 33], 3)?,
        );
        crate::ops::testing::check_against(
            &[x, w, r],
            |t| linear_add(&t[0], &t[1], &t[2]),
            |t| t[0].matmul(&t[1].t()?)? + &t[2],
        )
    }

    #[test]
    fn misfits_are_errors() -> Result<()> {
        let (x, w) = (random(&[2, 3], 1)?, random(&[2, 4], 2)?);
        assert!(
            linear(&x, &w)
                .unwrap_err()
                .to_string()
                .contains("3 columns")
        );
        assert!(
            linear(&x.t()?, &random(&[2, 2], 1)?)
                .unwrap_err()
                .to_string()
                .contains("contiguous")
        );
        let double = x.to_dtype(candle_core::DType::F64)?;
        assert!(
            linear(&double, &double)
                .unwrap_err()
                .to_string()
                .contains("f32")
        );
        Ok(())
    }
}
