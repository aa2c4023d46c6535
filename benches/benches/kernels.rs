//! The fused operations, forwards and backwards, beside the compositions of candle's own operations
//! that they stand for.
//!
//! Sizes are those of a training step of 4096 tokens in sequences of 128, at a width of 256.

use std::hint::black_box;
use std::sync::Arc;

use candle_core::{D, DType, Device, Result, Tensor, Var};
use criterion::Criterion;
use equipoise_benches::{Pair, numbers, pairs, table};
use equipoise_kernels::ops::{LogProbs, attention, gather_rows, log_probs, rms_norm, rope, swiglu};
use equipoise_kernels::rows::rope::Table;
use equipoise_optim::{AdamW, AdamWConfig, Optimizer as _, Update, global_norm};

const TOKENS: usize = 4096;
const LENGTH: usize = 128;
const WIDTH: usize = 256;
const HEAD: usize = 64;
const INNER: usize = 768;
const VOCABULARY: usize = 4096;

fn var(rows: usize, columns: usize) -> Result<Var> {
    Var::from_vec(numbers(rows * columns), (rows, columns), &Device::Cpu)
}

/// Runs an operation on variables, sums its result and goes back.
fn both_ways(vars: &[Var], op: &impl Fn(&[Var]) -> Result<Tensor>) -> Result<()> {
    let gradients = op(vars)?.sum_all()?.backward()?;
    for var in vars {
        black_box(gradients.get(var));
    }
    Ok(())
}

fn pair(
    name: &str,
    vars: Vec<Var>,
    fused: impl Fn(&[Var]) -> Result<Tensor> + 'static,
    composed: impl Fn(&[Var]) -> Result<Tensor> + 'static,
) -> Pair {
    let others = vars.clone();
    Pair {
        name: name.to_owned(),
        work: None,
        ours: Box::new(move || both_ways(&vars, &fused).expect("the shapes fit")),
        theirs: Box::new(move || both_ways(&others, &composed).expect("the shapes fit")),
    }
}

fn norm() -> Result<Pair> {
    let vars = vec![
        var(TOKENS, WIDTH)?,
        Var::from_vec(numbers(WIDTH), WIDTH, &Device::Cpu)?,
    ];
    Ok(pair(
        "RMS normalisation",
        vars,
        |v| rms_norm(&v[0], &v[1], 1e-6),
        |v| {
            let mean = (v[0].sqr()?.sum_keepdim(D::Minus1)? / WIDTH as f64)?;
            v[0].broadcast_div(&(mean + 1e-6)?.sqrt()?)?
                .broadcast_mul(&v[1])
        },
    ))
}

fn rotary() -> Result<Pair> {
    let positions: Arc<[u32]> = (0..TOKENS).map(|t| (t % LENGTH) as u32).collect();
    let turns = Arc::new(Table::new(HEAD, LENGTH, 1e4));
    let frequency = |i: usize| 1e4_f32.powf(-2.0 * i as f32 / HEAD as f32);
    let angles = positions.iter();
    let angles: Vec<f32> = angles
        .flat_map(|&p| (0..HEAD / 2).map(move |i| p as f32 * frequency(i)))
        .collect();
    let angles = Tensor::from_vec(angles, (TOKENS, 1, HEAD / 2), &Device::Cpu)?;
    let (cosines, sines) = (angles.cos()?, angles.sin()?);
    Ok(pair(
        "rotary positions",
        vec![var(TOKENS, WIDTH)?],
        move |v| rope(&v[0], positions.clone(), turns.clone()),
        move |v| {
            let heads = v[0].reshape((TOKENS, WIDTH / HEAD, HEAD))?;
            let (low, high) = (
                heads.narrow(2, 0, HEAD / 2)?,
                heads.narrow(2, HEAD / 2, HEAD / 2)?,
            );
            let turned_low = (low.broadcast_mul(&cosines)? - high.broadcast_mul(&sines)?)?;
            let turned_high = (high.broadcast_mul(&cosines)? + low.broadcast_mul(&sines)?)?;
            Tensor::cat(&[turned_low, turned_high], 2)
        },
    ))
}

fn gated() -> Result<Pair> {
    Ok(pair(
        "SwiGLU",
        vec![var(TOKENS, INNER)?, var(TOKENS, INNER)?],
        |v| swiglu(&v[0], &v[1]),
        |v| v[0].silu()? * v[1].as_tensor(),
    ))
}

/// (sequences · heads, length, head) of a packed operand.
fn heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let split = x.reshape((TOKENS / LENGTH, LENGTH, heads, HEAD))?;
    split.transpose(1, 2)?.contiguous()
}

fn attend() -> Result<Pair> {
    let offsets: Arc<[usize]> = (0..=TOKENS / LENGTH).map(|s| s * LENGTH).collect();
    let (query_heads, key_heads) = (WIDTH / HEAD, WIDTH / HEAD / 2);
    let later = (0..LENGTH * LENGTH).map(|at| at % LENGTH > at / LENGTH);
    let mask: Vec<f32> = later
        .map(|l| if l { f32::NEG_INFINITY } else { 0.0 })
        .collect();
    let mask = Tensor::from_vec(mask, (1, 1, LENGTH, LENGTH), &Device::Cpu)?;
    Ok(pair(
        "causal attention, 4 heads on 2",
        vec![
            var(TOKENS, WIDTH)?,
            var(TOKENS, WIDTH / 2)?,
            var(TOKENS, WIDTH / 2)?,
        ],
        move |v| attention(&v[0], &v[1], &v[2], offsets.clone(), HEAD),
        move |v| {
            let repeated = |x: &Tensor| {
                let shape = (
                    TOKENS / LENGTH,
                    key_heads,
                    query_heads / key_heads,
                    LENGTH,
                    HEAD,
                );
                heads(x, key_heads)?
                    .unsqueeze(2)?
                    .broadcast_as(shape)?
                    .reshape((TOKENS / LENGTH, query_heads, LENGTH, HEAD))
            };
            let (q, k, v) = (
                heads(&v[0], query_heads)?,
                repeated(&v[1])?,
                repeated(&v[2])?,
            );
            let scores = (q.matmul(&k.t()?)? / (HEAD as f64).sqrt())?.broadcast_add(&mask)?;
            let weights = scores
                .broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?
                .exp()?;
            let weights = weights.broadcast_div(&weights.sum_keepdim(D::Minus1)?)?;
            weights.matmul(&v)
        },
    ))
}

