//! Models in several files, and what lies beside them.

use std::fs;
use std::path::Path;

use equipoise_models::{Decoder, SaveOptions, Sidecars, StorageType};

use crate::support::{decoder, weights};

fn cut(directory: &Path, storage: StorageType) {
    let options = SaveOptions {
        storage,
        shard_bytes: 1500,
    };
    decoder(false).save_with(directory, &options).unwrap();
}

#[test]
fn a_model_in_shards_is_the_model() {
    let directory = tempfile::tempdir().unwrap();
    // A model in one file was there before, and would be read first.
    decoder(true).save(directory.path()).unwrap();
    cut(directory.path(), StorageType::F32);
    let shards = fs::read_dir(directory.path()).unwrap().filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().ends_with(".safetensors")
    });
    assert!(shards.count() > 3);
    let loaded = Decoder::load(directory.path()).unwrap();
    assert!(weights(&loaded) == weights(&decoder(false)));
    // And back: a stale index does not count.
    loaded.save(directory.path()).unwrap();
    assert!(
        !directory
            .path()
            .join("model.safetensors.index.json")
            .exists()
    );
}

#[test]
fn bfloat16_is_rounded_to_nearest() {
    let directory = tempfile::tempdir().unwrap();
    cut(directory.path(), StorageType::Bf16);
    let loaded = Decoder::load(directory.path()).unwrap();
    for ((name, loaded), (_, exact)) in weights(&loaded).iter().zip(weights(&decoder(false))) {
        for (loaded, exact) in loaded.iter().zip(exact) {
            let expected = half::bf16::from_f32(f32::from_bits(exact)).to_f32();
            assert_eq!(f32::from_bits(*loaded), expected, "{name}");
        }
    }
    let config = fs::read_to_string(directory.path().join("config.json")).unwrap();
    assert!(config.contains("\"bfloat16\""));
}

#[test]
fn damaged_shards_are_named() {
    let check = |change: fn(&Path), words: &str| {
        let directory = tempfile::tempdir().unwrap();
        cut(directory.path(), StorageType::F32);
        change(directory.path());
        let error = Decoder::load(directory.path()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    fn shard(directory: &Path, number: usize) -> std::path::PathBuf {
        let all = fs::read_dir(directory).unwrap().map(|e| e.unwrap().path());
        let mut shards: Vec<_> = all
            .filter(|path| path.extension().is_some_and(|e| e == "safetensors"))
            .collect();
        shards.sort();
        shards.swap_remove(number)
    }
    fn edit(directory: &Path, from: &str, to: &str) {
        let path = directory.join("model.safetensors.index.json");
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        fs::write(path, text.replace(from, to)).unwrap();
    }
    check(
        |d| fs::remove_file(shard(d, 1)).unwrap(),
        "it names model-00002-of-",
    );
    check(
        |d| {
            let path = shard(d, 1);
            let bytes = fs::read(&path).unwrap();
            fs::write(path, &bytes[..bytes.len() - 5]).unwrap();
        },
        "cut short",
    );
    check(
        |d| edit(d, "model-00001", "../model-00001"),
        "which is no file name",
    );
    check(
        |d| edit(d, "weight_map", "weights"),
        "weight_map is missing",
    );
    check(
        |d| {
            fs::copy(shard(d, 0), d.join("copy.safetensors")).unwrap();
            edit(d, "model-00002", "model-00001");
        },
        "missing",
    );
    check(
        |d| {
            fs::copy(shard(d, 0), shard(d, 1)).unwrap();
        },
        "is in another shard, too",
    );
}

#[test]
fn what_lies_beside_a_model_is_carried_along() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(Sidecars::read(from.path()).unwrap(), Sidecars::default());
    let files = [
        ("tokenizer.json", "{\"a\": 1}"),
        ("chat_template.jinja", "{% for m in messages %}"),
        ("generation_config.json", "{\"eos_token_id\": [3, 5]}"),
    ];
    for (name, text) in files {
        fs::write(from.path().join(name), text).unwrap();
    }
    fs::write(from.path().join("unrelated.txt"), "x").unwrap();
    let sidecars = Sidecars::read(from.path()).unwrap();
    assert_eq!(sidecars.generation_stops(), [3, 5]);
    sidecars.write(to.path()).unwrap();
    assert_eq!(fs::read_dir(to.path()).unwrap().count(), files.len());
    for (name, text) in files {
        assert_eq!(fs::read_to_string(to.path().join(name)).unwrap(), text);
    }
    // With a tokenizer of its own a model leaves that of the old one behind, and nothing else.
    let others = sidecars.without_tokenizer();
    assert!(others.get("tokenizer.json").is_none());
    assert!(others.get("chat_template.jinja").is_some());
    assert_eq!(others.generation_stops(), [3, 5]);
    // What else a configuration says is kept, too.
    let config = from.path().join("config.json");
    decoder(true).save(from.path()).unwrap();
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replacen('{', "{\"use_cache\": true, \"pad_token_id\": 4,", 1),
    )
    .unwrap();
    let loaded = Decoder::load(from.path()).unwrap();
    loaded.save(to.path()).unwrap();
    let text = fs::read_to_string(to.path().join("config.json")).unwrap();
    assert!(text.contains("\"pad_token_id\": 4") && text.contains("\"use_cache\": true"));
}

/// A model that replaces another leaves nothing of what lay beside that one, and all of what is
/// nobody's.
#[test]
fn what_lies_beside_a_model_goes_with_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    decoder(true).save(path).unwrap();
    for name in [
        "tokenizer.json",
        "vocab.json",
        "chat_template.jinja",
        "notes.txt",
    ] {
        fs::write(path.join(name), "old").unwrap();
    }
    let sidecars = Sidecars::read(path).unwrap();
    let changed = sidecars.with_tokenizer("new".to_owned());
    assert_eq!(changed.get("tokenizer.json"), Some(&b"new"[..]));
    assert_eq!(changed.get("vocab.json"), None);
    assert_eq!(changed.get("chat_template.jinja"), Some(&b"old"[..]));
    let options = SaveOptions {
        shard_bytes: 700,
        ..SaveOptions::default()
    };
    decoder(false).save_whole(path, &options, &changed).unwrap();
    assert_eq!(Sidecars::read(path).unwrap(), changed);
    let loaded = Decoder::load(path).unwrap();
    assert!(weights(&loaded) == weights(&decoder(false)));
    assert!(!path.join("model.safetensors").exists());
    assert_eq!(fs::read_to_string(path.join("notes.txt")).unwrap(), "old");
    let none = Sidecars::default();
    decoder(true)
        .save_whole(path, &SaveOptions::default(), &none)
        .unwrap();
    assert_eq!(Sidecars::read(path).unwrap(), none);
    assert!(weights(&Decoder::load(path).unwrap()) == weights(&decoder(true)));
}
