//! The norm of all gradients together, and the factor that clips it.

use candle_core::{CpuStorage, Storage, Tensor};
use rayon::prelude::*;

use crate::OptimError;
use crate::pass::CHUNK;

/// The Euclidean norm of all gradients taken as one vector, accumulated in f64.
///
/// ```text
/// ‖g‖ = √ Σ_parameters Σ_elements g²
/// ```
///
/// The partial sums run over fixed chunks and are added in order, so the result is the same for
/// any number of threads.
///
/// # Errors
/// [`OptimError::NonFiniteGradient`] with the name of the first gradient that holds an infinity or
/// a NaN; [`OptimError::Unsupported`] for a gradient that is not f32, bf16 or f16 on the CPU.
pub fn global_norm<'a>(
    gradients: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
) -> Result<f64, OptimError> {
    let mut total = 0.0;
    for (name, gradient) in gradients {
        let squares = sum_of_squares(name, gradient)?;
        // A sum of squares of finite f32 numbers cannot overflow f64, so only a non-finite element
        // makes it non-finite.
        if !squares.is_finite() {
            return Err(OptimError::NonFiniteGradient { name: name.into() });
        }
        total += squares;
    }
    Ok(total.sqrt())
}

/// The factor that brings a gradient of norm `norm` down to `max_norm`: `max_norm / norm` if the
/// norm is larger, else exactly 1 (Pascanu et al., arXiv:1211.5063, algorithm 1).
///
/// PyTorch's `clip_grad_norm_` divides by `norm + 1e-6` and so also shrinks, by one part in a
/// million, a gradient that just touches the limit; this does not.
pub fn clip_scale(norm: f64, max_norm: f64) -> f64 {
    if norm > max_norm {
        max_norm / norm
    } else {
        1.0
    }
}

fn sum_of_squares(name: &str, gradient: &Tensor) -> Result<f64, OptimError> {
    let gradient = gradient.contiguous()?;
    let (storage, layout) = gradient.storage_and_layout();
    // A tensor made contiguous has its offsets.
    let range = layout
        .contiguous_offsets()
        .map_or(0..0, |(start, end)| start..end);
    let unsupported = |what: String| OptimError::Unsupported {
        name: name.into(),
        what,
    };
    match &*storage {
        Storage::Cpu(CpuStorage::F32(values)) => Ok(chunked(&values[range], f64::from)),
        Storage::Cpu(CpuStorage::BF16(values)) => Ok(chunked(&values[range], |v| v.to_f64())),
        Storage::Cpu(CpuStorage::F16(values)) => Ok(chunked(&values[range], |v| v.to_f64())),
        Storage::Cpu(_) => Err(unsupported(format!(
            "the gradient is {:?}",
            gradient.dtype()
        ))),
        _ => Err(unsupported("the gradient is not on the CPU".into())),
    }
}

fn chunked<T: Copy + Sync>(values: &[T], widen: impl Fn(T) -> f64 + Sync) -> f64 {
    // Eight running sums per chunk break the chain of dependent additions.
    const LANES: usize = 8;
    let partial: Vec<f64> = values
        .par_chunks(CHUNK)
        .map(|chunk| {
            let mut sums = [0.0_f64; LANES];
            let mut rows = chunk.chunks_exact(LANES);
            for row in &mut rows {
                for (sum, &value) in sums.iter_mut().zip(row) {
                    let value = widen(value);
                    *sum += value * value;
                }
            }
            for (sum, &value) in sums.iter_mut().zip(rows.remainder()) {
                let value = widen(value);
                *sum += value * value;
            }
            sums.iter().sum()
        })
        .collect();
    partial.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use proptest::prelude::*;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    #[test]
    fn hand_computed_norm_and_scale() {
        let (a, b) = (tensor(&[3.0, -4.0]), tensor(&[12.0]));
        // √(9 + 16 + 144) = 13
        let norm = global_norm([("a", &a), ("b", &b)]).unwrap();
        assert_eq!(norm, 13.0);
        assert_eq!(clip_scale(norm, 6.5), 0.5);
        assert_eq!(clip_scale(norm, 13.0), 1.0);
        assert_eq!(clip_scale(0.0, 1.0), 1.0);
        assert_eq!(clip_scale(5.0, f64::INFINITY), 1.0);
        assert_eq!(global_norm([]).unwrap(), 0.0);
    }

    #[test]
    fn a_gradient_that_is_not_finite_is_named() {
        let good = tensor(&[1.0]);
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let bad = tensor(&[0.0, bad]);
            let error = global_norm([("embed", &good), ("layers.0.mlp", &bad)]).unwrap_err();
            assert_eq!(
                error.to_string(),
                "parameter layers.0.mlp: the gradient is not finite"
            );
        }
        // The largest finite numbers are not mistaken for infinities.
        let large = tensor(&[f32::MAX; 4]);
        assert_eq!(
            global_norm([("large", &large)]).unwrap(),
            2.0 * f64::from(f32::MAX)
        );
    }

    #[test]
    fn views_and_low_precision_are_read_correctly() {
        let matrix = tensor(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
            .reshape((2, 3))
            .unwrap();
        let column = matrix.narrow(1, 1, 1).unwrap();
        assert_eq!(global_norm([("column", &column)]).unwrap(), 29.0_f64.sqrt());
        for dtype in [DType::BF16, DType::F16] {
            let low = matrix.t().unwrap().to_dtype(dtype).unwrap();
            assert_eq!(global_norm([("low", &low)]).unwrap(), 91.0_f64.sqrt());
        }
        let double = matrix.to_dtype(DType::F64).unwrap();
        assert_eq!(
            global_norm([("w", &double)]).unwrap_err().to_string(),
            "parameter w: the gradient is F64; supported are contiguous f32, bf16 and f16 on the CPU"
        );
    }

    #[test]
    fn thread_count_does_not_matter() {
        let values: Vec<f32> = (0..5 * CHUNK + 17)
            .map(|i| ((i * 2_654_435_761) % 1000) as f32 * 1e-3 - 0.5)
            .collect();
        let gradient = tensor(&values);
        let norm_with = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
                .install(|| global_norm([("g", &gradient)]).unwrap())
        };
        assert_eq!(norm_with(1).to_bits(), norm_with(7).to_bits());
        let plain: f64 = values.iter().map(|&v| f64::from(v).powi(2)).sum();
        assert!((norm_with(3) / plain.sqrt() - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn a_clipped_gradient_has_at_most_the_allowed_norm(
            values in prop::collection::vec(-1e3_f32..1e3, 1..200),
            max_norm in 1e-3..1e4,
        ) {
            let norm = global_norm([("g", &tensor(&values))]).unwrap();
            let scale = clip_scale(norm, max_norm);
            prop_assert!(scale > 0.0 && scale <= 1.0);
            prop_assert!(norm * scale <= max_norm * (1.0 + 1e-15));
            prop_assert!(scale == 1.0 || norm > max_norm);
        }
    }
}
