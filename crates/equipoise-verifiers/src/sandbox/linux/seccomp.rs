//! System calls that have no place in a sandbox.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

/// System calls that are refused whatever their arguments.
const REFUSED: &[libc::c_long] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    // Namespaces and file systems.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_quotactl,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_fanotify_init,
    // The kernel itself.
    libc::SYS_bpf,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_acct,
    libc::SYS_userfaultfd,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    // Keys.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    // A second way to nearly every system call, past this filter.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Memory that no limit counts.
    libc::SYS_shmget,
    libc::SYS_msgget,
    libc::SYS_semget,
    libc::SYS_mq_open,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
];

/// Flags of `clone` that make namespaces.
const NEW_NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// The filters to apply, in this order; an error on an architecture that has none.
///
/// `isolated` says that the run has namespaces of its own. If not, it may make no socket at all,
/// because the sockets of others would be within reach, and must stay in its process group, because
/// that is what is killed.
pub(super) fn filters(isolated: bool) -> Result<Vec<BpfProgram>, String> {
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(|e| e.to_string())?;
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    for call in REFUSED {
        add(&mut refused, *call, Vec::new());
    }
    for call in only_some_architectures() {
        add(&mut refused, call, Vec::new());
    }
    let with = |index, operator, value: u64, length| {
        let condition = SeccompCondition::new(index, length, operator, value);
        let rule = condition.and_then(|condition| SeccompRule::new(vec![condition]));
        rule.map_err(|error| error.to_string())
    };
    let mut clone = Vec::new();
    for flag in NEW_NAMESPACES {
        let flag = u64::from(flag.cast_unsigned());
        let operator = SeccompCmpOp::MaskedEq(flag);
        clone.push(with(0, operator, flag, SeccompCmpArgLen::Qword)?);
    }
    add(&mut refused, libc::SYS_clone, clone);
    // The limits of another process.
    let another = with(0, SeccompCmpOp::Ne, 0, SeccompCmpArgLen::Dword)?;
    add(&mut refused, libc::SYS_prlimit64, vec![another]);
    // Typing on a terminal.
    let typing = with(1, SeccompCmpOp::Eq, libc::TIOCSTI, SeccompCmpArgLen::Dword)?;
    add(&mut refused, libc::SYS_ioctl, vec![typing]);
    if isolated {
        let unix = u64::from(libc::AF_UNIX.cast_unsigned());
        let other = with(0, SeccompCmpOp::Ne, unix, SeccompCmpArgLen::Dword)?;
        add(&mut refused, libc::SYS_socket, vec![other]);
    } else {
        add(&mut refused, libc::SYS_socket, Vec::new());
        add(&mut refused, libc::SYS_setsid, Vec::new());
        add(&mut refused, libc::SYS_setpgid, Vec::new());
    }
    // Its flags are behind a pointer, which no filter can follow; without it the C library uses
    // `clone`.
    let mut unknown = BTreeMap::new();
    add(&mut unknown, libc::SYS_clone3, Vec::new());

    let permission = libc::EPERM.cast_unsigned();
    let no_such_call = libc::ENOSYS.cast_unsigned();
    let compile = |rules, error| {
        let answer = SeccompAction::Errno(error);
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, answer, architecture);
        let program = filter.and_then(BpfProgram::try_from);
        program.map_err(|error| error.to_string())
    };
    Ok(vec![
        compile(unknown, no_such_call)?,
        compile(refused, permission)?,
    ])
}

/// Adds the rules of one call; without any it is refused whatever its arguments.
fn add(to: &mut BTreeMap<i64, Vec<SeccompRule>>, call: libc::c_long, rules: Vec<SeccompRule>) {
    // The interface with 32-bit pointers has the same calls under other numbers.
    #[cfg(target_arch = "x86_64")]
    to.insert(call | 0x4000_0000, rules.clone());
    to.insert(call, rules);
}

/// Calls that only some architectures have.
fn only_some_architectures() -> Vec<libc::c_long> {
    #[cfg(target_arch = "x86_64")]
    let calls = vec![
        libc::SYS_kexec_file_load,
        libc::SYS_iopl,
        libc::SYS_ioperm,
        libc::SYS_modify_ldt,
        libc::SYS_uselib,
        libc::SYS_lookup_dcookie,
        libc::SYS_nfsservctl,
    ];
    #[cfg(not(target_arch = "x86_64"))]
    let calls = Vec::new();
    calls
}
