//! A root directory that holds what a command may see, and nothing else.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::pivot_root;

use super::stages::{Broken, cannot};

/// The scratch directory inside.
pub(super) const SCRATCH: &str = "/scratch";

/// Directories of programs and libraries.
pub(super) const SYSTEM: [&str; 9] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
];

/// What programs need of the machine's configuration.
pub(super) const CONFIGURATION: [&str; 3] =
    ["/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"];

/// Devices without memory of what happened.
pub(super) const DEVICES: [&str; 5] = [
    "/dev/null",
    "/dev/zero",
    "/dev/full",
    "/dev/random",
    "/dev/urandom",
];

/// What came with the new root.
pub(super) struct Root {
    /// Whether there is a `/proc` that shows the processes of the run alone.
    pub(super) processes: bool,
}

/// Makes the root directory and enters it; the working directory is the scratch directory.
///
/// On an error nothing has changed for the command: the old root is still there.
pub(super) fn enter(run: &Path, readable: &[PathBuf], disk: u64) -> Result<Root, Broken> {
    let base = run.join("root");
    // Nothing that is mounted from here on is seen outside.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount::<str, _, str, str>(None, "/", None, private, None)
        .map_err(cannot("make the mounts private"))?;
    let nothing_special = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let tmpfs = |at: &Path, options: &str| {
        let kind = Some("tmpfs");
        mount(kind, at, kind, nothing_special, Some(options)).map_err(cannot("mount a tmpfs"))
    };
    tmpfs(&base, "mode=755,size=1m")?;
    for path in SYSTEM {
        show(&base, Path::new(path))?;
    }
    for path in readable {
        show(&base, path)?;
    }
    configuration(&base)?;
    devices(&base)?;
    let scratch = inside(&base, Path::new(SCRATCH));
    make_directory(&scratch)?;
    tmpfs(&scratch, &format!("mode=700,size={disk},nr_inodes=16384"))?;
    let proc = base.join("proc");
    make_directory(&proc)?;
    let read_only = nothing_special | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
    let processes = mount(Some("proc"), &proc, Some("proc"), read_only, None::<&str>).is_ok();
    // Where a program of `readable` lies in /tmp, that is a directory by now.
    if !base.join("tmp").exists() {
        link(SCRATCH, &base.join("tmp"))?;
    }
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | nothing_special;
    mount::<str, _, str, str>(None, &base, None, flags, None)
        .map_err(cannot("make the root read-only"))?;

    std::env::set_current_dir(&base).map_err(cannot("enter the new root"))?;
    // The old root is mounted over the new one, and taken away from there (pivot_root(2)).
    pivot_root(".", ".").map_err(cannot("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(cannot("leave the old root"))?;
    std::env::set_current_dir(SCRATCH).map_err(cannot("enter the scratch directory"))?;
    Ok(Root { processes })
}

/// Where an absolute path is below another directory.
fn inside(base: &Path, path: &Path) -> PathBuf {
    base.join(path.strip_prefix("/").unwrap_or(path))
}

fn make_directory(path: &Path) -> Result<(), Broken> {
    fs::create_dir_all(path).map_err(cannot("make a directory in the new root"))
}

fn link(to: &str, at: &Path) -> Result<(), Broken> {
    symlink(to, at).map_err(cannot("make a link in the new root"))
}

/// Makes a file or a directory of the machine visible at the same place, to be read only; does
/// nothing if there is none, or if it is visible already.
fn show(base: &Path, path: &Path) -> Result<(), Broken> {
    let at = inside(base, path);
    let Ok(kind) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if at.symlink_metadata().is_ok() {
        return Ok(());
    }
    if let Some(parent) = at.parent() {
        make_directory(parent)?;
    }
    if kind.is_symlink() {
        let to = fs::read_link(path).map_err(cannot("read a link"))?;
        return symlink(to, &at).map_err(cannot("copy a link"));
    }
    if kind.is_dir() {
        make_directory(&at)?;
    } else {
        fs::write(&at, "").map_err(cannot("make a file in the new root"))?;
    }
    let bind = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount::<_, _, str, str>(Some(path), &at, None, bind, None)
        .map_err(|error| format!("cannot show {}: {error}", path.display()))?;
    // What the mount already forbids must be forbidden again, or the kernel refuses.
    let old = statvfs(&at).map_err(cannot("look at a mount"))?.flags();
    let mut flags = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY;
    flags |= MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for (is, again) in [
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
        (FsFlags::ST_NOATIME, MsFlags::MS_NOATIME),
        (FsFlags::ST_NODIRATIME, MsFlags::MS_NODIRATIME),
        (FsFlags::ST_RELATIME, MsFlags::MS_RELATIME),
    ] {
        if old.contains(is) {
            flags |= again;
        }
    }
    mount::<str, _, str, str>(None, &at, None, flags, None)
        .map_err(|error| format!("cannot make {} read-only: {error}", path.display()))
}

/// A few files of configuration, and names for the one user there is.
fn configuration(base: &Path) -> Result<(), Broken> {
    for path in CONFIGURATION {
        show(base, Path::new(path))?;
    }
    let names = [
        ("passwd", "sandbox:x:1000:1000::/scratch:/bin/sh\n"),
        ("group", "sandbox:x:1000:\n"),
        ("hosts", "127.0.0.1 localhost\n"),
    ];
    make_directory(&base.join("etc"))?;
    for (name, text) in names {
        fs::write(base.join("etc").join(name), text).map_err(cannot("write to the new root"))?;
    }
    Ok(())
}

fn devices(base: &Path) -> Result<(), Broken> {
    make_directory(&base.join("dev"))?;
    let bind = MsFlags::MS_BIND;
    for path in DEVICES.map(Path::new) {
        let at = inside(base, path);
        fs::write(&at, "").map_err(cannot("make a device in the new root"))?;
        mount::<_, _, str, str>(Some(path), &at, None, bind, None)
            .map_err(|error| format!("cannot show {}: {error}", path.display()))?;
    }
    for (name, to) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("shm", SCRATCH),
    ] {
        link(to, &base.join("dev").join(name))?;
    }
    Ok(())
}
