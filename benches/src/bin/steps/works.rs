//! Our side of every work, through the public interfaces.

use std::error::Error;
use std::time::Instant;

use equipoise_benches::peak::peak_flops;
use equipoise_core::Prompt;
use equipoise_data::{EOS, Tokenizer};
use equipoise_models::{
    Config, Decoder, Family, Gradients, LoraConfig, Need, OutputHeads, Policy, Precision,
    RopeScaling, TokenBatch, TokenCotangents,
};
use equipoise_optim::{AdamW, AdamWConfig, Optimizer, Update, clip_scale, global_norm};
use equipoise_samplers::{Engine, SampleSpec, Sampler};
use equipoise_trainer::recipe::{Recipe, Stage};
use equipoise_trainer::{Assembly, Learner, Rl};
use serde_json::json;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What was measured.
struct Measured {
    seconds: Vec<f64>,
    /// Floating-point operations of one repetition, as a formula counts them.
    flops: f64,
    precision: Precision,
    /// Tokens of one repetition, where they are what is asked for.
    tokens: Option<f64>,
}

/// Does one work and prints what it took.
pub(crate) fn run(name: &str) -> Outcome<()> {
    let (f32, bf16) = (Precision::F32, Precision::Bf16);
    let measured = match name {
        "train-f32" => train(f32, false),
        "train-bf16" => train(bf16, false),
        "train-f32-checkpointing" => train(f32, true),
        "train-adapter" => train_adapter(),
        "generate" => generate(f32),
        "generate-bf16" => generate(bf16),
        "grpo" => grpo("f32"),
        "grpo-bf16" => grpo("bf16"),
        "score-f32" => score(f32),
        "score-bf16" => score(bf16),
        "lora-f32" => lora(f32),
        "lora-bf16" => lora(bf16),
        _ => Err(format!("there is no work {name}").into()),
    }?;
    let peak_bytes = peak_bytes();
    let mut sorted = measured.seconds.clone();
    sorted.sort_by(f64::total_cmp);
    let seconds = sorted[sorted.len() / 2];
    let line = json!({
        "seconds": seconds,
        "fastest": sorted[0],
        "peak_bytes": peak_bytes,
        "threads": rayon::current_num_threads(),
        "tokens": measured.tokens,
        "gflops": measured.flops / seconds / 1e9,
        "roofline": measured.flops / seconds / peak_flops(measured.precision),
    });
    println!("{line}");
    Ok(())
}

/// The most memory this process had (Linux).
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(1024 * kilobytes)
}

fn timed(
    repetitions: usize,
    warm: usize,
    mut work: impl FnMut() -> Outcome<()>,
) -> Outcome<Vec<f64>> {
    for _ in 0..warm {
        work()?;
    }
    let each = (0..repetitions).map(|_| {
        let start = Instant::now();
        work()?;
        Ok(start.elapsed().as_secs_f64())
    });
    each.collect()
}

/// The Qwen3 shape of the small works: 7.3 million parameters.
fn small() -> Config {
    Config {
        family: Family::Qwen3,
        vocab_size: 4096,
        hidden_size: 256,
        num_hidden_layers: 8,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 64,
        intermediate_size: 768,
        rope_theta: 10_000.0,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
        max_position_embeddings: 256,
        eos_token_ids: vec![],
        heads: OutputHeads::Vocabulary,
        other: Default::default(),
    }
}

/// The shape of Qwen2.5-0.5B.
fn half_billion() -> Config {
    Config {
        family: Family::Qwen2,
        vocab_size: 151_936,
        hidden_size: 896,
        num_hidden_layers: 24,
        num_attention_heads: 14,
        intermediate_size: 4864,
        rope_theta: 1e6,
        attention_bias: true,
        max_position_embeddings: 1024,
        ..small()
    }
}

/// Multiplications and additions of a forward pass: two for each weight that meets a token, and the
/// attention's two products over the positions before each.
fn forward_flops(config: &Config, sequences: usize, length: usize) -> f64 {
    let shapes = config.parameter_shapes().into_iter();
    let matrices = shapes.filter(|(name, shape)| shape.len() == 2 && !name.contains("embed"));
    let weights: usize = matrices.map(|(_, shape)| shape[0] * shape[1]).sum();
    let vocabulary = config.vocab_size * config.hidden_size;
    let tokens = (sequences * length) as f64;
    let heads = (config.num_attention_heads * config.head_dim) as f64;
    let attention = 2.0 * tokens * length as f64 * heads * config.num_hidden_layers as f64;
    2.0 * tokens * (weights + vocabulary) as f64 + attention
}

