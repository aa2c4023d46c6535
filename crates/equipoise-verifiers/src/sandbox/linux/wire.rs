//! What the library and the stages of the launcher say to each other.
//!
//! All of it goes over one socket, which is the launcher's standard input. The library sends a
//! [`Setup`], which the first stage reads, and a [`Request`] with the contents of files, which the
//! last stage reads. Back come [`Report`]s, one JSON value a line.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sandbox::levels::{Enforcement, Level};
use crate::sandbox::limits::Limits;

/// Messages longer than this are broken.
const LONGEST: u32 = 16 << 20;

/// What the first stage needs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// Whether to make namespaces.
    pub(super) namespaces: bool,
    /// The user and the group to become if the launcher runs as root.
    pub(super) instead_of_root: u32,
    /// The bytes that all processes together may keep resident.
    pub(super) memory: u64,
}

/// What the last stage needs; the contents of the files follow, then the standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<String>,
    pub(super) environment: Vec<(String, String)>,
    /// Further directories and files that can be read.
    pub(super) readable: Vec<PathBuf>,
    /// A directory that is there for this run alone.
    pub(super) run_directory: PathBuf,
    pub(super) limits: Limits,
    pub(super) required: Level,
    pub(super) landlock: bool,
    pub(super) seccomp: bool,
    /// Names and lengths of the files in the scratch directory.
    pub(super) files: Vec<(String, u64)>,
    /// The length of the standard input; `None` if the launcher's standard output is a socket that
    /// is to be the standard input, and the standard error takes all output.
    pub(super) stdin: Option<u64>,
}

/// What the library gets to know.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Report {
    /// Everything is in place and the command begins.
    Ready(Box<Enforcement>),
    /// The required level was not reached, and the command does not begin.
    Refused(Box<Enforcement>),
    /// The program cannot be executed.
    NotExecuted(String),
    /// A stage broke.
    Broken(String),
    /// All processes together kept too much memory resident, and are killed.
    TooMuchMemory,
    /// The command ended.
    Ended {
        code: Option<i32>,
        signal: Option<i32>,
        /// Processor time of all processes that were waited for, in microseconds.
        cpu: u64,
    },
}

/// What a stage tells the next, on its command line.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Handed {
    pub(super) enforcement: Enforcement,
    /// Whether mounts are seen by the run alone.
    pub(super) own_mounts: bool,
    /// The bytes that all processes together may keep resident.
    pub(super) memory: u64,
}

/// Sends a value with its length in front.
pub(super) fn send(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let text = serde_json::to_vec(value)?;
    let length = u32::try_from(text.len()).ok().filter(|n| *n <= LONGEST);
    let length = length.ok_or_else(|| io::Error::other("the request is too long"))?;
    to.write_all(&length.to_le_bytes())?;
    to.write_all(&text)
}

/// Reads a value that [`send`] sent, and not one byte more.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length);
    if length > LONGEST {
        return Err(io::Error::other("the request is broken"));
    }
    Ok(serde_json::from_slice(&bytes(from, u64::from(length))?)?)
}

/// Reads exactly `length` bytes.
pub(super) fn bytes(from: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    from.take(length).read_to_end(&mut all)?;
    if all.len() as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(all)
}

/// Sends one report.
pub(super) fn report(to: &mut UnixStream, report: &Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(report)?;
    line.push(b'\n');
    to.write_all(&line)
}
