//! Why a run did not take place.

use std::path::PathBuf;

use super::levels::Level;

/// Why a run did not take place, or has no outcome. What the command does is never an error: it is
/// an [`Outcome`](super::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SandboxError {
    /// There is nothing that could start the command.
    #[error(
        "this program cannot launch a sandbox: call \
         equipoise_verifiers::sandbox::launch_if_asked() first thing in main, or name a program \
         that does in SandboxOptions::launcher"
    )]
    NoLauncher,
    /// The kernel does not have the protections that are required.
    #[error(
        "the sandbox reaches the level {reached} here, but {required} is required; missing: {}{}",
        .lacks.join(", "),
        .why.iter().map(|why| format!("; {why}")).collect::<String>()
    )]
    Level {
        /// The level that [`SandboxOptions::required`](super::SandboxOptions::required) asks for.
        required: Level,
        /// The level that would have been reached.
        reached: Level,
        /// The protections that are missing.
        lacks: Vec<String>,
        /// What the kernel said.
        why: Vec<String>,
    },
    /// The program is not there or cannot be executed.
    #[error("cannot execute {program}: {why}")]
    Program {
        /// The program as it was given.
        program: String,
        /// What is wrong with it.
        why: String,
    },
    /// A file that is to be in the scratch directory has a name with directories, or none.
    #[error("{name:?} cannot be a file in the scratch directory: give a name without directories")]
    FileName {
        /// The name.
        name: String,
    },
    /// The launcher broke.
    #[error("the launcher of the sandbox {}: {what}", .launcher.display())]
    Launcher {
        /// The program that was to launch the sandbox.
        launcher: PathBuf,
        /// What went wrong.
        what: String,
    },
    /// The machine has no more of something.
    #[error("cannot {doing} for a sandbox: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl SandboxError {
    /// Turns an error of the operating system into one of the sandbox.
    pub(super) fn io(doing: &'static str) -> impl Fn(std::io::Error) -> Self {
        move |source| Self::Io { doing, source }
    }
}
