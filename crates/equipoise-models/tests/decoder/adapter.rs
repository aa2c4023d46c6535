//! Low-rank adapters: what they change, what they leave alone, and their files.

use equipoise_core::{Domain, Stream};
use equipoise_kernels::crew::Crew;
use equipoise_models::decoder::decoding::{Sequence, View, Workspace};
use equipoise_models::{
    Decoder, Dropout, LoraConfig, ModelError, Policy, Precision, TokenCotangents, adapter_base,
};

use crate::support::{batch, config, cotangents, decoder, gradients, need, set, weights};

fn lora(target_modules: &[&str]) -> LoraConfig {
    LoraConfig {
        rank: 3,
        alpha: 5.0,
        target_modules: target_modules.iter().map(|&name| name.to_owned()).collect(),
        ..LoraConfig::default()
    }
}

/// An adapter on everything whose B is not zero.
fn adapted() -> Decoder {
    adapted_by(&lora(&["all-linear"]))
}

fn adapted_by(lora: &LoraConfig) -> Decoder {
    let adapted = decoder(false).with_adapter(lora, 1).unwrap();
    for (at, (_, var)) in adapted.parameters().iter().enumerate() {
        let mut stream = Stream::new(7, Domain::Other, [at as u64, 0, 0]);
        let values = (0..var.elem_count()).map(|_| 0.1 * stream.normal() as f32);
        set(var, values.collect());
    }
    adapted
}

#[test]
fn a_new_adapter_changes_no_bit_and_trains_nothing_else() {
    for tied in [true, false] {
        let base = decoder(tied);
        let adapted = base.with_adapter(&lora(&["q_proj", "mlp.*"]), 1).unwrap();
        let score = |decoder: &Decoder| decoder.score(&batch(), &need()).unwrap();
        assert_eq!(score(&adapted), score(&base));
        // Two matrices for each of four modules in each of two layers.
        assert_eq!(adapted.parameters().len(), 16);
        let names = adapted.parameters().iter().map(|(name, _)| name);
        assert_eq!(
            names.take(2).collect::<Vec<_>>(),
            [
                "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight",
                "base_model.model.model.layers.0.mlp.down_proj.lora_B.weight",
            ]
        );
        let same = base.with_adapter(&lora(&["q_proj", "mlp.*"]), 1).unwrap();
        assert!(
            weights(&same) == weights(&adapted),
            "the seed alone decides"
        );
        let other = base.with_adapter(&lora(&["q_proj", "mlp.*"]), 2).unwrap();
        assert!(weights(&other) != weights(&adapted));
    }
}

/// So a divergence from it is exactly zero at the first step, and costs no memory.
#[test]
fn the_reference_is_the_base_in_the_same_memory() {
    let adapted = adapted();
    let reference = adapted.reference().unwrap();
    let score = |decoder: &Decoder| decoder.score(&batch(), &need()).unwrap();
    assert_eq!(score(&reference), score(&decoder(false)));
    assert_ne!(score(&reference), score(&adapted));
    assert_eq!(reference.parameters().len(), 0);
    let pointer = |decoder: &Decoder| {
        let (_, var) = decoder.base().iter().next().unwrap();
        equipoise_kernels::ops::with_elements(var, |values| values.as_ptr()).unwrap()
    };
    assert_eq!(pointer(&reference), pointer(&adapted));
    // Of a model without an adapter the reference is a copy.
    let plain = decoder(true);
    assert_ne!(pointer(&plain.reference().unwrap()), pointer(&plain));
}

#[test]
fn only_the_adapter_gets_gradients_and_all_of_it() {
    let adapted = adapted();
    let outputs = adapted.score(&batch(), &need()).unwrap();
    let found = gradients(&adapted, &batch(), &need(), &cotangents(&outputs));
    assert_eq!(found.len(), 2 * 7 * 2);
    for (name, gradient) in found {
        assert!(name.contains("lora_"), "{name}");
        assert!(gradient.iter().any(|g| *g != 0.0), "{name}");
    }
}

/// The sampler's way gives the trainer's bits with an adapter, too, of every rank and in every
/// precision.
#[test]
fn decoding_gives_the_bits_of_scoring() {
    for rank in [1, 3] {
        for precision in [Precision::F32, Precision::Bf16] {
            let lora = LoraConfig {
                rank,
                ..lora(&["all-linear"])
            };
            let adapted = adapted_by(&lora).with_precision(precision);
            decoding_is_scoring(&adapted, 1);
            decoding_is_scoring(&adapted, 2);
        }
    }
}

