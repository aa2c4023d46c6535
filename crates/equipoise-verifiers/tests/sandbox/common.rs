//! What all tests here need: ways to run a script, and to see what is left of it.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use equipoise_verifiers::sandbox::{Command, Level, Limits, Outcome, Sandbox, SandboxOptions};
use libtest_mimic::Trial;

/// A test that fails by panicking.
pub(crate) fn trial(name: &str, test: fn()) -> Trial {
    Trial::test(name, move || {
        test();
        Ok(())
    })
}

/// The protections of one run that are switched on.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mode {
    /// All of them.
    Everything,
    /// As in a container that allows no namespaces.
    NoNamespaces,
    /// As on a kernel that has only limits and seccomp.
    NoLandlockEither,
}

pub(crate) const MODES: [Mode; 3] = [Mode::Everything, Mode::NoNamespaces, Mode::NoLandlockEither];

/// Options that let every run begin.
pub(crate) fn options(mode: Mode, limits: Limits) -> SandboxOptions {
    SandboxOptions {
        limits,
        required: Level::Process,
        namespaces: matches!(mode, Mode::Everything),
        landlock: !matches!(mode, Mode::NoLandlockEither),
        ..SandboxOptions::default()
    }
}

/// Runs a script in Python with arguments, and says which protections were active.
pub(crate) fn python(mode: Mode, limits: Limits, script: &str, arguments: &[&str]) -> Outcome {
    let arguments = ["-c", script].into_iter().chain(arguments.iter().copied());
    let command = Command::new("python3", arguments);
    let started = Instant::now();
    let wall = limits.wall;
    let outcome = Sandbox::new(options(mode, limits)).run(&command).unwrap();
    println!("{mode:?}: {}", outcome.enforcement);
    println!(
        "    {:?} {:?} after {:?}",
        outcome.exit, outcome.ended_by, outcome.wall
    );
    let short = |bytes: &[u8]| text(&bytes[..bytes.len().min(200)]);
    println!(
        "    {:?} {:?}",
        short(&outcome.stdout),
        short(&outcome.stderr)
    );
    // Beginning and ending take time too, on a machine that is busy with other tests.
    assert!(started.elapsed() < wall + Duration::from_secs(30));
    outcome
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned()
}

pub(crate) fn stdout(outcome: &Outcome) -> String {
    text(&outcome.stdout)
}

/// Whether there is a Python to run anything with.
pub(crate) fn has_python() -> bool {
    ["/usr/local/bin/python3", "/usr/bin/python3", "/bin/python3"]
        .iter()
        .any(|path| fs::exists(path).unwrap_or(false))
}

/// A word that no other process of the machine has on its command line.
pub(crate) fn marker() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!(
        "marker-{}-{number}-of-the-sandbox-tests",
        std::process::id()
    )
}

/// The running interpreters that have `marker` on their command line.
pub(crate) fn alive(marker: &str) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_marker = |process: &u32| {
        let line = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        let mut words = line.split(|byte| *byte == 0);
        let is_python = words.next().is_some_and(|word| word.ends_with(b"/python3"));
        is_python && words.any(|word| word == marker.as_bytes())
    };
    processes.filter(has_marker).collect()
}

/// Waits until `condition` holds; whether it did within a generous time.
pub(crate) fn eventually(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(8);
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    condition()
}

/// Limits that a test on a busy machine does not reach by accident.
pub(crate) fn roomy() -> Limits {
    Limits {
        wall: Duration::from_secs(20),
        ..Limits::default()
    }
}
