//! Score heads: made from a language model, with and without an adapter beside them.

use equipoise_models::{
    Decoder, Gradients, LoraConfig, ModelError, Need, OutputHeads, Policy, TokenCotangents,
    TokenOutputs,
};

use crate::support::{batch, decoder, need, set, values, weights};

fn scored() -> Need {
    need().with_values().with_sequence_scores()
}

fn outputs(model: &Decoder) -> TokenOutputs {
    model.score(&batch(), &scored()).unwrap()
}

fn lora() -> LoraConfig {
    LoraConfig {
        rank: 2,
        alpha: 3.0,
        target_modules: vec!["q_proj".to_owned(), "up_proj".to_owned()],
        ..LoraConfig::default()
    }
}

/// The gradients of Σ (position + 1) · score over the sequences.
fn score_gradients(model: &Decoder) -> Vec<(String, Vec<f32>)> {
    let need = Need::at_temperature(1.0).with_sequence_scores();
    let tape = model.forward(&batch(), &need).unwrap();
    let count = tape.outputs().sequence_scores.as_ref().unwrap().len();
    let logprobs = &tape.outputs().logprobs;
    let cotangents = TokenCotangents {
        logprobs: logprobs
            .with_values(vec![0.0; logprobs.values().len()])
            .unwrap(),
        sequence_scores: Some((1..=count).map(|at| at as f32).collect()),
        ..TokenCotangents::default()
    };
    let mut gradients = Gradients::new();
    tape.backward(&cotangents, &mut gradients).unwrap();
    values(model, &gradients)
}

#[test]
fn a_reward_model_is_the_trunk_of_a_language_model_and_a_new_head() {
    for tied in [true, false] {
        let language = decoder(tied);
        let reward = language.reward_model(3).unwrap();
        assert_eq!(reward.config().heads, OutputHeads::Score);
        let names = |model: &Decoder| -> Vec<String> {
            let names = model.parameters().iter().map(|(name, _)| name.to_owned());
            names.collect()
        };
        let mut expected = names(&language);
        expected.retain(|name| name != "lm_head.weight");
        expected.push("score.weight".to_owned());
        assert_eq!(names(&reward), expected);

        // The trunk is the same memory, and the numbers are those of the same head beside the
        // vocabulary, to the last bit.
        let valued = language.with_score_head(3).unwrap();
        let (alone, beside) = (outputs(&reward), outputs(&valued));
        assert_eq!(alone.sequence_scores, beside.sequence_scores);
        assert_eq!(alone.values, beside.values);
        let norm = language.parameters().get("model.norm.weight").unwrap();
        set(norm, vec![0.5; 12]);
        assert_ne!(outputs(&reward).sequence_scores, alone.sequence_scores);
        let error = reward.score(&batch(), &need()).unwrap_err().to_string();
        assert!(error.contains("only a score head"), "{error}");
    }
}

/// Normal numbers of standard deviation 1/13 for a width of 12: the mean square of many heads is
/// 1/169 ≈ 0.00592.
#[test]
fn the_seed_alone_decides_the_head() {
    let head = |seed| {
        let model = decoder(true).reward_model(seed).unwrap();
        let var = model.parameters().get("score.weight").unwrap().clone();
        var.flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    assert_eq!(head(5), head(5));
    assert_ne!(head(5), head(6));
    let all: Vec<f32> = (0..200).flat_map(head).collect();
    let square = all.iter().map(|x| f64::from(x * x)).sum::<f64>() / all.len() as f64;
    // Four standard deviations of the mean of 2400 squares: 4 · √2 · 0.00592 / √2400.
    assert!((square - 1.0 / 169.0).abs() < 7e-4, "{square}");
}

#[test]
fn every_parameter_of_a_reward_model_is_trained() {
    let reward = decoder(false).reward_model(3).unwrap();
    for (name, gradient) in score_gradients(&reward) {
        assert!(gradient.iter().any(|g| *g != 0.0), "{name}");
    }
}

#[test]
fn a_reward_model_survives_its_files() {
    let reward = decoder(false).reward_model(3).unwrap();
    let directory = tempfile::tempdir().unwrap();
    reward.save(directory.path()).unwrap();
    let config = std::fs::read_to_string(directory.path().join("config.json")).unwrap();
    assert!(
        config.contains("Qwen3ForSequenceClassification"),
        "{config}"
    );
    let loaded = Decoder::load(directory.path()).unwrap();
    assert_eq!(loaded.config(), reward.config());
    assert!(weights(&loaded) == weights(&reward));
    assert_eq!(outputs(&loaded), outputs(&reward));
}

#[test]
fn a_head_goes_where_there_is_none() {
    let language = decoder(true);
    let adapted = language.with_adapter(&lora(), 1).unwrap();
    let valued = language.with_score_head(3).unwrap();
    let reward = language.reward_model(3).unwrap();
    for model in [&adapted, &valued, &reward] {
        for error in [model.reward_model(4), model.with_score_head(4)] {
            let error = error.unwrap_err();
            assert!(matches!(error, ModelError::Config(_)));
            assert!(error.to_string().contains("neither one nor an adapter"));
        }
    }
    // Merged, it has none any more.
    assert!(adapted.merged().unwrap().reward_model(4).is_ok());
}

/// An adapter on a reward model: the head is trained beside it, and the base is not.
#[test]
fn a_score_head_is_trained_beside_an_adapter() {
    for beside in [true, false] {
        let language = decoder(false);
        let model = match beside {
            true => language.with_score_head(3).unwrap(),
            false => language.reward_model(3).unwrap(),
        };
        let adapted = model.with_adapter(&lora(), 1).unwrap();
        assert_eq!(outputs(&adapted), outputs(&model));
        // B is zero at first, so A has a gradient only once it is not.
        for (at, (name, var)) in adapted.parameters().iter().enumerate() {
            if name.ends_with("lora_B.weight") {
                let count = var.elem_count();
                set(
                    var,
                    (0..count).map(|i| 0.01 * ((at + i) % 5) as f32).collect(),
                );
            }
        }
        let gradients = score_gradients(&adapted);
        // Two matrices for each of two modules in each of two layers, and the head.
        assert_eq!(gradients.len(), 9);
        for (name, gradient) in gradients {
            assert!(name.contains("lora_") || name == "score.weight", "{name}");
            assert!(gradient.iter().any(|g| *g != 0.0), "{name}");
        }

        // It survives its files, on a base whose head is another.
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        set(
            adapted.parameters().get("score.weight").unwrap(),
            (0..12).map(|at| at as f32 / 8.0).collect(),
        );
        adapted.save_adapter(path, path).unwrap();
        let text = std::fs::read_to_string(path.join("adapter_config.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            json["task_type"],
            if beside { "CAUSAL_LM" } else { "SEQ_CLS" }
        );
        let base = match beside {
            true => decoder(false).with_score_head(9).unwrap(),
            false => decoder(false).reward_model(9).unwrap(),
        };
        let loaded = base.load_adapter(path).unwrap();
        assert!(weights(&loaded) == weights(&adapted));
        assert_eq!(outputs(&loaded), outputs(&adapted));

        // And merging keeps the trained head.
        let merged = adapted.merged().unwrap();
        let pairs = outputs(&merged).sequence_scores.unwrap().into_iter();
        for (merged, apart) in pairs.zip(outputs(&adapted).sequence_scores.unwrap()) {
            // The product is rounded once more.
            assert!((merged - apart).abs() < 2e-5, "{merged} and {apart}");
        }
    }
}
