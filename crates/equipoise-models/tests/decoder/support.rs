//! A small model and a ragged batch, and what the tests do with them.

use equipoise_core::{Domain, Ragged, Stream};
use equipoise_models::{
    Config, Decoder, Family, Gradients, Need, Policy, RopeScaling, TokenBatch, TokenCotangents,
    TokenOutputs,
};

/// The heads together are wider than the residual stream, and two share a key-value head.
pub(crate) fn config(tied: bool) -> Config {
    Config {
        vocab_size: 13,
        hidden_size: 12,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 4,
        intermediate_size: 20,
        rope_theta: 100.0,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: tied,
        max_position_embeddings: 32,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: vec![0],
        heads: Default::default(),
        other: Default::default(),
    }
}

/// Random weights, wide enough that no distribution is near uniform; normalisations are random, too.
pub(crate) fn decoder(tied: bool) -> Decoder {
    let decoder = Decoder::new(config(tied), 0.3, 11).unwrap();
    let norms = decoder.parameters().iter();
    for (at, (_, var)) in norms
        .filter(|(name, _)| name.ends_with("norm.weight"))
        .enumerate()
    {
        let mut stream = Stream::new(12, Domain::Other, [at as u64, 0, 0]);
        let values: Vec<f32> = (0..var.elem_count())
            .map(|_| 1.0 + 0.3 * stream.normal() as f32)
            .collect();
        set(var, values);
    }
    decoder
}

/// A prompt with its response, a conversation of two turns, an empty response, a lone token, and
/// another response.
pub(crate) fn batch() -> TokenBatch {
    let mut batch = TokenBatch::new();
    batch.push(&[3, 1, 4], &[1, 5, 9, 2, 6, 0]);
    let scored = [0, 0, 1, 1, 0, 0, 0, 1].map(|mark| mark == 1);
    batch
        .push_masked(&[2, 7, 1, 8, 2, 8, 1, 8], &scored)
        .unwrap();
    batch.push(&[12, 11, 10], &[]);
    batch.push(&[5], &[]);
    batch.push(&[6], &[2, 8, 3, 1, 8, 5, 3, 0, 7]);
    batch
}

pub(crate) fn need() -> Need {
    Need::at_temperature(0.8)
}

/// Decimals of both signs with the borders of the outputs.
pub(crate) fn cotangents(outputs: &TokenOutputs) -> TokenCotangents {
    let row = |step: usize, modulus: usize| {
        let centre = (modulus / 2) as f32;
        let value = |t: usize| ((step * t) % modulus) as f32 - centre;
        let values = (0..outputs.logprobs.values().len()).map(value).collect();
        outputs.logprobs.with_values(values).unwrap()
    };
    TokenCotangents {
        logprobs: row(7, 11),
        entropies: Some(row(5, 13)),
        ..TokenCotangents::default()
    }
}

/// The same with one of the two columns zero.
pub(crate) fn only(
    cotangents: &TokenCotangents,
    logprobs: bool,
    entropies: bool,
) -> TokenCotangents {
    let zeros = |row: &Ragged<f32>| row.with_values(vec![0.0; row.values().len()]).unwrap();
    TokenCotangents {
        logprobs: match logprobs {
            true => cotangents.logprobs.clone(),
            false => zeros(&cotangents.logprobs),
        },
        entropies: cotangents.entropies.clone().filter(|_| entropies),
        ..TokenCotangents::default()
    }
}

/// The gradient of every parameter, as numbers, in order of name.
pub(crate) fn gradients(
    decoder: &Decoder,
    batch: &TokenBatch,
    need: &Need,
    cotangents: &TokenCotangents,
) -> Vec<(String, Vec<f32>)> {
    let mut gradients = Gradients::new();
    let tape = decoder.forward(batch, need).unwrap();
    tape.backward(cotangents, &mut gradients).unwrap();
    values(decoder, &gradients)
}

pub(crate) fn values(decoder: &Decoder, gradients: &Gradients) -> Vec<(String, Vec<f32>)> {
    let named = decoder.parameters().iter().enumerate();
    named
        .map(|(at, (name, var))| {
            let gradient = gradients.get(at).unwrap_or_else(|| panic!("{name}: none"));
            assert_eq!(gradient.len(), var.elem_count(), "{name}");
            (name.to_owned(), gradient.to_vec())
        })
        .collect()
}

/// The bits of all weights, in order of name.
pub(crate) fn weights(decoder: &Decoder) -> Vec<(String, Vec<u32>)> {
    let bits = |var: &candle_core::Var| {
        let values: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        values.into_iter().map(f32::to_bits).collect()
    };
    let named = decoder.parameters().iter();
    named
        .map(|(name, var)| (name.to_owned(), bits(var)))
        .collect()
}

pub(crate) fn set(var: &candle_core::Var, values: Vec<f32>) {
    let tensor = candle_core::Tensor::from_vec(values, var.shape(), var.device()).unwrap();
    var.set(&tensor).unwrap();
}

/// Runs `body` in a pool of so many threads.
pub(crate) fn with_threads<R: Send>(threads: usize, body: impl FnOnce() -> R + Send) -> R {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build().unwrap().install(body)
}

/// A safetensors file cut short in four places, too long, and with two damaged headers.
pub(crate) fn damaged(whole: &[u8]) -> Vec<Vec<u8>> {
    let mut wrong_header = whole.to_vec();
    wrong_header[20] = b'}';
    let mut huge_header = whole.to_vec();
    huge_header[..8].fill(0xff);
    let cut = [0, 7, 100, whole.len() - 1].map(|length| whole[..length].to_vec());
    let longer = [whole, &[0; 4]].concat();
    cut.into_iter()
        .chain([longer, wrong_header, huge_header])
        .collect()
}
