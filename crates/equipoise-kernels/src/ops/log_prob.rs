//! The vocabulary projection, straight to log-probabilities and entropies.
//!
//! Logits exist for one block of rows at a time; the backward pass computes them again block by
//! block. Memory is that of a block, not of (tokens, vocabulary).

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{elements, gradient_elements, tensor_like, with_elements};
use crate::gemm::{MatrixRef, Parallelism, matmul};
use crate::rows::log_prob::{RowStatistics, backward, statistics};

/// Logits one block may hold: 4 MiB.
const BLOCK_ELEMENTS: usize = 1 << 20;

/// What [`log_probs`] scores.
#[derive(Clone, Debug)]
pub struct LogProbs {
    /// The token whose log-probability each row asks for.
    pub targets: Arc<[u32]>,
    /// The temperature τ the logits are divided by.
    pub temperature: f64,
}

/// Log-probabilities of the targets and entropies of the distributions, of shape (rows, 2): column
/// 0 holds `log softmax(hidden·weightᵀ/τ)[target]`, column 1 the entropy in nats.
///
/// `hidden` has shape (rows, width), `weight` (vocabulary, width).
///
/// # Errors
/// If the shapes do not fit, a target is not in the vocabulary, the temperature is not positive, or
/// an operand is not contiguous f32 on the CPU.
pub fn log_probs(hidden: &Tensor, weight: &Tensor, op: LogProbs) -> Result<Tensor> {
    hidden.apply_op2(weight, op)
}

#[derive(Clone, Copy)]
struct Sizes {
    rows: usize,
    width: usize,
    vocabulary: usize,
    block: usize,
}

impl LogProbs {
    fn inverse_temperature(&self) -> f32 {
        (1.0 / self.temperature) as f32
    }

    fn sizes(&self, hidden: &Shape, weight: &Shape) -> Result<Sizes> {
        let ((rows, width), (vocabulary, inner)) = (hidden.dims2()?, weight.dims2()?);
        if width != inner || rows != self.targets.len() {
            candle_core::bail!(
                "log_probs: hidden {hidden:?}, weight {weight:?} and {} targets do not fit",
                self.targets.len()
            );
        }
        if let Some(target) = self.targets.iter().find(|&&id| id as usize >= vocabulary) {
            candle_core::bail!("log_probs: token {target} is not in a vocabulary of {vocabulary}");
        }
        if !(self.temperature > 0.0 && self.inverse_temperature().is_finite()) {
            candle_core::bail!(
                "log_probs: the temperature {} is not positive",
                self.temperature
            );
        }
        let block = (BLOCK_ELEMENTS / vocabulary.max(1)).clamp(1, 1024);
        Ok(Sizes {
            rows,
            width,
            vocabulary,
            block,
        })
    }
}

/// The logits of rows `start..` of a block, and the statistics of each row; the logits come back
/// scaled.
fn block_statistics(
    hidden: &[f32],
    weight: &[f32],
    logits: &mut [f32],
    sizes: Sizes,
    inverse_temperature: f32,
) -> Vec<RowStatistics> {
    let rows = hidden.len() / sizes.width;
    let hidden = MatrixRef::row_major(hidden, rows, sizes.width);
    let weight = MatrixRef::row_major(weight, sizes.vocabulary, sizes.width).transposed();
    matmul(hidden, weight, logits, false, Parallelism::Pool);
    logits
        .par_chunks_mut(sizes.vocabulary)
        .with_min_len(16)
        .map(|row| statistics(row, inverse_temperature))
        .collect()
}

impl CustomOp2 for LogProbs {
    fn name(&self) -> &'static str {
        "log_probs"
    }

    fn cpu_fwd(
        &self,
        hidden: &CpuStorage,
        hidden_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes = self.sizes(hidden_layout.shape(), weight_layout.shape())?;
        let hidden = elements(self.name(), "the hidden state", hidden, hidden_layout)?;
        let weight = elements(self.name(), "the weight", weight, weight_layout)?;
        let mut logits = vec![0.0; sizes.block.min(sizes.rows) * sizes.vocabulary];
        let mut out = Vec::with_capacity(2 * sizes.rows);
        let blocks = hidden.chunks(sizes.block * sizes.width.max(1));
        for (hidden, targets) in blocks.zip(self.targets.chunks(sizes.block)) {
            let logits = &mut logits[..targets.len() * sizes.vocabulary];
            let rows = block_statistics(hidden, weight, logits, sizes, self.inverse_temperature());
            for (i, (row, &target)) in rows.iter().zip(targets).enumerate() {
                out.push(row.log_prob(logits[i * sizes.vocabulary + target as usize]));
                out.push(row.entropy);
            }
        }
        Ok((CpuStorage::F32(out), (sizes.rows, 2).into()))
    }

    fn bwd(
        &self,
        hidden: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let sizes = self.sizes(hidden.shape(), weight.shape())?;
        let mut dhidden = vec![0.0; sizes.rows * sizes.width];
        let mut dweight = vec![0.0; sizes.vocabulary * sizes.width];
        gradient_elements(grad, |cotangents| -> Result<()> {
            with_elements(hidden, |hidden| {
                with_elements(weight, |weight| {
                    self.backward_blocks(
                        hidden,
                        weight,
                        cotangents,
                        sizes,
                        &mut dhidden,
                        &mut dweight,
                    );
                })
            })?
        })??;
        Ok((
            Some(tensor_like(dhidden, hidden)?),
            Some(tensor_like(dweight, weight)?),
        ))
    }
}

