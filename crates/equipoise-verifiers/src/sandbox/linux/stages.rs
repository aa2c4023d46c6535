//! Which stage this process is, and how a stage starts the next.

use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::Signal;

use super::wire::{Handed, Report, report};
use super::{enter, init, namespaces};

/// The first argument of a launcher; what follows says which stage.
pub(in crate::sandbox) const MARK: &str = "--equipoise-sandbox-stage";

/// What stops a stage.
pub(super) type Broken = String;

/// Words for an error: what was being done, and what the kernel said.
pub(super) fn cannot<E: std::fmt::Display>(doing: &str) -> impl Fn(E) -> Broken + '_ {
    move |error| format!("cannot {doing}: {error}")
}

/// Runs the stage that the arguments after the mark ask for; the process must not go on afterwards.
pub(in crate::sandbox) fn become_stage(mut arguments: impl Iterator<Item = OsString>) {
    let stage = arguments.next().unwrap_or_default();
    let handed = arguments.next().unwrap_or_default();
    let Ok(mut control) = control() else {
        return;
    };
    let done = match stage.to_str() {
        Some("1") => namespaces::run(&mut control),
        Some("2") => handed_over(&handed).and_then(|handed| init::run(&mut control, handed)),
        Some("3") => handed_over(&handed).and_then(|handed| enter::run(&mut control, handed)),
        _ => Err(format!("there is no stage {stage:?}")),
    };
    if let Err(broken) = done {
        // The library may be gone, and then nobody needs to know.
        let _ = report(&mut control, &Report::Broken(broken));
    }
}

/// The socket to the library, which is the standard input.
fn control() -> std::io::Result<UnixStream> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    Ok(UnixStream::from(socket))
}

fn handed_over(text: &OsString) -> Result<Handed, Broken> {
    let text = text.to_str().unwrap_or_default();
    serde_json::from_str(text).map_err(cannot("read what the stage before handed over"))
}

/// Starts the next stage with the same standard streams.
pub(super) fn next(stage: &str, handed: &Handed) -> Result<Child, Broken> {
    let handed = serde_json::to_string(handed).map_err(cannot("hand over to the next stage"))?;
    Command::new("/proc/self/exe")
        .args([MARK, stage, &handed])
        .stdin(Stdio::inherit())
        .env_clear()
        .spawn()
        .map_err(cannot("start the next stage of the launcher"))
}

/// Asks the kernel to kill this process when its parent ends; an error if the library has ended
/// already.
pub(super) fn die_with_parent(control: &UnixStream) -> Result<(), Broken> {
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(cannot("die with the parent"))?;
    // The parent could have died before that.
    if library_is_gone(control) {
        return Err("the library is gone".to_owned());
    }
    Ok(())
}

/// Whether the other end of the socket is closed.
pub(super) fn library_is_gone(control: &UnixStream) -> bool {
    let mut polled = [PollFd::new(control.as_fd(), PollFlags::empty())];
    let gone = PollFlags::POLLHUP | PollFlags::POLLERR;
    match poll(&mut polled, PollTimeout::ZERO) {
        Ok(_) => polled[0]
            .revents()
            .is_some_and(|events| events.intersects(gone)),
        Err(_) => false,
    }
}
