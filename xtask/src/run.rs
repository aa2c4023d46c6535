//! The commands themselves: every one is a short list of calls of cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Failure;

/// Trains. The process is replaced by cargo, and that by `equipoise`, so that ctrl-C and the exit
/// code are those of `equipoise` itself.
pub(crate) fn train(recipe: Option<&str>, options: &[String]) -> Result<(), Failure> {
    let recipe = match recipe {
        Some(recipe) => PathBuf::from(recipe),
        None => root().join("recipes").join("arithmetic.toml"),
    };
    // Found now rather than after a build of several minutes.
    if !recipe.is_file() {
        return Err(Failure::usage(format!(
            "there is no recipe {}; the repository has {}",
            recipe.display(),
            recipes().join(", ")
        )));
    }
    // The kernels choose their instruction set when they run, so optimisation is the only flag.
    let mut command = cargo();
    command
        .args(["run", "--release", "--package", "equipoise-cli"])
        .args(["--bin", "equipoise", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .args(["--", "train"])
        .arg(recipe)
        .args(options);
    replace(command)
}

/// All tests. The examples in the documentation come first, so that the summary of the many is the
/// last thing printed.
pub(crate) fn test() -> Result<(), Failure> {
    if has("nextest") {
        call(&["test", "--workspace", "--doc"])?;
        call(&["nextest", "run", "--workspace"])
    } else {
        call(&["test", "--workspace"])
    }
}

pub(crate) fn lint() -> Result<(), Failure> {
    call(&["fmt", "--all", "--check"])?;
    call(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ])
}

pub(crate) fn doc() -> Result<(), Failure> {
    let mut command = cargo();
    command
        .args(["doc", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(root());
    wait(&mut command)
}

/// Everything, the cheapest first, tests last.
pub(crate) fn ci() -> Result<(), Failure> {
    lint()?;
    doc()?;
    if has("deny") {
        call(&["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        println!("cargo-deny is not installed; a test of xtask checks the licences");
    }
    test()
}

fn call(arguments: &[&str]) -> Result<(), Failure> {
    let mut command = cargo();
    wait(command.args(arguments).current_dir(root()))
}

/// Runs a command to its end.
pub(crate) fn wait(command: &mut Command) -> Result<(), Failure> {
    eprintln!("+ {}", shown(command));
    let status = command
        .status()
        .map_err(|error| failed_to_start(command, &error))?;
    if status.success() {
        return Ok(());
    }
    // Killed by a signal: no code.
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Err(Failure {
        message: Some(format!("{} failed", shown(command))),
        code: code.unwrap_or(1),
    })
}

#[cfg(unix)]
fn replace(mut command: Command) -> Result<(), Failure> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(failed_to_start(&command, &error))
}

#[cfg(not(unix))]
fn replace(mut command: Command) -> Result<(), Failure> {
    wait(&mut command)
}

/// Whether `cargo NAME` exists.
fn has(subcommand: &str) -> bool {
    cargo()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn shown(command: &Command) -> String {
    let arguments: Vec<_> = command
        .get_args()
        .map(|part| part.to_string_lossy())
        .collect();
    let program = Path::new(command.get_program());
    let name = program.file_stem().unwrap_or(program.as_os_str());
    format!("{} {}", name.to_string_lossy(), arguments.join(" "))
}

fn failed_to_start(command: &Command, error: &std::io::Error) -> Failure {
    Failure {
        message: Some(format!("{} could not be started: {error}", shown(command))),
        code: 1,
    }
}

/// The root of the repository; relative, and so easy to read, where that is where we are.
pub(crate) fn root() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = manifest.parent().unwrap_or(manifest);
    match std::env::current_dir() {
        Ok(current) if current == root => PathBuf::from("."),
        _ => root.into(),
    }
}

fn recipes() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("recipes"))
        .into_iter()
        .flatten()
        .flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(|path| path.display().to_string())
        .collect();
    names.sort();
    names
}
