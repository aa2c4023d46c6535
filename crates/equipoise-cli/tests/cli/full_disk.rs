//! A disk without room: the error names the file, and what was saved before stays usable.
#![cfg(target_os = "linux")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::home::{Home, Result, Said, checkpoints, snapshot};

/// Trains with a limit on the size of files, in the shell's blocks; the signal that would end the
/// process is ignored, so that writing fails with an error.
fn train_limited(home: &Home, blocks: u32, arguments: &[&str]) -> Said {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let inner = home.training(arguments);
    let mut command = Command::new("sh");
    command
        .args(["-c", &script, "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    command.current_dir(home.path(""));
    for (key, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.output().unwrap().into()
}

/// Blocks are of 512 or 1024 bytes; 48 are less than the weights' 75 KiB and more than the records of
/// the first twenty steps.
#[test]
fn a_checkpoint_that_does_not_fit() {
    let home = Home::new();
    let baseline = Home::new();
    baseline.train(&[]).succeeded();

    // Not even the first checkpoint.
    train_limited(&home, 48, &[]).failed(&["safetensors", "File too large"]);
    assert!(checkpoints(&home.run()).is_empty());
    home.train(&["--resume"]).succeeded();
    Result::of(&baseline.run()).assert_same(&Result::of(&home.run()));

    // A later one: the ones before stay as they are.
    let run = home.run();
    for late in checkpoints(&run).into_iter().skip(1) {
        fs::remove_dir_all(late).unwrap();
    }
    let before = snapshot(&run.join("checkpoints"));
    assert!(!before.is_empty());
    train_limited(&home, 48, &["--resume"]).failed(&["File too large"]);
    assert!(snapshot(&run.join("checkpoints")) == before);
    home.train(&["--resume"]).succeeded();
    Result::of(&baseline.run()).assert_same(&Result::of(&home.run()));
}

#[test]
fn records_that_do_not_fit() {
    let home = Home::new();
    let run = home.run();
    fs::create_dir_all(&run).unwrap();
    let metrics = run.join("metrics.jsonl");
    symlink(Path::new("/dev/full"), &metrics).unwrap();
    home.train(&[])
        .failed(&["metrics.jsonl", "No space left on device"]);
    fs::remove_file(&metrics).unwrap();
    home.train(&["--resume"]).succeeded();
    let baseline = Home::new();
    baseline.train(&[]).succeeded();
    Result::of(&baseline.run()).assert_same(&Result::of(&run));
}
