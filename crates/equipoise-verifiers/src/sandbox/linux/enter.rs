//! The last stage: shuts itself in and becomes the command.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

use super::stages::{Broken, cannot, die_with_parent};
use super::wire::{Handed, Report, Request, bytes, receive, report};
use super::{confine, root, seccomp};
use crate::sandbox::levels::{Enforcement, Filesystem, Network};

/// Runs the stage; returns only if the command could not be started.
pub(super) fn run(control: &mut UnixStream, handed: Handed) -> Result<(), Broken> {
    die_with_parent(control)?;
    let request: Request = receive(control).map_err(cannot("read the request"))?;
    let mut files = Vec::new();
    for (name, length) in &request.files {
        let contents = bytes(control, *length).map_err(cannot("read a file of the request"))?;
        files.push((name, contents));
    }
    let stdin = match request.stdin {
        Some(length) => bytes(control, length).map_err(cannot("read the standard input"))?,
        None => Vec::new(),
    };
    let mut found = handed.enforcement.clone();
    // Threads of this user that are there before the command; in a user namespace these are the
    // stages before this one.
    let before = if found.user_namespace {
        1 + u64::from(found.process_namespace)
    } else {
        threads_of_user()
    };
    let scratch = scratch(&request, &handed, &mut found)?;
    for (name, contents) in &files {
        let mut options = fs::OpenOptions::new();
        let opened = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(scratch.join(name));
        opened
            .and_then(|mut file| file.write_all(contents))
            .map_err(|error| format!("cannot write {name} to the scratch directory: {error}"))?;
    }
    // Everything that needs power over the namespaces is done.
    let none = CapabilitySet::empty();
    let none = CapabilitySets {
        effective: none,
        permitted: none,
        inheritable: none,
    };
    set_capabilities(None, none).map_err(cannot("drop all capabilities"))?;
    let (stdin, stdout) = streams(&request, &stdin)?;
    confine::limit(&request.limits, before, &mut found)?;
    prctl::set_no_new_privs().map_err(cannot("give up new privileges"))?;
    found.no_new_privileges = true;
    if request.landlock {
        let own_root = found.filesystem >= Filesystem::Root;
        confine::landlock(&scratch, &request.readable, own_root, &mut found)?;
    } else {
        found.missing.push("Landlock is switched off".to_owned());
    }
    filter(request.seccomp, &mut found);
    let mut command = Command::new(&request.program);
    command
        .args(&request.arguments)
        .env_clear()
        .envs(request.environment.iter().map(|(key, value)| (key, value)))
        .env("HOME", &scratch)
        .env("TMPDIR", &scratch)
        .current_dir(&scratch)
        .stdin(stdin);
    if let Some(stdout) = stdout {
        command.stdout(stdout);
    }
    found.memory = true;
    if found.level() < request.required {
        let refused = Report::Refused(Box::new(found));
        return report(control, &refused).map_err(cannot("report"));
    }
    report(control, &Report::Ready(Box::new(found))).map_err(cannot("report"))?;
    confine::limit_memory(&request.limits)?;
    let error = command.exec();
    report(control, &Report::NotExecuted(error.to_string())).map_err(cannot("report"))
}

/// Makes the scratch directory and enters it, in a root directory of its own if that can be had.
fn scratch(request: &Request, handed: &Handed, found: &mut Enforcement) -> Result<PathBuf, Broken> {
    if handed.own_mounts {
        let disk = request.limits.disk;
        match root::enter(&request.run_directory, &request.readable, disk) {
            Ok(root) => {
                found.filesystem = Filesystem::Root;
                found.disk = true;
                found.memory_together = root.processes && found.process_namespace;
                if !root.processes {
                    found.missing.push("no /proc of its own".to_owned());
                }
                return Ok(PathBuf::from(root::SCRATCH));
            }
            Err(error) => found.missing.push(format!("no root of its own: {error}")),
        }
    }
    let scratch = request.run_directory.join("scratch");
    std::env::set_current_dir(&scratch).map_err(cannot("enter the scratch directory"))?;
    Ok(scratch)
}

/// The standard input, and the standard output if it is not this process's own.
fn streams(request: &Request, stdin: &[u8]) -> Result<(Stdio, Option<Stdio>), Broken> {
    let copy = |fd: std::io::Result<OwnedFd>| fd.map(Stdio::from).map_err(cannot("copy a stream"));
    if request.stdin.is_none() {
        let socket = copy(std::io::stdout().as_fd().try_clone_to_owned())?;
        let stderr = copy(std::io::stderr().as_fd().try_clone_to_owned())?;
        return Ok((socket, Some(stderr)));
    }
    // A file in memory never blocks the writer, and is gone with its last reader.
    let file = memfd_create(c"stdin", MFdFlags::MFD_CLOEXEC).map_err(cannot("make the input"))?;
    let mut file = fs::File::from(file);
    file.write_all(stdin).map_err(cannot("write the input"))?;
    file.rewind().map_err(cannot("rewind the input"))?;
    // Without /proc the command could write to its own input, which harms nobody.
    let read_only = fs::File::open(format!("/proc/self/fd/{}", file.as_raw_fd()));
    Ok((Stdio::from(read_only.unwrap_or(file)), None))
}

/// Refuses system calls, as far as the architecture and the kernel have filters.
fn filter(wanted: bool, found: &mut Enforcement) {
    if !wanted {
        found.missing.push("seccomp is switched off".to_owned());
        return;
    }
    let applied = seccomp::filters(found.process_namespace).and_then(|filters| {
        let apply = |filter: &seccompiler::BpfProgram| seccompiler::apply_filter(filter);
        filters
            .iter()
            .try_for_each(apply)
            .map_err(|error| error.to_string())
    });
    match applied {
        Ok(()) => {
            found.seccomp = true;
            found.network = match found.network {
                Network::Open | Network::Seccomp => Network::Seccomp,
                Network::Namespace | Network::SeccompAndNamespace => Network::SeccompAndNamespace,
            };
        }
        Err(error) => found.missing.push(format!("no seccomp: {error}")),
    }
}

/// The number of threads that belong to this process's user.
fn threads_of_user() -> u64 {
    let user = nix::unistd::getuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let threads = entries.filter_map(|entry| {
        let is_process = entry.file_name().to_str()?.parse::<u32>().is_ok();
        is_process.then(|| status(&entry.path(), user)).flatten()
    });
    threads.sum()
}

/// The number of threads of a process if it belongs to `user`.
fn status(process: &Path, user: u32) -> Option<u64> {
    let text = fs::read_to_string(process.join("status")).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let owner: u32 = field("Uid:")?.split_whitespace().next()?.parse().ok()?;
    let threads = field("Threads:")?.trim().parse().ok()?;
    (owner == user).then_some(threads)
}
