//! What a resumed run must find as it was: its recipe, and the files that it reads again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::TrainError;
use crate::checkpoint::hash_file;
use crate::recipe::{ModelSection, OWN_TEMPLATE, Recipe};
use crate::saved::start_directory;

/// How many differences between recipes are named.
const NAMED: usize = 8;

/// Refuses to go on with another recipe, naming the keys that differ. `saved` is the text of the run's,
/// from a file that may have been rewritten: only what it says counts, not its order and comments.
///
/// # Errors
/// If the recipes differ, or the saved one cannot be read.
pub(crate) fn same_recipe(saved: &str, given: &Recipe, path: &Path) -> Result<(), TrainError> {
    let origin = format!("the recipe of {}", path.display());
    let saved = Recipe::parse(saved, &origin, &[])?;
    if saved == *given {
        return Ok(());
    }
    let differences = differences(&saved, given)?;
    let more = match differences.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let named = &differences[..differences.len().min(NAMED)];
    Err(TrainError::Checkpoint {
        path: path.to_owned(),
        reason: format!(
            "it belongs to another recipe: {}{more}. Resume with the same recipe and overrides, or start \
             a new run with --set name=…",
            named.join("; ")
        ),
    })
}

/// The keys at which two recipes differ, with both values.
fn differences(was: &Recipe, is: &Recipe) -> Result<Vec<String>, TrainError> {
    let table = |recipe: &Recipe| -> Result<Table, TrainError> {
        let text = recipe.to_toml()?;
        // What a recipe is written as can be read.
        Ok(text.parse().unwrap_or_default())
    };
    let (mut before, mut after) = (table(was)?, table(is)?);
    let mut found = Vec::new();
    let stages = (before.remove("stage"), after.remove("stage"));
    let (before, after) = (Value::Table(before), Value::Table(after));
    compare("", Some(&before), Some(&after), &mut found);
    // Stages are told apart by their place, and called by their kind.
    if let (Some(Value::Array(before)), Some(Value::Array(after))) = stages {
        let kinds = |recipe: &Recipe| -> Vec<&str> {
            recipe.stages.iter().map(|stage| stage.kind()).collect()
        };
        if kinds(was) == kinds(is) {
            for (at, (before, after)) in before.iter().zip(&after).enumerate() {
                compare(&is.stage_key(at), Some(before), Some(after), &mut found);
            }
        } else {
            let (before, after) = (kinds(was).join(", "), kinds(is).join(", "));
            found.push(format!(
                "the stages are [{before}] there and [{after}] here"
            ));
        }
    }
    Ok(found)
}

fn compare(key: &str, was: Option<&Value>, is: Option<&Value>, found: &mut Vec<String>) {
    match (was, is) {
        (was, is) if was == is => {}
        (Some(Value::Table(was)), Some(Value::Table(is))) => {
            let names: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
            for name in names {
                let key = match key {
                    "" => name.clone(),
                    key => format!("{key}.{name}"),
                };
                compare(&key, was.get(name), is.get(name), found);
            }
        }
        _ => {
            let shown =
                |value: Option<&Value>| value.map_or("not set".to_owned(), Value::to_string);
            found.push(format!(
                "{key} is {} there and {} here",
                shown(was),
                shown(is)
            ));
        }
    }
}

/// The BLAKE3 hash of every file that a resumed run would read again: problems, the chat template that
/// makes their prompts, and a reward model. (What an adapter is trained on has a hash of its own.)
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn inputs(recipe: &Recipe) -> Result<BTreeMap<String, String>, TrainError> {
    let data = &recipe.data;
    let mut paths: Vec<PathBuf> = data.files().into_iter().map(|file| file.path).collect();
    paths.extend(data.held_out_file().map(|file| file.path));
    let template = match (data.chat_template.as_deref(), &recipe.model) {
        (Some(OWN_TEMPLATE), ModelSection::Directory(model)) => Some(start_directory(model)?),
        (name, _) => name.map(PathBuf::from),
    };
    if let Some(template) = template {
        // The name of a built-in one is no path of anything.
        let directory = match template.is_dir() {
            true => template.clone(),
            false => template.parent().map(PathBuf::from).unwrap_or_default(),
        };
        let beside =
            ["chat_template.jinja", "tokenizer_config.json"].map(|name| directory.join(name));
        let is_file = template.is_file();
        if is_file || template.is_dir() {
            paths.extend(beside.into_iter().filter(|path| path.is_file()));
        }
        paths.extend(is_file.then_some(template));
    }
    if let Some(model) = &recipe.reward_model {
        let directory = &model.path;
        for entry in fs::read_dir(directory).map_err(TrainError::file("read", directory))? {
            let path = entry.map_err(TrainError::file("read", directory))?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            if matches!(extension, Some("json" | "safetensors")) {
                paths.push(path);
            }
        }
    }
    let hashes = paths
        .into_iter()
        .map(|path| Ok((path.display().to_string(), hash_file(&path)?)));
    hashes.collect()
}