fn vocabulary() -> Result<Pair> {
    let targets: Vec<u32> = (0..TOKENS).map(|t| (t * 17 % VOCABULARY) as u32).collect();
    let op = LogProbs {
        targets: targets.clone().into(),
        temperature: 1.0,
    };
    let targets = Tensor::new(targets, &Device::Cpu)?.unsqueeze(1)?;
    Ok(pair(
        "vocabulary to log-probability, entropy",
        vec![var(TOKENS, WIDTH)?, var(VOCABULARY, WIDTH)?],
        move |v| log_probs(&v[0], &v[1], op.clone()),
        move |v| {
            let z = v[0].matmul(&v[1].t()?)?;
            let shifted = z.broadcast_sub(&z.max_keepdim(D::Minus1)?.detach())?;
            let log_p = shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)?;
            let entropy = (log_p.exp()? * &log_p)?.sum_keepdim(D::Minus1)?.neg()?;
            Tensor::cat(&[log_p.gather(&targets, 1)?, entropy], 1)
        },
    ))
}

fn embedding() -> Result<Pair> {
    let ids: Arc<[u32]> = (0..TOKENS).map(|t| (t * 17 % VOCABULARY) as u32).collect();
    let index = Tensor::new(&ids[..], &Device::Cpu)?;
    Ok(pair(
        "embedding rows, gathered and scattered",
        vec![var(VOCABULARY, WIDTH)?],
        move |v| gather_rows(&v[0], ids.clone()),
        move |v| v[0].index_select(&index, 0),
    ))
}

/// AdamW of one matrix, beside the same formula in candle's operations.
fn adamw() -> Result<Pair> {
    let (parameter, gradient) = (var(VOCABULARY, WIDTH)?, var(VOCABULARY, WIDTH)?);
    let config = AdamWConfig {
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        decay_vectors: false,
        frozen: Default::default(),
    };
    let mut optimizer = AdamW::new(config).expect("possible numbers");
    let other = parameter.as_tensor().copy()?;
    let other = Var::from_tensor(&other)?;
    let (own_gradient, gradient) = (gradient.as_detached_tensor(), gradient.as_detached_tensor());
    let zeros = Tensor::zeros(gradient.shape(), DType::F32, &Device::Cpu)?;
    let (mut first, mut second) = (zeros.clone(), zeros);
    let mut composed = move || -> Result<()> {
        first = ((&first * 0.9)? + (&gradient * 0.1)?)?;
        second = ((&second * 0.999)? + (gradient.sqr()? * 0.001)?)?;
        let step = (&first / (second.sqrt()? + 1e-8)?)?;
        let weight = other.as_detached_tensor();
        other.set(&((weight * (1.0 - 1e-6))? - (step * 1e-4)?)?)
    };
    Ok(Pair {
        name: "AdamW, a million parameters".to_owned(),
        work: None,
        ours: Box::new(move || {
            let update = Update {
                name: "weight",
                parameter: &parameter,
                gradient: Some(&own_gradient),
            };
            optimizer
                .step(&[update], 1e-4, 1.0)
                .expect("a gradient for each parameter");
        }),
        theirs: Box::new(move || composed().expect("equal shapes")),
    })
}

fn gradient_norm() -> Result<Pair> {
    let gradient = var(VOCABULARY, WIDTH)?.as_detached_tensor();
    let other = gradient.clone();
    Ok(Pair {
        name: "norm of a million gradients".to_owned(),
        work: None,
        ours: Box::new(move || {
            black_box(global_norm([("weight", &gradient)]).expect("finite numbers"));
        }),
        theirs: Box::new(move || {
            let sum = other.sqr().and_then(|x| x.sum_all()?.to_scalar::<f32>());
            black_box(sum.expect("an f32 tensor").sqrt());
        }),
    })
}

fn main() -> Result<()> {
    equipoise_kernels::runtime::keep_candle_on_one_thread();
    let works = [
        norm,
        rotary,
        gated,
        attend,
        vocabulary,
        embedding,
        adamw,
        gradient_norm,
    ];
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for work in works {
        let Pair {
            name,
            mut ours,
            mut theirs,
            ..
        } = work()?;
        let mut group = criterion.benchmark_group(name);
        group.bench_function("equipoise", |bencher| bencher.iter(&mut ours));
        group.bench_function("candle", |bencher| bencher.iter(&mut theirs));
        group.finish();
    }
    criterion.final_summary();
    let works = works
        .into_iter()
        .map(|work| work())
        .collect::<Result<Vec<_>>>()?;
    table(
        "forwards and backwards; candle's operations as they are",
        pairs(15),
        works,
    );
    Ok(())
}
