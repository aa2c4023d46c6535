//! Which protections were active in a run, and how much that is.

use serde::{Deserialize, Serialize};

/// How well a run was shut in; the later, the better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// A process of its own with a clean environment, a wall clock and a cap on its output. It can
    /// do to the machine what the user can.
    Process,
    /// And limits of processor time, memory, processes and file size, without a way to more
    /// privileges.
    Limits,
    /// And no network, and no files but its own, the system's programs and libraries.
    Confined,
    /// And namespaces of its own for processes, users, mounts, network and interprocess
    /// communication: it sees no process but its own, leaves none behind, and has a file system that
    /// consists of nothing else.
    Isolated,
}

/// What keeps a run from the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Network {
    /// Nothing.
    Open,
    /// The kernel refuses to make sockets for a network.
    Seccomp,
    /// A network namespace without any interface that is up.
    Namespace,
    /// Both.
    SeccompAndNamespace,
}

/// What keeps a run from the files of others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filesystem {
    /// Nothing but the permissions of the files.
    Open,
    /// Landlock rules.
    Landlock,
    /// A root directory of its own.
    Root,
    /// Both.
    LandlockAndRoot,
}

/// The protections that were active in one run, as reported from inside of it just before the
/// command began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enforcement {
    /// The command had a session and a process group of its own.
    pub own_session: bool,
    /// The command would have been killed at the end of its wall clock.
    pub wall: bool,
    /// Processor time was limited.
    pub cpu: bool,
    /// Address space was limited.
    pub memory: bool,
    /// The resident memory of all processes together was watched.
    pub memory_together: bool,
    /// The number of processes was limited.
    pub processes: bool,
    /// The size of a file was limited.
    pub file_size: bool,
    /// The size of all files together was limited.
    pub disk: bool,
    /// The output was capped.
    pub output: bool,
    /// What kept the command from the network.
    pub network: Network,
    /// What kept the command from the files of others.
    pub filesystem: Filesystem,
    /// The version of Landlock's interface that was used; 0 if none.
    pub landlock_abi: u32,
    /// System calls that have no place in a sandbox were refused.
    pub seccomp: bool,
    /// The command could not gain privileges.
    pub no_new_privileges: bool,
    /// The user was not root, neither outside nor inside.
    pub unprivileged: bool,
    /// There was a user namespace.
    pub user_namespace: bool,
    /// There was a namespace of process ids: nothing of the run outlives its first process.
    pub process_namespace: bool,
    /// There was a namespace for interprocess communication.
    pub ipc_namespace: bool,
    /// The run would have died with the process that asked for it.
    pub die_with_parent: bool,
    /// Why something is missing, in the kernel's words.
    pub missing: Vec<String>,
}

impl Enforcement {
    /// Nothing at all.
    pub(super) fn none() -> Self {
        Self {
            own_session: false,
            wall: true,
            cpu: false,
            memory: false,
            memory_together: false,
            processes: false,
            file_size: false,
            disk: false,
            output: true,
            network: Network::Open,
            filesystem: Filesystem::Open,
            landlock_abi: 0,
            seccomp: false,
            no_new_privileges: false,
            unprivileged: false,
            user_namespace: false,
            process_namespace: false,
            ipc_namespace: false,
            die_with_parent: false,
            missing: Vec::new(),
        }
    }

    /// The level that was reached.
    pub fn level(&self) -> Level {
        let all = [Level::Isolated, Level::Confined, Level::Limits];
        let reached = all.into_iter().find(|level| self.lacks(*level).is_empty());
        reached.unwrap_or(Level::Process)
    }