fn decoding_is_scoring(adapted: &Decoder, members: usize) {
    let tokens = [3, 1, 4, 1, 5, 9];
    let logits_of = |decoder: &Decoder| {
        let body = |view: &View<'_>| {
            let decode = |crew: &Crew<'_>| {
                let (mut workspace, mut logits) = (Workspace::default(), vec![0.0; 13]);
                let own = view
                    .prefill(crew, &[&tokens[..5]], &mut workspace, &mut logits)
                    .unwrap();
                let mut sequences: Vec<Sequence> = own
                    .into_iter()
                    .map(|own| Sequence { prefix: None, own })
                    .collect();
                view.step(
                    crew,
                    &tokens[5..],
                    &mut sequences,
                    &mut workspace,
                    &mut logits,
                )
                .unwrap();
                logits
            };
            Crew::gather(members, decode)
        };
        decoder.with_view(body).unwrap()
    };
    let mut logits = logits_of(adapted);
    let statistics = equipoise_kernels::rows::log_prob::statistics(&mut logits, 1.0);
    let mut batch = equipoise_models::TokenBatch::new();
    batch.push(&tokens, &[2]);
    let need = equipoise_models::Need::at_temperature(1.0);
    let scored = adapted.score(&batch, &need).unwrap();
    assert_eq!(scored.logprobs.values(), [statistics.log_prob(logits[2])]);
}

#[test]
fn merging_gives_the_same_model_and_leaves_the_base() {
    let adapted = adapted();
    let before = adapted.without_adapter().score(&batch(), &need()).unwrap();
    let merged = adapted.merged().unwrap();
    assert!(merged.adapter().is_none());
    let (one, two) = (
        adapted.score(&batch(), &need()).unwrap(),
        merged.score(&batch(), &need()).unwrap(),
    );
    for (one, two) in one.logprobs.values().iter().zip(two.logprobs.values()) {
        assert!((one - two).abs() < 2e-5, "{one} and {two}");
    }
    let after = adapted.without_adapter().score(&batch(), &need()).unwrap();
    assert_eq!(after, before);
}

#[test]
fn an_adapter_survives_its_files_and_names_its_base() {
    let (adapted, directory) = (adapted(), tempfile::tempdir().unwrap());
    let base = directory.path().join("base");
    adapted.save(&base).unwrap();
    assert_eq!(adapter_base(directory.path()).unwrap(), None);
    adapted.save_adapter(directory.path(), &base).unwrap();
    let found = adapter_base(directory.path()).unwrap().unwrap();
    let loaded = Decoder::load(&found).unwrap();
    let loaded = loaded.load_adapter(directory.path()).unwrap();
    assert!(weights(&loaded) == weights(&adapted));
    let score = |decoder: &Decoder| decoder.score(&batch(), &need()).unwrap();
    assert_eq!(score(&loaded), score(&adapted));
    // In place, as a resumed run does.
    let other = Decoder::load(&base).unwrap();
    let other = other.with_adapter(&lora(&["all-linear"]), 9).unwrap();
    other.load_weights(directory.path()).unwrap();
    assert!(weights(&other) == weights(&adapted));
    let wrong = LoraConfig {
        rank: 2,
        ..lora(&["all-linear"])
    };
    let other = Decoder::load(&base)
        .unwrap()
        .with_adapter(&wrong, 9)
        .unwrap();
    let error = other.load_weights(directory.path()).unwrap_err();
    assert!(error.to_string().contains("r is 3, expected 2"), "{error}");
}

