//! Gradients: they reach every parameter, and they are those of the numbers that come out.

use equipoise_models::{Decoder, Gradients, ModelError, Policy, TokenBatch, TokenCotangents};

use crate::support::{batch, cotangents, decoder, gradients, need, only, set, values};

/// The scalar whose gradient is taken: Σ c · logprob + Σ e · entropy, added up in double precision.
fn scalar(decoder: &Decoder, batch: &TokenBatch, cotangents: &TokenCotangents) -> f64 {
    let outputs = decoder.score(batch, &need()).unwrap();
    let products = |xs: &[f32], ys: &[f32]| -> f64 {
        let pairs = xs.iter().zip(ys);
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
    };
    let entropies = cotangents.entropies.as_ref().unwrap();
    products(cotangents.logprobs.values(), outputs.logprobs.values())
        + products(entropies.values(), outputs.entropies.values())
}

/// candle's own operations may cut a graph without a word, so this is checked rather than hoped.
#[test]
fn every_parameter_receives_a_finite_gradient_that_is_not_zero() {
    for tied in [true, false] {
        let decoder = decoder(tied);
        let all = cotangents(decoder.forward(&batch(), &need()).unwrap().outputs());
        for (logprobs, entropies) in [(true, true), (true, false), (false, true)] {
            let some = only(&all, logprobs, entropies);
            let gradients = gradients(&decoder, &batch(), &need(), &some);
            assert_eq!(gradients.len(), if tied { 24 } else { 25 });
            for (name, gradient) in gradients {
                let what = format!("{name}, tied {tied}, {logprobs} {entropies}");
                assert!(gradient.iter().all(|g| g.is_finite()), "{what}");
                assert!(gradient.iter().any(|g| *g != 0.0), "{what}");
            }
        }
    }
}

/// A step of 1/256 in single precision: rounding contributes about 1e-6 · 256, curvature the square
/// of the step, and both are relative to a gradient whose elements are of order ten.
#[test]
fn gradients_agree_with_central_differences() {
    const STEP: f32 = 1.0 / 256.0;
    for tied in [true, false] {
        let decoder = decoder(tied);
        let batch = batch();
        let cotangents = cotangents(decoder.forward(&batch, &need()).unwrap().outputs());
        let analytic = gradients(&decoder, &batch, &need(), &cotangents);
        for ((name, var), (_, analytic)) in decoder.parameters().iter().zip(&analytic) {
            let original: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
            let largest = analytic.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
            // About eight elements of each, the last one among them.
            let stride = original.len().div_ceil(8);
            for at in (0..original.len()).rev().step_by(stride) {
                let moved = |delta: f32| {
                    let mut changed = original.clone();
                    changed[at] += delta;
                    set(var, changed);
                    scalar(&decoder, &batch, &cotangents)
                };
                let numeric = (moved(STEP) - moved(-STEP)) / f64::from(2.0 * STEP);
                let error = (numeric - f64::from(analytic[at])).abs();
                let bound = 2e-3 + 2e-3 * f64::from(largest);
                let found = analytic[at];
                assert!(
                    error < bound,
                    "{name}, element {at}, tied {tied}: {found}, by differences {numeric}"
                );
            }
            set(var, original);
        }
    }
}

/// What allows micro-batches: backward passes add up.
#[test]
fn gradients_accumulate_and_are_linear_in_the_cotangents() {
    let decoder = decoder(true);
    let batch = batch();
    let forward = || decoder.forward(&batch, &need()).unwrap();
    let both = cotangents(forward().outputs());
    let mut sum = Gradients::new();
    for (logprobs, entropies) in [(true, false), (false, true)] {
        let part = only(&both, logprobs, entropies);
        forward().backward(&part, &mut sum).unwrap();
    }
    let whole = gradients(&decoder, &batch, &need(), &both);
    for ((name, sum), (_, whole)) in values(&decoder, &sum).iter().zip(&whole) {
        let largest = whole.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        for (sum, whole) in sum.iter().zip(whole) {
            // Only the order of the additions differs.
            assert!((sum - whole).abs() < 1e-5 * largest, "{name}");
        }
    }
    let mut merged = Gradients::new();
    merged.merge(&sum);
    assert_eq!(values(&decoder, &merged), values(&decoder, &sum));
}

#[test]
fn nothing_scored_gives_zero_gradients_and_no_error() {
    let decoder = decoder(false);
    let mut unscored = TokenBatch::new();
    unscored.push(&[1, 2, 3], &[]);
    for batch in [unscored, TokenBatch::new()] {
        let cotangents = cotangents(decoder.forward(&batch, &need()).unwrap().outputs());
        for (name, gradient) in gradients(&decoder, &batch, &need(), &cotangents) {
            assert!(gradient.iter().all(|&g| g == 0.0), "{name}");
        }
    }
}

#[test]
fn cotangents_with_other_borders_are_refused() {
    let decoder = decoder(true);
    let batch = batch();
    let right = cotangents(decoder.forward(&batch, &need()).unwrap().outputs());
    // As many numbers, but one row fewer.
    let mut offsets = right.logprobs.offsets().to_vec();
    offsets.remove(1);
    let other =
        equipoise_core::Ragged::from_parts(right.logprobs.values().to_vec(), offsets).unwrap();
    let wrong_logprobs = TokenCotangents {
        logprobs: other.clone(),
        ..TokenCotangents::default()
    };
    let wrong_entropies = TokenCotangents {
        entropies: Some(other),
        ..right
    };
    for wrong in [wrong_logprobs, wrong_entropies, TokenCotangents::default()] {
        let mut gradients = Gradients::new();
        let tape = decoder.forward(&batch, &need()).unwrap();
        let error = tape.backward(&wrong, &mut gradients).unwrap_err();
        assert!(matches!(&error, ModelError::Batch(_)), "{error}");
        assert!(error.to_string().contains("borders"), "{error}");
        assert_eq!(gradients.iter().count(), 0);
    }
}
