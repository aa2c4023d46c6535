//! AdamW against numbers worked out by hand, against a plain double-precision loop, and against
//! properties every step must have.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{config, optimizer, values};
use equipoise_optim::{
    AdamW, AdamWConfig, Optimizer, Schedule, ScheduleKind, Update, clip_scale, global_norm,
};
use proptest::prelude::*;

fn one(name: &str) -> (Var, String) {
    let parameter = Var::new(&[[1.0_f32]], &Device::Cpu).unwrap();
    (parameter, name.to_owned())
}

fn step(optimizer: &mut AdamW, name: &str, parameter: &Var, gradient: &Tensor, rate: f64) {
    let update = Update {
        name,
        parameter,
        gradient: Some(gradient),
    };
    optimizer.step(&[update], rate, 1.0).unwrap();
}

#[test]
fn two_steps_by_hand() {
    // Step 1, g = 2: m = 0.2, v = 0.04, m̂ = 2, v̂ = 4, θ = 0.95 · 1 − 0.5 · 2 / 2 = 0.45.
    // Step 2, g = −1: m = 0.08, v = 0.0496, m̂ = 0.08 / 0.19 = 0.4210526,
    //   v̂ = 0.0496 / 0.0199 = 2.4924623, √v̂ = 1.5787534,
    //   θ = 0.95 · 0.45 − 0.5 · 0.4210526 / 1.5787534 = 0.4275 − 0.1333497 = 0.2941503.
    let mut optimizer = optimizer(AdamWConfig {
        beta2: 0.99,
        weight_decay: 0.1,
        ..config()
    });
    let (weight, name) = one("w");
    for (gradient, expected) in [(2.0_f32, 0.45_f32), (-1.0, 0.294_150_3)] {
        let gradient = Tensor::new(&[[gradient]], &Device::Cpu).unwrap();
        step(&mut optimizer, &name, &weight, &gradient, 0.5);
        let found = values(&weight)[0];
        assert!((found - expected).abs() < 1e-6, "{found}");
    }
    assert_eq!(optimizer.steps(), 2);
}

#[test]
fn vectors_decay_only_when_asked() {
    for (decay_vectors, expected) in [(false, 1.0), (true, 0.95)] {
        let mut optimizer = optimizer(AdamWConfig {
            weight_decay: 0.1,
            decay_vectors,
            ..config()
        });
        let weight = Var::new(&[1.0_f32], &Device::Cpu).unwrap();
        let gradient = Tensor::new(&[0.0_f32], &Device::Cpu).unwrap();
        step(&mut optimizer, "norm.weight", &weight, &gradient, 0.5);
        assert_eq!(values(&weight), [expected]);
    }
}

