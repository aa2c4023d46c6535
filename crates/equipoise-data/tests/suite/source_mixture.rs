//! Which source a number comes from: counts, order, and what is impossible.

use equipoise_data::{
    DataError, FileOptions, FileProblems, FileSource, ProblemSource, SourceMixture,
};
use proptest::prelude::*;

/// ⌈log₂ n⌉, the largest number of nodes above a source.
fn depth(sources: usize) -> u32 {
    sources.next_power_of_two().trailing_zeros()
}

#[test]
fn three_to_one_by_hand() {
    let mixture = SourceMixture::new(&[3.0, 1.0], 5).unwrap();
    let sources: Vec<usize> = (0..8).map(|number| mixture.locate(number).0).collect();
    // Of every four in a row, three are of the first source, whatever the offset.
    for four in sources.windows(4) {
        assert_eq!(
            four.iter().filter(|&&source| source == 0).count(),
            3,
            "{sources:?}"
        );
    }
    assert_eq!(mixture.counts(1_000_000), [750_000, 250_000]);
    let one = SourceMixture::new(&[0.2], 5).unwrap();
    assert_eq!(one.locate(u64::MAX), (0, u64::MAX));
}

#[test]
fn impossible_weights_are_named() {
    for (weights, expected) in [
        (&[][..], "sources = []: name at least one source"),
        (&[1.0, 0.0], "sources[1].weight = 0: it must be above 0"),
        (&[f64::NAN], "sources[0].weight = NaN: it must be above 0"),
        (&[1.0, -1.0], "sources[1].weight = -1: it must be above 0"),
    ] {
        let error = SourceMixture::new(weights, 0).unwrap_err();
        assert!(matches!(error, DataError::Setting { .. }));
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_source_goes_through_its_own_epochs() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, count: usize| {
        let rows = (0..count).map(|i| {
            format!("{{\"prompt\": \"{name}{i}\", \"answer\": {i}, \"completion\": \"c\"}}\n")
        });
        let path = folder.path().join(name);
        std::fs::write(&path, rows.collect::<String>()).unwrap();
        path
    };
    let source = |name, count, weight| FileSource {
        path: file(name, count),
        weight,
        ..FileSource::default()
    };
    let mut options = FileOptions {
        sources: vec![source("a", 6, Some(3.0)), source("b", 50, Some(1.0))],
        seed: 9,
        ..FileOptions::new("")
    };
    let problems = FileProblems::open(&options).unwrap();
    let prompts: Vec<String> = (0..80).map(|n| problems.train(n).prompt).collect();
    let (small, large): (Vec<_>, Vec<_>) =
        prompts.iter().partition(|prompt| prompt.starts_with('a'));
    assert!(small.len().abs_diff(60) <= 1, "{}", small.len());
    for epoch in small.chunks_exact(6) {
        let mut sorted = epoch.to_vec();
        sorted.sort();
        assert_eq!(sorted, ["a0", "a1", "a2", "a3", "a4", "a5"]);
    }
    let mut seen = large.clone();
    seen.sort();
    seen.dedup();
    assert_eq!(
        seen.len(),
        large.len(),
        "the larger source is in its first epoch"
    );
    assert_eq!(problems.len(), Some(56));
    let all: std::collections::HashSet<String> = (0..56)
        .flat_map(|index| [problems.nth_problem(index).prompt])
        .collect();
    assert_eq!(all.len(), 56);

    // Without weights, every epoch of all problems is nearly one of each source.
    options.sources = vec![source("a", 6, None), source("b", 50, None)];
    let problems = FileProblems::open(&options).unwrap();
    let small = (0..560)
        .filter(|&n| problems.train(n).prompt.starts_with('a'))
        .count();
    assert!(small.abs_diff(60) <= 1, "{small}");

    options.sources[0].weight = Some(1.0);
    assert_eq!(
        FileProblems::open(&options).unwrap_err().to_string(),
        "sources[1].weight = missing: give every source a weight, or none"
    );
}

proptest! {
    /// |count(n) − n·w| < ⌈log₂ sources⌉ (and 0 for one source), at every n.
    #[test]
    fn counts_follow_the_weights(
        weights in proptest::collection::vec(0.01_f64..10.0, 1..9),
        seed in any::<u64>(),
        start in 0_u64..1_000_000,
    ) {
        let mixture = SourceMixture::new(&weights, seed).unwrap();
        let total: f64 = weights.iter().sum();
        let mut counts = mixture.counts(start);
        for number in start..start + 300 {
            let (source, own) = mixture.locate(number);
            // The numbers within a source follow each other without a gap.
            prop_assert_eq!(own, counts[source]);
            counts[source] += 1;
            for (count, weight) in counts.iter().zip(&weights) {
                let expected = (number + 1) as f64 * weight / total;
                let bound = f64::from(depth(weights.len())) + 1e-6;
                prop_assert!((*count as f64 - expected).abs() < bound, "{count} {expected}");
            }
        }
        prop_assert_eq!(counts, mixture.counts(start + 300));
    }

    #[test]
    fn no_weight_panics(weights in proptest::collection::vec(any::<f64>(), 0..4), number in any::<u64>()) {
        if let Ok(mixture) = SourceMixture::new(&weights, 1) {
            prop_assert!(mixture.locate(number).0 < weights.len());
            prop_assert_eq!(mixture.counts(number).iter().sum::<u64>(), number);
        }
    }
}
