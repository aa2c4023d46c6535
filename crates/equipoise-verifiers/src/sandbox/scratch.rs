//! A directory that is there for one run.

use std::path::Path;

use super::error::SandboxError;

/// A directory that is removed with everything in it, whatever happens.
pub(super) struct Directory {
    directory: tempfile::TempDir,
}

impl Directory {
    /// Makes one in `parent`, or where temporary files are.
    pub(super) fn new(parent: Option<&Path>) -> Result<Self, SandboxError> {
        let mut builder = tempfile::Builder::new();
        let builder = builder.prefix("equipoise-sandbox-");
        let made = match parent {
            Some(parent) => builder.tempdir_in(parent),
            None => builder.tempdir(),
        };
        let directory = made.map_err(SandboxError::io("make a scratch directory"))?;
        Ok(Self { directory })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What a command has closed to its owner cannot be removed before it is opened again.
        #[cfg(unix)]
        if std::fs::remove_dir_all(self.path()).is_err() {
            open_all(self.path(), 0);
        }
    }
}

/// Gives the owner every right to the directories in `path`.
#[cfg(unix)]
fn open_all(path: &Path, depth: u32) {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    /// No path of a system call is longer than 4096 bytes, two a directory.
    const DEEPEST: u32 = 2048;
    if depth > DEEPEST {
        return;
    }
    let _ = fs::set_permissions(path, fs::Permissions::from_mode(0o700));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_all(&entry.path(), depth + 1);
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn closed_directories_are_removed_too() {
        let directory = Directory::new(None).unwrap();
        let path = directory.path().to_owned();
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/c"), "c").unwrap();
        for closed in ["a/b", "a"] {
            fs::set_permissions(path.join(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        drop(directory);
        assert!(!path.exists());
    }
}
