//! The processes of a run, to be killed together.

use std::process::Child;
use std::sync::{Mutex, PoisonError};

/// The processes of a run: the one that was started, and all in its process group.
pub(super) struct Tree {
    child: Mutex<Running>,
}

struct Running {
    child: Child,
    /// Whether the process was waited for; from then on its number may be another's.
    over: bool,
}

impl Tree {
    pub(super) fn new(child: Child) -> Self {
        let over = false;
        let child = Mutex::new(Running { child, over });
        Self { child }
    }

    /// Calls `f` with the child; a lock that a panic poisoned guards no half-made state.
    fn with<T>(&self, f: impl FnOnce(&mut Running) -> T) -> T {
        f(&mut self.child.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Calls `f` with the process that was started.
    pub(super) fn child<T>(&self, f: impl FnOnce(&mut Child) -> T) -> T {
        self.with(|running| f(&mut running.child))
    }

    /// How the process that was started has ended, if it has; the others are killed then.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn ended(&self) -> Option<super::Exit> {
        use super::Exit;
        self.with(|running| {
            if running.over {
                return Some(Exit::Killed);
            }
            let status = running.child.try_wait().ok()??;
            kill_group(&running.child);
            running.over = true;
            #[cfg(unix)]
            if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
                return Some(Exit::Signal(signal));
            }
            Some(status.code().map_or(Exit::Killed, Exit::Code))
        })
    }

    /// Kills all of them and waits for the first.
    pub(super) fn end(&self) {
        self.with(|running| {
            if running.over {
                return;
            }
            kill_group(&running.child);
            // It may have ended by itself.
            let _ = running.child.kill();
            let _ = running.child.wait();
            running.over = true;
        });
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.end();
    }
}

/// Kills the process group of a child that has not been waited for; its number still is its own.
#[cfg(unix)]
fn kill_group(child: &Child) {
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    // There is no such group if the child has not come so far.
    let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
}

#[cfg(not(unix))]
fn kill_group(_: &Child) {}
