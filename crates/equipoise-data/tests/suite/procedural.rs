//! Procedural sources: reproducible by number, and held-out problems stay out.

use std::collections::HashSet;

use equipoise_data::{
    Arithmetic, Countdown, ProblemSource, Procedural, ProceduralError, StyleWeights,
};

fn source(level: u32, seed: u64, held_out: usize) -> Procedural {
    Procedural::new(Arithmetic::difficulty(level), seed, held_out).unwrap()
}

#[test]
fn problems_are_a_function_of_seed_and_number() {
    let (first, again, other) = (source(3, 1, 20), source(3, 1, 20), source(3, 2, 20));
    for number in [7, 3, 0, u64::MAX, 7] {
        assert_eq!(first.train(number), again.train(number));
        assert_eq!(first.demonstration(number), again.demonstration(number));
        assert_eq!(first.train(number).id, number);
        assert_eq!(first.train(number).source, "arithmetic");
    }
    assert_eq!(first.held_out(), again.held_out());
    assert_ne!(first.held_out(), other.held_out());
    assert_ne!(first.train(0).prompt, other.train(0).prompt);
    assert_ne!(first.train(0).prompt, first.train(1).prompt);
    assert_eq!(first.len(), None);
    assert!(!first.is_empty());
}

#[test]
fn held_out_problems_are_distinct_and_never_trained_on() {
    // 200 different prompts in all, so that nearly every second draw would collide.
    let source = source(0, 5, 90);
    let held_out: HashSet<&str> = source.held_out().iter().map(|p| &*p.prompt).collect();
    assert_eq!(held_out.len(), 90);
    let ids: Vec<u64> = source.held_out().iter().map(|p| p.id).collect();
    assert_eq!(ids, (0..90).collect::<Vec<_>>());
    let mut seen = HashSet::new();
    for number in 0..3000 {
        let trained = source.train(number).prompt;
        assert!(!held_out.contains(&*trained), "{trained}");
        let shown = source.demonstration(number).unwrap().problem;
        assert!(!held_out.contains(&*shown.prompt), "{}", shown.prompt);
        assert_eq!(shown.id, number);
        seen.insert(trained);
    }
    assert_eq!(seen.len(), 110);
}

#[test]
fn training_and_demonstration_problems_differ() {
    let source = source(4, 5, 10);
    let same = (0..100).filter(|&number| {
        source.train(number).prompt == source.demonstration(number).unwrap().problem.prompt
    });
    assert!(same.count() < 5);
}

#[test]
fn a_task_that_is_too_small_is_an_error() {
    let error = Procedural::new(Arithmetic::difficulty(0), 1, 201).unwrap_err();
    let ProceduralError::TooFewProblems { found, .. } = error else {
        panic!("{error}");
    };
    assert!((150..=200).contains(&found), "{found}");
    let error = Procedural::new(Arithmetic::difficulty(0), 1, 195).unwrap_err();
    assert!(
        matches!(error, ProceduralError::NothingLeft { held_out: 195, .. }),
        "{error}"
    );
    let styles = StyleWeights {
        direct: 0.0,
        steps: 0.0,
        columns: 0.0,
    };
    let broken = Arithmetic {
        styles,
        ..Arithmetic::difficulty(0)
    };
    let error = Procedural::new(broken, 1, 1).unwrap_err();
    assert!(matches!(error, ProceduralError::Task(_)), "{error}");
}

#[test]
fn sources_are_chosen_at_run_time() {
    let sources: [Box<dyn ProblemSource>; 2] = [
        Box::new(source(1, 1, 5)),
        Box::new(Procedural::new(Countdown::difficulty(1), 1, 5).unwrap()),
    ];
    let names: Vec<String> = sources.iter().map(|s| s.train(0).source).collect();
    assert_eq!(names, ["arithmetic", "countdown"]);
    assert_eq!(sources[1].held_out()[4].source, "countdown/held_out");
}
