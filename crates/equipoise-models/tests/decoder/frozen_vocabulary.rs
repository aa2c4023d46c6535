//! A vocabulary that is not trained: its gradient is prepared in the forward pass, and must be the one
//! that computing the logits again gives.

use equipoise_models::{Config, Decoder, LoraConfig, Policy, Precision, TokenCotangents};

use crate::support::{batch, config, cotangents, gradients, need, only, set};

/// More tokens than blocks of the vocabulary hold, and logits whose largest moves from block to block.
fn adapted(precision: Precision) -> Decoder {
    let config = Config {
        vocab_size: 1300,
        ..config(false)
    };
    let lora = LoraConfig {
        rank: 2,
        alpha: 2.0,
        target_modules: vec!["all-linear".to_owned()],
        ..LoraConfig::default()
    };
    let adapted = Decoder::new(config, 1.5, 3).unwrap();
    let adapted = adapted.with_adapter(&lora, 1).unwrap();
    for (at, (_, var)) in adapted.parameters().iter().enumerate() {
        let number = |i: usize| ((i * 7 + at) % 11) as f32 / 20.0 - 0.25;
        set(var, (0..var.elem_count()).map(number).collect());
    }
    adapted.with_precision(precision)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most: f32, x| most.max(x.abs()))
}

fn compare(precision: Precision, chosen: &TokenCotangents, bound: f32) {
    let decoder = adapted(precision);
    let prepared = gradients(&decoder, &batch(), &need(), chosen);
    let again = need().with_entropy_gradients();
    let again = gradients(&decoder, &batch(), &again, chosen);
    assert!(!prepared.is_empty());
    for ((name, prepared), (_, again)) in prepared.iter().zip(&again) {
        assert!(largest(again) > 0.0, "{name}: nothing to compare");
        for (prepared, x) in prepared.iter().zip(again) {
            let error = (prepared - x).abs();
            assert!(
                error <= bound * largest(again),
                "{name}: {prepared}, not {x}"
            );
        }
    }
}

#[test]
fn what_the_forward_pass_prepares_is_the_gradient() {
    let outputs = adapted(Precision::F32).score(&batch(), &need()).unwrap();
    let all = cotangents(&outputs);
    let mut logprobs = only(&all, true, false);
    compare(Precision::F32, &logprobs, 3e-6);
    compare(Precision::Bf16, &logprobs, 3e-2);
    logprobs.entropies = only(&all, true, true).entropies.map(|row| {
        let zeros = vec![0.0; row.values().len()];
        row.with_values(zeros).unwrap()
    });
    compare(Precision::F32, &logprobs, 3e-6);
}

/// Nobody said that entropies would matter, but they do: nothing is lost but time.
#[test]
fn entropies_are_never_forgotten() {
    let outputs = adapted(Precision::F32).score(&batch(), &need()).unwrap();
    compare(Precision::F32, &cotangents(&outputs), 0.0);
}

#[test]
fn outputs_have_the_same_bits_with_and_without() {
    let decoder = adapted(Precision::F32);
    let tape = decoder.forward(&batch(), &need()).unwrap();
    assert_eq!(tape.outputs(), &decoder.score(&batch(), &need()).unwrap());
}