fn batch(sequences: u32, length: u32, vocabulary: u32) -> TokenBatch {
    let mut batch = TokenBatch::new();
    for i in 0..sequences {
        let tokens: Vec<u32> = (0..length)
            .map(|j| (i * 131 + j * 17) % vocabulary)
            .collect();
        batch.push(&tokens[..1], &tokens[1..]);
    }
    batch
}

/// Forward, backward, clipping and AdamW on the mean of the negative log-probabilities.
fn step(decoder: &Decoder, optimizer: &mut AdamW, batch: &TokenBatch) -> Outcome<()> {
    let tape = decoder.forward(batch, &Need::at_temperature(1.0))?;
    let logprobs = &tape.outputs().logprobs;
    let count = logprobs.values().len();
    let cotangents = TokenCotangents {
        logprobs: logprobs
            .with_values(vec![-1.0 / count as f32; count])
            .ok_or("as many cotangents as log-probabilities")?,
        ..TokenCotangents::default()
    };
    let mut gradients = Gradients::new();
    tape.backward(&cotangents, &mut gradients)?;
    let gradients = gradients.into_tensors(decoder.parameters())?;
    let updates = decoder.parameters().iter().zip(&gradients);
    let updates: Vec<Update<'_>> = updates
        .map(|((name, parameter), gradient)| Update {
            name,
            parameter,
            gradient: Some(gradient),
        })
        .collect();
    let named = updates.iter().zip(&gradients);
    let norm = global_norm(named.map(|(update, gradient)| (update.name, gradient)))?;
    optimizer.step(&updates, 1e-4, clip_scale(norm, 1.0))?;
    Ok(())
}

fn optimizer() -> Outcome<AdamW> {
    Ok(AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        decay_vectors: true,
        frozen: Default::default(),
    })?)
}

fn train(precision: Precision, activation_checkpointing: bool) -> Outcome<Measured> {
    let decoder = Decoder::new(small(), 0.02, 0)?
        .with_precision(precision)
        .with_activation_checkpointing(activation_checkpointing);
    let (mut optimizer, batch) = (optimizer()?, batch(32, 128, 4096));
    Ok(Measured {
        seconds: timed(5, 2, || step(&decoder, &mut optimizer, &batch))?,
        flops: 3.0 * forward_flops(decoder.config(), 32, 128),
        precision,
        tokens: None,
    })
}

/// The small step again, only an adapter trained: what the frozen weights no longer cost.
fn train_adapter() -> Outcome<Measured> {
    let lora = LoraConfig {
        rank: 8,
        alpha: 8.0,
        ..LoraConfig::default()
    };
    let decoder = Decoder::new(small(), 0.02, 0)?.with_adapter(&lora, 0)?;
    let (mut optimizer, batch) = (optimizer()?, batch(32, 128, 4096));
    Ok(Measured {
        seconds: timed(5, 2, || step(&decoder, &mut optimizer, &batch))?,
        flops: 2.0 * forward_flops(decoder.config(), 32, 128),
        precision: Precision::F32,
        tokens: None,
    })
}

fn generate(precision: Precision) -> Outcome<Measured> {
    let decoder = Decoder::new(small(), 0.02, 0)?.with_precision(precision);
    let flops = forward_flops(decoder.config(), 32, 127);
    let mut engine = Engine::new(decoder);
    let prompts: Vec<Prompt> = (0..32)
        .map(|id| Prompt {
            id,
            tokens: (0..32).map(|j| (id as u32 * 131 + j * 17) % 4096).collect(),
        })
        .collect();
    let spec = SampleSpec {
        seed: 0,
        step: 0,
        samples_per_prompt: 1,
        temperature: 1.0,
        top_k: 0,
        top_p: 1.0,
        min_p: 0.0,
        stop: vec![],
        max_new_tokens: 96,
    };
    let seconds = timed(5, 1, || {
        let rows = engine.sample(&prompts, &spec)?;
        let tokens: usize = rows.iter().flatten().map(|row| row.tokens.len()).sum();
        (tokens == 32 * 96)
            .then_some(())
            .ok_or_else(|| "completions of 96 tokens".into())
    })?;
    Ok(Measured {
        seconds,
        flops,
        precision,
        tokens: Some(32.0 * 96.0),
    })
}

