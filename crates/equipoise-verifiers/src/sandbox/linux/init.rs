//! The second stage: waits for the command and everything it leaves behind, and ends it.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitStatus, wait};
use nix::unistd::{Pid, SysconfVar, sysconf};

use super::stages::{Broken, cannot, die_with_parent, next};
use super::wire::{Handed, Report, report};

/// How often the memory of all processes is added up.
const WATCH: Duration = Duration::from_millis(20);

/// Runs the stage as process 1 of its namespace: when it ends, everything else there is killed.
pub(super) fn run(control: &mut UnixStream, handed: Handed) -> Result<(), Broken> {
    die_with_parent(control)?;
    supervise(control, handed, true)
}

/// Starts the last stage, waits until the command ends, reports that, and leaves nothing behind.
pub(super) fn supervise(
    control: &mut UnixStream,
    handed: Handed,
    is_init: bool,
) -> Result<(), Broken> {
    // The command belongs to the same user, who must not be able to look into this process.
    prctl::set_dumpable(false).map_err(cannot("close this process to others"))?;
    let memory = handed.memory;
    let child = next("3", &handed)?;
    let command = Pid::from_raw(child.id().cast_signed());
    if is_init {
        let mut control = control.try_clone().map_err(cannot("watch the memory"))?;
        std::thread::spawn(move || watch_memory(&mut control, memory));
    } else {
        let control = control.try_clone().map_err(cannot("watch the library"))?;
        std::thread::spawn(move || end_with_library(&control));
    }
    let status = wait_for(command)?;
    let used = getrusage(UsageWho::RUSAGE_CHILDREN).map_err(cannot("add up the time"))?;
    let cpu = [used.user_time(), used.system_time()];
    let cpu = cpu.map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    let (code, signal) = match status {
        WaitStatus::Exited(_, code) => (Some(code), None),
        WaitStatus::Signaled(_, signal, _) => (None, Some(signal as i32)),
        _ => (None, None),
    };
    let cpu = cpu.iter().sum::<i64>().max(0).cast_unsigned();
    report(control, &Report::Ended { code, signal, cpu }).map_err(cannot("report the end"))?;
    if !is_init {
        // This process is in the group too, so the line is the last one.
        killpg(Pid::from_raw(0), Signal::SIGKILL).map_err(cannot("kill the group"))?;
    }
    Ok(())
}

/// Waits for every child until `command` has ended.
fn wait_for(command: Pid) -> Result<WaitStatus, Broken> {
    loop {
        match wait() {
            Ok(status) if status.pid() == Some(command) => return Ok(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(error) => return Err(cannot("wait for the command")(error)),
        }
    }
}

/// Kills the process group when the library dies.
fn end_with_library(control: &UnixStream) {
    let mut polled = [PollFd::new(control.as_fd(), PollFlags::empty())];
    while matches!(poll(&mut polled, PollTimeout::NONE), Err(Errno::EINTR)) {}
    let _ = killpg(Pid::from_raw(0), Signal::SIGKILL);
}

/// Ends everything as soon as all processes together keep more than `limit` bytes resident.
fn watch_memory(control: &mut UnixStream, limit: u64) {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    let page = page.unwrap_or(4096).max(1).cast_unsigned();
    loop {
        std::thread::sleep(WATCH);
        // Until the last stage has changed the root, these are the processes of the machine.
        if !fs::read_link("/proc/self").is_ok_and(|myself| myself.as_os_str() == "1") {
            continue;
        }
        // Pages that processes share after `fork` are counted in each of them at first.
        if resident(page) > limit && proportional() > limit {
            let _ = report(control, &Report::TooMuchMemory);
            let _ = control.flush();
            std::process::exit(1);
        }
    }
}

/// The process ids in this namespace, without this process.
fn others() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter(|number| *number != 1)
}

/// The bytes that all processes keep resident and that belong to no file.
fn resident(page: u64) -> u64 {
    let of = |process: u32| {
        let text = fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
        let mut fields = text.split(' ').skip(1).map(str::parse::<u64>);
        let (resident, of_files) = (fields.next()?.ok()?, fields.next()?.ok()?);
        Some(resident.saturating_sub(of_files) * page)
    };
    others().filter_map(of).sum()
}

/// The same, where a page that several processes share counts once.
fn proportional() -> u64 {
    let of = |process: u32| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("Pss_Anon:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kibibytes * 1024)
    };
    others().filter_map(of).sum()
}
