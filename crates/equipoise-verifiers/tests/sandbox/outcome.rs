//! What a run gives back, when it does not take place, and what it leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use equipoise_verifiers::sandbox::{
    Command, Exit, Level, Limits, Sandbox, SandboxError, SandboxOptions,
};
use libtest_mimic::Trial;

use crate::common::{MODES, Mode, options, python, roomy, stdout, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("outcome::codes_and_signals", codes),
        trial("outcome::input_output_and_files", streams),
        trial("outcome::python_with_its_libraries", libraries),
        trial("outcome::a_python_outside_of_the_system", environment),
        trial("outcome::required_levels", levels),
        trial("outcome::nothing_runs_that_cannot", errors),
        trial("outcome::nothing_is_left", leftovers),
        trial("outcome::a_named_launcher", launcher),
        trial("outcome::many_at_once", many),
    ]
}

fn codes() {
    for mode in MODES {
        let run = |script: &str| python(mode, roomy(), script, &[]);
        assert_eq!(run("import sys; sys.exit(7)").exit, Exit::Code(7));
        let aborted = run("import os; os.abort()");
        assert_eq!((aborted.exit, aborted.ended_by), (Exit::Signal(6), None));
        let killed = run("import os; os.kill(os.getpid(), 15)");
        assert_eq!(killed.exit, Exit::Signal(15));
        let done = run("pass");
        assert!(done.succeeded() && done.cpu.is_some_and(|cpu| cpu > Duration::ZERO));
    }
}

fn streams() {
    for mode in MODES {
        let sandbox = Sandbox::new(options(mode, roomy()));
        let mut command = Command::new("sh", ["-c", "cat; cat file; echo $HOME >&2; pwd >&2"]);
        // More than a pipe or a socket holds.
        let long: Vec<u8> = (0..500_000_u32).map(|i| (i % 251) as u8).collect();
        command.stdin = long.clone();
        command.files = vec![("file".to_owned(), b"contents".to_vec())];
        let outcome = sandbox.run(&command).unwrap();
        let mut expected = long;
        expected.extend_from_slice(b"contents");
        assert!(outcome.stdout == expected, "{} bytes", outcome.stdout.len());
        let stderr = String::from_utf8(outcome.stderr).unwrap();
        let lines: Vec<&str> = stderr.lines().collect();
        assert!(lines.len() == 2 && lines[0] == lines[1], "{stderr}");
    }
}

fn libraries() {
    let script = "
import json, math, random, re, subprocess, tempfile, threading, multiprocessing, ctypes, sqlite3
threads = [threading.Thread(target=print, args=('thread',)) for _ in range(2)]
[thread.start() or thread.join() for thread in threads]
print(subprocess.run(['echo', 'child'], capture_output=True, text=True).stdout.strip())
with tempfile.TemporaryFile() as file:
    file.write(b'x')
if __name__ == '__main__':
    with multiprocessing.get_context('fork').Pool(2) as pool:
        print(pool.map(abs, [-1, -2]))
";
    for mode in [Mode::Everything, Mode::NoNamespaces] {
        let outcome = python(mode, roomy(), script, &[]);
        let printed = stdout(&outcome);
        let start = "thread\nthread\nchild\n";
        // Without a root of its own there is no shared memory for a pool's semaphores.
        let expected = if outcome.enforcement.disk {
            "thread\nthread\nchild\n[1, 2]\n"
        } else {
            start
        };
        assert!(printed.starts_with(expected), "{printed}");
    }
}

fn environment() {
    // A virtual environment: a link to the system's Python, and a package of its own.
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let prefix = directory.path().join("environment");
    let real = ["/usr/bin/python3", "/usr/local/bin/python3", "/bin/python3"];
    let real = real.iter().find(|path| fs::exists(path).unwrap()).unwrap();
    let name = fs::canonicalize(real).unwrap();
    let name = name.file_name().unwrap().to_str().unwrap().to_owned();
    let packages = prefix.join("lib").join(&name).join("site-packages");
    fs::create_dir_all(prefix.join("bin")).unwrap();
    fs::create_dir_all(&packages).unwrap();
    let program = prefix.join("bin/python3");
    std::os::unix::fs::symlink(real, &program).unwrap();
    let home = real.rsplit_once('/').unwrap().0;
    fs::write(prefix.join("pyvenv.cfg"), format!("home = {home}\n")).unwrap();
    fs::write(packages.join("own_package.py"), "answer = 42\n").unwrap();
    let neighbour = directory.path().join("neighbour");
    fs::write(&neighbour, "secret").unwrap();
    let script = "
import own_package, sys
print(own_package.answer)
try:
    print(open(sys.argv[1]).read())
except OSError:
    print('closed')
try:
    open(own_package.__file__, 'w')
except OSError:
    print('read-only')
";
    for mode in [Mode::Everything, Mode::NoNamespaces] {
        let arguments = ["-c", script, neighbour.to_str().unwrap()];
        let command = Command::new(program.to_str().unwrap(), arguments);
        let outcome = Sandbox::new(options(mode, roomy())).run(&command).unwrap();
        println!(
            "{mode:?}: {} {:?}",
            outcome.enforcement,
            String::from_utf8_lossy(&outcome.stderr)
        );
        assert!(stdout(&outcome).starts_with("42\n"));
        if outcome.enforcement.level() >= Level::Confined {
            assert_eq!(stdout(&outcome), "42\nclosed\nread-only\n");
        }
    }
}