#[test]
fn fifty_clipped_steps_agree_with_the_reference() {
    let fixture: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/adamw.json")).unwrap();
    let setting = |key: &str| fixture["settings"][key].as_f64().unwrap();
    let floats = |value: &serde_json::Value| -> Vec<f64> {
        let items = value.as_array().unwrap().iter();
        items.map(|item| item.as_f64().unwrap()).collect()
    };
    let shapes: Vec<(String, Vec<usize>)> = fixture["shapes"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, shape)| {
            let shape = floats(shape).iter().map(|&size| size as usize).collect();
            (name.clone(), shape)
        })
        .collect();
    let tensor = |value: &serde_json::Value, shape: &[usize]| {
        let single: Vec<f32> = floats(value).iter().map(|&x| x as f32).collect();
        Tensor::from_vec(single, shape, &Device::Cpu).unwrap()
    };
    let parameters: Vec<Var> = shapes
        .iter()
        .map(|(name, shape)| Var::from_tensor(&tensor(&fixture["initial"][name], shape)).unwrap())
        .collect();
    let schedule = Schedule {
        kind: ScheduleKind::Cosine,
        warmup_steps: setting("warmup_steps") as u64,
        total_steps: setting("total_steps") as u64,
        final_fraction: setting("final_fraction"),
    };
    let mut optimizer = optimizer(AdamWConfig {
        beta1: setting("beta1"),
        beta2: setting("beta2"),
        epsilon: setting("epsilon"),
        weight_decay: setting("weight_decay"),
        ..config()
    });
    let norms = floats(&fixture["norms"]);
    let multipliers = floats(&fixture["multipliers"]);
    let mut compared = 0;
    for (index, gradients) in fixture["gradients"].as_array().unwrap().iter().enumerate() {
        let gradients: Vec<Tensor> = shapes
            .iter()
            .map(|(name, shape)| tensor(&gradients[name], shape))
            .collect();
        let named = || shapes.iter().map(|(name, _)| name.as_str());
        let norm = global_norm(named().zip(&gradients)).unwrap();
        assert!((norm - norms[index]).abs() < 1e-12 * norm);
        let multiplier = schedule.at(index as u64);
        assert!((multiplier - multipliers[index]).abs() < 1e-15);
        let updates: Vec<Update<'_>> = named()
            .zip(&parameters)
            .zip(&gradients)
            .map(|((name, parameter), gradient)| Update {
                name,
                parameter,
                gradient: Some(gradient),
            })
            .collect();
        let scale = clip_scale(norm, setting("max_norm"));
        optimizer
            .step(&updates, setting("peak") * multiplier, scale)
            .unwrap();
        let after = &fixture["after"][(index + 1).to_string()];
        if after.is_null() {
            continue;
        }
        for ((name, _), parameter) in shapes.iter().zip(&parameters) {
            for (found, expected) in values(parameter).iter().zip(floats(&after[name])) {
                // Fifty roundings to single precision of numbers of size 1.
                assert!(
                    (f64::from(*found) - expected).abs() < 3e-6,
                    "{name} {index}"
                );
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 4 * 16);
}

#[test]
fn low_precision_does_not_lose_small_steps() {
    // One step of 1e-4 is a fortieth of the spacing of bf16 below 1, so rounding after each step
    // would leave the weight at 1 for ever; a hundred steps through the master reach 0.99.
    let mut optimizer = optimizer(config());
    let weight = Var::new(&[1.0_f32], &Device::Cpu).unwrap();
    let weight = Var::from_tensor(&weight.to_dtype(DType::BF16).unwrap()).unwrap();
    let gradient = Tensor::new(&[3.0_f32], &Device::Cpu).unwrap();
    step(&mut optimizer, "w", &weight, &gradient, 1e-4);
    assert_eq!(values(&weight), [1.0]);
    for _ in 1..100 {
        step(&mut optimizer, "w", &weight, &gradient, 1e-4);
    }
    assert_eq!(values(&weight), [0.988_281_25]); // the bf16 nearest to 0.99
}

#[test]
fn a_weight_written_from_outside_is_not_undone_by_the_master() {
    let mut optimizer = optimizer(config());
    let low = |x: f32| {
        let tensor = Tensor::new(&[x], &Device::Cpu).unwrap();
        tensor.to_dtype(DType::BF16).unwrap()
    };
    let weight = Var::from_tensor(&low(1.0)).unwrap();
    let gradient = low(1.0);
    step(&mut optimizer, "w", &weight, &gradient, 0.25);
    assert_eq!(values(&weight), [0.75]);
    weight.set(&low(8.0)).unwrap();
    step(&mut optimizer, "w", &weight, &gradient, 0.25);
    assert_eq!(values(&weight), [7.75]);
}

#[test]
fn thread_count_does_not_matter() {
    let run = |threads| {
        let elements = 100_003;
        let data = |seed: usize| -> Vec<f32> {
            (0..elements)
                .map(|i| ((i * 2_654_435_761 + seed * 97) % 2001) as f32 * 1e-3 - 1.0)
                .collect()
        };
        let tensor = |seed| Tensor::from_vec(data(seed), elements, &Device::Cpu).unwrap();
        let weight = Var::from_tensor(&tensor(0)).unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let mut optimizer = optimizer(config());
            for seed in 1..4 {
                step(&mut optimizer, "w", &weight, &tensor(seed), 0.1);
            }
        });
        values(&weight)
    };
    assert_eq!(run(1), run(5));
}

proptest! {
    #[test]
    fn scaling_inside_the_pass_equals_scaling_the_gradient(
        gradients in prop::collection::vec(-10.0_f32..10.0, 1..40),
        power in -4_i32..4,
    ) {
        // Powers of two, so that the product itself is exact.
        let scale = 2.0_f64.powi(power);
        let size = gradients.len();
        let gradient = Tensor::from_vec(gradients, size, &Device::Cpu).unwrap();
        let scaled = (&gradient * scale).unwrap();
        let results = [(&gradient, scale), (&scaled, 1.0)].map(|(gradient, scale)| {
            let parameter = Var::ones(size, DType::F32, &Device::Cpu).unwrap();
            let mut optimizer = optimizer(config());
            for _ in 0..3 {
                let update = Update { name: "w", parameter: &parameter, gradient: Some(gradient) };
                optimizer.step(&[update], 0.1, scale).unwrap();
            }
            values(&parameter)
        });
        prop_assert_eq!(&results[0], &results[1]);
    }

    #[test]
    fn the_first_step_has_the_size_of_the_learning_rate(
        gradients in prop::collection::vec(prop_oneof![-1e3_f32..-1e-3, 1e-3_f32..1e3], 1..40),
        rate in 1e-4..1e-1,
    ) {
        // m̂ / √v̂ = g / |g| on the first step, whatever the gradient's size.
        let size = gradients.len();
        let parameter = Var::zeros(size, DType::F32, &Device::Cpu).unwrap();
        let gradient = Tensor::from_vec(gradients.clone(), size, &Device::Cpu).unwrap();
        step(&mut optimizer(config()), "w", &parameter, &gradient, rate);
        for (moved, gradient) in values(&parameter).iter().zip(gradients) {
            let expected = -rate * f64::from(gradient.signum());
            prop_assert!((f64::from(*moved) - expected).abs() < 3e-5 * rate);
        }
    }
}
