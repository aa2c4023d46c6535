//! Saving, resuming, and every way a step or a file can be refused.

mod common;

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor, Var};
use common::{config, optimizer, values};
use equipoise_optim::{AdamW, AdamWConfig, Optimizer, Update};

/// A small model: a matrix in f32, a matrix in bf16 and a vector.
fn model() -> Vec<(&'static str, Var)> {
    let shapes: [(&str, &[usize], DType); 3] = [
        ("embed", &[5, 3], DType::F32),
        ("lm_head", &[3, 5], DType::BF16),
        ("norm", &[3], DType::F32),
    ];
    let variable = |(name, shape, dtype): (&'static str, &[usize], DType)| {
        let tensor = pseudo_random(name.len(), shape);
        let tensor = tensor.to_dtype(dtype).unwrap();
        (name, Var::from_tensor(&tensor).unwrap())
    };
    shapes.into_iter().map(variable).collect()
}

fn pseudo_random(seed: usize, shape: &[usize]) -> Tensor {
    let elements: usize = shape.iter().product();
    let data: Vec<f32> = (0..elements)
        .map(|i| (((i + 31 * seed) * 2_654_435_761) % 1999) as f32 * 1e-3 - 1.0)
        .collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

fn train(optimizer: &mut AdamW, model: &[(&str, Var)], steps: std::ops::Range<usize>) {
    for step in steps {
        let gradients: Vec<Tensor> = model
            .iter()
            .map(|(name, parameter)| pseudo_random(step * 7 + name.len(), parameter.dims()))
            .collect();
        let updates: Vec<Update<'_>> = model
            .iter()
            .zip(&gradients)
            .map(|((name, parameter), gradient)| Update {
                name,
                parameter,
                gradient: Some(gradient),
            })
            .collect();
        optimizer.step(&updates, 0.01, 0.7).unwrap();
    }
}

fn borrowed<'a>(model: &'a [(&'a str, Var)]) -> Vec<(&'a str, &'a Var)> {
    model.iter().map(|(name, var)| (*name, var)).collect()
}

fn saved(dir: &Path) -> (AdamW, PathBuf) {
    let mut original = optimizer(config());
    train(&mut original, &model(), 0..3);
    let path = dir.join("optimizer.safetensors");
    original.save(&path).unwrap();
    (original, path)
}

fn load_error(path: &Path, parameters: &[(&str, &Var)]) -> String {
    let mut optimizer = optimizer(config());
    let error = optimizer.load(path, parameters).unwrap_err().to_string();
    assert_eq!(optimizer.steps(), 0, "a failed load must change nothing");
    let shown = error.strip_prefix(&format!("{}: ", path.display()));
    shown.expect("every error names the file").to_owned()
}

#[test]
fn a_resumed_run_is_the_uninterrupted_run() {
    let dir = tempfile::tempdir().unwrap();
    for interrupted_at in [0, 1, 5, 9] {
        let (straight, resumed) = (model(), model());
        train(&mut optimizer(config()), &straight, 0..10);

        let path = dir.path().join("optimizer.safetensors");
        let mut before = optimizer(config());
        train(&mut before, &resumed, 0..interrupted_at);
        before.save(&path).unwrap();
        let mut after = optimizer(config());
        after.load(&path, &borrowed(&resumed)).unwrap();
        assert_eq!(after.steps(), interrupted_at as u64);
        train(&mut after, &resumed, interrupted_at..10);

        for ((name, one), (_, other)) in straight.iter().zip(&resumed) {
            let bits = |var| values(var).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(one), bits(other), "{name} {interrupted_at}");
        }
    }
}

#[test]
fn saving_a_loaded_state_gives_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = saved(dir.path());
    let model = model();
    let mut copy = optimizer(config());
    copy.load(&path, &borrowed(&model)).unwrap();
    let again = dir.path().join("again.safetensors");
    copy.save(&again).unwrap();
    assert_eq!(
        std::fs::read(&path).unwrap(),
        std::fs::read(&again).unwrap()
    );
    // Nothing but the two files: no temporary name is left behind.
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_save_that_fails_names_the_file_and_leaves_the_old_one() {
    let dir = tempfile::tempdir().unwrap();
    let (original, path) = saved(dir.path());
    let before = std::fs::read(&path).unwrap();
    let nowhere = dir.path().join("missing").join("optimizer.safetensors");
    let error = original.save(&nowhere).unwrap_err().to_string();
    assert!(error.starts_with(&nowhere.display().to_string()), "{error}");
    // A directory cannot be replaced by a file, so the last step, the rename, fails.
    let blocked = dir.path().join("blocked");
    std::fs::create_dir_all(blocked.join("inside")).unwrap();
    assert!(original.save(&blocked).is_err());
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
}

#[test]
fn a_state_of_another_model_is_refused_with_every_difference() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = saved(dir.path());
    let other = |shape: &[usize]| Var::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let (embed, norm, bias) = (other(&[5, 4]), other(&[3]), other(&[3]));
    let head = Var::zeros((3, 5), DType::F32, &Device::Cpu).unwrap();
    let parameters = [
        ("embed", &embed),
        ("lm_head", &head),
        ("norm", &norm),
        ("bias", &bias),
    ];
    assert_eq!(
        load_error(&path, &parameters),
        "the saved optimiser state does not fit these parameters: \
         first_moment.embed has shape [5, 3], the parameter [5, 4]; \
         second_moment.embed has shape [5, 3], the parameter [5, 4]; \
         first_moment.bias is missing; second_moment.bias is missing; \
         master.lm_head belongs to no parameter"
    );
}

