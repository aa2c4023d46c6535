//! Generation: tokens per second of the engine, at the sizes of the default recipe.

use criterion::{Criterion, Throughput};
use equipoise_core::Prompt;
use equipoise_models::{Config, Decoder, Family, ModelError, RopeScaling};
use equipoise_samplers::{Engine, SampleSpec, Sampler as _};

fn main() -> Result<(), ModelError> {
    let config = Config {
        vocab_size: 32,
        hidden_size: 128,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 32,
        intermediate_size: 384,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
        max_position_embeddings: 256,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: Vec::new(),
        heads: Default::default(),
        other: Default::default(),
    };
    let mut engine = Engine::new(Decoder::new(config, 0.02, 0)?);
    let prompts: Vec<Prompt> = (0..32)
        .map(|id| Prompt {
            id,
            tokens: (0..12).map(|t| (id as u32 + 5 * t) % 32).collect(),
        })
        .collect();
    // Nothing stops early, so that every run draws as many tokens.
    let spec = |max_new_tokens: usize| SampleSpec {
        seed: 0,
        step: 0,
        samples_per_prompt: 16,
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        stop: vec![],
        max_new_tokens,
    };
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let mut group = criterion.benchmark_group("32 prompts of 12 tokens, 16 samples each");
    for new_tokens in [16, 96] {
        let spec = spec(new_tokens);
        group.throughput(Throughput::Elements((32 * 16 * new_tokens) as u64));
        group.bench_function(format!("{new_tokens} new tokens"), |bencher| {
            bencher.iter(|| engine.sample(&prompts, &spec).expect("possible sampling"));
        });
    }
    group.finish();
    criterion.final_summary();
    Ok(())
}
