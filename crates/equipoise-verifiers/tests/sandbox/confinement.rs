//! Programs that want what is not theirs: files, the network, secrets, other processes.

use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;

use equipoise_verifiers::sandbox::{Filesystem, Level, Network, Outcome};
use libtest_mimic::Trial;

use crate::common::{MODES, Mode, alive, eventually, marker, python, roomy, stdout, trial};
use crate::helper;

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("confinement::network", network),
        trial("confinement::files_of_others", files),
        trial("confinement::links_to_files_of_others", links),
        trial("confinement::secrets_in_the_environment", secrets),
        trial("confinement::tracing_and_killing_the_parent", parent),
        trial("confinement::looking_at_other_processes", snooping),
        trial("confinement::namespaces_and_mounts", namespaces),
        trial("confinement::no_privileges", privileges),
    ]
}

fn network() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    let port = tcp.local_addr().unwrap().port().to_string();
    let datagrams = udp.local_addr().unwrap().port().to_string();
    let script = "
import socket, sys
try:
    socket.create_connection(('127.0.0.1', int(sys.argv[1])), timeout=3)
    print('connected')
except OSError as error:
    print('refused', error.errno)
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b'x', ('127.0.0.1', int(sys.argv[2])))
    print('sent')
except OSError as error:
    print('refused', error.errno)
for family in socket.AF_INET6, socket.AF_NETLINK, socket.AF_PACKET, socket.AF_VSOCK:
    try:
        socket.socket(family, socket.SOCK_RAW)
        print('made', family)
    except OSError:
        pass
a, b = socket.socketpair()
a.send(b'x')
print('pairs work' if b.recv(1) == b'x' else '')
";
    for mode in MODES {
        let outcome = python(mode, roomy(), script, &[&port, &datagrams]);
        let printed = stdout(&outcome);
        match outcome.enforcement.network {
            Network::Open => println!("    the network is open here"),
            Network::Seccomp | Network::SeccompAndNamespace => {
                assert_eq!(printed, "refused 1\nrefused 1\npairs work\n");
            }
            Network::Namespace => assert!(printed.starts_with("refused")),
        }
        if outcome.enforcement.network != Network::Open {
            assert!(tcp.accept().is_err(), "somebody came");
            assert!(udp.recv(&mut [0]).is_err(), "something came");
        }
    }
    // Without the filter of system calls there are sockets, but no interface to anybody.
    let alone = equipoise_verifiers::sandbox::SandboxOptions {
        seccomp: false,
        ..crate::common::options(Mode::Everything, roomy())
    };
    let arguments = ["-c", script, &port, &datagrams];
    let command = equipoise_verifiers::sandbox::Command::new("python3", arguments);
    let outcome = equipoise_verifiers::sandbox::Sandbox::new(alone)
        .run(&command)
        .unwrap();
    println!("no seccomp: {}", outcome.enforcement);
    assert!(!outcome.enforcement.seccomp);
    if outcome.enforcement.network == Network::Namespace {
        assert!(
            stdout(&outcome).starts_with("refused"),
            "{}",
            stdout(&outcome)
        );
        assert!(tcp.accept().is_err(), "somebody came");
        assert!(udp.recv(&mut [0]).is_err(), "something came");
    }
}

/// A directory that everybody may read and write, with a file in it.
fn open_to_everybody() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    fs::write(&file, "a secret").unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    let path = file.to_str().unwrap().to_owned();
    (directory, path)
}