#[test]
fn damaged_and_foreign_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let (_, path) = saved(dir.path());
    let whole = std::fs::read(&path).unwrap();
    let model = model();
    let parameters = borrowed(&model);

    std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let error = load_error(&path, &parameters);
    assert!(error.starts_with("not a readable AdamW state: "), "{error}");
    std::fs::write(&path, b"{}").unwrap();
    let error = load_error(&path, &parameters);
    assert!(error.starts_with("not a readable AdamW state: "), "{error}");

    let weights = std::collections::HashMap::from([("embed", pseudo_random(0, &[5, 3]))]);
    candle_core::safetensors::save(&weights, &path).unwrap();
    assert_eq!(
        load_error(&path, &parameters),
        "not a readable AdamW state: its metadata have no entry adamw_steps"
    );
    std::fs::remove_file(&path).unwrap();
    assert!(load_error(&path, &parameters).contains("No such file"));
}

#[test]
fn a_refused_step_names_the_parameter_and_changes_nothing() {
    let model = model();
    let before: Vec<Vec<f32>> = model.iter().map(|(_, var)| values(var)).collect();
    let mut optimizer = optimizer(config());
    let good = pseudo_random(1, &[5, 3]);
    let embed = Update {
        name: "embed",
        parameter: &model[0].1,
        gradient: Some(&good),
    };
    let norm = |gradient| Update {
        name: "norm",
        parameter: &model[2].1,
        gradient,
    };
    let double = Tensor::zeros(3, DType::F64, &Device::Cpu).unwrap();
    let long = Tensor::zeros(4, DType::F32, &Device::Cpu).unwrap();
    let cases = [
        (
            vec![embed, norm(None)],
            "parameter norm: no gradient. Either the loss does not depend on it, or an operation \
             on the way cut the gradient; list it as frozen if it is not meant to be trained",
        ),
        (
            vec![embed, norm(Some(&long))],
            "parameter norm: the gradient has shape [4], the parameter [3]",
        ),
        (
            vec![embed, norm(Some(&double))],
            "parameter norm: the gradient is F64; supported are contiguous f32, bf16 and f16 on \
             the CPU",
        ),
        (
            vec![embed, embed],
            "parameter embed occurs twice in one step",
        ),
    ];
    for (updates, expected) in cases {
        let error = optimizer.step(&updates, 0.1, 1.0).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    for (rate, scale, expected) in [
        (
            f64::NAN,
            1.0,
            "learning_rate is NaN, it must be finite and not negative",
        ),
        (
            0.1,
            -1.0,
            "gradient_scale is -1, it must be finite and not negative",
        ),
    ] {
        let error = optimizer.step(&[embed], rate, scale).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(optimizer.steps(), 0);
    for ((_, var), before) in model.iter().zip(before) {
        assert_eq!(values(var), before);
    }
}

#[test]
fn every_step_covers_the_same_parameters() {
    let model = model();
    let mut optimizer = optimizer(config());
    train(&mut optimizer, &model[..2], 0..1);
    let gradient = pseudo_random(1, &[3]);
    let update = Update {
        name: "norm",
        parameter: &model[2].1,
        gradient: Some(&gradient),
    };
    assert_eq!(
        optimizer.step(&[update], 0.1, 1.0).unwrap_err().to_string(),
        "the parameters differ from those of earlier steps (1 so far): missing [\"embed\", \
         \"lm_head\"], new [\"norm\"]. All parameters share one step count, so every step must \
         cover them all"
    );
}

#[test]
fn frozen_parameters_stay_and_need_no_gradient() {
    let dir = tempfile::tempdir().unwrap();
    let model = model();
    let frozen = AdamWConfig {
        frozen: ["norm".to_owned()].into(),
        ..config()
    };
    let mut optimizer = optimizer(frozen.clone());
    let before = values(&model[2].1);
    train(&mut optimizer, &model, 0..2);
    let gradient = pseudo_random(1, &[5, 3]);
    let embed = Update {
        name: "embed",
        parameter: &model[0].1,
        gradient: Some(&gradient),
    };
    assert_eq!(values(&model[2].1), before);
    assert_eq!(
        optimizer.step(&[embed], 0.1, 1.0).unwrap_err().to_string(),
        "frozen parameter norm does not exist; the parameters are embed"
    );
    let path = dir.path().join("state");
    optimizer.save(&path).unwrap();
    let mut again = AdamW::new(frozen).unwrap();
    again.load(&path, &borrowed(&model)).unwrap();
    assert_eq!(again.steps(), 2);
}

#[test]
fn impossible_configurations_are_refused() {
    let cases = [
        (
            AdamWConfig {
                beta1: 1.0,
                ..config()
            },
            "beta1 is 1, it must be in [0, 1)",
        ),
        (
            AdamWConfig {
                beta2: -0.1,
                ..config()
            },
            "beta2 is -0.1, it must be in [0, 1)",
        ),
        (
            AdamWConfig {
                epsilon: 0.0,
                ..config()
            },
            "epsilon is 0, it must be positive and finite",
        ),
        (
            AdamWConfig {
                weight_decay: f64::INFINITY,
                ..config()
            },
            "weight_decay is inf, it must be finite and not negative",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(AdamW::new(config).unwrap_err().to_string(), expected);
    }
}
