//! Virtual environments of Python with pinned packages, below `target`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::run::{root, wait};

/// The Python of the virtual environment `target/NAME`, which is made if it is not there or has other
/// versions than the files ask for. What `alone` lists is installed without its dependencies.
pub(crate) fn environment(
    name: &str,
    requirements: &str,
    alone: Option<&str>,
) -> Result<PathBuf, Failure> {
    let mut wanted = read(&root().join(requirements))?;
    if let Some(alone) = alone {
        wanted += &read(&root().join(alone))?;
    }
    let directory = root().join("target").join(name);
    let python = match cfg!(windows) {
        true => directory.join("Scripts/python.exe"),
        false => directory.join("bin/python"),
    };
    // Programs are run in other directories than this one.
    let python = std::path::absolute(&python).unwrap_or(python);
    // Written last, so that an interrupted installation is taken up again.
    let installed = directory.join("installed.txt");
    if python.is_file() && std::fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("installing Python packages into {}", directory.display());
    let system = if cfg!(windows) { "python" } else { "python3" };
    wait(Command::new(system).args(["-m", "venv"]).arg(&directory))?;
    install(&python, &["--requirement", requirements])?;
    if let Some(alone) = alone {
        install(&python, &["--no-deps", "--requirement", alone])?;
    }
    std::fs::write(&installed, wanted).map_err(|error| unreadable(&installed, &error))?;
    Ok(python)
}

fn install(python: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet"]);
    wait(command.args(arguments).current_dir(root()))
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(|error| unreadable(path, &error))
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure {
        message: Some(format!("{}: {error}", path.display())),
        code: 1,
    }
}
