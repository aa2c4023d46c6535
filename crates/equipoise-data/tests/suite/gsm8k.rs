//! GSM8K as it is published: the mapping a recipe would have, counts, and golds.

use std::path::PathBuf;

use equipoise_data::{
    FileOptions, FileProblems, FileSource, Mapping, ProblemSource, PromptFormat, Split,
};

fn excerpt(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/gsm8k");
    folder.join(name)
}

/// The question is the prompt; the solution is the demonstration, and its end is the answer.
fn mapping() -> Mapping {
    Mapping {
        answer_after: Some("####".into()),
        ..Mapping::of([("prompt", "question"), ("completion", "answer")])
    }
}

fn options() -> FileOptions {
    FileOptions {
        sources: vec![FileSource {
            path: excerpt("train.jsonl"),
            weight: None,
            mapping: mapping(),
        }],
        held_out: Split::File {
            path: excerpt("test.jsonl"),
            mapping: mapping(),
        },
        style: PromptFormat {
            template: Some("{prompt}\nGive the answer after ####.".into()),
            ..PromptFormat::default()
        },
        ..FileOptions::new("")
    }
}

#[test]
fn every_row_is_read_with_its_gold_and_solution() {
    let source = FileProblems::open(&options()).unwrap();
    let report = source.report();
    assert_eq!(report.rows(), 160);
    assert_eq!(report.files[0].bad.count(), 0);
    assert_eq!(report.held_out_file.as_ref().unwrap().rows, 40);
    let counts = (report.train, report.held_out, report.demonstrations);
    assert_eq!(counts, (160, 40, 160));
    assert_eq!((report.duplicates, report.conflicts), (0, 0));

    let golds = [0, 1, 2, 159].map(|index| source.nth_problem(index).answer);
    assert_eq!(golds, ["72", "10", "5", "27"]);
    let held_out = source.held_out();
    let golds = [0, 1, 2, 39].map(|index| held_out[index].answer.as_str());
    assert_eq!(golds, ["18", "3", "70000", "18"]);
    // Sums that a few lines of Python found in the files.
    let sum = |answers: &mut dyn Iterator<Item = String>| {
        answers
            .map(|answer| answer.parse::<i64>().unwrap())
            .sum::<i64>()
    };
    let train: i64 = sum(&mut (0..160).map(|index| source.nth_problem(index).answer));
    assert_eq!(train, 499_127);
    assert_eq!(
        sum(&mut held_out.iter().map(|problem| problem.answer.clone())),
        131_480
    );
}

#[test]
fn the_whole_solution_is_the_demonstration() {
    let source = FileProblems::open(&options()).unwrap();
    let first = source.nth_demonstration(0).unwrap();
    assert!(
        first
            .problem
            .prompt
            .starts_with("Natalia sold clips to 48 of her friends")
    );
    assert!(
        first
            .problem
            .prompt
            .ends_with("May?\nGive the answer after ####.")
    );
    assert_eq!(
        first.completion,
        "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n\
         Natalia sold 48+24 = <<48+24=72>>72 clips altogether in April and May.\n#### 72"
    );
    assert!(first.problem.source.ends_with("train.jsonl:1"));
}

#[test]
fn without_a_mapping_the_error_says_what_to_set() {
    let error = FileProblems::open(&FileOptions::new(excerpt("train.jsonl"))).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with(
            "train.jsonl:1: unknown key `question`; known keys: prompt, messages, answer, completion; \
             to read it, set columns = { prompt = \"question\" }; to leave it out, add \
             extra_columns = \"ignore\""
        ),
        "{text}"
    );
}