/// Checks that the file is as it was and alone, unless the file system was open.
fn check_untouched(outcome: &Outcome, directory: &tempfile::TempDir, path: &str) {
    if outcome.enforcement.filesystem == Filesystem::Open {
        println!("    the file system is open here");
        fs::write(path, "a secret").unwrap();
        return;
    }
    let printed = stdout(outcome);
    assert!(!printed.contains("a secret"), "{printed}");
    assert_eq!(fs::read_to_string(path).unwrap(), "a secret");
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

fn files() {
    let script = "
import os, sys
path = sys.argv[1]
def attempt(what, action):
    try:
        print(what, action())
    except OSError as error:
        print(what, 'refused', type(error).__name__)
attempt('read', lambda: open(path).read())
attempt('write', lambda: open(path, 'w').write('mine'))
attempt('append', lambda: open(path, 'a').write('mine'))
attempt('create', lambda: open(path + '2', 'w').write('mine'))
attempt('directory', lambda: os.mkdir(path + '3'))
attempt('remove', lambda: os.unlink(path))
attempt('rename', lambda: os.rename(path, path + '4'))
attempt('list', lambda: os.listdir(os.path.dirname(path)))
attempt('up', lambda: open('../' * 20 + path.lstrip('/')).read())
attempt('system', lambda: open('/usr/mine', 'w').write('mine'))
attempt('accounts', lambda: open('/etc/shadow').read())
attempt('own', lambda: open('own', 'w').write('mine') and open('own').read())
";
    for mode in MODES {
        let (directory, path) = open_to_everybody();
        let outcome = python(mode, roomy(), script, &[&path]);
        check_untouched(&outcome, &directory, &path);
        let printed = stdout(&outcome);
        if outcome.enforcement.unprivileged || outcome.enforcement.filesystem != Filesystem::Open {
            assert!(printed.contains("system refused"), "{printed}");
            assert!(printed.contains("accounts refused"), "{printed}");
        }
        assert!(printed.contains("own mine"), "{printed}");
        if outcome.enforcement.filesystem != Filesystem::Open {
            assert!(printed.contains("list refused"), "{printed}");
        }
    }
}

fn links() {
    let script = "
import os, sys
path = sys.argv[1]
def attempt(what, action):
    try:
        print(what, action())
    except OSError as error:
        print(what, 'refused', type(error).__name__)
def read(link):
    with open(link) as file:
        return file.read()
def overwrite(link):
    with open(link, 'w') as file:
        return file.write('mine')
os.symlink(path, 'link')
attempt('link', lambda: read('link'))
attempt('link', lambda: overwrite('link'))
os.symlink(os.path.dirname(path), 'directory')
attempt('directory', lambda: read('directory/secret'))
attempt('directory', lambda: overwrite('directory/new'))
attempt('hard', lambda: os.link(path, 'hard') or read('hard'))
for root in '/proc/self/root', '/proc/1/root', '/proc/self/cwd/..' + '/..' * 20:
    attempt(root, lambda: read(root + path))
    attempt(root, lambda: overwrite(root + path))
";
    for mode in MODES {
        let (directory, path) = open_to_everybody();
        let outcome = python(mode, roomy(), script, &[&path]);
        assert_eq!(outcome.exit, equipoise_verifiers::sandbox::Exit::Code(0));
        check_untouched(&outcome, &directory, &path);
    }
}

fn secrets() {
    for mode in MODES {
        // The helper has a secret in its environment and looks for it from inside of a sandbox.
        let printed = helper::with_secret(mode);
        println!("{mode:?}: {printed}");
        assert!(printed.contains("PYTHONHASHSEED"), "{printed}");
        if printed.starts_with("Open") {
            println!("    the environment of the user's other processes can be read here");
        } else {
            assert!(!printed.contains(helper::SECRET), "{printed}");
        }
        // Its own environment is clean in any case.
        assert!(!printed.contains("'HELPER'"), "{printed}");
    }
}

fn parent() {
    let script = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
ATTACH = 16
for process in {1, os.getppid()} - {0}:
    attached = libc.ptrace(ATTACH, process, 0, 0)
    print('ptrace', attached == 0)
    for name in 'mem', 'environ', 'maps', 'fd':
        try:
            path = f'/proc/{process}/{name}'
            os.listdir(path) if name == 'fd' else open(path, 'rb').read(1)
            print(name, True)
        except OSError:
            pass
import signal
for process in {1, os.getppid()} - {0}:
    for number in signal.SIGTERM, signal.SIGSTOP, signal.SIGKILL:
        try:
            os.kill(process, number)
        except OSError:
            pass
import time
time.sleep(0.3)
print('still here')
";
    for mode in MODES {
        let marker = marker();
        let outcome = python(mode, roomy(), script, &[&marker]);
        let printed = stdout(&outcome);
        if outcome.enforcement.seccomp {
            assert!(!printed.contains("ptrace True"), "{printed}");
        }
        if outcome.enforcement.unprivileged {
            assert!(!printed.contains("True"), "{printed}");
        } else {
            println!("    the launcher could not become an ordinary user here");
            assert!(!printed.contains("mem True"), "{printed}");
        }
        if outcome.enforcement.process_namespace || outcome.enforcement.landlock_abi >= 6 {
            assert!(printed.ends_with("still here\n"), "{printed}");
            assert!(outcome.succeeded());
        } else {
            println!("    the launcher can be killed here");
            assert!(!outcome.succeeded());
        }
        assert!(eventually(|| alive(&marker).is_empty()));
    }
}

fn snooping() {
    let script = "
import os
try:
    numbers = [int(name) for name in os.listdir('/proc') if name.isdigit()]
except OSError:
    numbers = []
print(sorted(numbers))
lines = []
for number in numbers:
    try:
        lines.append(open(f'/proc/{number}/cmdline').read())
    except OSError:
        pass
print([line for line in lines if 'sandbox-' in line])
";
    for mode in MODES {
        let outcome = python(mode, roomy(), script, &[]);
        let printed = stdout(&outcome);
        if outcome.enforcement.memory_together {
            // The first process of the namespace, and the command.
            assert!(printed.starts_with("[1, 2]\n"), "{printed}");
        } else if outcome.enforcement.filesystem != Filesystem::Open {
            assert!(printed.starts_with("[]\n"), "{printed}");
        } else {
            println!("    all processes can be seen here");
        }
    }
}

fn namespaces() {
    let script = "
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS, NEWNET = 0x10000000, 0x20000, 0x40000000
for flags in NEWUSER, NEWUSER | NEWNS, NEWNS, NEWNET:
    print(libc.unshare(flags), end=' ')
print(libc.mount(b'none', b'/', None, 32, None), end=' ')
print(libc.chroot(b'.'), end=' ')
print(libc.umount2(b'/proc', 2), end=' ')
print(libc.sethostname(b'x', 1), end=' ')
CLONE, SIGCHLD = {'x86_64': 56, 'aarch64': 220}[os.uname().machine], 17
print(libc.syscall(CLONE, NEWUSER | SIGCHLD, 0, 0, 0, 0))
";
    for mode in MODES {
        let outcome = python(mode, roomy(), script, &[]);
        if outcome.enforcement.seccomp {
            assert_eq!(stdout(&outcome), ["-1"; 9].join(" ") + "\n");
        }
    }
}

fn privileges() {
    let script = "
import os
status = dict(line.split(':\\t', 1) for line in open('/proc/self/status').read().splitlines())
print([status[f'Cap{kind}'] for kind in ('Inh', 'Prm', 'Eff', 'Amb')], status['NoNewPrivs'])
try:
    os.setuid(0)
    print('root')
except OSError:
    print(os.getuid() != 0, os.geteuid() != 0)
print([number for number in range(3, 64) if os.path.exists(f'/proc/self/fd/{number}')])
";
    let outcome = python(Mode::Everything, roomy(), script, &[]);
    assert!(outcome.enforcement.no_new_privileges);
    if !outcome.enforcement.unprivileged {
        println!("    the launcher could not become an ordinary user here");
        assert!(outcome.enforcement.level() < Level::Limits);
        return;
    }
    if outcome.enforcement.memory_together {
        let none = "'0000000000000000'";
        let expected = format!("[{none}, {none}, {none}, {none}] 1\nTrue True\n[]\n");
        assert_eq!(stdout(&outcome), expected);
    } else {
        println!("    there is no /proc to look at here");
    }
}
