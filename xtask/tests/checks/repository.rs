//! What the checks share: the files of the repository, and its manifests.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest
        .parent()
        .expect("xtask is a folder of the repository")
        .into()
}

/// The text of a file, or a failed test that names it.
pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `directory` that is not built, hidden or a run's, sorted.
pub(crate) fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![directory.to_path_buf()];
    while let Some(directory) = pending.pop() {
        let entries = std::fs::read_dir(&directory)
            .unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
        for entry in entries {
            let path = entry.expect("a directory entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let generated = ["target", "runs", "__pycache__"].contains(&name.as_ref());
            if generated || name.starts_with('.') || name.starts_with("target-") {
                continue;
            }
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The folders of all packages: those under `crates`, and the others of the workspace.
pub(crate) fn packages() -> Vec<PathBuf> {
    let crates = std::fs::read_dir(root().join("crates")).expect("crates/ is readable");
    let mut folders: Vec<PathBuf> = crates
        .map(|entry| entry.expect("a directory entry").path())
        .chain(["xtask", "tests", "benches"].map(|name| root().join(name)))
        .filter(|folder| folder.join("Cargo.toml").is_file())
        .collect();
    folders.sort();
    folders
}

/// A package's name.
pub(crate) fn name(package: &Path) -> String {
    let manifest = text(&package.join("Cargo.toml"));
    let line = manifest
        .lines()
        .find_map(|line| line.strip_prefix("name = \""));
    let name = line.and_then(|rest| rest.strip_suffix('"'));
    name.unwrap_or_else(|| panic!("{}: no name", package.display()))
        .into()
}
