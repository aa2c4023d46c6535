//! The same recipe gives the same bytes.

use std::fs;

use crate::home::{Home, Result};

fn trained(arguments: &[&str], threads: &str) -> Home {
    let home = Home::new();
    let mut command = home.training(arguments);
    let output = command.env("RAYON_NUM_THREADS", threads).output().unwrap();
    crate::home::Said::from(output).succeeded();
    home
}

#[test]
fn again_and_with_other_numbers_of_threads() {
    let first = Result::of(&trained(&[], "2").run());
    for threads in ["2", "1", "3"] {
        first.assert_same(&Result::of(&trained(&[], threads).run()));
    }
}

/// The comparison above would be worth nothing if every run were the same.
#[test]
fn another_seed_is_another_run() {
    let metrics = |home: &Home| fs::read(home.run().join("metrics.jsonl")).unwrap();
    let (one, other) = (trained(&[], "2"), trained(&["--set", "seed=1"], "2"));
    assert!(metrics(&one) != metrics(&other));
}

#[test]
fn every_aggregation_rule() {
    let records = |rule: &str| {
        let set = format!("stage.rl.aggregation={rule}");
        let home = trained(&["--set", &set], "2");
        let inspect = home.call(&["inspect", "runs/tiny"]).succeeded().out;
        assert!(inspect.contains(&format!("{rule} puts")), "{inspect}");
        let report = fs::read_to_string(home.run().join("report.html")).unwrap();
        assert!(report.contains(rule));
        fs::read(home.run().join("completions.jsonl")).unwrap()
    };
    let rules = ["balanced", "token_mean", "sequence_mean", "dr_grpo"];
    let all: Vec<Vec<u8>> = rules.into_iter().map(records).collect();
    for (at, one) in all.iter().enumerate() {
        assert!(!all[..at].contains(one), "{} changes nothing", rules[at]);
    }
}
