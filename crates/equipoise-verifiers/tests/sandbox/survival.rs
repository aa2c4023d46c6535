//! Programs that want to outlive their run, and runs whose parent dies.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use equipoise_verifiers::sandbox::Exit;
use libtest_mimic::Trial;

use crate::common::{MODES, alive, eventually, marker, python, roomy, stdout, trial};
use crate::helper;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("survival::daemon", daemon),
        trial("survival::killed_parent", killed_parent),
    ]
}

/// Leaves its session and its parents, and sleeps for ten seconds in the background.
const DAEMON: &str = "
import os, sys, time
if os.fork() == 0:
    try:
        os.setsid()
        print('left the session')
    except OSError:
        print('cannot leave the session')
    if os.fork() == 0:
        sys.stdout.flush()
        time.sleep(10)
    os._exit(0)
time.sleep(0.5)
print('parent ends')
";

fn daemon() {
    for mode in MODES {
        let marker = marker();
        let outcome = python(mode, roomy(), DAEMON, &[&marker]);
        assert_eq!(outcome.exit, Exit::Code(0));
        assert!(stdout(&outcome).ends_with("parent ends\n"));
        if outcome.enforcement.process_namespace {
            assert!(stdout(&outcome).contains("left the session"));
        } else if outcome.enforcement.seccomp {
            assert!(stdout(&outcome).contains("cannot leave the session"));
        } else {
            println!("    nothing keeps a program in its session here");
            continue;
        }
        assert!(
            eventually(|| alive(&marker).is_empty()),
            "{:?}",
            alive(&marker)
        );
    }
}

fn killed_parent() {
    for mode in MODES {
        let marker = marker();
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut helper = helper::with_sleeper(mode, &marker, directory.path());
        let running = eventually(|| alive(&marker).len() >= 4);
        let found = alive(&marker);
        helper.kill().unwrap();
        helper.wait().unwrap();
        assert!(running, "{mode:?}: only {found:?} run");
        let gone = eventually(|| alive(&marker).is_empty());
        println!("{mode:?}: of {found:?} there are left {:?}", alive(&marker));
        assert!(gone, "{mode:?}");
    }
}
