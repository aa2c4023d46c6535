//! What one run may use, and which of it ended the run.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one run may use.
///
/// `memory`, `cpu`, `file_size` and `open_files` hold for every process of the run by itself, as
/// `setrlimit` has it. Where the processes of a run can be told from all others (a namespace of
/// process ids with its own `/proc`), `memory` also bounds what all of them together keep resident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Time from the start of the command to its end; in seconds where it is written down.
    #[serde(with = "seconds")]
    pub wall: Duration,
    /// Processor time of a process, rounded up to whole seconds; in seconds where it is written
    /// down.
    #[serde(with = "seconds")]
    pub cpu: Duration,
    /// Bytes of address space of a process.
    pub memory: u64,
    /// Processes and threads that exist at the same time.
    pub processes: u32,
    /// Bytes of one file.
    pub file_size: u64,
    /// Bytes of all files in the scratch directory together; kept where the scratch directory is a
    /// file system of its own.
    pub disk: u64,
    /// Files that a process has open at the same time.
    pub open_files: u32,
    /// Bytes of the standard output, and as many of the standard error.
    pub output: usize,
}

/// A time as a number of seconds.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_f64(time.as_secs_f64())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(from)?;
        let no = |error| D::Error::custom(format!("{seconds} seconds are no time: {error}"));
        Duration::try_from_secs_f64(seconds).map_err(no)
    }
}

impl Default for Limits {
    /// Enough for a solution of a programming contest in Python: 10 s of wall clock and of
    /// processor, 1 GiB of memory, 32 processes, 16 MiB in a file, 64 MiB in all, 256 open files
    /// and 1 MiB of output.
    fn default() -> Self {
        Self {
            wall: Duration::from_secs(10),
            cpu: Duration::from_secs(10),
            memory: 1 << 30,
            processes: 32,
            file_size: 16 << 20,
            disk: 64 << 20,
            open_files: 256,
            output: 1 << 20,
        }
    }
}

/// The limit that ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Limit {
    /// The wall clock: everything was killed.
    Wall,
    /// Processor time: the kernel killed the command.
    Cpu,
    /// Memory. Either all processes together had too much and were killed, or the command failed
    /// and its last words were that it got no more.
    Memory,
    /// Processes: the command failed, and its last words were that it could start no more.
    Processes,
    /// The size of a file: the kernel killed the command, or it failed with this as its last words.
    FileSize,
    /// The size of all files: the command failed, and its last words were that there is no space.
    Disk,
    /// Too much was printed: everything was killed.
    Output,
}

impl Limit {
    /// What the last words of a command that failed say about its limits; `None` if nothing.
    ///
    /// A limit that shows as an error code lets the command decide what to do, so there is no
    /// better witness than the command itself.
    pub(super) fn from_last_words(stderr: &[u8]) -> Option<Self> {
        const TAIL: usize = 2048;
        const WORDS: [(&str, Limit); 8] = [
            ("MemoryError", Limit::Memory),
            ("bad_alloc", Limit::Memory),
            ("Cannot allocate memory", Limit::Memory),
            ("memory allocation of", Limit::Memory),
            ("can't start new thread", Limit::Processes),
            ("Resource temporarily unavailable", Limit::Processes),
            ("File too large", Limit::FileSize),
            ("No space left on device", Limit::Disk),
        ];
        let tail = &stderr[stderr.len().saturating_sub(TAIL)..];
        let tail = String::from_utf8_lossy(tail);
        let found = WORDS
            .iter()
            .filter_map(|(words, limit)| Some((tail.rfind(words)?, *limit)));
        found
            .max_by_key(|(position, _)| *position)
            .map(|(_, limit)| limit)
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wall => "the wall clock",
            Self::Cpu => "the processor time",
            Self::Memory => "the memory",
            Self::Processes => "the number of processes",
            Self::FileSize => "the size of a file",
            Self::Disk => "the size of all files",
            Self::Output => "the output",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_seconds() {
        let limits: Limits = serde_json::from_str(r#"{"wall": 1.5, "cpu": 2}"#).unwrap();
        assert_eq!(limits.wall, Duration::from_millis(1500));
        assert_eq!(limits.cpu, Duration::from_secs(2));
        assert_eq!(limits.processes, Limits::default().processes);
        let written = serde_json::to_string(&limits).unwrap();
        assert!(
            written.starts_with(r#"{"wall":1.5,"cpu":2.0,"#),
            "{written}"
        );
        assert_eq!(serde_json::from_str::<Limits>(&written).unwrap(), limits);
        for wrong in [r#"{"wall": -1}"#, r#"{"wall": 1e300}"#, r#"{"walls": 1}"#] {
            assert!(serde_json::from_str::<Limits>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_words_count() {
        let words = |text: &str| Limit::from_last_words(text.as_bytes());
        assert_eq!(words("Traceback …\nMemoryError\n"), Some(Limit::Memory));
        assert_eq!(
            words("MemoryError\nOSError: [Errno 27] File too large"),
            Some(Limit::FileSize)
        );
        assert_eq!(words("ValueError: 3"), None);
        assert_eq!(words(""), None);
        let long = format!("MemoryError{}", " ".repeat(4000));
        assert_eq!(words(&long), None);
    }
}