#[test]
fn what_is_no_adapter_of_ours_is_named() {
    let (adapted, directory) = (adapted(), tempfile::tempdir().unwrap());
    adapted
        .save_adapter(directory.path(), directory.path())
        .unwrap();
    let path = directory.path().join("adapter_config.json");
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, words) in [
        ("\"LORA\"", "\"IA3\"", "peft_type is IA3"),
        ("\"r\": 3", "\"r\": 4", "has shape [3, "),
        (
            "\"modules_to_save\": null",
            "\"modules_to_save\": [\"embed_tokens\"]",
            "names \"embed_tokens\"",
        ),
    ] {
        assert!(text.contains(from), "{from}: {text}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let error = decoder(false).load_adapter(directory.path()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    }
    let error = adapted.with_adapter(&lora(&["q_proj"]), 0).unwrap_err();
    assert!(
        error.to_string().contains("has an adapter already"),
        "{error}"
    );
    let error = decoder(true).save_adapter(directory.path(), directory.path());
    assert!(matches!(error, Err(ModelError::Config(_))));
    let error = decoder(true).with_adapter(&lora(&["w1"]), 0).unwrap_err();
    assert!(
        error.to_string().contains("\"w1\" names no linear layer"),
        "{error}"
    );
}

/// A rank above the smaller side of a matrix says nothing more than that side.
#[test]
fn a_rank_has_the_size_of_the_matrix() {
    let ranked = |rank| LoraConfig {
        rank,
        ..lora(&["k_proj"])
    };
    let base = decoder(false);
    let shape = base
        .parameters()
        .get("model.layers.0.self_attn.k_proj.weight");
    let (outputs, inputs) = shape.unwrap().dims2().unwrap();
    let most = outputs.min(inputs);
    assert!(base.with_adapter(&ranked(most), 0).is_ok());
    let error = base
        .with_adapter(&ranked(most + 1), 0)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains(&format!(
            "the rank is {}, more than model.layers.0.self_attn.k_proj has",
            most + 1
        )),
        "{error}"
    );
}

/// PEFT takes the adapter of a policy with a value head for that of a language model, and the head stays.
#[test]
fn the_adapter_of_a_policy_with_a_value_head_is_a_language_models() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let valued = decoder(false).with_score_head(3).unwrap();
    let adapted = valued.with_adapter(&lora(&["q_proj"]), 1).unwrap();
    adapted.save_adapter(path, path).unwrap();
    let text = std::fs::read_to_string(path.join("adapter_config.json")).unwrap();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["task_type"], "CAUSAL_LM");
    assert!(json["modules_to_save"].is_null());
    let other = decoder(false).with_score_head(4).unwrap();
    let loaded = other.load_adapter(path).unwrap();
    let score = |model: &Decoder| weights_of(model, "score.weight");
    assert_eq!(score(&loaded), score(&adapted));
}

/// Files that hold more or less than the adapter, or are damaged; and a failure changes nothing.
#[test]
fn adapter_files_that_do_not_fit_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    let weights = path.join("adapter_model.safetensors");
    let refused = |words: &str| {
        let error = decoder(false).load_adapter(path).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
    };
    // A head was trained beside it, and the model it is put on has none.
    let head = decoder(false).with_score_head(3).unwrap();
    let beside = head.with_adapter(&lora(&["q_proj"]), 1).unwrap();
    beside.save_adapter(path, path).unwrap();
    refused("base_model.model.score.weight is no part");
    let again = decoder(false).with_score_head(4).unwrap();
    let loaded = again.load_adapter(path).unwrap();
    let score = |model: &Decoder| weights_of(model, "score.weight");
    assert_eq!(score(&loaded), score(&beside));

    // Promised, and not there: the head stays as it was.
    let plain = decoder(false).with_adapter(&lora(&["q_proj"]), 1).unwrap();
    let other = tempfile::tempdir().unwrap();
    plain.save_adapter(other.path(), path).unwrap();
    std::fs::copy(other.path().join("adapter_model.safetensors"), &weights).unwrap();
    let untouched = decoder(false).with_score_head(5).unwrap();
    let before = score(&untouched);
    let error = untouched.load_adapter(path).unwrap_err();
    assert!(
        error.to_string().contains("score.weight is missing"),
        "{error}"
    );
    assert_eq!(score(&untouched), before);

    // More modules than the adapter that takes them over.
    adapted().save_adapter(path, path).unwrap();
    let error = plain.load_weights(path).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("no part of this model's adapter"),
        "{error}"
    );

    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() - 1]).unwrap();
    refused("cut short");
    std::fs::remove_file(&weights).unwrap();
    refused("adapter_model.safetensors");
}

fn weights_of(model: &Decoder, name: &str) -> Vec<f32> {
    let var = model.parameters().get(name).unwrap();
    var.flatten_all().unwrap().to_vec1().unwrap()
}

