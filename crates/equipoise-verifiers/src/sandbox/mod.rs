//! Runs programs that nobody has read: a sandbox without privileges and without a daemon.
//!
//! ```no_run
//! use equipoise_verifiers::sandbox::{self, Command, Sandbox, SandboxOptions};
//!
//! fn main() -> Result<(), sandbox::SandboxError> {
//!     // First thing: this process may have been started to launch a sandbox.
//!     sandbox::launch_if_asked();
//!     let sandbox = Sandbox::new(SandboxOptions::default());
//!     let outcome = sandbox.run(&Command::new("python3", ["-c", "print(6 * 7)"]))?;
//!     assert_eq!(outcome.stdout, b"42\n");
//!     println!("{}", outcome.enforcement); // isolated: session, wall, cpu, …
//!     Ok(())
//! }
//! ```
//!
//! # What it protects from
//!
//! Each of these is an attack in the crate's tests, at every level that claims to stop it:
//!
//! ```text
//! endless loops, sleeping       wall clock, processor time                  process, limits
//! floods of output              a cap, then everything is killed            process
//! secrets in its environment    a fixed environment                         process
//! memory and fork bombs         limits for an ordinary user                 limits
//! files of others               Landlock, a root directory of its own       confined
//! secrets of other processes    the same; /proc is among these files        confined
//! the network                   no sockets, no interfaces                   confined
//! other processes               namespaces, Landlock, seccomp               isolated
//! outliving the run             a namespace of process ids                  isolated
//! ```
//!
//! It does not protect from errors in the kernel, and not from what time can tell.
//!
//! # How it works
//!
//! The library starts its own executable once more (`/proc/self/exe`), which is why
//! [`launch_if_asked`] has to come first in `main`; a program that cannot do that names one that does
//! in [`SandboxOptions::launcher`]. The launcher gives up root, makes namespaces, builds a root
//! directory of `/usr` and the like, sets limits, applies Landlock and a filter of system calls, and
//! becomes the command. What of this worked is reported from there before the command begins, as
//! [`Outcome::enforcement`]. A run that does not reach [`SandboxOptions::required`] does not begin.
//!
//! Everything is deterministic but time: a command that is killed at the end of its wall clock on
//! one machine may end in time on another.
//!
//! On systems other than Linux a run reaches [`Level::Process`] and no more.

mod error;
mod levels;
mod limits;
mod program;
mod run;
mod scratch;
mod tree;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod plain;

#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(not(target_os = "linux"))]
use plain as platform;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

pub use error::SandboxError;
pub use levels::{Enforcement, Filesystem, Level, Network};
pub use limits::{Limit, Limits};
pub use run::{Exit, Outcome};
use run::{Input, Run};

/// Whether this program's own executable can be a launcher.
static LAUNCHES: AtomicBool = AtomicBool::new(false);

/// Launches a sandbox and never returns, if that is what this process was started for; does nothing
/// otherwise.
///
/// To be called first thing in `main`, before there are threads and before anything looks at the
/// arguments.
pub fn launch_if_asked() {
    #[cfg(target_os = "linux")]
    {
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == linux::MARK) {
            linux::become_stage(arguments);
            std::process::exit(1);
        }
    }
    LAUNCHES.store(true, Ordering::Relaxed);
}

/// How to run commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxOptions {
    /// What one run may use.
    pub limits: Limits,
    /// A run that would be shut in less well does not begin.
    pub required: Level,
    /// Directories and files that commands can read beyond the system's programs and libraries and
    /// the installation of the program itself.
    pub readable: Vec<PathBuf>,
    /// The program that launches the sandbox: one that calls [`launch_if_asked`] first thing. This
    /// program itself if `None`.
    pub launcher: Option<PathBuf>,
    /// Where the directory of a run is made; every user has to be able to enter it. The system's
    /// directory for temporary files if `None`. The directory is removed after the run, whatever
    /// came of it; only a library that is killed leaves it, and it is empty where the run had a
    /// root directory of its own.
    pub scratch_parent: Option<PathBuf>,
    /// Whether to use namespaces; without them no run is more than [`Level::Confined`].
    pub namespaces: bool,
    /// Whether to use Landlock.
    pub landlock: bool,
    /// Whether to filter system calls.
    pub seccomp: bool,
}

impl Default for SandboxOptions {
    /// The default limits, [`Level::Confined`] as the least, every protection that there is, and
    /// this program as the launcher.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            required: Level::Confined,
            readable: Vec::new(),
            launcher: None,
            scratch_parent: None,
            namespaces: true,
            landlock: true,
            seccomp: true,
        }
    }
}

/// A command to run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Command {
    /// The program: an absolute path, or a name that is looked for in `/usr/local/bin`, `/usr/bin`
    /// and `/bin`.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Names and contents of files in the scratch directory, which is the working directory.
    pub files: Vec<(String, Vec<u8>)>,
    /// The standard input.
    pub stdin: Vec<u8>,
}

impl Command {
    /// A command with arguments, no files and an empty standard input.
    pub fn new<'a>(program: &str, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self {
            program: program.to_owned(),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            ..Self::default()
        }
    }
}

/// Runs commands, each shut in by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sandbox {
    options: SandboxOptions,
}

impl Sandbox {
    /// A sandbox with the given options.
    pub fn new(options: SandboxOptions) -> Self {
        Self { options }
    }

    /// How commands are run.
    pub fn options(&self) -> &SandboxOptions {
        &self.options
    }

    /// Runs a command to its end, or to the first limit it reaches.
    ///
    /// The calling thread waits; any number of threads can run commands at the same time.
    ///
    /// # Errors
    ///
    /// If the run does not take place: no launcher, too few protections, no such program.
    pub fn run(&self, command: &Command) -> Result<Outcome, SandboxError> {
        Run::start(&self.options, command, Input::Bytes)?.finish()
    }

    /// Runs nothing, and says which protections that had.
    ///
    /// # Errors
    ///
    /// If not even that can be run: see [`run`](Self::run). To be called once at the start of
    /// something that would find out only hours later.
    pub fn probe(&self) -> Result<Enforcement, SandboxError> {
        let outcome = self.run(&Command::new("true", []))?;
        Ok(outcome.enforcement)
    }

    /// Runs two commands, each in a sandbox of its own, that talk to each other: the standard input
    /// of each is a socket to the other, and what they print, to either stream, is their standard
    /// error. When `first` ends, `second` is killed.
    #[cfg(unix)]
    pub(crate) fn converse(
        &self,
        first: &Command,
        second: &Command,
    ) -> Result<(Outcome, Outcome), SandboxError> {
        let pair = run::Socket::pair().map_err(SandboxError::io("make a socket"))?;
        let first = Run::start(&self.options, first, Input::Socket(pair.0))?;
        let second = Run::start(&self.options, second, Input::Socket(pair.1))?;
        let no_longer_needed = second.sender();
        let (first, second) = std::thread::scope(|scope| {
            let second = scope.spawn(|| second.finish());
            let first = first.finish();
            // It may have ended already.
            let _ = no_longer_needed.send(run::Event::NoLongerNeeded);
            (first, second.join())
        });
        let second = second.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok((first?, second?))
    }

    /// Two commands cannot talk to each other here.
    #[cfg(not(unix))]
    pub(crate) fn converse(
        &self,
        _: &Command,
        _: &Command,
    ) -> Result<(Outcome, Outcome), SandboxError> {
        Err(run::refused(Level::Isolated, &Enforcement::none()))
    }
}
