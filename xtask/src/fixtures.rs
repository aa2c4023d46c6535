//! `cargo xtask fixtures`: the golden files, written again or compared with what is kept.

use std::process::Command;

use crate::Failure;
use crate::python::environment;
use crate::run::{root, wait};

/// Runs the programs beside the golden files, all of them or those whose path contains one of `parts`.
pub(crate) fn run(check: bool, parts: &[String]) -> Result<(), Failure> {
    let python = environment(
        "fixtures",
        "tests/fixtures/requirements.txt",
        Some("tests/fixtures/requirements-alone.txt"),
    )?;
    let mut command = Command::new(python);
    command.arg("tests/fixtures/run.py");
    if check {
        command.arg("--check");
    }
    wait(command.args(parts).current_dir(root()))
}