impl LogProbs {
    fn backward_blocks(
        &self,
        hidden: &[f32],
        weight: &[f32],
        cotangents: &[f32],
        sizes: Sizes,
        dhidden: &mut [f32],
        dweight: &mut [f32],
    ) {
        let Sizes {
            rows,
            width,
            vocabulary,
            block,
        } = sizes;
        let inverse_temperature = self.inverse_temperature();
        let weight_matrix = MatrixRef::row_major(weight, vocabulary, width);
        let mut logits = vec![0.0; block.min(rows) * vocabulary];
        for (start, targets) in (0..).step_by(block).zip(self.targets.chunks(block)) {
            let range = start * width..(start + targets.len()) * width;
            let hidden = &hidden[range.clone()];
            let logits = &mut logits[..targets.len() * vocabulary];
            let rows = block_statistics(hidden, weight, logits, sizes, inverse_temperature);
            let cotangents = &cotangents[2 * start..][..2 * targets.len()];
            logits
                .par_chunks_mut(vocabulary)
                .with_min_len(16)
                .zip(rows.par_iter().zip(targets).zip(cotangents.par_chunks(2)))
                .for_each(|(logits, ((row, &target), c))| {
                    backward(
                        logits,
                        *row,
                        target as usize,
                        c[0],
                        c[1],
                        inverse_temperature,
                    );
                });
            let dlogits = MatrixRef::row_major(logits, targets.len(), vocabulary);
            matmul(
                dlogits,
                weight_matrix,
                &mut dhidden[range],
                false,
                Parallelism::Pool,
            );
            let hidden = MatrixRef::row_major(hidden, targets.len(), width);
            matmul(
                dlogits.transposed(),
                hidden,
                dweight,
                true,
                Parallelism::Pool,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};
    use candle_core::{D, Device};

    fn slow(hidden: &Tensor, weight: &Tensor, op: &LogProbs) -> Result<Tensor> {
        let z = (hidden.matmul(&weight.t()?)? / op.temperature)?;
        let shifted = z.broadcast_sub(&z.max_keepdim(D::Minus1)?)?;
        let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
        let targets = Tensor::new(&op.targets[..], &Device::Cpu)?.unsqueeze(1)?;
        let entropy = (log_p.exp()? * &log_p)?.sum_keepdim(D::Minus1)?.neg()?;
        Tensor::cat(&[log_p.gather(&targets, 1)?, entropy], 1)
    }

    fn op(rows: u32, vocabulary: u32, temperature: f64) -> LogProbs {
        LogProbs {
            targets: (0..rows).map(|i| (i * 17) % vocabulary).collect(),
            temperature,
        }
    }

    #[test]
    fn agrees_with_the_slow_way() -> Result<()> {
        for (rows, vocabulary) in [(40, 70), (1100, 9)] {
            let op = op(rows, vocabulary, 0.7);
            let (rows, vocabulary) = (rows as usize, vocabulary as usize);
            let inputs = [random(&[rows, 12], 1)?, random(&[vocabulary, 12], 2)?];
            let fast = |t: &[Tensor]| log_probs(&t[0], &t[1], op.clone());
            check_against(&inputs, fast, |t| slow(&t[0], &t[1], &op))?;
        }
        Ok(())
    }

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let op = op(4, 6, 1.3);
        let inputs = [random(&[4, 5], 1)?, random(&[6, 5], 2)?];
        check_gradients(&inputs, |t| log_probs(&t[0], &t[1], op.clone()))
    }

    #[test]
    fn misfits_are_errors() -> Result<()> {
        let (hidden, weight) = (random(&[2, 3], 1)?, random(&[4, 3], 2)?);
        let with = |targets: &[u32], temperature| {
            let op = LogProbs {
                targets: targets.into(),
                temperature,
            };
            log_probs(&hidden, &weight, op)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        assert!(with(&[0, 4], 1.0).contains("token 4"));
        assert!(with(&[0], 1.0).contains("1 targets"));
        assert!(with(&[0, 1], 0.0).contains("temperature 0"));
        Ok(())
    }
}
