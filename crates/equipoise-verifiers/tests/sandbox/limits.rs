//! Programs that want too much: time, memory, processes, output, files.

use std::time::Duration;

use equipoise_verifiers::sandbox::{Exit, Limit, Limits};
use libtest_mimic::Trial;

use crate::common::{MODES, Mode, alive, eventually, marker, python, roomy, stdout, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("limits::endless_loop", endless_loop),
        trial("limits::endless_loop_that_ignores_signals", ignores_signals),
        trial("limits::sleep_beyond_the_wall", sleep),
        trial("limits::fork_bomb", fork_bomb),
        trial("limits::memory_bomb", memory_bomb),
        trial("limits::memory_bomb_of_many_processes", memory_together),
        trial("limits::memory_outside_of_every_process", memory_files),
        trial("limits::output_flood", output_flood),
        trial("limits::large_file", large_file),
        trial("limits::many_files", many_files),
    ]
}

const LOOP: &str = "import time\nend = time.time() + 10\nwhile time.time() < end: pass\n";

fn one_second_of_cpu() -> Limits {
    Limits {
        cpu: Duration::from_secs(1),
        ..roomy()
    }
}

fn endless_loop() {
    for mode in MODES {
        let outcome = python(mode, one_second_of_cpu(), LOOP, &[]);
        assert!(outcome.enforcement.cpu);
        assert_eq!(outcome.ended_by, Some(Limit::Cpu));
        assert_eq!(outcome.exit, Exit::Signal(24));
    }
}

fn ignores_signals() {
    let script = format!(
        "import signal\n\
         for s in set(signal.Signals) - {{signal.SIGKILL, signal.SIGSTOP}}:\n \
             signal.signal(s, signal.SIG_IGN)\n{LOOP}"
    );
    let outcome = python(Mode::Everything, one_second_of_cpu(), &script, &[]);
    assert_eq!(outcome.ended_by, Some(Limit::Cpu));
    assert_eq!(outcome.exit, Exit::Signal(9));
}

fn sleep() {
    for mode in MODES {
        let limits = Limits {
            wall: Duration::from_millis(700),
            ..Limits::default()
        };
        let marker = marker();
        let outcome = python(mode, limits, "import time; time.sleep(10)", &[&marker]);
        assert!(outcome.enforcement.wall);
        assert_eq!(outcome.ended_by, Some(Limit::Wall));
        assert_eq!(outcome.exit, Exit::Killed);
        assert!(outcome.wall >= Duration::from_millis(700));
        assert!(eventually(|| alive(&marker).is_empty()));
    }
}

/// Every process starts others until it is refused, for at most 2⁸ processes and three seconds.
const FORK_BOMB: &str = "
import os, sys, time
end = time.time() + 3
refused = 0
for _ in range(8):
    try:
        os.fork()
    except OSError:
        refused = 1
os.write(1, b'r' if refused else b'f')
time.sleep(max(0, end - time.time()))
";

fn fork_bomb() {
    for mode in MODES {
        let limits = Limits {
            processes: 12,
            ..roomy()
        };
        let marker = marker();
        let outcome = python(mode, limits, FORK_BOMB, &[&marker]);
        let printed = stdout(&outcome);
        assert!(printed.len() <= 256);
        if outcome.enforcement.processes {
            assert!(printed.contains('r'), "nothing was refused");
            // Without a user namespace the processes that the user has anyway are allowed on top,
            // and those of other tests are among them.
            if outcome.enforcement.user_namespace {
                assert!(printed.len() <= 12, "{} processes", printed.len());
            }
        } else {
            println!("    the number of processes is not limited here");
        }
        assert!(eventually(|| alive(&marker).is_empty()));
    }
}

/// Takes a gigabyte in steps, and writes to all of it.
const MEMORY_BOMB: &str = "
kept = []
for _ in range(16):
    kept.append(b'x' * (64 << 20))
print('took all of it')
";

fn memory_bomb() {
    for mode in MODES {
        let limits = Limits {
            memory: 256 << 20,
            ..roomy()
        };
        let outcome = python(mode, limits, MEMORY_BOMB, &[]);
        assert!(outcome.enforcement.memory);
        assert_eq!(outcome.ended_by, Some(Limit::Memory));
        assert_eq!(stdout(&outcome), "");
    }
}

fn memory_together() {
    // Eight processes with 100 MiB each, for at most ten seconds.
    let script = "
import os, time
for _ in range(7):
    if os.fork() == 0:
        break
kept = b'x' * (100 << 20)
time.sleep(8)
print('all have it')
";
    let limits = Limits {
        memory: 400 << 20,
        ..roomy()
    };
    let marker = marker();
    let outcome = python(Mode::Everything, limits, script, &[&marker]);
    if outcome.enforcement.memory_together {
        assert_eq!(outcome.ended_by, Some(Limit::Memory));
        assert_eq!(stdout(&outcome), "");
    } else {
        println!("    the memory of all processes together is not watched here");
    }
    assert!(eventually(|| alive(&marker).is_empty()));
}

fn memory_files() {
    let script = "
import os
try:
    os.memfd_create('x')
    print('made')
except OSError as error:
    print('refused', error.errno)
";
    for mode in MODES {
        let outcome = python(mode, roomy(), script, &[]);
        let expected = if outcome.enforcement.seccomp {
            "refused 1\n"
        } else {
            "made\n"
        };
        assert_eq!(stdout(&outcome), expected);
    }
}

fn output_flood() {
    // At most ten seconds of it.
    let script = "
import os, sys, time
end = time.time() + 10
while time.time() < end:
    os.write(int(sys.argv[1]), b'x' * 65536)
";
    for mode in MODES {
        for stream in ["1", "2"] {
            let limits = Limits {
                output: 100_000,
                ..roomy()
            };
            let marker = marker();
            let outcome = python(mode, limits, script, &[stream, &marker]);
            assert!(outcome.enforcement.output);
            assert_eq!(outcome.ended_by, Some(Limit::Output));
            let (full, empty) = match stream {
                "1" => (&outcome.stdout, &outcome.stderr),
                _ => (&outcome.stderr, &outcome.stdout),
            };
            assert_eq!((full.len(), empty.len()), (100_000, 0));
            assert_eq!(outcome.stdout_truncated, stream == "1");
            assert_eq!(outcome.stderr_truncated, stream == "2");
            assert!(eventually(|| alive(&marker).is_empty()));
        }
    }
}

fn large_file() {
    let script = "
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
with open('large', 'wb') as file:
    for _ in range(64):
        file.write(b'x' * (1 << 20))
print('written')
";
    for mode in MODES {
        let limits = Limits {
            file_size: 4 << 20,
            ..roomy()
        };
        let outcome = python(mode, limits, script, &[]);
        assert!(outcome.enforcement.file_size);
        assert_eq!(outcome.ended_by, Some(Limit::FileSize));
        assert_eq!(stdout(&outcome), "");
    }
}

fn many_files() {
    let script = "
for number in range(64):
    with open(str(number), 'wb') as file:
        file.write(b'x' * (1 << 20))
print('written')
";
    let limits = Limits {
        disk: 8 << 20,
        ..roomy()
    };
    let outcome = python(Mode::Everything, limits, script, &[]);
    if outcome.enforcement.disk {
        assert_eq!(outcome.ended_by, Some(Limit::Disk));
    } else {
        println!("    the size of all files together is not limited here");
        assert_eq!(stdout(&outcome), "written\n");
    }
}
