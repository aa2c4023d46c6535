//! Mixtures of families.

use std::collections::HashMap;

use equipoise_core::{Domain, Stream};
use equipoise_data::{
    EOS, Family, Mixture, MixtureComponent, ProblemSource, Procedural, PromptStyle, Task, Tokenizer,
};

fn component(family: Family, weight: f64, difficulty: (u32, u32)) -> MixtureComponent {
    MixtureComponent {
        family,
        weight,
        difficulty,
    }
}

fn mixture() -> Mixture {
    Mixture {
        components: vec![
            component(Family::LinearEquations, 2.0, (1, 3)),
            component(Family::NumberSorting, 1.0, (2, 2)),
            component(Family::Arithmetic, 1.0, (0, 6)),
        ],
        prompt: PromptStyle::Compact,
    }
}

#[test]
fn families_and_levels_follow_the_weights() {
    let task = mixture();
    task.validate().unwrap();
    let tokenizer = Tokenizer::from_alphabet(&task.alphabet(), EOS).unwrap();
    let mut counts: HashMap<String, u32> = HashMap::new();
    let mut level_1 = 0;
    for number in 0..8000 {
        let mut stream = Stream::new(16, Domain::Other, [number, 0, 0]);
        let problem = task.problem(number, &mut stream);
        let completion = task.demonstration(&problem, &mut stream).unwrap();
        let whole = format!("{}{completion}", problem.prompt);
        tokenizer.encode(&whole).unwrap();
        *counts.entry(problem.source.clone()).or_default() += 1;
        // Only at the first level there is no x on the right.
        if problem.source == "linear_equations" {
            let right = problem.prompt.split('=').nth(1).unwrap();
            level_1 += u32::from(!right.trim_end_matches(";x").contains('x'));
        }
    }
    // Five standard deviations of binomial counts with means 4000, 2000 and 2000, then 1333.
    assert!(
        counts["linear_equations"].abs_diff(4000) < 224,
        "{counts:?}"
    );
    assert!(counts["number_sorting"].abs_diff(2000) < 194, "{counts:?}");
    assert!(counts["arithmetic"].abs_diff(2000) < 194, "{counts:?}");
    let third = counts["linear_equations"] / 3;
    assert!(level_1.abs_diff(third) < 149, "{level_1} of {third}");
}

#[test]
fn a_mixture_is_a_source_with_problems_held_out() {
    let task = Mixture {
        prompt: PromptStyle::Text,
        ..mixture()
    };
    let source = Procedural::new(task, 1, 128).unwrap();
    let held_out = source.held_out();
    assert!(
        held_out
            .iter()
            .any(|p| p.source == "number_sorting/held_out")
    );
    assert!(
        held_out
            .iter()
            .any(|p| p.source == "linear_equations/held_out")
    );
    for number in 0..300 {
        let problem = source.train(number);
        assert!(held_out.iter().all(|other| other.prompt != problem.prompt));
        assert!(source.demonstration(number).is_some());
    }
}

#[test]
fn verifiers_are_told_by_source() {
    let task = mixture();
    assert_eq!(task.verifier(), Mixture::BY_SOURCE);
    assert_eq!(
        task.verifiers(),
        [
            ("linear_equations", "exact_number"),
            ("number_sorting", "exact_match"),
            ("arithmetic", "exact_number")
        ]
    );
    let mut same = task;
    same.components.remove(1);
    assert_eq!(same.verifier(), "exact_number");
    same.components
        .push(component(Family::LinearEquations, 1.0, (4, 5)));
    assert_eq!(same.verifiers()[0], ("linear_equations", "math"));
}

#[test]
fn impossible_mixtures_are_named() {
    let cases = [
        ("components", vec![]),
        (
            "components.weight",
            vec![component(Family::CodeTasks, 0.0, (1, 2))],
        ),
        (
            "components.weight",
            vec![component(Family::CodeTasks, f64::NAN, (1, 2))],
        ),
        (
            "components.weight",
            vec![component(Family::CodeTasks, f64::INFINITY, (1, 2))],
        ),
        (
            "components.difficulty",
            vec![component(Family::CodeTasks, 1.0, (2, 1))],
        ),
        (
            "components.difficulty",
            vec![component(Family::CodeTasks, 1.0, (0, 1))],
        ),
        (
            "components.difficulty",
            vec![component(Family::Arithmetic, 1.0, (0, 7))],
        ),
    ];
    for (field, components) in cases {
        let task = Mixture {
            components,
            prompt: PromptStyle::Compact,
        };
        assert_eq!(task.validate().unwrap_err().field, field);
        let mut stream = Stream::new(17, Domain::Other, [0, 0, 0]);
        let problem = task.problem(0, &mut stream);
        task.demonstration(&problem, &mut stream);
    }
}

#[test]
fn settings_are_read_from_text_and_strangers_refused() {
    let text = r#"{"components": [{"family": "code_tasks", "difficulty": [1, 3]}]}"#;
    let task: Mixture = serde_json::from_str(text).unwrap();
    assert_eq!(task.components, [component(Family::CodeTasks, 1.0, (1, 3))]);
    let wrong = r#"{"components": [], "promt": "text"}"#;
    assert!(serde_json::from_str::<Mixture>(wrong).is_err());
}
