//! Scratch timing.
use equipoise_models::*;
use equipoise_optim::*;
use std::time::Instant;
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
fn main() {
    equipoise_kernels::runtime::keep_candle_on_one_thread();
    let ck = std::env::args().any(|a| a == "ck");
    let bf = std::env::args().any(|a| a == "bf16");
    let config = Config {
        vocab_size: 4096,
        hidden_size: 256,
        num_hidden_layers: 8,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 64,
        intermediate_size: 768,
        rope_theta: 1e6,
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
    let d = Decoder::new(config, 0.02, 1)
        .unwrap()
        .with_activation_checkpointing(ck);
    let d = if bf {
        d.with_precision(equipoise_kernels::gemm::Precision::Bf16)
    } else {
        d
    };
    let mut opt = AdamW::new(AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        decay_vectors: false,
        frozen: Default::default(),
    })
    .unwrap();
    let mut b = TokenBatch::new();
    for i in 0..32u32 {
        let t: Vec<u32> = (0..128).map(|j| (i * 131 + j * 17) % 4096).collect();
        b.push(&t[..1], &t[1..]);
    }
    let need = Need::at_temperature(1.0);
    for _ in 0..8 {
        let t0 = Instant::now();
        let tape = d.forward(&b, &need).unwrap();
        let t1 = Instant::now();
        let lp = tape.outputs().logprobs.clone();
        let n = lp.values().len();
        let c = TokenCotangents {
            logprobs: lp.with_values(vec![-1.0 / n as f32; n]).unwrap(),
            ..Default::default()
        };
        let mut g = Gradients::new();
        tape.backward(&c, &mut g).unwrap();
        let t2 = Instant::now();
        let ts = g.into_tensors(d.parameters()).unwrap();
        let ups: Vec<_> = d
            .parameters()
            .iter()
            .zip(&ts)
            .map(|((name, parameter), g)| Update {
                name,
                parameter,
                gradient: Some(g),
            })
            .collect();
        let norm = global_norm(ups.iter().map(|u| (u.name, u.gradient.unwrap()))).unwrap();
        opt.step(&ups, 1e-4, clip_scale(norm, 1.0)).unwrap();
        let t3 = Instant::now();
        println!(
            "fwd {:.0} bwd {:.0} opt {:.0} total {:.0} ms loss {}",
            (t1 - t0).as_secs_f64() * 1e3,
            (t2 - t1).as_secs_f64() * 1e3,
            (t3 - t2).as_secs_f64() * 1e3,
            (t3 - t0).as_secs_f64() * 1e3,
            -lp.values().iter().sum::<f32>() / n as f32
        );
    }
    let s = std::fs::read_to_string("/proc/self/status").unwrap();
    println!("{}", s.lines().find(|l| l.starts_with("VmHWM")).unwrap());
}
