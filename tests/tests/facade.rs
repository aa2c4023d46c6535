//! The crate that re-exports the others must keep up with them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const DEFAULT: [&str; 3] = ["advantages", "aggregation", "objectives"];

fn crates() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates")
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn manifest(package: &str) -> toml::Table {
    let path = crates().join(package).join("Cargo.toml");
    text(&path).parse().unwrap()
}

/// The short name of every library crate, with those of the crates it is built on.
fn libraries() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(crates()).unwrap() {
        let folder = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = folder.strip_prefix("equipoise-") else {
            continue;
        };
        if crates().join(&folder).join("src/lib.rs").exists() {
            let manifest = manifest(&folder);
            let table = manifest.get("dependencies").and_then(|t| t.as_table());
            let built_on = table
                .into_iter()
                .flat_map(|table| table.keys())
                .filter_map(|dependency| dependency.strip_prefix("equipoise-"))
                .map(String::from)
                .collect();
            found.insert(name.to_owned(), built_on);
        }
    }
    assert!(found.len() >= 12, "{found:?}");
    found
}

/// The features of the façade, each with what it switches on.
fn features() -> BTreeMap<String, BTreeSet<String>> {
    let manifest = manifest("equipoise");
    let features = manifest["features"].as_table().unwrap().iter();
    features
        .map(|(name, value)| {
            let switched_on = value.as_array().unwrap().iter();
            let switched_on = switched_on.map(|name| name.as_str().unwrap().to_owned());
            (name.clone(), switched_on.collect())
        })
        .collect()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    names.into_iter().map(String::from).collect()
}

#[test]
fn every_library_has_a_feature_of_its_name() {
    let features = features();
    let libraries = libraries();
    let mut names: BTreeSet<String> = libraries.keys().cloned().collect();
    assert_eq!(features["full"], names);
    assert_eq!(features["default"], set(DEFAULT));
    for (name, built_on) in libraries {
        let mut expected = built_on;
        expected.insert(format!("dep:equipoise-{name}"));
        assert_eq!(features.get(&name), Some(&expected), "{name}");
    }
    names.extend(set(["default", "full"]));
    assert_eq!(features.into_keys().collect::<BTreeSet<_>>(), names);
}

#[test]
fn every_library_is_re_exported_by_its_name() {
    let source = text(&crates().join("equipoise/src/lib.rs"));
    for name in libraries().keys() {
        let export = format!(
            "#[cfg(feature = \"{name}\")]\n#[doc(inline)]\npub use equipoise_{name} as {name};\n"
        );
        assert!(source.contains(&export), "{name}");
    }
}

/// The rows of the table in the README are those of the manifest.
#[test]
fn the_guide_lists_every_feature() {
    let guide = text(&crates().join("equipoise/README.md"));
    let (_, table) = guide.split_once("| feature |").unwrap();
    let rows: BTreeMap<String, BTreeSet<String>> = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').collect();
            let quoted = |cell: &str| set(cell.split('`').skip(1).step_by(2));
            let name = quoted(cells[1]).pop_first().unwrap();
            (name, quoted(cells[3]))
        })
        .collect();
    let mut features = features();
    features.remove("default");
    assert_eq!(
        rows.keys().collect::<Vec<_>>(),
        features.keys().collect::<Vec<_>>()
    );
    for (name, switched_on) in features {
        // These two say "all of the above", or nearly.
        if name != "full" && name != "trainer" {
            let switched_on: Vec<&str> = switched_on
                .iter()
                .map(String::as_str)
                .filter(|other| !other.starts_with("dep:"))
                .collect();
            assert_eq!(rows[&name], set(switched_on), "{name}");
        }
    }
}

/// A type may be reached through the façade in one place and directly in another.
#[test]
fn re_exported_types_are_the_types_themselves() {
    let response: equipoise_aggregation::Response = equipoise::aggregation::Response {
        tokens: 2,
        advantage: 1.0,
    };
    let rule = equipoise::aggregation::rules::TokenMean;
    let weights = equipoise_aggregation::Reducer::weights(&rule, &[response]);
    assert_eq!(weights, [0.5]);
}
