//! The sandbox on Linux: one launcher process after another, each nearer to the command.
//!
//! ```text
//! library     spawns the first stage: its own executable, or a launcher that was named
//! stage 1     a session of its own; not root any more; namespaces as far as the kernel has them
//! stage 2     process 1 of the new namespace of process ids: waits for everything, watches memory
//! stage 3     a root directory of its own, limits, Landlock, seccomp; becomes the command
//! ```
//!
//! Where there is no namespace of process ids, stage 1 does what stage 2 would do, and kills the
//! whole process group, which nothing can leave, at the end. The stages are programs of their own,
//! because code between `fork` and `exec` cannot be written without `unsafe`.

mod confine;
mod enter;
mod init;
mod namespaces;
mod root;
mod seccomp;
mod session;
mod stages;
mod wire;

pub(super) use session::{Session, start};
pub(super) use stages::{MARK, become_stage};
