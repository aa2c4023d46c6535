//! Which package may depend on which. A design that is not checked is gone after a while.

use std::path::Path;
use std::process::Command;

use crate::repository::{name, packages, root, text};

/// Every package of the workspace with what it may depend on: packages of the workspace by their
/// names without the prefix `equipoise-`, and candle as `candle-core`. Other crates are not listed.
///
/// `None`: anything. The packages that put everything together are the only such ones.
const ARROWS: &[(&str, Option<&[&str]>)] = &[
    ("advantages", Some(&[])),
    ("aggregation", Some(&[])),
    ("cli", None),
    ("core", Some(&[])),
    ("data", Some(&["core"])),
    ("equipoise", None),
    ("eval", Some(&["core", "verifiers"])),
    ("kernels", Some(&["candle-core"])),
    ("models", Some(&["core", "kernels", "candle-core"])),
    ("objectives", Some(&[])),
    ("optim", Some(&["candle-core"])),
    (
        "samplers",
        Some(&["core", "models", "kernels", "candle-core"]),
    ),
    ("tests", None),
    ("benches", None),
    ("tracking", Some(&["core"])),
    (
        "trainer",
        Some(&[
            "advantages",
            "aggregation",
            "core",
            "data",
            "models",
            "objectives",
            "optim",
            "samplers",
            "tracking",
            "verifiers",
            "candle-core",
        ]),
    ),
    ("verifiers", Some(&["core"])),
    ("xtask", Some(&[])),
];

/// Packages with no dependency at all, from anywhere.
const WITHOUT_DEPENDENCIES: [&str; 4] = [
    "equipoise-advantages",
    "equipoise-aggregation",
    "equipoise-objectives",
    "xtask",
];

/// Packages that must not link candle even through others.
const WITHOUT_TENSORS: [&str; 8] = [
    "equipoise-advantages",
    "equipoise-aggregation",
    "equipoise-core",
    "equipoise-data",
    "equipoise-eval",
    "equipoise-objectives",
    "equipoise-tracking",
    "equipoise-verifiers",
];

fn short(package: &str) -> &str {
    package.strip_prefix("equipoise-").unwrap_or(package)
}

/// The normal and build dependencies of a manifest, optional and target-specific ones included.
fn dependencies(package: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut inside = false;
    for line in text(&package.join("Cargo.toml")).lines() {
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            let header = header.trim_end_matches(']');
            inside = header.ends_with("dependencies") && !header.ends_with("dev-dependencies");
            if let Some((table, name)) = header.rsplit_once("dependencies.")
                && !table.ends_with("dev-")
            {
                found.push(name.to_owned());
            }
        } else if inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            found.push(line[..end].trim_matches('"').to_owned());
        }
    }
    found
}

#[test]
fn dependencies_are_read_from_a_manifest() {
    let folder = std::env::temp_dir().join(format!("equipoise-arrows-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = "[package]\nname = \"x\"\n[dependencies]\na.workspace = true\n# b = \"1\"\n\
                    c = { path = \"c\" }\n[target.'cfg(unix)'.dependencies]\nd = \"1\"\n\
                    [dev-dependencies]\ne = \"1\"\n[build-dependencies]\nf=\"1\"\n\
                    [dependencies.g]\nversion = \"1\"\n[dev-dependencies.h]\nversion = \"1\"\n\
                    [features]\ni = []\n";
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    let found = dependencies(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(found, ["a", "c", "d", "f", "g"]);
}

#[test]
fn every_arrow_is_allowed() {
    let names: Vec<String> = packages().iter().map(|package| name(package)).collect();
    for package in packages() {
        let from = name(&package);
        let rule = ARROWS.iter().find(|(known, _)| *known == short(&from));
        let Some((_, allowed)) = rule else {
            panic!("{from} is not in the table of arrows; say there what it may depend on");
        };
        let Some(allowed) = allowed else { continue };
        for to in dependencies(&package) {
            let ours = names.contains(&to) || to.starts_with("candle");
            assert!(
                !ours || allowed.contains(&short(&to)),
                "{from} depends on {to}, which the design does not allow; see ARROWS in {}",
                file!()
            );
        }
    }
}

#[test]
fn the_pure_packages_have_no_dependencies() {
    for package in packages() {
        let name = name(&package);
        if WITHOUT_DEPENDENCIES.contains(&name.as_str()) {
            assert_eq!(dependencies(&package), Vec::<String>::new(), "{name}");
            // And cargo agrees, dependencies of tests included.
            assert_eq!(tree(&name, "normal,build,dev").len(), 1, "{name}");
        }
    }
}

#[test]
fn tensors_stay_where_they_belong() {
    for package in WITHOUT_TENSORS {
        let tree = tree(package, "normal,build");
        let candle: Vec<&String> = tree
            .iter()
            .filter(|line| line.starts_with("candle"))
            .collect();
        assert!(candle.is_empty(), "{package} links {candle:?}");
    }
    // The check is able to find it.
    let tree = tree("equipoise-optim", "normal,build");
    assert!(tree.iter().any(|line| line.starts_with("candle-core")));
}

/// The package and everything it needs along the given kinds of edges, one per line.
fn tree(package: &str, edges: &str) -> Vec<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--package", package])
        .args(["--edges", edges, "--prefix", "none"])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree -p {package}: {errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    lines
        .lines()
        .filter(|line| !line.is_empty())
        .map(String::from)
        .collect()
}
