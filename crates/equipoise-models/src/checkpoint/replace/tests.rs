//! A save stopped between any two of its steps.

use std::collections::BTreeMap;
use std::mem::forget;

use tempfile::TempDir;

use super::*;
use crate::{
    Config, Decoder, Family, LoraConfig, OutputHeads, Policy as _, RopeScaling, SaveOptions,
    Sidecars, StorageType, adapter_base,
};

fn decoder(layers: usize, seed: u64) -> Decoder {
    let config = Config {
        vocab_size: 8,
        hidden_size: 4,
        num_hidden_layers: layers,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 2,
        intermediate_size: 6,
        rope_theta: 10_000.0,
        rms_norm_eps: 1e-6,
        tie_word_embeddings: true,
        max_position_embeddings: 16,
        family: Family::Qwen3,
        rope_scaling: RopeScaling::Default,
        attention_bias: false,
        mlp_bias: false,
        eos_token_ids: vec![0],
        heads: OutputHeads::Vocabulary,
        other: Default::default(),
    };
    Decoder::new(config, 0.3, seed).unwrap()
}

const ONE_FILE: SaveOptions = SaveOptions {
    storage: StorageType::F32,
    shard_bytes: u64::MAX,
};
const SEVERAL: SaveOptions = SaveOptions {
    storage: StorageType::F32,
    shard_bytes: 300,
};

fn sidecars(files: &[(&str, &str)]) -> Sidecars {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(directory.path().join(name), text).unwrap();
    }
    Sidecars::read(directory.path()).unwrap()
}

/// A model and what lies beside it, as it is saved.
struct Model {
    decoder: Decoder,
    options: SaveOptions,
    sidecars: Sidecars,
}

impl Model {
    fn prepared(&self, directory: &Path) -> Replacement {
        let mut replacement = self.decoder.replacement(directory, &self.options).unwrap();
        self.sidecars.add_to(&mut replacement).unwrap();
        self.sidecars.remove_others(&mut replacement);
        replacement
    }

    /// Whether a directory that has been read holds this model.
    fn is(&self, (decoder, sidecars): &(Decoder, Sidecars)) -> bool {
        decoder.config() == self.decoder.config()
            && numbers(decoder) == numbers(&self.decoder)
            && *sidecars == self.sidecars
    }
}

/// Two models of which the files differ in number, and the same two the other way round, and two of
/// the same sizes, which a mixture would pass for.
fn pairs() -> Vec<(Model, Model)> {
    let small = || Model {
        decoder: decoder(1, 1),
        options: ONE_FILE,
        sidecars: sidecars(&[("tokenizer.json", "old"), ("chat_template.jinja", "old")]),
    };
    let large = || Model {
        decoder: decoder(2, 2),
        options: SEVERAL,
        sidecars: sidecars(&[("tokenizer.json", "new"), ("generation_config.json", "{}")]),
    };
    let alike = || Model {
        decoder: decoder(1, 3),
        ..small()
    };
    vec![(small(), large()), (large(), small()), (small(), alike())]
}

fn numbers(decoder: &Decoder) -> Vec<Vec<f32>> {
    let vars = decoder.parameters().iter();
    vars.map(|(_, var)| var.flatten_all().unwrap().to_vec1().unwrap())
        .collect()
}

fn read(directory: &Path) -> (Decoder, Sidecars) {
    let decoder = Decoder::load(directory).unwrap();
    (decoder, Sidecars::read(directory).unwrap())
}

fn files(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect()
}

/// The files of a directory but those under temporary names, which nobody looks for.
fn visible(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = files(directory);
    files.retain(|name, _| !name.ends_with(TEMPORARY));
    files
}

/// Saves `old`, and then so many of the steps of saving `new`; whether that were all of them.
fn stopped_after(count: usize, old: &Model, new: &Model) -> (TempDir, bool) {
    let directory = tempfile::tempdir().unwrap();
    old.prepared(directory.path()).commit().unwrap();
    fs::write(directory.path().join("notes.txt"), "someone's").unwrap();
    let replacement = new.prepared(directory.path());
    let all = stop(replacement, count);
    (directory, all)
}

/// Takes so many of the steps of a save; whether that were all of them.
fn stop(mut replacement: Replacement, count: usize) -> bool {
    let steps = replacement.prepare().unwrap();
    let taken = steps.iter().take(count);
    taken.for_each(|step| step.run().unwrap());
    // A killed process cleans nothing up.
    forget(replacement);
    count >= steps.len()
}

#[test]
fn a_stop_anywhere_leaves_the_old_model_or_the_new_one() {
    for (old, new) in pairs() {
        let complete = tempfile::tempdir().unwrap();
        fs::write(complete.path().join("notes.txt"), "someone's").unwrap();
        new.prepared(complete.path()).commit().unwrap();
        let (mut kept, mut finished) = (0, 0);
        for count in 0.. {
            let (directory, all) = stopped_after(count, &old, &new);
            let path = directory.path();

            let model = read(path);
            assert!(
                old.is(&model) != new.is(&model),
                "after {count} steps it is neither or both"
            );
            if new.is(&model) {
                finished += 1;
                // Nothing is left of the save.
                assert!(files(path) == visible(path), "after {count}");
                assert!(!path.join(LIST).exists(), "after {count}");
            } else {
                kept += 1;
                assert_eq!(finished, 0, "what was new is old again after {count}");
            }
            assert_eq!(files(path)["notes.txt"], b"someone's");

            // And the next save begins on it as on any other directory.
            new.prepared(path).commit().unwrap();
            assert!(new.is(&read(path)));
            assert!(files(path) == visible(path), "after {count}");
            if all {
                break;
            }
        }
        assert!(kept >= 2 && finished >= 7, "{kept} and {finished}");
    }
}

