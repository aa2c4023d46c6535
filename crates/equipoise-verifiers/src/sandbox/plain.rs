//! The sandbox where there is no launcher: a process of its own, a wall clock and a cap on the
//! output.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread;
use std::time::Duration;

use super::error::SandboxError;
use super::levels::{Enforcement, Level};
use super::program::{self, ENVIRONMENT};
use super::run::{Event, Input, refused};
use super::tree::Tree;
use super::{Command, SandboxOptions, scratch};

/// How often is asked whether the command has ended.
const ASKING: Duration = Duration::from_millis(2);

/// A run that has been started.
pub(super) struct Session {
    pub(super) tree: Arc<Tree>,
    pub(super) launcher: PathBuf,
    _directory: scratch::Directory,
}

/// Starts the command itself.
pub(super) fn start(
    options: &SandboxOptions,
    command: &Command,
    input: Input,
    events: &Sender<Event>,
) -> Result<Session, SandboxError> {
    let found = Enforcement::none();
    if options.required > Level::Process {
        return Err(refused(options.required, &found));
    }
    let Input::Bytes = input else {
        return Err(refused(Level::Isolated, &found));
    };
    let (program, _) = program::find(&command.program)?;
    let directory = scratch::Directory::new(options.scratch_parent.as_deref())?;
    let write = SandboxError::io("write to the scratch directory");
    for (name, contents) in &command.files {
        std::fs::write(directory.path().join(name), contents).map_err(&write)?;
    }
    let mut process = Process::new(&program);
    process
        .args(&command.arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .env("HOME", directory.path())
        .env("TMPDIR", directory.path())
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    let mut child = process.spawn().map_err(|error| SandboxError::Program {
        program: command.program.clone(),
        why: error.to_string(),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        let bytes = command.stdin.clone();
        // A command need not read its input.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
    }
    let tree = Arc::new(Tree::new(child));
    let (watched, events) = (Arc::clone(&tree), events.clone());
    thread::spawn(move || {
        let mut going = events.send(Event::Ready(Box::new(found))).is_ok();
        while going {
            thread::sleep(ASKING);
            let Some(exit) = watched.ended() else {
                continue;
            };
            going = false;
            let cpu = None;
            // Nobody listens any more once the run is over.
            let _ = events.send(Event::Ended { exit, cpu });
        }
    });
    Ok(Session {
        tree,
        launcher: program,
        _directory: directory,
    })
}
