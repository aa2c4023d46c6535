//! The loss of an optimiser step: the same for every cut into micro-batches, and differentiated
//! correctly from end to end.

use candle_core::{Device, Tensor};
use equipoise_core::{Domain, Stream};
use equipoise_models::Gradients;

use super::update::Record;
use super::*;
use crate::recipe::{Recipe, Stage};

/// Widely different weights, all terms of the loss switched on.
const OVERRIDES: [&str; 6] = [
    "model.initializer_range=0.3",
    "sampler.max_new_tokens=14",
    "stage.rl.kl_coefficient=0.3",
    "stage.rl.entropy_coefficient=0.2",
    "stage.rl.prompts_per_step=4",
    "stage.rl.samples_per_prompt=4",
];

/// The reinforcement stage of the smallest recipe, with overrides, on a fresh model.
fn stage(overrides: &[String]) -> Rl {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
    let all: Vec<String> = OVERRIDES
        .iter()
        .map(|&o| o.to_owned())
        .chain(overrides.iter().cloned())
        .collect();
    let recipe = Recipe::load(&path, &all).unwrap();
    let (at, stage) = recipe
        .stages
        .iter()
        .enumerate()
        .find_map(|(at, stage)| match stage {
            Stage::Rl(stage) => Some((at, stage.clone())),
            Stage::Sft(_) => None,
        })
        .unwrap();
    let assembly = Assembly::new(recipe).unwrap();
    // A reference that differs from the policy, so that the divergence has a gradient.
    let reference = assembly.decoder.frozen_copy().unwrap();
    for (_, var) in reference.parameters().iter() {
        var.set(&(var.as_detached_tensor() * 0.9).unwrap()).unwrap();
    }
    Rl::new(
        assembly,
        stage,
        "rl".to_owned(),
        at as u64,
        0,
        Some(reference),
    )
    .unwrap()
}

/// One batch: completions of the fresh model with old log-probabilities moved a little, so that
/// ratios differ from one and some are clipped, and advantages of both signs and zero.
struct Batch {
    rollout: Rollout,
    responses: Vec<Response>,
    old: Vec<equipoise_core::Completion>,
}

fn batch(rl: &mut Rl) -> Batch {
    let rollout = rl.rollout(0).unwrap();
    let mut stream = Stream::new(9, Domain::Other, [0; 3]);
    let advantages: Vec<f64> = (0..rollout.completions().len())
        .map(|at| if at % 5 == 4 { 0.0 } else { stream.normal() })
        .collect();
    let mut old = rollout.completions().to_vec();
    for logprob in old
        .iter_mut()
        .flat_map(|completion| &mut completion.logprobs)
    {
        *logprob += (0.2 * stream.normal()) as f32;
    }
    Batch {
        responses: rl.responses(&rollout, &advantages),
        rollout,
        old,
    }
}

/// Loss, gradients and records with the given budget of tokens per micro-batch.
fn loss(rl: &Rl, batch: &Batch, budget: usize) -> (f64, Gradients, Vec<Record>) {
    let need = Need::at_temperature(rl.assembly.recipe.sampler.temperature);
    let sequences = batch.rollout.sequences(&batch.responses);
    let reference = rl.reference_outputs(&sequences, &need).unwrap();
    let weights = rl.weights(&batch.responses).unwrap();
    let stage = RlStage {
        tokens_per_micro_batch: budget,
        ..rl.stage.clone()
    };
    let update = Update {
        stage: &stage,
        parts: &rl.parts,
        completions: &batch.old,
        responses: &batch.responses,
        weights: &weights,
        token_advantages: None,
        seed: 0,
        reference: reference.as_deref(),
    };
    let (gradients, records) = update
        .gradient(&rl.assembly.decoder, &sequences, &need)
        .unwrap();
    let loss = records
        .iter()
        .map(|r| r.policy_loss + r.kl_loss + r.entropy_loss)
        .sum();
    (loss, gradients, records)
}

fn values(gradient: &Tensor) -> Vec<f32> {
    gradient.flatten_all().unwrap().to_vec1().unwrap()
}

