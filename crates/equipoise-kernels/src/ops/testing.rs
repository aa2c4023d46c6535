//! How every operation is tested: against central differences, and against the slow composition of
//! candle's own operations with candle's own gradients, both in double precision where it can.

use candle_core::{DType, Device, Result, Tensor, Var};
use equipoise_core::{Domain, Stream};

/// A tensor of normal deviates.
pub(crate) fn random(shape: &[usize], seed: u64) -> Result<Tensor> {
    let mut stream = Stream::new(seed, Domain::Other, [0; 3]);
    let values = (0..shape.iter().product::<usize>()).map(|_| stream.normal() as f32);
    Tensor::from_vec(values.collect::<Vec<f32>>(), shape, &Device::Cpu)
}

fn values(tensor: &Tensor) -> Result<Vec<f64>> {
    tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

/// Fixed weights that turn an output into one number, so that every element matters differently.
fn weights(count: usize) -> Vec<f64> {
    (0..count)
        .map(|i| ((i * 7919) % 101) as f64 / 50.0 - 1.0)
        .collect()
}

/// The output, and the gradient of its weighted sum with respect to every input.
fn outputs_and_gradients(
    inputs: &[Tensor],
    op: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<(Tensor, Vec<Tensor>)> {
    let vars = inputs
        .iter()
        .map(Var::from_tensor)
        .collect::<Result<Vec<_>>>()?;
    let tensors: Vec<Tensor> = vars.iter().map(|var| var.as_tensor().clone()).collect();
    let output = op(&tensors)?;
    let weights = Tensor::new(weights(output.elem_count()), &Device::Cpu)?
        .reshape(output.shape())?
        .to_dtype(output.dtype())?;
    let gradients = (&output * weights)?.sum_all()?.backward()?;
    let gradients = vars.iter().zip(inputs).map(|(var, input)| {
        let gradient = gradients
            .get(var)
            .ok_or_else(|| candle_core::Error::msg("no gradient"))?;
        assert_eq!(gradient.shape(), input.shape());
        Ok(gradient.clone())
    });
    Ok((output, gradients.collect::<Result<Vec<_>>>()?))
}

/// Checks every gradient element against a central difference of the (single-precision) forward
/// pass; a step of 1/128 keeps rounding and curvature both near 1e-4.
pub(crate) fn check_gradients(
    inputs: &[Tensor],
    op: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let step = 1.0 / 128.0;
    let (_, gradients) = outputs_and_gradients(inputs, &op)?;
    let objective = |inputs: &[Tensor]| -> Result<f64> {
        let output = values(&op(inputs)?)?;
        Ok(output
            .iter()
            .zip(weights(output.len()))
            .map(|(y, w)| y * w)
            .sum())
    };
    for (which, input) in inputs.iter().enumerate() {
        let analytic = values(&gradients[which])?;
        let original = input.flatten_all()?.to_vec1::<f32>()?;
        for at in 0..original.len() {
            let moved = |delta: f32| -> Result<f64> {
                let mut changed = original.clone();
                changed[at] += delta;
                let mut inputs = inputs.to_vec();
                inputs[which] = Tensor::from_vec(changed, input.shape(), &Device::Cpu)?;
                objective(&inputs)
            };
            let numeric = (moved(step)? - moved(-step)?) / f64::from(2.0 * step);
            let bound = 2e-3 * (1.0 + numeric.abs());
            assert!(
                (numeric - analytic[at]).abs() < bound,
                "input {which}, element {at}: {} and by differences {numeric}",
                analytic[at]
            );
        }
    }
    Ok(())
}

/// Checks outputs and gradients against another way to compute them, which is run in double
/// precision. The bound is relative to the largest element.
pub(crate) fn check_against(
    inputs: &[Tensor],
    op: impl Fn(&[Tensor]) -> Result<Tensor>,
    slow: impl Fn(&[Tensor]) -> Result<Tensor>,
) -> Result<()> {
    let (output, gradients) = outputs_and_gradients(inputs, op)?;
    let doubles = inputs
        .iter()
        .map(|input| input.to_dtype(DType::F64))
        .collect::<Result<Vec<_>>>()?;
    let (expected, expected_gradients) = outputs_and_gradients(&doubles, slow)?;
    let pairs =
        std::iter::once((&output, &expected)).chain(gradients.iter().zip(&expected_gradients));
    for (which, (got, expected)) in pairs.enumerate() {
        assert_eq!(got.shape(), expected.shape());
        let (got, expected) = (values(got)?, values(expected)?);
        let scale = expected
            .iter()
            .fold(1e-3_f64, |largest, x| largest.max(x.abs()));
        for (at, (got, expected)) in got.iter().zip(&expected).enumerate() {
            let error = (got - expected).abs() / scale;
            assert!(
                error < 2e-6,
                "tensor {which}, element {at}: {got}, expected {expected}"
            );
        }
    }
    Ok(())
}
