//! This executable as a program of its own that runs a sandbox: to be killed, or to have a secret.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use equipoise_verifiers::sandbox::{self, Limits, Sandbox};

use crate::common::{Mode, options, roomy, text};

/// What the environment of the helper holds.
pub(crate) const SECRET: &str = "a-secret-of-the-helper";

const SLEEPER: &str = "--helper-that-runs-a-sleeper";
const SEEKER: &str = "--helper-that-runs-a-seeker";

/// A program that has children, in and out of its session, and sleeps for ten seconds.
const SLEEP: &str = "
import os, time
os.fork()
if os.fork() == 0:
    try:
        os.setsid()
    except OSError:
        pass
time.sleep(10)
";

/// A program that looks for the helper's variable in its own environment and that of everybody else.
const SEEK: &str = "
import os
print(sorted(os.environ))
try:
    names = os.listdir('/proc')
except OSError:
    names = []
for name in {str(os.getppid()), *filter(str.isdigit, names)}:
    try:
        text = open(f'/proc/{name}/environ').read()
    except OSError:
        continue
    if 'HELPER=' in text:
        print(text[text.index('HELPER='):].split('\\0')[0])
";

/// Is the helper if this process was started as one.
pub(crate) fn run_if_asked() -> bool {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [role, mode, marker] = arguments.as_slice() else {
        return false;
    };
    let mode = match mode.as_str() {
        "Everything" => Mode::Everything,
        "NoNamespaces" => Mode::NoNamespaces,
        _ => Mode::NoLandlockEither,
    };
    let script = match role.as_str() {
        SLEEPER => SLEEP,
        SEEKER => SEEK,
        _ => return false,
    };
    let limits = Limits {
        wall: Duration::from_secs(15),
        ..roomy()
    };
    let command = sandbox::Command::new("python3", ["-c", script, marker]);
    let outcome = Sandbox::new(options(mode, limits)).run(&command).unwrap();
    println!("{:?}", outcome.enforcement.filesystem);
    println!("{}\n{}", text(&outcome.stdout), text(&outcome.stderr));
    true
}

fn start(role: &str, mode: Mode, marker: &str, directory: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args([role, &format!("{mode:?}"), marker])
        .env("HELPER", SECRET)
        .env("TMPDIR", directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Starts a helper that runs a sleeping program with `marker` on its command line, and keeps its
/// temporary files in `directory`, where they stay if it is killed.
pub(crate) fn with_sleeper(mode: Mode, marker: &str, directory: &Path) -> Child {
    start(SLEEPER, mode, marker, directory)
}

/// What a program in a helper's sandbox finds out about the helper's environment.
pub(crate) fn with_secret(mode: Mode) -> String {
    let child = start(SEEKER, mode, "no-marker", &std::env::temp_dir());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
