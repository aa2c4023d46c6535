//! The library's end of a run: starts the launcher and hears what it reports.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::Sender;
use std::time::Duration;
use std::{fs, thread};

use super::stages::MARK;
use super::wire::{Report, Request, Setup, send};
use crate::sandbox::error::SandboxError;
use crate::sandbox::program::{self, ENVIRONMENT};
use crate::sandbox::run::{Event, Exit, Input};
use crate::sandbox::tree::Tree;
use crate::sandbox::{Command, LAUNCHES, SandboxOptions, scratch};

/// The user and group `nobody`.
const NOBODY: u32 = 65534;

/// Longer than this nobody waits for a launcher to read its request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Longer reports are broken.
const LONGEST_REPORT: u64 = 1 << 20;

/// A run that has been started.
pub(in crate::sandbox) struct Session {
    pub(in crate::sandbox) tree: Tree,
    /// Removed when everything in it has ended.
    _directory: scratch::Directory,
    pub(in crate::sandbox) launcher: PathBuf,
}

/// Starts a launcher and sends it the request; what it reports becomes events.
pub(in crate::sandbox) fn start(
    options: &SandboxOptions,
    command: &Command,
    input: Input,
    events: &Sender<Event>,
) -> Result<Session, SandboxError> {
    let (program, mut readable) = program::find(&command.program)?;
    readable.extend(options.readable.iter().cloned());
    // An open file can be executed by a user who could not reach its directory.
    let (launcher, opened) = match &options.launcher {
        Some(path) => {
            let file = fs::File::open(path).map_err(|error| SandboxError::Launcher {
                launcher: path.clone(),
                what: error.to_string(),
            })?;
            (path.clone(), Some(file))
        }
        None if LAUNCHES.load(Ordering::Relaxed) => (PathBuf::from("/proc/self/exe"), None),
        None => return Err(SandboxError::NoLauncher),
    };
    let executed = opened.as_ref().map_or_else(
        || launcher.clone(),
        |file| {
            use std::os::fd::AsRawFd as _;
            PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
        },
    );
    let directory = scratch::Directory::new(options.scratch_parent.as_deref())?;
    prepare(&directory).map_err(SandboxError::io("make a scratch directory"))?;
    let request = request(options, command, &input, program, readable, &directory);

    let (ours, theirs) = UnixStream::pair().map_err(SandboxError::io("make a socket"))?;
    let mut process = Process::new(executed);
    process
        .args([MARK, "1"])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stderr(Stdio::piped());
    match input {
        Input::Bytes => process.stdout(Stdio::piped()),
        Input::Socket(socket) => process.stdout(Stdio::from(OwnedFd::from(socket))),
    };
    let child = process.spawn().map_err(|error| SandboxError::Launcher {
        launcher: launcher.clone(),
        what: format!("cannot be started: {error}"),
    })?;
    // The command keeps the ends of the streams that were for it; here they would keep the streams
    // open.
    drop(process);
    let tree = Tree::new(child);
    let setup = Setup {
        namespaces: options.namespaces,
        instead_of_root: NOBODY,
        memory: options.limits.memory,
    };
    // If this fails the launcher has ended, and the end of its reports will say so.
    let _ = say(&ours, &setup, &request, command);
    let events = events.clone();
    thread::spawn(move || hear(ours, &events));
    Ok(Session {
        tree,
        _directory: directory,
        launcher,
    })
}

/// The mount point of a root directory, and a scratch directory for where there is none.
fn prepare(directory: &scratch::Directory) -> std::io::Result<()> {
    let path = directory.path();
    let scratch = path.join("scratch");
    fs::create_dir(path.join("root"))?;
    fs::create_dir(&scratch)?;
    if nix::unistd::geteuid().is_root() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o711))?;
        // A root that is none has no say about other users; then it stays the owner.
        let _ = chown(&scratch, Some(NOBODY), Some(NOBODY));
    }
    Ok(())
}

fn request(
    options: &SandboxOptions,
    command: &Command,
    input: &Input,
    program: PathBuf,
    readable: Vec<PathBuf>,
    directory: &scratch::Directory,
) -> Request {
    let environment = ENVIRONMENT.iter();
    let files = command.files.iter();
    Request {
        program,
        arguments: command.arguments.clone(),
        environment: environment
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        readable,
        run_directory: directory.path().to_owned(),
        limits: options.limits.clone(),
        required: options.required,
        landlock: options.landlock,
        seccomp: options.seccomp,
        files: files
            .map(|(name, contents)| (name.clone(), contents.len() as u64))
            .collect(),
        stdin: match input {
            Input::Bytes => Some(command.stdin.len() as u64),
            Input::Socket(_) => None,
        },
    }
}

fn say(
    mut to: &UnixStream,
    setup: &Setup,
    request: &Request,
    command: &Command,
) -> std::io::Result<()> {
    to.set_write_timeout(Some(PATIENCE))?;
    send(&mut to, setup)?;
    send(&mut to, request)?;
    for (_, contents) in &command.files {
        to.write_all(contents)?;
    }
    if request.stdin.is_some() {
        to.write_all(&command.stdin)?;
    }
    Ok(())
}

/// Turns reports into events until there are no more.
fn hear(socket: UnixStream, events: &Sender<Event>) {
    let mut lines = BufReader::new(socket.take(LONGEST_REPORT));
    let mut line = Vec::new();
    while lines
        .read_until(b'\n', &mut line)
        .is_ok_and(|read| read > 0)
    {
        let event = match serde_json::from_slice(&line) {
            Ok(Report::Ready(found)) => Event::Ready(found),
            Ok(Report::Refused(found)) => Event::Refused(found),
            Ok(Report::NotExecuted(why)) => Event::NotExecuted(why),
            Ok(Report::Broken(what)) => Event::Broken(what),
            Ok(Report::TooMuchMemory) => Event::TooMuchMemory,
            Ok(Report::Ended { code, signal, cpu }) => Event::Ended {
                exit: match (code, signal) {
                    (Some(code), _) => Exit::Code(code),
                    (None, Some(signal)) => Exit::Signal(signal),
                    (None, None) => Exit::Killed,
                },
                cpu: Some(Duration::from_micros(cpu)),
            },
            Err(error) => Event::Broken(format!("an unreadable report: {error}")),
        };
        // Nobody listens any more once the run is over.
        let _ = events.send(event);
        line.clear();
    }
    let _ = events.send(Event::NoMoreReports);
}
