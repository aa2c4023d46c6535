//! Which directory a run lives in: `NAME`, then `NAME-2`, `NAME-3`, …; nothing is overwritten.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_tracking::{COMPLETIONS_FILE, METRICS_FILE, TIMINGS_FILE};

const RECIPE_FILE: &str = "recipe.toml";
const LOCK_FILE: &str = ".lock";

/// Whether a directory holds something a new run must not touch.
fn is_taken(directory: &Path) -> bool {
    let filled = |name| fs::metadata(directory.join(name)).is_ok_and(|file| file.len() > 0);
    directory.join(RECIPE_FILE).exists()
        || [METRICS_FILE, TIMINGS_FILE, COMPLETIONS_FILE]
            .into_iter()
            .any(filled)
        || directory.join("checkpoints").exists()
}

/// `NAME` for 1, `NAME-2` for 2, …
fn numbered(runs: &Path, name: &str, number: u64) -> PathBuf {
    match number {
        1 => runs.join(name),
        _ => runs.join(format!("{name}-{number}")),
    }
}

/// The numbers of the runs of this name, unordered. `NAME-2` may also be the first run of a recipe
/// called `NAME-2`, which the recipe inside tells.
fn numbers(runs: &Path, name: &str) -> anyhow::Result<Vec<u64>> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).context(format!("cannot read {}", runs.display())),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", runs.display()))?;
        let folder = entry.file_name();
        let rest = folder.to_str().and_then(|folder| folder.strip_prefix(name));
        let number = match rest {
            Some("") => Some(1),
            Some(rest) => rest
                .strip_prefix('-')
                .and_then(|digits| digits.parse().ok()),
            None => None,
        };
        let own = |number: &u64| {
            let path = numbered(runs, name, *number);
            *number > 0 && path == entry.path() && run_name(&path).as_deref() == Some(name)
        };
        numbers.extend(number.filter(own));
    }
    Ok(numbers)
}

/// The name in the recipe of a run.
fn run_name(directory: &Path) -> Option<String> {
    let text = fs::read_to_string(directory.join(RECIPE_FILE)).ok()?;
    let recipe: toml::Table = text.parse().ok()?;
    Some(recipe.get("name")?.as_str()?.to_owned())
}

/// The newest run of this name; `None` if there is none.
pub(crate) fn newest(runs: &Path, name: &str) -> anyhow::Result<Option<PathBuf>> {
    let newest = numbers(runs, name)?.into_iter().max();
    Ok(newest.map(|number| numbered(runs, name, number)))
}

/// A directory for a new run: the first free one after the newest run of this name.
pub(crate) fn next(runs: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let mut number = numbers(runs, name)?.into_iter().max().unwrap_or(0) + 1;
    while is_taken(&numbered(runs, name, number)) {
        number += 1;
    }
    Ok(numbered(runs, name, number))
}

/// Keeps other processes from training in the same directory until it is dropped. The lock is the
/// operating system's, so a process that is killed leaves none behind.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// Locks a run's directory, which must exist.
pub(crate) fn lock(directory: &Path) -> anyhow::Result<Lock> {
    let path = directory.join(LOCK_FILE);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => bail!(
            "another process is training in {}: wait for it to end, or stop it",
            directory.display()
        ),
        // Some network file systems have no locks; training there is not worse than without.
        Err(TryLockError::Error(_)) => Ok(Lock(file)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_run(runs: &Path, folder: &str, name: &str) {
        let directory = runs.join(folder);
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(RECIPE_FILE), format!("name = \"{name}\"\n")).unwrap();
    }

    #[test]
    fn runs_are_counted_and_never_reused() {
        let home = tempfile::tempdir().unwrap();
        let runs = home.path().join("runs");
        assert_eq!(next(&runs, "a").unwrap(), runs.join("a"));
        assert_eq!(newest(&runs, "a").unwrap(), None);
        add_run(&runs, "a", "a");
        assert_eq!(next(&runs, "a").unwrap(), runs.join("a-2"));
        add_run(&runs, "a-10", "a");
        add_run(&runs, "a-9", "a");
        assert_eq!(newest(&runs, "a").unwrap(), Some(runs.join("a-10")));
        assert_eq!(next(&runs, "a").unwrap(), runs.join("a-11"));
        // Neither runs of `a`: other names, odd spellings.
        for other in ["a-x", "ab", "a-010", "a-0", "a-1"] {
            add_run(&runs, other, "a");
        }
        assert_eq!(newest(&runs, "a").unwrap(), Some(runs.join("a-10")));
    }

    #[test]
    fn a_run_of_another_recipe_is_not_ours_and_not_free() {
        let home = tempfile::tempdir().unwrap();
        add_run(home.path(), "a", "a");
        add_run(home.path(), "a-2", "a-2");
        assert_eq!(
            newest(home.path(), "a").unwrap(),
            Some(home.path().join("a"))
        );
        assert_eq!(next(home.path(), "a").unwrap(), home.path().join("a-3"));
        assert_eq!(
            newest(home.path(), "a-2").unwrap(),
            Some(home.path().join("a-2"))
        );
    }

    #[test]
    fn records_without_a_recipe_are_not_overwritten_either() {
        let home = tempfile::tempdir().unwrap();
        let old = home.path().join("a");
        fs::create_dir_all(&old).unwrap();
        fs::write(old.join(METRICS_FILE), "").unwrap();
        assert_eq!(next(home.path(), "a").unwrap(), old);
        fs::write(old.join(METRICS_FILE), "{}\n").unwrap();
        assert_eq!(next(home.path(), "a").unwrap(), home.path().join("a-2"));
    }

    #[test]
    fn a_directory_is_locked_once() {
        let home = tempfile::tempdir().unwrap();
        let first = lock(home.path()).unwrap();
        let error = lock(home.path()).unwrap_err().to_string();
        assert!(error.contains("another process"), "{error}");
        drop(first);
        lock(home.path()).unwrap();
    }
}