/// What is left to do may be stopped, too, again and again.
#[test]
fn a_stop_while_finishing_is_finished() {
    for (old, new) in pairs() {
        for count in 2.. {
            let (directory, all) = stopped_after(count, &old, &new);
            let path = directory.path();
            for more in 0.. {
                let Ok(text) = fs::read_to_string(path.join(LIST)) else {
                    break;
                };
                let list: List = serde_json::from_str(&text).unwrap();
                let steps = list.steps(path);
                steps.iter().take(more).for_each(|step| step.run().unwrap());
            }
            assert!(new.is(&read(path)), "after {count}");
            if all {
                break;
            }
        }
    }
}

/// To a program that knows of no list the directory holds the old model, or none, or the new one.
#[test]
fn the_configuration_goes_first_and_comes_last() {
    for (old, new) in pairs() {
        let complete = tempfile::tempdir().unwrap();
        new.prepared(complete.path()).commit().unwrap();
        let complete = files(complete.path());

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        old.prepared(path).commit().unwrap();
        let before = visible(path);
        let mut replacement = new.prepared(path);
        let mut states = String::new();
        for step in &replacement.prepare().unwrap() {
            step.run().unwrap();
            let mut now = visible(path);
            now.remove(LIST);
            let is_new = complete
                .iter()
                .all(|(name, bytes)| now.get(name) == Some(bytes));
            states.push(match now.contains_key("config.json") {
                false => '-',
                true if now == before => 'o',
                true if is_new => 'n',
                true => panic!("a mixture after {step:?}: {:?}", now.keys()),
            });
        }
        forget(replacement);
        assert_eq!(
            states.trim_matches('o').trim_matches('n').trim_matches('-'),
            "",
            "{states}"
        );
        assert!(states.starts_with("oo") && states.contains("--") && states.ends_with('n'));
    }
}

#[test]
fn an_adapter_is_the_old_one_or_the_new_one() {
    let base = decoder(2, 1);
    let adapter = |module: &str, seed| {
        let lora = LoraConfig {
            rank: 2,
            target_modules: vec![module.to_owned()],
            ..LoraConfig::default()
        };
        base.with_adapter(&lora, seed).unwrap()
    };
    let (old, new) = (adapter("q_proj", 1), adapter("down_proj", 2));
    let mut seen = [0, 0];
    for count in 0.. {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        old.save_adapter(path, Path::new("old")).unwrap();
        let replacement = new.adapter_replacement(path, Path::new("new")).unwrap();
        let all = stop(replacement, count);
        let named = adapter_base(path).unwrap().unwrap();
        let loaded = base.load_adapter(path).unwrap();
        let is_new = named == Path::new("new");
        let expected = if is_new { &new } else { &old };
        assert!(numbers(&loaded) == numbers(expected), "after {count}");
        seen[usize::from(is_new)] += 1;
        if all {
            break;
        }
    }
    assert!(seen[0] >= 2 && seen[1] >= 5, "{seen:?}");
}

/// An error after the new files count does not take them back.
#[test]
fn what_cannot_be_finished_now_is_finished_later() {
    let (old, new) = pairs().swap_remove(2);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    old.prepared(path).commit().unwrap();
    // A directory cannot be replaced by a file.
    let replacement = new.prepared(path);
    fs::remove_file(path.join("model.safetensors")).unwrap();
    fs::create_dir(path.join("model.safetensors")).unwrap();
    let error = replacement.commit().unwrap_err().to_string();
    assert!(
        error.contains("cannot write") && error.contains("model.safetensors"),
        "{error}"
    );
    let error = Decoder::load(path).unwrap_err().to_string();
    assert!(
        error.contains("cannot write") && error.contains("model.safetensors"),
        "{error}"
    );
    fs::remove_dir(path.join("model.safetensors")).unwrap();
    assert!(new.is(&read(path)));
}

#[test]
fn a_list_that_names_no_files_of_the_directory_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    decoder(1, 1).save(path).unwrap();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        r#"{{"first_out_last_in": null, "replace": [], "remove": [{:?}]}}"#,
        outside.path().display().to_string()
    );
    for (text, words) in [
        (text.as_str(), "is no file name"),
        ("{", ".save.json"),
        (r#"{"first_out_last_in": null, "replace": []}"#, "remove"),
    ] {
        fs::write(path.join(LIST), text).unwrap();
        let error = Decoder::load(path).unwrap_err();
        assert!(matches!(error, ModelError::Malformed { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(outside.path().exists());
}
