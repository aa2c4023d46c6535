//! The gated activation of the feed-forward block.

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{elements, gradient_elements, tensor_like, with_elements};
use crate::rows::swiglu::{backward, forward};

/// Elements one task works on.
const BLOCK: usize = 16 * 1024;

/// silu(gate) · up, element by element; see [`crate::rows::swiglu`].
///
/// # Errors
/// If the shapes differ, or an operand is not contiguous f32 on the CPU.
pub fn swiglu(gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.apply_op2(up, SwiGlu)
}

struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(
        &self,
        gate: &CpuStorage,
        gate_layout: &Layout,
        up: &CpuStorage,
        up_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        if gate_layout.shape() != up_layout.shape() {
            let (gate, up) = (gate_layout.shape(), up_layout.shape());
            candle_core::bail!("swiglu: the gate is {gate:?} and up is {up:?}");
        }
        let gate = elements(self.name(), "the gate", gate, gate_layout)?;
        let up = elements(self.name(), "up", up, up_layout)?;
        let mut y = vec![0.0; gate.len()];
        y.par_chunks_mut(BLOCK)
            .zip(gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)))
            .for_each(|(y, (gate, up))| forward(gate, up, y));
        Ok((CpuStorage::F32(y), gate_layout.shape().clone()))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let count = gate.elem_count();
        let (mut dgate, mut dup) = (vec![0.0; count], vec![0.0; count]);
        gradient_elements(grad, |dy| -> Result<()> {
            with_elements(gate, |gate| {
                with_elements(up, |up| {
                    dgate
                        .par_chunks_mut(BLOCK)
                        .zip(dup.par_chunks_mut(BLOCK))
                        .zip(gate.par_chunks(BLOCK).zip(up.par_chunks(BLOCK)))
                        .zip(dy.par_chunks(BLOCK))
                        .for_each(|(((dgate, dup), (gate, up)), dy)| {
                            backward(gate, up, dy, dgate, dup);
                        });
                })
            })?
        })??;
        Ok((Some(tensor_like(dgate, gate)?), Some(tensor_like(dup, up)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};

    #[test]
    fn agrees_with_the_slow_way() -> Result<()> {
        let (gate, up) = (random(&[200, 100], 1)?, random(&[200, 100], 2)?);
        check_against(
            &[gate, up],
            |t| swiglu(&t[0], &t[1]),
            |t| t[0].silu()? * &t[1],
        )
    }

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let (gate, up) = (random(&[2, 5], 1)?, random(&[2, 5], 2)?);
        check_gradients(&[gate, up], |t| swiglu(&t[0], &t[1]))
    }
}
