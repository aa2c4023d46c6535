//! Whether everything we link may be linked. Reads the list of `deny.toml`, and so needs no tool
//! that a newcomer would have to install.

use std::process::Command;

use crate::repository::{root, text};

/// The licences that `deny.toml` allows.
fn allowed() -> Vec<String> {
    let config = text(&root().join("deny.toml"));
    let list = config
        .split_once("\nallow = [")
        .and_then(|(_, rest)| rest.split_once(']'))
        .expect("deny.toml has a list `allow`")
        .0;
    list.split('"')
        .skip(1)
        .step_by(2)
        .map(String::from)
        .collect()
}

/// Whether a licence expression (SPDX, with the old `/` for `OR`) can be met with `allowed` only.
fn is_met(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    !rest.is_empty() && any(&mut rest, allowed) && rest.is_empty()
}

/// `a OR b`
fn any(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = all(rest, allowed);
    while let Some((&"OR", tail)) = rest.split_first() {
        *rest = tail;
        met |= all(rest, allowed);
    }
    met
}

/// `a AND b`, which binds tighter.
fn all(rest: &mut &[&str], allowed: &[String]) -> bool {
    let mut met = one(rest, allowed);
    while let Some((&"AND", tail)) = rest.split_first() {
        *rest = tail;
        met &= one(rest, allowed);
    }
    met
}

/// A licence, with its exception, or an expression in parentheses.
fn one(rest: &mut &[&str], allowed: &[String]) -> bool {
    match **rest {
        ["(", ref tail @ ..] => {
            *rest = tail;
            let met = any(rest, allowed);
            let closed = rest.first() == Some(&")");
            *rest = rest.get(1..).unwrap_or_default();
            met && closed
        }
        [licence, "WITH", exception, ref tail @ ..] => {
            *rest = tail;
            allowed.contains(&format!("{licence} WITH {exception}"))
        }
        [licence, ref tail @ ..] => {
            *rest = tail;
            allowed.iter().any(|name| name == licence)
        }
        [] => false,
    }
}

#[test]
fn expressions_are_understood() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(String::from);
    for (expression, expected) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("GPL-3.0", false),
        ("GPL-3.0 AND MIT", false),
        ("MIT AND GPL-3.0 OR Apache-2.0", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("Apache-2.0 WITH LLVM-exception", false),
        ("Apache-2.0 WITH LLVM-exception OR MIT", true),
        ("(MIT", false),
        ("", false),
    ] {
        assert_eq!(is_met(expression, &allowed), expected, "{expression}");
    }
}

#[test]
fn every_dependency_has_an_allowed_licence() {
    let allowed = allowed();
    assert!(allowed.contains(&"MIT".to_owned()), "{allowed:?}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["tree", "--offline", "--workspace", "--prefix", "none"])
        .args(["--no-dedupe", "--format", "{p}|{l}"])
        .current_dir(root())
        .output()
        .expect("cargo can be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo tree: {errors}");
    let lines = String::from_utf8_lossy(&output.stdout);
    let mut packages: Vec<&str> = lines.lines().filter(|line| !line.is_empty()).collect();
    packages.sort_unstable();
    packages.dedup();
    assert!(packages.len() > 50, "only {} packages", packages.len());
    let is_refused = |line: &&&str| {
        let (_, licence) = line.rsplit_once('|').expect("the format has a bar");
        !is_met(licence, &allowed)
    };
    let refused: Vec<&&str> = packages.iter().filter(is_refused).collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:#?}");
}
