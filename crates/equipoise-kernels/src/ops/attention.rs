//! Causal grouped-query attention of packed sequences.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::{elements, gradient_elements, tensor_like, with_elements};
use crate::attention::{Heads, Sequences, backward, forward};

/// Attention of every token over itself and the tokens before it in its sequence.
///
/// The sequences are packed one after the other, sequence s being the tokens
/// `offsets[s]..offsets[s + 1]`: there is no padding, so there is no mask. `query` has shape
/// (tokens, heads · head_dim), `key` and `value` (tokens, key_value_heads · head_dim); several query
/// heads share one key-value head (Ainslie et al., arXiv:2305.13245). Scores are scaled by
/// head_dim^(−1/2). Memory grows linearly with the tokens.
///
/// # Errors
/// If the shapes or offsets do not fit, or an operand is not contiguous f32 on the CPU.
pub fn attention(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    offsets: Arc<[usize]>,
    head_dim: usize,
) -> Result<Tensor> {
    query.apply_op3(key, value, Attention { offsets, head_dim })
}

struct Attention {
    offsets: Arc<[usize]>,
    head_dim: usize,
}

impl Attention {
    fn heads(&self, query: &Shape, key: &Shape, value: &Shape) -> Result<Heads> {
        let (tokens, width) = query.dims2()?;
        let (_, key_value_width) = key.dims2()?;
        let d = self.head_dim;
        let fits = d > 0
            && width > 0
            && key_value_width > 0
            && width % d == 0
            && key_value_width % d == 0
            && width % key_value_width == 0
            && key.dims2()?.0 == tokens
            && key == value;
        if !fits {
            candle_core::bail!(
                "attention: query {query:?}, key {key:?} and value {value:?} do not fit heads of {d}"
            );
        }
        let rises = self.offsets.windows(2).all(|pair| pair[0] <= pair[1]);
        if self.offsets.first() != Some(&0) || self.offsets.last() != Some(&tokens) || !rises {
            candle_core::bail!("attention: the offsets must rise from 0 to {tokens}");
        }
        Ok(Heads {
            query: width / d,
            key_value: key_value_width / d,
            head_dim: d,
        })
    }
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        query: &CpuStorage,
        query_layout: &Layout,
        key: &CpuStorage,
        key_layout: &Layout,
        value: &CpuStorage,
        value_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let heads = self.heads(
            query_layout.shape(),
            key_layout.shape(),
            value_layout.shape(),
        )?;
        let query = elements(self.name(), "the query", query, query_layout)?;
        let key = elements(self.name(), "the key", key, key_layout)?;
        let value = elements(self.name(), "the value", value, value_layout)?;
        let mut out = vec![0.0; query.len()];
        let sequences = Sequences::from_offsets(&self.offsets);
        forward(heads, query, key, value, &sequences, &mut out);
        Ok((CpuStorage::F32(out), query_layout.shape().clone()))
    }

    fn bwd(
        &self,
        query: &Tensor,
        key: &Tensor,
        value: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let heads = self.heads(query.shape(), key.shape(), value.shape())?;
        let sequences = Sequences::from_offsets(&self.offsets);
        let mut dquery = vec![0.0; query.elem_count()];
        let mut dkey = vec![0.0; key.elem_count()];
        let mut dvalue = vec![0.0; value.elem_count()];
        gradient_elements(grad, |dout| -> Result<()> {
            with_elements(query, |q| {
                with_elements(key, |k| {
                    with_elements(value, |v| {
                        let (dq, dk, dv) = (&mut dquery, &mut dkey, &mut dvalue);
                        backward(heads, q, k, v, dout, &sequences, dq, dk, dv);
                    })
                })
            })??
        })??;
        Ok((
            Some(tensor_like(dquery, query)?),
            Some(tensor_like(dkey, key)?),
            Some(tensor_like(dvalue, value)?),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{check_against, check_gradients, random};
    use candle_core::{D, DType, Device};

    /// One sequence, head by head, with an explicit mask.
    fn slow_sequence(q: &Tensor, k: &Tensor, v: &Tensor, d: usize) -> Result<Tensor> {
        let (tokens, width) = q.dims2()?;
        let sharing = width / k.dim(1)?;
        let mask: Vec<f64> = (0..tokens * tokens)
            .map(|at| {
                if at % tokens > at / tokens {
                    f64::NEG_INFINITY
                } else {
                    0.0
                }
            })
            .collect();
        let mask = Tensor::from_vec(mask, (tokens, tokens), &Device::Cpu)?.to_dtype(q.dtype())?;
        let heads = (0..width / d).map(|head| {
            let q = q.narrow(1, head * d, d)?;
            let k = k.narrow(1, head / sharing * d, d)?;
            let v = v.narrow(1, head / sharing * d, d)?;
            let scores = ((q.matmul(&k.t()?)? / (d as f64).sqrt())? + &mask)?;
            let weights = scores
                .broadcast_sub(&scores.max_keepdim(D::Minus1)?)?
                .exp()?;
            weights
                .broadcast_div(&weights.sum_keepdim(D::Minus1)?)?
                .matmul(&v)
        });
        Tensor::cat(&heads.collect::<Result<Vec<_>>>()?, 1)
    }

    #[test]
    fn agrees_with_the_slow_way_on_ragged_sequences() -> Result<()> {
        let offsets: Arc<[usize]> = Arc::from([0, 5, 5, 6, 19]);
        let inputs = [
            random(&[19, 16], 1)?,
            random(&[19, 8], 2)?,
            random(&[19, 8], 3)?,
        ];
        let slow = |t: &[Tensor]| {
            let parts = offsets
                .windows(2)
                .filter(|pair| pair[0] < pair[1])
                .map(|pair| {
                    let part = |x: &Tensor| x.narrow(0, pair[0], pair[1] - pair[0]);
                    slow_sequence(&part(&t[0])?, &part(&t[1])?, &part(&t[2])?, 4)
                });
            Tensor::cat(&parts.collect::<Result<Vec<_>>>()?, 0)
        };
        let fast = |t: &[Tensor]| attention(&t[0], &t[1], &t[2], offsets.clone(), 4);
        check_against(&inputs, fast, slow)
    }

    #[test]
    fn gradients_agree_with_central_differences() -> Result<()> {
        let inputs = [
            random(&[5, 4], 1)?,
            random(&[5, 2], 2)?,
            random(&[5, 2], 3)?,
        ];
        check_gradients(&inputs, |t| {
            attention(&t[0], &t[1], &t[2], Arc::from([0, 2, 5]), 2)
        })
    }

    #[test]
    fn misfits_are_errors() -> Result<()> {
        let (q, k) = (random(&[4, 8], 1)?, random(&[4, 4], 2)?);
        let bad_offsets = attention(&q, &k, &k, Arc::from([0, 3]), 4).unwrap_err();
        assert!(
            bad_offsets.to_string().contains("from 0 to 4"),
            "{bad_offsets}"
        );
        let bad_heads = attention(&q, &k, &k, Arc::from([0, 4]), 3).unwrap_err();
        assert!(bad_heads.to_string().contains("heads of 3"), "{bad_heads}");
        assert_eq!(q.dtype(), DType::F32);
        Ok(())
    }
}