fn levels() {
    let sandbox = Sandbox::new(SandboxOptions::default());
    let found = match sandbox.probe() {
        Ok(found) => found,
        Err(SandboxError::Level { reached, lacks, .. }) => {
            assert!(reached < Level::Confined && !lacks.is_empty());
            println!("only {reached} here, without {lacks:?}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    println!("{found}");
    assert!(found.level() >= Level::Confined);
    assert!(found.lacks(found.level()).is_empty());
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let witness = directory.path().join("witness");
    let script = format!("echo here > {}", witness.display());
    let command = Command::new("sh", ["-c", &script]);
    // Without Landlock and a root of its own the command could write there, if it ran.
    let mut open = options(Mode::NoLandlockEither, roomy());
    assert!(
        Sandbox::new(open.clone())
            .run(&command)
            .unwrap()
            .succeeded()
    );
    assert!(witness.exists());
    fs::remove_file(&witness).unwrap();
    for (required, lacking) in [
        (Level::Confined, "closed file system"),
        (Level::Isolated, "namespace of process ids"),
    ] {
        open.required = required;
        match Sandbox::new(open.clone()).run(&command).unwrap_err() {
            SandboxError::Level {
                required: asked,
                reached,
                lacks,
                why,
            } => {
                assert_eq!((asked, reached), (required, Level::Limits));
                assert!(lacks.iter().any(|lack| lack == lacking), "{lacks:?}");
                assert_eq!(why, ["Landlock is switched off"]);
            }
            error => panic!("{error}"),
        }
        assert!(!witness.exists());
    }
}

fn errors() {
    let sandbox = Sandbox::new(options(Mode::Everything, roomy()));
    let missing = sandbox
        .run(&Command::new("no-such-program", []))
        .unwrap_err();
    assert!(missing.to_string().contains("no-such-program"), "{missing}");
    // A file that is there, but is no program.
    let no_program = sandbox
        .run(&Command::new("/usr/lib/os-release", []))
        .unwrap_err();
    println!("{no_program}");
    assert!(
        matches!(no_program, SandboxError::Program { .. }),
        "{no_program}"
    );
    for name in ["", "..", "a/b", "/a"] {
        let mut command = Command::new("true", []);
        command.files = vec![(name.to_owned(), Vec::new())];
        let error = sandbox.run(&command).unwrap_err();
        assert!(matches!(error, SandboxError::FileName { .. }), "{error}");
    }
    let mut named = options(Mode::Everything, roomy());
    named.launcher = Some("/no/such/launcher".into());
    let error = Sandbox::new(named)
        .run(&Command::new("true", []))
        .unwrap_err();
    assert!(error.to_string().contains("/no/such/launcher"), "{error}");
    // A launcher that does not know what it is asked for.
    let mut named = options(Mode::Everything, roomy());
    named.launcher = Some("/bin/true".into());
    let error = Sandbox::new(named)
        .run(&Command::new("true", []))
        .unwrap_err();
    assert!(matches!(error, SandboxError::Launcher { .. }), "{error}");
}

fn leftovers() {
    let parent = tempfile::tempdir().unwrap();
    fs::set_permissions(parent.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let nothing_is_left = || fs::read_dir(parent.path()).unwrap().next().is_none();
    for mode in MODES {
        let limits = Limits {
            wall: Duration::from_millis(500),
            ..roomy()
        };
        let sandbox = Sandbox::new(SandboxOptions {
            scratch_parent: Some(parent.path().to_owned()),
            ..options(mode, limits)
        });
        let close = "mkdir -p a/b; echo c > a/b/c; chmod 0 a/b a";
        assert!(
            sandbox
                .run(&Command::new("sh", ["-c", close]))
                .unwrap()
                .succeeded()
        );
        assert!(nothing_is_left(), "{mode:?}");
        let late = format!("{close}; sleep 10");
        let outcome = sandbox.run(&Command::new("sh", ["-c", &late])).unwrap();
        assert!(!outcome.succeeded() && nothing_is_left(), "{mode:?}");
        assert!(
            sandbox
                .run(&Command::new("/usr/lib/os-release", []))
                .is_err()
        );
        assert!(nothing_is_left(), "{mode:?}");
    }
}

fn launcher() {
    let sandbox = Sandbox::new(SandboxOptions {
        launcher: Some(std::env::current_exe().unwrap()),
        ..options(Mode::Everything, roomy())
    });
    let outcome = sandbox.run(&Command::new("echo", ["launched"])).unwrap();
    assert_eq!(outcome.stdout, b"launched\n");
}

fn many() {
    let sandbox = Sandbox::new(options(Mode::Everything, roomy()));
    let started = Instant::now();
    let (threads, runs) = (4, 5);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let sandbox = &sandbox;
            scope.spawn(move || {
                for run in 0..runs {
                    let word = format!("{thread}-{run}");
                    let outcome = sandbox.run(&Command::new("echo", [word.as_str()])).unwrap();
                    assert_eq!(outcome.stdout, format!("{word}\n").as_bytes());
                }
            });
        }
    });
    println!("{:?} a run", started.elapsed() / (threads * runs));
}
