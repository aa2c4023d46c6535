//! Limits of the kernel, and Landlock.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, LandlockStatus, Ruleset,
    RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope, path_beneath_rules,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::root::{CONFIGURATION, DEVICES, SYSTEM};
use super::stages::{Broken, cannot};
use crate::sandbox::levels::{Enforcement, Filesystem};
use crate::sandbox::limits::Limits;

/// The newest interface of Landlock whose every right has been thought about here.
const NEWEST: ABI = ABI::V6;

/// Sets every limit but that of memory. `before` is the number of processes that count as the
/// user's before the command starts any.
pub(super) fn limit(limits: &Limits, before: u64, found: &mut Enforcement) -> Result<(), Broken> {
    let seconds = limits.cpu.as_secs() + u64::from(limits.cpu.subsec_nanos() > 0);
    // At the first limit the command gets a signal that it can catch, at the second it is killed.
    set(Resource::RLIMIT_CPU, seconds.max(1), seconds.max(1) + 1)?;
    found.cpu = true;
    let processes = before + u64::from(limits.processes);
    set(Resource::RLIMIT_NPROC, processes, processes)?;
    found.processes = found.unprivileged;
    set(Resource::RLIMIT_FSIZE, limits.file_size, limits.file_size)?;
    found.file_size = true;
    let files = u64::from(limits.open_files);
    set(Resource::RLIMIT_NOFILE, files, files)?;
    set(Resource::RLIMIT_CORE, 0, 0)?;
    set(Resource::RLIMIT_MSGQUEUE, 0, 0)
}

/// Limits the address space; the last thing to do, since this process has to live with it.
pub(super) fn limit_memory(limits: &Limits) -> Result<(), Broken> {
    set(Resource::RLIMIT_AS, limits.memory, limits.memory)
}

/// Sets a limit, or keeps what is stricter already.
fn set(resource: Resource, soft: u64, hard: u64) -> Result<(), Broken> {
    let (_, most) = getrlimit(resource).map_err(cannot("read a limit"))?;
    setrlimit(resource, soft.min(most), hard.min(most))
        .map_err(|error| format!("cannot set {resource:?}: {error}"))
}

/// Closes the file system but for `scratch` and what may be read, with Landlock as far as the
/// kernel has it.
pub(super) fn landlock(
    scratch: &Path,
    readable: &[PathBuf],
    own_root: bool,
    found: &mut Enforcement,
) -> Result<(), Broken> {
    let all = AccessFs::from_all(NEWEST);
    let devices_are_made_by = AccessFs::MakeChar | AccessFs::MakeBlock;
    let read: Vec<PathBuf> = if own_root {
        vec!["/".into()]
    } else {
        let system = SYSTEM.iter().chain(&CONFIGURATION).map(PathBuf::from);
        system.chain(readable.iter().cloned()).collect()
    };
    let device = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let restricted = (|| {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .handle_access(AccessNet::from_all(NEWEST))?
            .scope(Scope::from_all(NEWEST))?
            .create()?
            .add_rules(path_beneath_rules(read, AccessFs::from_read(NEWEST)))?
            .add_rules(path_beneath_rules(DEVICES, device))?
            .add_rules(path_beneath_rules([scratch], all & !devices_are_made_by))?
            .restrict_self()
    })();
    let status = restricted.map_err(cannot("apply Landlock"))?;
    if let LandlockStatus::Available { effective_abi, .. } = status.landlock
        && status.ruleset != RulesetStatus::NotEnforced
    {
        found.landlock_abi = (effective_abi as i32).max(0).cast_unsigned();
        found.filesystem = match found.filesystem {
            Filesystem::Open | Filesystem::Landlock => Filesystem::Landlock,
            Filesystem::Root | Filesystem::LandlockAndRoot => Filesystem::LandlockAndRoot,
        };
    } else {
        found.missing.push("the kernel has no Landlock".to_owned());
    }
    Ok(())
}
