//! One run from its start to its outcome.

use std::io::Read;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::error::SandboxError;
use super::levels::Enforcement;
use super::limits::Limit;
use super::{Command, SandboxOptions, platform};

/// A launcher that takes longer than this to begin is broken.
const BEGINNING: Duration = Duration::from_secs(20);

/// The streams of killed processes close at once, unless something has escaped.
const CLOSING: Duration = Duration::from_secs(2);

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code; 0 means success.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was killed with everything around it, by a limit or because it is no longer needed.
    Killed,
}

/// What came of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How the command ended.
    pub exit: Exit,
    /// The limit that ended it; `None` if none did.
    pub ended_by: Option<Limit>,
    /// What it wrote to the standard output, up to [`Limits::output`](super::Limits::output) bytes.
    pub stdout: Vec<u8>,
    /// What it wrote to the standard error, up to as many bytes.
    pub stderr: Vec<u8>,
    /// Whether it wrote more to the standard output.
    pub stdout_truncated: bool,
    /// Whether it wrote more to the standard error.
    pub stderr_truncated: bool,
    /// Time from the start of the command to its end.
    pub wall: Duration,
    /// Processor time of the command and of what it waited for; `None` if it was killed.
    pub cpu: Option<Duration>,
    /// The protections that were active.
    pub enforcement: Enforcement,
}

impl Outcome {
    /// Whether the command ended by itself with the code 0.
    pub fn succeeded(&self) -> bool {
        self.exit == Exit::Code(0) && self.ended_by.is_none()
    }
}

/// Where a command's standard input comes from.
pub(super) enum Input {
    /// [`Command::stdin`].
    Bytes,
    /// A socket that it can also write to; everything it prints is its standard error.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "needs stages"))]
    Socket(Socket),
}

#[cfg(unix)]
pub(super) type Socket = std::os::unix::net::UnixStream;
#[cfg(not(unix))]
pub(super) type Socket = std::convert::Infallible;

/// What happens in a run.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "needs stages"))]
pub(super) enum Event {
    Ready(Box<Enforcement>),
    Refused(Box<Enforcement>),
    NotExecuted(String),
    Broken(String),
    TooMuchMemory,
    Ended { exit: Exit, cpu: Option<Duration> },
    NoMoreReports,
    TooMuchOutput,
    NoLongerNeeded,
}

/// A run that has been started.
pub(super) struct Run {
    session: platform::Session,
    events: Receiver<Event>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "commands cannot converse"))]
    sender: Sender<Event>,
    stdout: Option<Receiver<Captured>>,
    stderr: Option<Receiver<Captured>>,
    program: String,
    limits: super::Limits,
    required: super::Level,
}

/// What was read of a stream.
#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    truncated: bool,
}

impl Run {
    /// Starts `command`.
    pub(super) fn start(
        options: &SandboxOptions,
        command: &Command,
        input: Input,
    ) -> Result<Self, SandboxError> {
        for (name, _) in &command.files {
            if name.is_empty() || name.contains(['/', '\\', '\0']) || name == "." || name == ".." {
                let name = name.clone();
                return Err(SandboxError::FileName { name });
            }
        }
        let (sender, events) = channel();
        let session = platform::start(options, command, input, &sender)?;
        let most = options.limits.output;
        let (stdout, stderr) = session
            .tree
            .child(|child| (child.stdout.take(), child.stderr.take()));
        Ok(Self {
            stdout: stdout.map(|stream| capture(stream, most, sender.clone())),
            stderr: stderr.map(|stream| capture(stream, most, sender.clone())),
            session,
            events,
            sender,
            program: command.program.clone(),
            limits: options.limits.clone(),
            required: options.required,
        })
    }

    /// What tells the run that it is no longer needed.
    #[cfg(unix)]
    pub(super) fn sender(&self) -> Sender<Event> {
        self.sender.clone()
    }

