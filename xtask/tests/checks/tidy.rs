//! What every file and every package has to have.

use std::path::{Path, PathBuf};

use crate::repository::{files, packages, root, text};

/// More lines than this in one file mean that it is about more than one thing.
const MAX_LINES: usize = 500;

fn rust_files() -> Vec<PathBuf> {
    let is_rust = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
    let found: Vec<PathBuf> = files(&root()).into_iter().filter(is_rust).collect();
    assert!(found.len() > 20, "only {} files of Rust", found.len());
    found
}

fn fail_if_any(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

#[test]
fn every_file_says_what_it_is_for() {
    // The page of a crate is its README.
    let starts = ["//! ", "#![doc = include_str!("];
    let complaints: Vec<String> = rust_files()
        .iter()
        .filter(|path| !starts.iter().any(|start| text(path).starts_with(start)))
        .map(|path| format!("{}: does not begin with `//!`", shown(path)))
        .collect();
    fail_if_any(&complaints);
}

#[test]
fn no_file_is_too_long() {
    let complaints: Vec<String> = rust_files()
        .iter()
        .map(|path| (path, text(path).lines().count()))
        .filter(|(_, lines)| *lines > MAX_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines, at most {MAX_LINES}", shown(path)))
        .collect();
    fail_if_any(&complaints);
}

#[test]
fn no_leftovers_and_no_private_paths() {
    // Written in two halves, so that this file does not contain them.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("/ho", "me/"),
        concat!("/ro", "ot/"),
        concat!("/wo", "rk/"),
        concat!("/Us", "ers/"),
    ];
    let kinds = ["rs", "md", "toml", "py", "html", "yml", "yaml", "sh"];
    let mut complaints = Vec::new();
    for path in files(&root()) {
        let kind = path.extension().and_then(|extension| extension.to_str());
        if !kind.is_some_and(|kind| kinds.contains(&kind)) {
            continue;
        }
        for (number, line) in text(&path).lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(**word)) {
                complaints.push(format!("{}:{}: contains {word}", shown(&path), number + 1));
            }
        }
    }
    fail_if_any(&complaints);
}

#[test]
fn every_package_is_described_and_follows_the_lints() {
    let mut complaints = Vec::new();
    for package in packages() {
        let manifest = text(&package.join("Cargo.toml"));
        let name = shown(&package);
        if !manifest.contains("\ndescription = \"") {
            complaints.push(format!("{name}: no description"));
        }
        // The kernels have their own list, because they may use `unsafe`.
        let own_lints = name.ends_with("equipoise-kernels");
        if !own_lints && !manifest.contains("[lints]\nworkspace = true") {
            complaints.push(format!(
                "{name}: does not follow the lints of the workspace"
            ));
        }
        if manifest.contains("publish = false") {
            continue;
        }
        for file in ["README.md", "src"] {
            if !package.join(file).exists() {
                complaints.push(format!("{name}: no {file}"));
            }
        }
        let readme = std::fs::read_to_string(package.join("README.md")).unwrap_or_default();
        if readme.lines().count() < 5 {
            complaints.push(format!(
                "{name}: README.md, which is the page of the crate, is empty"
            ));
        }
    }
    fail_if_any(&complaints);
}