    /// The protections that `level` needs and the run did not have.
    pub fn lacks(&self, level: Level) -> Vec<&'static str> {
        let needs = [
            (Level::Process, self.wall, "wall clock"),
            (Level::Process, self.output, "cap on the output"),
            (Level::Limits, self.own_session, "own session"),
            (Level::Limits, self.cpu, "limit of processor time"),
            (Level::Limits, self.memory, "limit of memory"),
            (Level::Limits, self.processes, "limit of processes"),
            (Level::Limits, self.file_size, "limit of file size"),
            (Level::Limits, self.unprivileged, "unprivileged user"),
            (
                Level::Limits,
                self.no_new_privileges,
                "no way to new privileges",
            ),
            (
                Level::Confined,
                self.network != Network::Open,
                "closed network",
            ),
            (
                Level::Confined,
                self.filesystem != Filesystem::Open,
                "closed file system",
            ),
            (
                Level::Isolated,
                self.process_namespace,
                "namespace of process ids",
            ),
            (Level::Isolated, self.user_namespace, "user namespace"),
            (Level::Isolated, self.ipc_namespace, "ipc namespace"),
            (
                Level::Isolated,
                self.filesystem >= Filesystem::Root,
                "own root directory",
            ),
            (
                Level::Isolated,
                self.network >= Network::Namespace,
                "network namespace",
            ),
            (Level::Isolated, self.seccomp, "filter of system calls"),
            (
                Level::Isolated,
                self.die_with_parent,
                "death with its parent",
            ),
        ];
        let missing = needs
            .into_iter()
            .filter(|(needed_by, active, _)| *needed_by <= level && !active);
        missing.map(|(_, _, name)| name).collect()
    }
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Process => "process",
            Self::Limits => "limits",
            Self::Confined => "confined",
            Self::Isolated => "isolated",
        })
    }
}

impl std::fmt::Display for Enforcement {
    /// One line: the level, then every protection that was active.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:", self.level())?;
        let active = [
            (self.own_session, "session"),
            (self.wall, "wall"),
            (self.cpu, "cpu"),
            (self.memory, "memory"),
            (self.memory_together, "memory together"),
            (self.processes, "processes"),
            (self.file_size, "file size"),
            (self.disk, "disk"),
            (self.output, "output"),
            (self.seccomp, "seccomp"),
            (self.no_new_privileges, "no new privileges"),
            (self.unprivileged, "unprivileged"),
            (self.user_namespace, "user namespace"),
            (self.process_namespace, "process namespace"),
            (self.ipc_namespace, "ipc namespace"),
            (self.die_with_parent, "dies with parent"),
        ];
        for (_, name) in active.iter().filter(|(active, _)| *active) {
            write!(f, " {name},")?;
        }
        let network = match self.network {
            Network::Open => "open",
            Network::Seccomp => "seccomp",
            Network::Namespace => "namespace",
            Network::SeccompAndNamespace => "seccomp and namespace",
        };
        let filesystem = match self.filesystem {
            Filesystem::Open => "open",
            Filesystem::Landlock => "landlock",
            Filesystem::Root => "own root",
            Filesystem::LandlockAndRoot => "landlock and own root",
        };
        let abi = self.landlock_abi;
        write!(
            f,
            " network: {network}, filesystem: {filesystem} (landlock {abi})"
        )?;
        for missing in &self.missing {
            write!(f, "; {missing}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_ordered_and_need_what_they_say() {
        assert!(Level::Process < Level::Limits);
        assert!(Level::Limits < Level::Confined && Level::Confined < Level::Isolated);
        let mut found = Enforcement::none();
        assert_eq!(found.level(), Level::Process);
        assert_eq!(found.lacks(Level::Process), Vec::<&str>::new());
        for active in [
            &mut found.own_session,
            &mut found.cpu,
            &mut found.memory,
            &mut found.processes,
            &mut found.file_size,
            &mut found.unprivileged,
            &mut found.no_new_privileges,
        ] {
            *active = true;
        }
        assert_eq!(found.level(), Level::Limits);
        assert_eq!(
            found.lacks(Level::Confined),
            ["closed network", "closed file system"]
        );
        found.network = Network::Seccomp;
        found.filesystem = Filesystem::Landlock;
        assert_eq!(found.level(), Level::Confined);
        found.network = Network::SeccompAndNamespace;
        found.filesystem = Filesystem::LandlockAndRoot;
        for active in [
            &mut found.process_namespace,
            &mut found.user_namespace,
            &mut found.ipc_namespace,
            &mut found.seccomp,
            &mut found.die_with_parent,
        ] {
            *active = true;
        }
        assert_eq!(found.level(), Level::Isolated);
    }
}