/// With dropout the scalar is still a function of the weights, and its gradient that of the scalar;
/// and a batch cut in two draws what the whole draws.
#[test]
fn dropout_is_differentiated_and_independent_of_micro_batches() {
    let adapted = adapted();
    let dropout = |first_sequence| Dropout {
        seed: 1,
        step: 2,
        first_sequence,
        probability: 0.3,
    };
    let with = |first| need().with_dropout(dropout(first));
    let whole = adapted.score(&batch(), &with(0)).unwrap();
    assert_ne!(whole, adapted.score(&batch(), &need()).unwrap());
    assert_eq!(whole, adapted.score(&batch(), &with(0)).unwrap());
    let mut second = equipoise_models::TokenBatch::new();
    let (tokens, scored) = (
        batch().tokens().row(1).to_vec(),
        batch().scored().row(1).to_vec(),
    );
    second.push_masked(&tokens, &scored).unwrap();
    let alone = adapted.score(&second, &with(1)).unwrap();
    assert_eq!(alone.logprobs.row(0), whole.logprobs.row(1));

    let cotangents = cotangents(&whole);
    let analytic = gradients(&adapted, &batch(), &with(0), &cotangents);
    let scalar = |cotangents: &TokenCotangents| -> f64 {
        let outputs = adapted.score(&batch(), &with(0)).unwrap();
        let products = |xs: &[f32], ys: &[f32]| -> f64 {
            let pairs = xs.iter().zip(ys);
            pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum()
        };
        products(cotangents.logprobs.values(), outputs.logprobs.values())
            + products(
                cotangents.entropies.as_ref().unwrap().values(),
                outputs.entropies.values(),
            )
    };
    let step = 1.0 / 256.0;
    for ((name, var), (_, analytic)) in adapted.parameters().iter().zip(&analytic) {
        let original: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        let largest = analytic.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        let at = analytic.iter().position(|g| g.abs() == largest).unwrap();
        let moved = |delta: f32| {
            let mut changed = original.clone();
            changed[at] += delta;
            set(var, changed);
            scalar(&cotangents)
        };
        let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        set(var, original);
        let error = (numeric - f64::from(analytic[at])).abs();
        assert!(
            error < 2e-3 + 5e-3 * f64::from(largest),
            "{name}: {numeric}"
        );
    }
}

/// A value head beside the vocabulary: its gradient is that of its numbers, and the policy's numbers
/// do not change.
#[test]
fn a_value_head_shares_the_trunk() {
    let plain = decoder(true);
    let valued = plain.with_score_head(3).unwrap();
    assert_eq!(valued.parameters().len(), plain.parameters().len() + 1);
    let outputs = valued.score(&batch(), &need().with_values()).unwrap();
    let values = outputs.values.clone().unwrap();
    assert_eq!(values.offsets(), outputs.logprobs.offsets());
    assert_eq!(
        outputs.logprobs,
        plain.score(&batch(), &need()).unwrap().logprobs
    );
    let error = plain.score(&batch(), &need().with_values()).unwrap_err();
    assert!(error.to_string().contains("no score head"), "{error}");

    let all = cotangents(&outputs);
    let only_values = TokenCotangents {
        logprobs: outputs
            .logprobs
            .with_values(vec![0.0; values.values().len()])
            .unwrap(),
        values: Some(all.logprobs.clone()),
        ..TokenCotangents::default()
    };
    let analytic = gradients(&valued, &batch(), &need().with_values(), &only_values);
    let scalar = || -> f64 {
        let outputs = valued.score(&batch(), &need().with_values()).unwrap();
        let pairs = all
            .logprobs
            .values()
            .iter()
            .zip(outputs.values.as_ref().unwrap().values());
        pairs.map(|(&c, &v)| f64::from(c) * f64::from(v)).sum()
    };
    let step = 1.0 / 256.0;
    for ((name, var), (_, analytic)) in valued.parameters().iter().zip(&analytic) {
        let original: Vec<f32> = var.flatten_all().unwrap().to_vec1().unwrap();
        let largest = analytic.iter().fold(0.0_f32, |most, g| most.max(g.abs()));
        assert!(largest > 0.0, "{name}");
        let at = analytic.iter().position(|g| g.abs() == largest).unwrap();
        let moved = |delta: f32| {
            let mut changed = original.clone();
            changed[at] += delta;
            set(var, changed);
            scalar()
        };
        let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
        set(var, original);
        let error = (numeric - f64::from(analytic[at])).abs();
        assert!(
            error < 1e-4 + 5e-3 * f64::from(largest),
            "{name}: {numeric}, {largest}"
        );
    }
    // And it survives its files.
    let directory = tempfile::tempdir().unwrap();
    valued.save(directory.path()).unwrap();
    let loaded = Decoder::load(directory.path()).unwrap();
    assert_eq!(loaded.config().heads, valued.config().heads);
    assert!(weights(&loaded) == weights(&valued));
    assert_ne!(loaded.config(), &config(true));
}