/// The recipe of the whole step: 32 prompts, 8 samples of at most 32 tokens each.
const GRPO: &str = r#"
name = "bench"
[model]
hidden_size = 128
num_hidden_layers = 4
num_attention_heads = 4
num_key_value_heads = 2
head_dim = 32
intermediate_size = 384
max_position_embeddings = 256
[data]
task = "arithmetic"
[data.arithmetic]
operands = [3, 3]
max_value = 49
[sampler]
max_new_tokens = 32
[verifier]
kind = "number"
format_weight = 0.1
[[stage]]
kind = "rl"
steps = 40
prompts_per_step = 32
samples_per_prompt = 8
learning_rate = 1e-7
tokens_per_micro_batch = 4096
eval_every = 0
checkpoint_every = 0
"#;

fn grpo(precision: &str) -> Outcome<Measured> {
    // Forty tokens, as in the peer's program: completions end by chance equally early.
    let directory = std::env::temp_dir().join(format!("equipoise-bench-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    let file = directory.join("tokenizer.json");
    let alphabet = "0123456789+-=<>/thinkabcdefgjlmopqrsuv\n?";
    let alphabet: Vec<String> = alphabet.chars().map(String::from).collect();
    Tokenizer::from_alphabet(&alphabet, EOS)?.save(&file)?;
    let overrides = [
        format!("engine.precision={precision}"),
        format!("data.tokenizer={}", file.display()),
    ];
    let recipe = Recipe::parse(GRPO, "the bench's recipe", &overrides)?;
    let Some(Stage::Rl(stage)) = recipe.stages.first().cloned() else {
        return Err("a stage of reinforcement learning".into());
    };
    let assembly = Assembly::new(recipe)?;
    std::fs::remove_dir_all(&directory)?;
    let config = assembly.decoder.config().clone();
    let precision = assembly.decoder.precision();
    let mut rl = Rl::new(assembly, stage, "rl".to_owned(), 0, 0, None)?;
    // Sums over the steps: completions end by chance.
    let (mut number, mut fed, mut sampled) = (0, 0.0, 0.0);
    let seconds = timed(15, 3, || {
        let start = Instant::now();
        let report = rl.step(number)?;
        number += 1;
        let rate = |key: &str| report.timings.get(key).unwrap_or(0.0);
        fed += rate("tokens_per_second/train") * rate("seconds/train");
        sampled += rate("tokens_per_second/sample") * rate("seconds/sample");
        if std::env::var_os("EQUIPOISE_BENCH_PARTS").is_some() {
            eprintln!(
                "{:.4} s: {:?}",
                start.elapsed().as_secs_f64(),
                report.timings
            );
        }
        Ok(())
    })?;
    let (fed, sampled) = (fed / number as f64, sampled / number as f64);
    // Sampling goes over every token once, training three times; a prompt is computed once for its
    // eight completions.
    let per_token = forward_flops(&config, 1, 40) / 40.0;
    let fed = sampled + (fed - sampled) / 8.0;
    Ok(Measured {
        seconds,
        flops: per_token * (3.0 * fed + sampled),
        precision,
        tokens: Some(sampled),
    })
}

fn score(precision: Precision) -> Outcome<Measured> {
    let decoder = Decoder::new(half_billion(), 0.02, 0)?.with_precision(precision);
    let batch = batch(8, 512, 151_936);
    let need = Need::at_temperature(1.0);
    let seconds = timed(1, 1, || {
        let outputs = decoder.score(&batch, &need)?;
        let finite = outputs.logprobs.values().iter().all(|x| x.is_finite());
        finite.then_some(()).ok_or_else(|| "finite numbers".into())
    })?;
    Ok(Measured {
        seconds,
        flops: forward_flops(decoder.config(), 8, 512),
        precision,
        tokens: None,
    })
}

fn lora(precision: Precision) -> Outcome<Measured> {
    let lora = LoraConfig {
        rank: 16,
        alpha: 16.0,
        ..LoraConfig::default()
    };
    let decoder = Decoder::new(half_billion(), 0.02, 0)?
        .with_precision(precision)
        .with_adapter(&lora, 0)?;
    let (mut optimizer, batch) = (optimizer()?, batch(8, 512, 151_936));
    Ok(Measured {
        seconds: timed(1, 1, || step(&decoder, &mut optimizer, &batch))?,
        // The frozen weights have no gradients of their own.
        flops: 2.0 * forward_flops(decoder.config(), 8, 512),
        precision,
        tokens: None,
    })
}