/// The bound: a loss within 10⁻⁶ of itself, gradients within 10⁻⁵ of their largest element. The
/// cut changes the order of at most a few hundred additions in single precision.
#[test]
fn the_cut_into_micro_batches_changes_neither_loss_nor_gradient() {
    let mut beside = Vec::new();
    let rules = equipoise_aggregation::CATALOGUE
        .iter()
        .map(|entry| entry.name);
    let objectives = equipoise_objectives::CATALOGUE
        .iter()
        .map(|entry| entry.name);
    let changes = rules
        .map(|name| format!("stage.rl.aggregation={name}"))
        .chain(objectives.map(|name| format!("stage.rl.objective={name}")));
    for change in changes {
        let mut rl = stage(std::slice::from_ref(&change));
        let batch = batch(&mut rl);
        let (whole_loss, whole, records) = loss(&rl, &batch, usize::MAX);
        if !change.contains("objective") {
            assert!(
                records.iter().any(|r| r.clipped_low + r.clipped_high > 0),
                "nothing is clipped"
            );
        }
        // Divergence and entropy have weights of their own: the rule of the policy loss, which may
        // balance signs, does not reach them.
        beside.push(
            records
                .iter()
                .map(|r| (r.kl_loss, r.entropy_loss))
                .collect::<Vec<_>>(),
        );
        let longest = batch.rollout.lengths().into_iter().max().unwrap();
        for budget in [1, longest + 12, 60, 100, 200] {
            let (cut_loss, cut, _) = loss(&rl, &batch, budget);
            let error = (cut_loss - whole_loss).abs();
            assert!(
                error <= 1e-6 * whole_loss.abs(),
                "{change}, {budget}: {error:e}"
            );
            for ((at, whole), (cut_at, cut)) in whole.iter().zip(cut.iter()) {
                assert_eq!(at, cut_at);
                let (whole, cut) = (whole.to_vec(), cut.to_vec());
                let scale = whole
                    .iter()
                    .fold(0.0_f32, |largest, x| largest.max(x.abs()));
                assert!(scale > 0.0, "parameter {at} has no gradient");
                for (whole, cut) in whole.iter().zip(&cut) {
                    let error = (whole - cut).abs();
                    assert!(error <= 1e-5 * scale, "{change}, {budget}, {at}: {error:e}");
                }
            }
        }
    }
    assert!(beside.windows(2).all(|pair| pair[0] == pair[1]));
}

/// The count of threads decides which micro-batches run side by side, and nothing else.
#[test]
fn the_number_of_threads_changes_no_bit() {
    let mut rl = stage(&[]);
    let batch = batch(&mut rl);
    let mut with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let rl = &mut rl;
        let (loss, gradients, _) = pool.install(|| {
            let rl = rl;
            loss(rl, &batch, 60)
        });
        (
            loss,
            gradients
                .iter()
                .map(|(_, gradient)| gradient.to_vec())
                .collect::<Vec<_>>(),
        )
    };
    let one = with(1);
    assert_eq!(with(2), one);
    assert_eq!(with(3), one);
}

/// Policy loss, divergence and entropy bonus together, from the weights to the loss: the gradient
/// that is back-propagated is the derivative of the loss that is reported.
#[test]
fn the_gradient_is_the_derivative_of_the_reported_loss() {
    // No clipping, whose kinks a difference might straddle.
    let overrides = [
        "stage.rl.objective.epsilon_low=0.99",
        "stage.rl.objective.epsilon_high=50.0",
    ];
    let mut rl = stage(&overrides.map(str::to_owned));
    let batch = batch(&mut rl);
    let (_, gradients, _) = loss(&rl, &batch, 200);
    let step = 4e-3_f32;
    for (index, (name, var)) in rl.assembly.decoder.parameters().iter().enumerate() {
        let analytic = gradients.get(index).unwrap().to_vec();
        let scale = analytic
            .iter()
            .fold(0.0_f32, |largest, x| largest.max(x.abs()));
        // The element with the largest derivative, where rounding matters least.
        let at = analytic.iter().position(|x| x.abs() == scale).unwrap();
        let original = values(var.as_tensor());
        let moved = |delta: f32| {
            let mut values = original.clone();
            values[at] += delta;
            var.set(&Tensor::from_vec(values, var.shape(), &Device::Cpu).unwrap())
                .unwrap();
            loss(&rl, &batch, 200).0
        };
        let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        moved(0.0);
        let error = (numeric - f64::from(analytic[at])).abs();
        assert!(
            error < 0.01 * numeric.abs() + 1e-4,
            "{name}: {} and {numeric}",
            analytic[at]
        );
    }
}

