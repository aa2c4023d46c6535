//! The first stage: a session of its own, no root, and namespaces.

use std::os::unix::net::UnixStream;

use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::unistd::{Gid, Uid, getegid, geteuid, setgroups, setresgid, setresuid, setsid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set,
    set_capabilities,
};

use super::init::supervise;
use super::stages::{Broken, cannot, die_with_parent, next};
use super::wire::{Handed, Setup, receive};
use crate::sandbox::levels::{Enforcement, Network};

/// The user and the group that a command is inside a user namespace.
const INSIDE: u32 = 1000;

/// Runs the stage.
pub(super) fn run(control: &mut UnixStream) -> Result<(), Broken> {
    close_inherited();
    let mut found = Enforcement::none();
    found.own_session = setsid().is_ok();
    let setup: Setup = receive(control).map_err(cannot("read the setup"))?;
    found.unprivileged = leave_root(setup.instead_of_root, &mut found.missing);
    // Changing the user cleared this, and made everything under /proc/self root's.
    prctl::set_dumpable(true).map_err(cannot("own /proc/self"))?;
    let own_mounts = setup.namespaces && make_namespaces(&mut found)?;
    found.die_with_parent = found.process_namespace;
    let handed = Handed {
        enforcement: found,
        own_mounts,
        memory: setup.memory,
    };
    if !handed.enforcement.process_namespace {
        // Only this process can end the others when the library dies, so it must not be killed then.
        prctl::set_pdeathsig(None).map_err(cannot("outlive the parent"))?;
        return supervise(control, handed, false);
    }
    die_with_parent(control)?;
    let mut child = next("2", &handed)?;
    child.wait().map_err(cannot("wait for the next stage"))?;
    Ok(())
}

/// Closes what the library's process had open and did not mean for this one.
fn close_inherited() {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut inherited: Vec<i32> = numbers.filter(|number| *number > 2).collect();
    inherited.sort_unstable();
    // What this process opened itself is closed at `exec`, but the control socket is a duplicate
    // that has to stay.
    for number in inherited {
        let is_ours = std::fs::read_to_string(format!("/proc/self/fdinfo/{number}"))
            .is_ok_and(|info| closes_on_exec(&info));
        if !is_ours {
            // The directory that was listed is closed already.
            let _ = nix::unistd::close(number);
        }
    }
}

/// Whether the text of `/proc/self/fdinfo/N` says that the file is closed at `exec`.
fn closes_on_exec(info: &str) -> bool {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|text| u32::from_str_radix(text.trim(), 8).ok());
    flags.is_some_and(|flags| flags & CLOSE_ON_EXEC != 0)
}

/// Becomes an ordinary user if this is root: no limit of processes holds for root. Whether the
/// process is an ordinary user now.
fn leave_root(instead: u32, missing: &mut Vec<String>) -> bool {
    if !geteuid().is_root() {
        return true;
    }
    let (user, group) = (Uid::from_raw(instead), Gid::from_raw(instead));
    let left = setgroups(&[])
        .and_then(|()| setresgid(group, group, group))
        .and_then(|()| setresuid(user, user, user));
    if let Err(error) = left {
        missing.push(format!(
            "cannot become user {instead} instead of root: {error}"
        ));
    }
    left.is_ok()
}

/// Makes as many namespaces as the kernel allows; whether one for mounts is among them.
fn make_namespaces(found: &mut Enforcement) -> Result<bool, Broken> {
    let (user, group) = (geteuid(), getegid());
    let rest = [
        (CloneFlags::CLONE_NEWPID, "process"),
        (CloneFlags::CLONE_NEWNS, "mount"),
        (CloneFlags::CLONE_NEWNET, "network"),
        (CloneFlags::CLONE_NEWIPC, "ipc"),
        (CloneFlags::CLONE_NEWUTS, "host name"),
    ];
    let all = rest
        .iter()
        .fold(CloneFlags::CLONE_NEWUSER, |all, (flag, _)| all | *flag);
    let mut made = all;
    if let Err(error) = unshare(all) {
        made = CloneFlags::empty();
        found
            .missing
            .push(format!("no namespaces at once: {error}"));
        match unshare(CloneFlags::CLONE_NEWUSER) {
            Ok(()) => made |= CloneFlags::CLONE_NEWUSER,
            Err(error) => found.missing.push(format!("no user namespace: {error}")),
        }
    }
    if made.contains(CloneFlags::CLONE_NEWUSER) {
        found.user_namespace = true;
        map("/proc/self/setgroups", "deny")?;
        map("/proc/self/uid_map", &format!("{INSIDE} {user} 1"))?;
        map("/proc/self/gid_map", &format!("{INSIDE} {group} 1"))?;
    }
    if made != all {
        for (flag, name) in rest {
            match unshare(flag) {
                Ok(()) => made |= flag,
                Err(error) => found.missing.push(format!("no {name} namespace: {error}")),
            }
        }
    }
    if made.contains(CloneFlags::CLONE_NEWUSER)
        && let Err(error) = keep_capabilities()
    {
        found
            .missing
            .push(format!("no power over the namespaces: {error}"));
    }
    found.process_namespace = made.contains(CloneFlags::CLONE_NEWPID);
    found.ipc_namespace = made.contains(CloneFlags::CLONE_NEWIPC);
    if made.contains(CloneFlags::CLONE_NEWNET) {
        found.network = Network::Namespace;
    }
    Ok(made.contains(CloneFlags::CLONE_NEWNS))
}

/// Writes one of the files that say who is who in the user namespace.
fn map(file: &str, text: &str) -> Result<(), Broken> {
    std::fs::write(file, text).map_err(|error| format!("cannot write {text:?} to {file}: {error}"))
}

/// Keeps the power over the new namespaces when the next stages are executed.
fn keep_capabilities() -> rustix::io::Result<()> {
    let now = capabilities(None)?;
    set_capabilities(
        None,
        CapabilitySets {
            inheritable: CapabilitySet::SYS_ADMIN,
            ..now
        },
    )?;
    configure_capability_in_ambient_set(CapabilitySet::SYS_ADMIN, true)
}
