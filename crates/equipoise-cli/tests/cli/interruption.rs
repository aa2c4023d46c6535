//! Runs that are killed or stopped, and go on as if nothing had happened.
#![cfg(unix)]

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::process::Command;

use crate::home::{Home, Result, Said, checkpoints, count_lines};

/// Random numbers from a seed that a failing test prints.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let given = std::env::var("EQUIPOISE_TEST_SEED").ok();
        let seed = given.map_or_else(
            || RandomState::new().build_hasher().finish(),
            |seed| seed.parse().expect("EQUIPOISE_TEST_SEED is a whole number"),
        );
        eprintln!("EQUIPOISE_TEST_SEED={seed}");
        Self(seed | 1)
    }

    /// Uniform enough in `0..bound` (xorshift64).
    fn below(&mut self, bound: u64) -> u64 {
        for (left, shift) in [(true, 13), (false, 7), (true, 17)] {
            self.0 ^= if left {
                self.0 << shift
            } else {
                self.0 >> shift
            };
        }
        self.0 % bound
    }
}

#[test]
fn killed_at_any_moment() {
    let baseline = Home::new();
    baseline.train(&[]).succeeded();
    let expected = Result::of(&baseline.run());
    let lines = count_lines(&baseline.run().join("metrics.jsonl")) as u64;
    let mut random = Random::new();
    let mut homes = 0;
    let mut missed = 0;
    while homes < 3 {
        let home = Home::new();
        let metrics = home.run().join("metrics.jsonl");
        let mut kills = 0;
        for _ in 0..5 {
            // After a resume the file first holds what the killed process left, so some of these
            // kills come before the first step, and some in the middle of a checkpoint.
            let line = random.below(lines - 2) as usize;
            let mut spin = random.below(400);
            let arguments: &[&str] = if home.run().join("recipe.toml").is_file() {
                &["--resume"]
            } else {
                &[]
            };
            let ready = || {
                let enough =
                    count_lines(&metrics) >= line && home.run().join("recipe.toml").exists();
                spin = spin.saturating_sub(u64::from(enough));
                enough && spin == 0
            };
            if let Some(mut child) = home.train_until(arguments, ready) {
                child.kill().unwrap();
                kills += u32::from(child.wait().unwrap().code().is_none());
            }
        }
        eprintln!("killed {kills} times");
        // On a busy machine a run can reach its end before it is killed: it says nothing, and does not
        // count.
        if kills == 0 {
            missed += 1;
            assert!(missed < 30, "every run ended before it was killed");
            continue;
        }
        homes += 1;
        home.train(&["--resume"]).succeeded();
        expected.assert_same(&Result::of(&home.run()));
    }
}

/// Sends a signal once the records have so many lines, and waits for the end.
fn signalled(home: &Home, arguments: &[&str], signal: &str, lines: usize) -> Said {
    let metrics = home.run().join("metrics.jsonl");
    let child = home.train_until(arguments, || count_lines(&metrics) >= lines);
    let child = child.expect("the run is longer than that");
    let sent = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    child.wait_with_output().unwrap().into()
}

#[test]
fn ctrl_c_saves_and_says_how_to_go_on() {
    // Long enough that the signal comes before the end.
    let set = [
        "--set",
        "stage.sft.steps=200",
        "--set",
        "stage.sft.checkpoint_every=0",
    ];
    let home = Home::new();
    let said = signalled(&home, &set, "-INT", 5);
    assert_eq!(said.code, Some(130), "{said:?}");
    assert!(said.err.contains("finishing this step"), "{said:?}");
    for part in [
        "everything is saved in",
        "--resume",
        "--set stage.sft.steps=200",
    ] {
        assert!(said.out.contains(part), "{part:?} is not in {}", said.out);
    }
    assert_eq!(checkpoints(&home.run()).len(), 1);

    // The line it prints works as it is.
    let line = said.out.lines().last().unwrap().trim();
    let arguments: Vec<&str> = line.split(' ').collect();
    assert_eq!(arguments[0], "equipoise");
    home.call(&arguments[1..]).succeeded();
    let baseline = Home::new();
    baseline.train(&set).succeeded();
    Result::of(&baseline.run()).assert_same(&Result::of(&home.run()));
}

#[test]
fn a_run_is_not_trained_by_two_processes() {
    let home = Home::new();
    let long = ["--set", "stage.sft.steps=100000"];
    let metrics = home.run().join("metrics.jsonl");
    let child = home.train_until(&long, || count_lines(&metrics) >= 2);
    let mut child = child.expect("the run is long");
    let second = ["--resume", "--set", "stage.sft.steps=100000"];
    home.train(&second)
        .failed(&["another process is training in", "runs/tiny"]);
    child.kill().unwrap();
    child.wait().unwrap();
    // A lock does not outlive its process.
    let child = home.train_until(&second, || count_lines(&metrics) >= 2);
    let mut child = child.expect("the run is long");
    child.kill().unwrap();
    child.wait().unwrap();
}