/// Refuses to go on with other files.
///
/// # Errors
/// If one has changed, is gone, or was not there.
pub(crate) fn same_inputs(
    saved: &BTreeMap<String, String>,
    found: &BTreeMap<String, String>,
    checkpoint: &Path,
) -> Result<(), TrainError> {
    let names: BTreeSet<&String> = saved.keys().chain(found.keys()).collect();
    for name in names {
        let what = match (saved.get(name), found.get(name)) {
            (Some(saved), Some(found)) if saved == found => continue,
            (Some(_), Some(_)) => "has changed since the run began",
            (Some(_), None) => "was read when the run began, and is gone",
            (None, _) => "was not there when the run began",
        };
        return Err(TrainError::Checkpoint {
            path: checkpoint.to_owned(),
            reason: format!(
                "{name} {what}, so that this would be another run: put the old state back, or start a \
                 new run with --set name=…"
            ),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: &str = include_str!("../../../recipes/tiny.toml");

    fn recipe(text: &str, overrides: &[&str]) -> Recipe {
        let overrides: Vec<String> = overrides.iter().map(|&one| one.to_owned()).collect();
        Recipe::parse(text, "tiny.toml", &overrides).unwrap()
    }

    fn error(saved: &str, given: &Recipe) -> String {
        same_recipe(saved, given, Path::new("runs/tiny"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn comments_order_and_what_is_left_to_defaults_do_not_count() {
        let given = recipe(TINY, &[]);
        let resolved = given.to_toml().unwrap();
        same_recipe(&resolved, &given, Path::new("r")).unwrap();
        same_recipe(TINY, &given, Path::new("r")).unwrap();
        let (first, rest) = resolved.split_once("\n[").unwrap();
        let sections: Vec<&str> = rest.split("\n[data]").collect();
        let moved = format!(
            "{first}\n# the data first\n[data]{}\n[{}",
            sections[1], sections[0]
        );
        assert_ne!(moved, resolved);
        same_recipe(&moved, &given, Path::new("r")).unwrap();
    }

    #[test]
    fn every_key_that_differs_is_named_with_both_values() {
        let given = recipe(
            TINY,
            &[
                "seed=1",
                "model.hidden_size=64",
                "stage.rl.learning_rate=0.5",
                "stage.rl.max_no_signal_share=0.5",
                "lora.rank=4",
            ],
        );
        let text = error(TINY, &given);
        for part in [
            "runs/tiny: it belongs to another recipe: ",
            "seed is 0 there and 1 here",
            "model.hidden_size is 32 there and 64 here",
            "stage.rl.learning_rate is 0.001 there and 0.5 here",
            "stage.rl.max_no_signal_share is not set there and 0.5 here",
            "lora is not set there and {",
            "--set name=",
        ] {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
        assert!(!text.contains("held_out"), "{text}");
        let shorter = TINY.split_once("[[stage]]\nkind = \"rl\"").unwrap().0;
        let text = error(shorter, &recipe(TINY, &[]));
        assert!(
            text.contains("the stages are [sft] there and [sft, rl] here"),
            "{text}"
        );
        let text = error("name = ", &given);
        assert!(text.contains("the recipe of runs/tiny"), "{text}");
    }

    #[test]
    fn many_differences_are_counted() {
        let sets = [
            "model.hidden_size=64",
            "model.intermediate_size=65",
            "model.max_position_embeddings=66",
            "model.rope_theta=67",
            "stage.sft.steps=68",
            "stage.sft.batch_size=69",
            "stage.rl.steps=70",
            "stage.rl.eval_every=71",
            "sampler.max_new_tokens=22",
            "data.held_out=73",
        ];
        let text = error(TINY, &recipe(TINY, &sets));
        assert!(text.contains("; and 2 more. "), "{text}");
    }

    #[test]
    fn files_are_known_by_their_bytes() {
        let home = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (rows, held_out, template) = (
            write("rows.jsonl", "1"),
            write("held_out.jsonl", "2"),
            write("t.jinja", "3"),
        );
        let text = TINY.replace(
            "task = \"arithmetic\"\nheld_out = 16",
            &format!(
                "path = '{rows}'\nheld_out_path = '{held_out}'\nchat_template = '{template}'\n\
                 tokenizer = 'bytes'"
            ),
        );
        let arithmetic = text.find("[data.arithmetic]").unwrap();
        let sampler = text.find("[sampler]").unwrap();
        let text = format!("{}{}", &text[..arithmetic], &text[sampler..]);
        let recipe = recipe(&text, &[]);
        let before = inputs(&recipe).unwrap();
        assert_eq!(before.len(), 3);
        assert_eq!(before[&rows], blake3::hash(b"1").to_hex().to_string());
        same_inputs(&before, &inputs(&recipe).unwrap(), Path::new("c")).unwrap();

        let refused = |word: &str| {
            let found = inputs(&recipe).unwrap();
            let error = same_inputs(&before, &found, Path::new("c")).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(word), "{word} is not in {text}");
        };
        write("t.jinja", "4");
        refused("t.jinja has changed since the run began");
        write("t.jinja", "3");
        write("tokenizer_config.json", "{}");
        refused("tokenizer_config.json was not there");
        fs::remove_file(home.path().join("tokenizer_config.json")).unwrap();
        write("rows.jsonl", "1 ");
        refused("rows.jsonl has changed");
        fs::remove_file(&rows).unwrap();
        let error = inputs(&recipe).unwrap_err().to_string();
        assert!(
            error.contains("cannot read") && error.contains("rows.jsonl"),
            "{error}"
        );
        // A task reads nothing.
        assert!(inputs(&self::recipe(TINY, &[])).unwrap().is_empty());
    }
}
