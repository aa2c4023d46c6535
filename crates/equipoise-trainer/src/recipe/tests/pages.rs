//! The recipes of the repository, and the page `docs/engine.md`: they are what the program reads.

use std::fs;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use super::super::{ModelDirectory, Recipe, RecipeError};
use super::{MINIMAL, parse};

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page(name: &str) -> String {
    fs::read_to_string(repository().join("docs").join(name)).unwrap()
}

#[test]
fn every_recipe_of_the_repository_is_read() {
    let mut found = Vec::new();
    for entry in fs::read_dir(repository().join("recipes")).unwrap() {
        let path = entry.unwrap().path();
        let recipe = Recipe::load(&path, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(path.file_stem().unwrap().to_str(), Some(&*recipe.name));
        // The first lines say what it shows.
        let text = fs::read_to_string(&path).unwrap();
        let head = text.lines().take_while(|line| line.starts_with('#'));
        assert!(
            head.into_iter().any(|line| line.starts_with("# Claim:")),
            "{}",
            path.display()
        );
        found.push(recipe.name);
    }
    assert!(found.len() >= 5, "{found:?}");
}

/// The keys that serde itself says a section has.
fn keys(section: &str) -> Vec<String> {
    match parse(&[&format!("{section}.no_such_key=1")]) {
        Err(RecipeError::UnknownKey { valid, .. }) => valid,
        other => panic!("{section}: {other:?}"),
    }
}

/// The rows of every table of keys in a chapter of the page: key and default.
fn rows(chapter: &str) -> Vec<(String, String)> {
    let page = page("engine.md");
    let (_, rest) = page.split_once(&format!("\n## `[{chapter}]`")).unwrap();
    let chapter = rest.split("\n## ").next().unwrap();
    let mut rows = Vec::new();
    let mut inside = false;
    for line in chapter.lines() {
        inside = line == "| key | default | meaning |" || (inside && line.starts_with('|'));
        if let Some(rest) = line.strip_prefix("| `").filter(|_| inside) {
            let (key, rest) = rest.split_once('`').unwrap();
            let default = rest.split('|').nth(1).unwrap().trim();
            rows.push((key.to_owned(), default.trim_matches('`').to_owned()));
        }
    }
    rows
}

#[test]
fn the_page_of_the_engine_has_every_key_and_its_default() {
    let defaults = parse(&["lora={}"]).unwrap();
    let minimal: Table = MINIMAL.parse().unwrap();
    let sections = [
        ("model", Table::try_from(&defaults.model).unwrap()),
        ("engine", Table::try_from(&defaults.engine).unwrap()),
        ("lora", Table::try_from(&defaults.lora).unwrap()),
    ];
    for (section, defaults) in sections {
        let mut expected = keys(section);
        if section == "model" {
            let directory = ModelDirectory { path: "m".into() };
            expected.extend(Table::try_from(directory).unwrap().keys().cloned());
        }
        expected.sort();
        let rows = rows(section);
        let mut documented: Vec<&String> = rows.iter().map(|(key, _)| key).collect();
        documented.sort();
        assert_eq!(documented, expected.iter().collect::<Vec<_>>(), "{section}");
        let given = minimal.get(section).and_then(Value::as_table);
        for (key, default) in rows {
            let required = key == "path" || given.is_some_and(|given| given.contains_key(&key));
            if required {
                assert_eq!(default, "required", "{section}.{key}");
            } else {
                let line: Table = format!("value = {default}").parse().unwrap();
                assert_eq!(line["value"], defaults[&key], "{section}.{key}");
            }
        }
    }
}

/// What a page says it costs is what was measured.
#[test]
fn the_figures_of_the_engine_are_those_of_performance() {
    let (engine, performance) = (page("engine.md"), page("performance.md"));
    let table = engine
        .lines()
        .skip_while(|line| !line.starts_with("| the small training step |"))
        .take_while(|line| line.starts_with('|'));
    let mut rows = 0;
    for row in table {
        assert!(performance.lines().any(|line| line == row), "{row}");
        rows += 1;
    }
    assert_eq!(rows, 5);
}
