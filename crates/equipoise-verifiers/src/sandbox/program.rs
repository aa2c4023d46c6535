//! Which program a command means, and what that program needs to read.

use std::path::{Path, PathBuf};

use super::error::SandboxError;

/// Where programs are looked for that are given without a directory.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// The whole environment of a command, but for `HOME` and `TMPDIR`, which are the scratch
/// directory. Sets of strings in Python have the same order in every run, and libraries for linear
/// algebra do not start a thread for each processor.
pub(super) const ENVIRONMENT: [(&str, &str); 6] = [
    ("PATH", PATH),
    ("LANG", "C.UTF-8"),
    ("PYTHONHASHSEED", "0"),
    ("PYTHONDONTWRITEBYTECODE", "1"),
    ("OMP_NUM_THREADS", "1"),
    ("OPENBLAS_NUM_THREADS", "1"),
];

/// The path of `program`, and the directories it needs to read beyond those of the system.
pub(super) fn find(program: &str) -> Result<(PathBuf, Vec<PathBuf>), SandboxError> {
    let no = |why: &str| SandboxError::Program {
        program: program.to_owned(),
        why: why.to_owned(),
    };
    let path = if program.contains('/') {
        let path = PathBuf::from(program);
        if !path.is_absolute() {
            return Err(no("give an absolute path, or a name without directories"));
        }
        if !path.is_file() {
            return Err(no("there is no such file"));
        }
        path
    } else {
        let directories = PATH.split(':').map(Path::new);
        let mut found = directories.map(|directory| directory.join(program));
        found
            .find(|path| path.is_file())
            .ok_or_else(|| no(&format!("it is not in {PATH}")))?
    };
    let mut needs = Vec::new();
    let real = path
        .canonicalize()
        .map_err(|error| no(&error.to_string()))?;
    for place in [&path, &real] {
        if let Some(need) = need(place)
            && !needs.contains(&need)
        {
            needs.push(need);
        }
    }
    Ok((path, needs))
}

/// What a program at `path` needs: nothing more if it belongs to the system, the whole installation
/// if it is a Python outside of it, itself if it is anything else.
fn need(path: &Path) -> Option<PathBuf> {
    let of_system = ["/usr", "/bin", "/lib", "/lib64", "/nix/store", "/gnu/store"];
    if of_system.iter().any(|system| path.starts_with(system)) {
        return None;
    }
    let prefix = path.parent().and_then(Path::parent);
    let prefix = prefix.filter(|prefix| is_python(prefix));
    Some(prefix.unwrap_or(path).to_owned())
}

/// Whether a directory is an installation of Python or a virtual environment.
fn is_python(prefix: &Path) -> bool {
    if prefix.join("pyvenv.cfg").is_file() {
        return true;
    }
    let entries = std::fs::read_dir(prefix.join("lib")).into_iter().flatten();
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with("python3") && entry.path().join("os.py").is_file()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_there_is_found() {
        assert!(find("no-such-program-anywhere").is_err());
        assert!(find("bin/sh").is_err());
        assert!(find("/no/such/file").is_err());
    }

    #[test]
    fn an_installation_outside_of_the_system_is_needed_whole() {
        let directory = tempfile::tempdir().unwrap();
        let prefix = directory.path().join("python");
        let program = prefix.join("bin/python3");
        std::fs::create_dir_all(prefix.join("bin")).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(need(&program), Some(program.clone()));
        std::fs::create_dir_all(prefix.join("lib/python3.11")).unwrap();
        std::fs::write(prefix.join("lib/python3.11/os.py"), "").unwrap();
        assert_eq!(need(&program), Some(prefix));
        assert_eq!(need(Path::new("/usr/bin/python3")), None);
    }
}