#[test]
fn a_masked_completion_carries_no_loss() {
    let mut rl = stage(&["stage.rl.mask_truncated=true".to_owned()]);
    let batch = batch(&mut rl);
    let truncated = batch.rollout.truncated();
    assert!(
        truncated > 0 && truncated < batch.responses.len(),
        "{truncated} are truncated"
    );
    let (_, _, records) = loss(&rl, &batch, 200);
    for ((response, completion), record) in batch
        .responses
        .iter()
        .zip(batch.rollout.completions())
        .zip(&records)
    {
        let masked = completion.finish == Finish::Length;
        assert_eq!(response.tokens == 0, masked);
        assert_eq!(record.tokens, response.tokens);
    }
}

#[test]
fn alarms_stop_the_run_and_say_what_to_do() {
    let mut rl = stage(&["stage.rl.max_truncated_share=0.01".to_owned()]);
    let error = rl.step(0).err().unwrap().to_string();
    assert!(
        error.contains("rl step 0") && error.contains("sampler.max_new_tokens"),
        "{error}"
    );
    let mut rl = stage(&["stage.rl.max_no_signal_share=0.1".to_owned()]);
    let error = rl.step(0).err().unwrap().to_string();
    assert!(error.contains("max_no_signal_share = 0.1"), "{error}");
    // Completions whose log-probabilities are not the model's.
    let rl = stage(&[]);
    let record = Record {
        old_difference: f64::NAN,
        ..Record::default()
    };
    let error = rl.check_agreement(3, &[record]).unwrap_err().to_string();
    assert!(
        error.contains("rl step 3") && error.contains("max_logprob_difference"),
        "{error}"
    );
}

/// Sampled and scored with the same weights, a token has the same log-probability to the last bit.
#[test]
fn the_first_update_sees_a_ratio_of_exactly_one() {
    let mut rl = stage(&[]);
    let report = rl.step(0).unwrap();
    assert_eq!(report.metrics.get("sampler/logprob_difference"), Some(0.0));
    assert_eq!(report.metrics.get("clip/high"), Some(0.0));
}

/// ReMax answers every problem once more, and GDPO looks into the parts of the reward: what an estimator
/// asks for is there.
#[test]
fn estimators_get_what_they_need() {
    for estimator in equipoise_advantages::CATALOGUE {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/tiny.toml");
        let set = format!("stage.rl.estimator={}", estimator.name);
        let Err(error) = Recipe::load(&path, std::slice::from_ref(&set)) else {
            let mut rl = stage(&[set]);
            let report = rl.step(0).unwrap();
            assert!(report.metrics.get("loss").is_some(), "{}", estimator.name);
            continue;
        };
        let error = error.to_string();
        let what = format!("stage.rl.estimator: {} needs ", estimator.name);
        assert!(error.contains(&what), "{error}");
    }
}

#[test]
fn an_adaptive_rule_says_what_it_chose() {
    let mut rl = stage(&["stage.rl.aggregation=adaptive".to_owned()]);
    let report = rl.step(0).unwrap();
    let shares = ["sequence_mean", "token_mean", "balanced"].map(|rule| {
        report
            .metrics
            .get(&format!("aggregation/chose_{rule}"))
            .unwrap()
    });
    assert!(
        (shares.iter().sum::<f64>() - 1.0).abs() < 1e-12,
        "{shares:?}"
    );
}