    /// Waits for the end, or makes one.
    pub(super) fn finish(self) -> Result<Outcome, SandboxError> {
        let mut ready: Option<(Enforcement, Instant)> = None;
        let mut needed = true;
        let mut deadline = Instant::now() + BEGINNING;
        let (mut exit, mut ended_by, mut cpu) = (Exit::Killed, None, None);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(Event::Ready(found)) => {
                    deadline = Instant::now() + self.limits.wall;
                    ready = Some((*found, Instant::now()));
                    if !needed {
                        break;
                    }
                }
                Ok(Event::Refused(found)) => {
                    return Err(self.refused(&found));
                }
                Ok(Event::NotExecuted(why)) => {
                    let program = self.program;
                    return Err(SandboxError::Program { program, why });
                }
                Ok(Event::Broken(what)) => return Err(self.broken(what)),
                Ok(Event::TooMuchMemory) => {
                    ended_by = Some(Limit::Memory);
                    break;
                }
                Ok(Event::Ended {
                    exit: how,
                    cpu: time,
                }) => {
                    (exit, cpu) = (how, time);
                    break;
                }
                Ok(Event::TooMuchOutput) => {
                    ended_by = Some(Limit::Output);
                    break;
                }
                // The protections are to be known even so.
                Ok(Event::NoLongerNeeded) if ready.is_none() => needed = false,
                Ok(Event::NoMoreReports | Event::NoLongerNeeded) => break,
                Err(RecvTimeoutError::Timeout) if ready.is_some() => {
                    ended_by = Some(Limit::Wall);
                    break;
                }
                Err(_) => return Err(self.broken("does not answer".to_owned())),
            }
        }
        let end = Instant::now();
        self.session.tree.end();
        let stdout = captured(self.stdout.as_ref());
        let stderr = captured(self.stderr.as_ref());
        let Some((enforcement, start)) = ready else {
            let words = String::from_utf8_lossy(&stderr.bytes);
            return Err(self.broken(format!("ended before the command began {}", words.trim())));
        };
        // A command can end by itself before anybody has seen that it printed too much.
        if ended_by.is_none() && (stdout.truncated || stderr.truncated) {
            ended_by = Some(Limit::Output);
        }
        let limits = &self.limits;
        let ended_by = ended_by.or_else(|| limit_behind(exit, cpu, limits, &stderr.bytes));
        Ok(Outcome {
            exit,
            ended_by,
            stdout: stdout.bytes,
            stderr: stderr.bytes,
            stdout_truncated: stdout.truncated,
            stderr_truncated: stderr.truncated,
            wall: end - start,
            cpu,
            enforcement,
        })
    }

    fn broken(&self, what: String) -> SandboxError {
        let launcher = self.session.launcher.clone();
        SandboxError::Launcher { launcher, what }
    }

    fn refused(&self, found: &Enforcement) -> SandboxError {
        refused(self.required, found)
    }
}

/// The error that `found` is less than `required`.
pub(super) fn refused(required: super::Level, found: &Enforcement) -> SandboxError {
    SandboxError::Level {
        required,
        reached: found.level(),
        lacks: found
            .lacks(required)
            .iter()
            .map(ToString::to_string)
            .collect(),
        why: found.missing.clone(),
    }
}

/// The limit that a command which ended has run into.
fn limit_behind(
    exit: Exit,
    cpu: Option<Duration>,
    limits: &super::Limits,
    stderr: &[u8],
) -> Option<Limit> {
    /// The numbers of these signals on Linux, on every architecture that Rust's standard library
    /// runs on but MIPS and SPARC.
    const KILL: i32 = 9;
    const TOO_LONG: i32 = 24;
    const TOO_LARGE: i32 = 25;
    match exit {
        Exit::Signal(TOO_LONG) => Some(Limit::Cpu),
        Exit::Signal(KILL) if cpu.is_some_and(|cpu| cpu >= limits.cpu) => Some(Limit::Cpu),
        Exit::Signal(TOO_LARGE) => Some(Limit::FileSize),
        Exit::Code(0) => None,
        Exit::Code(_) | Exit::Signal(_) => Limit::from_last_words(stderr),
        Exit::Killed => None,
    }
}

/// Reads a stream in a thread of its own; the first `most` bytes are kept, the rest only read.
fn capture(
    mut stream: impl Read + Send + 'static,
    most: usize,
    events: Sender<Event>,
) -> Receiver<Captured> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut captured = Captured::default();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = match stream.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(_) => break,
            };
            let room = most - captured.bytes.len();
            captured.bytes.extend_from_slice(&buffer[..read.min(room)]);
            if read > room && !captured.truncated {
                captured.truncated = true;
                // Nobody listens any more once the run is over.
                let _ = events.send(Event::TooMuchOutput);
            }
        }
        let _ = sender.send(captured);
    });
    receiver
}

/// What a stream held; nothing if something that escaped keeps it open.
fn captured(stream: Option<&Receiver<Captured>>) -> Captured {
    stream
        .and_then(|stream| stream.recv_timeout(CLOSING).ok())
        .unwrap_or_default()
}
