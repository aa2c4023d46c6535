//! JSONL files: what is read, in which order, and what is wrong with a line.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use equipoise_data::{
    DataError, FileOptions, FileProblems, Mapping, MessageFormat, ProblemSource, Split,
};
use proptest::prelude::*;
use tempfile::TempDir;

/// A folder with the file `p.jsonl`, and options that read it and hold nothing out.
fn file(bytes: impl AsRef<[u8]>) -> (TempDir, FileOptions) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p.jsonl");
    fs::write(&path, bytes).unwrap();
    let options = FileOptions {
        seed: 3,
        ..FileOptions::new(path)
    };
    (folder, options)
}

fn open(bytes: impl AsRef<[u8]>) -> Result<FileProblems, DataError> {
    let (_folder, options) = file(bytes);
    FileProblems::open(&options)
}

/// The error's message without the folder.
fn message(bytes: impl AsRef<[u8]>) -> String {
    let (folder, options) = file(bytes);
    let text = FileProblems::open(&options).unwrap_err().to_string();
    let prefix = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    text.replace(&prefix, "")
}

/// `count` rows with different prompts.
fn rows(count: usize) -> String {
    let row = |i| format!("{{\"prompt\": \"q{i}\", \"answer\": {i}, \"completion\": \"c{i}\"}}\n");
    (0..count).map(row).collect()
}

#[test]
fn rows_are_read_as_written() {
    let source = open(
        "\u{FEFF}{\"prompt\": \"2+2=\", \"answer\": \"4\"}\r\n\r\n   \n\
         {\"answer\": 12345678901234567890.10, \"messages\": [{\"role\": \"system\", \
         \"content\": \"Be brief.\"}, {\"content\": \"How many?\", \"role\": \"user\"}], \
         \"completion\": \"many\"}",
    )
    .unwrap();
    let mut problems = [source.train(0), source.train(1)];
    problems.sort_by(|a, b| a.prompt.cmp(&b.prompt));
    assert_eq!(problems[0].prompt, "2+2=");
    assert_eq!(problems[0].answer, "4");
    assert!(problems[0].source.ends_with("p.jsonl:1"));
    assert_eq!(problems[1].prompt, "Be brief.\nHow many?");
    assert_eq!(problems[1].answer, "12345678901234567890.10");
    assert!(problems[1].source.ends_with("p.jsonl:4"));
    let demonstration = source.demonstration(5).unwrap();
    assert_eq!(demonstration.completion, "many");
    assert_eq!(demonstration.problem.prompt, "Be brief.\nHow many?");
    assert_eq!(demonstration.problem.id, 5);
}

#[test]
fn messages_are_rendered_as_chatml() {
    let (_folder, mut options) =
        file(r#"{"messages": [{"role": "user", "content": "2+2?"}], "answer": "4"}"#);
    options.style.format = MessageFormat::ChatMl;
    let source = FileProblems::open(&options).unwrap();
    let expected = "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n";
    assert_eq!(source.train(0).prompt, expected);
    assert_eq!(source.demonstration(0), None);
}

#[test]
fn every_epoch_is_a_permutation_and_random_access() {
    let (_folder, mut options) = file(rows(20));
    let source = FileProblems::open(&options).unwrap();
    assert_eq!(source.len(), Some(20));
    let epoch = |e: u64| -> Vec<String> {
        (20 * e..20 * (e + 1))
            .map(|n| source.train(n).prompt)
            .collect()
    };
    let (first, second) = (epoch(0), epoch(1));
    assert_ne!(first, second);
    for order in [&first, &second] {
        assert_eq!(order.iter().collect::<HashSet<_>>().len(), 20);
    }
    // Backwards and across epochs, with problems and demonstrations mixed.
    for number in [39, 3, 20, 19, 0] {
        let again = FileProblems::open(&options).unwrap();
        assert_eq!(again.train(number), source.train(number));
        assert_eq!(again.demonstration(number), source.demonstration(number));
        assert_eq!(source.train(number).id, number);
    }
    options.seed = 4;
    let other = FileProblems::open(&options).unwrap();
    assert_ne!(
        first,
        (0..20).map(|n| other.train(n).prompt).collect::<Vec<_>>()
    );
    source.train(u64::MAX);
}

#[test]
fn held_out_rows_are_not_trained_on() {
    let (_folder, mut options) = file(rows(20));
    options.held_out = Split::Count(5);
    let source = FileProblems::open(&options).unwrap();
    let held_out: HashSet<String> = source.held_out().iter().map(|p| p.prompt.clone()).collect();
    assert_eq!(held_out.len(), 5);
    assert!(source.held_out().iter().map(|p| p.id).eq(0..5));
    for number in 0..45 {
        assert!(!held_out.contains(&source.train(number).prompt));
        let shown = source.demonstration(number).unwrap();
        assert!(!held_out.contains(&shown.problem.prompt));
        let numbered = shown.problem.prompt.replace('q', "c");
        assert_eq!(shown.completion, numbered);
    }
    let report = source.report();
    assert_eq!((report.train, report.held_out), (15, 5));
    assert_eq!(report.demonstrations, 15);

    options.held_out = Split::Count(20);
    let error = FileProblems::open(&options).unwrap_err();
    assert!(
        matches!(error, DataError::NothingToTrainOn { problems: 20, .. }),
        "{error}"
    );
}

#[test]
fn a_held_out_file_is_kept_out_of_training() {
    let (folder, mut options) = file(rows(6));
    let held_out = folder.path().join("h.jsonl");
    fs::write(
        &held_out,
        "{\"prompt\": \"q2\", \"answer\": 2}\n{\"prompt\": \"x\", \"answer\": 9}",
    )
    .unwrap();
    options.held_out = Split::File {
        path: held_out.clone(),
        mapping: Mapping::default(),
    };
    let source = FileProblems::open(&options).unwrap();
    assert_eq!(source.report().held_out_overlap, 1);
    assert_eq!(source.len(), Some(5));
    let prompts: Vec<&str> = source
        .held_out()
        .iter()
        .map(|p| p.prompt.as_str())
        .collect();
    assert_eq!(prompts, ["q2", "x"]);
    assert!((0..10).all(|n| source.train(n).prompt != "q2"));

    fs::write(&held_out, "{\"prompt\": \"q2\"}").unwrap();
    let error = FileProblems::open(&options).unwrap_err().to_string();
    assert!(
        error.ends_with("h.jsonl:1: missing key `answer`"),
        "{error}"
    );
    options.held_out = Split::File {
        path: PathBuf::from("no such file"),
        mapping: Mapping::default(),
    };
    let error = FileProblems::open(&options).unwrap_err();
    assert!(matches!(error, DataError::Io { .. }), "{error}");
}

#[test]
fn repeated_prompts_are_counted() {
    let source = open(
        r#"{"prompt": "a", "answer": "1", "completion": "x"}
           {"prompt": "a", "answer": 1, "completion": "y"}
           {"prompt": "a", "answer": "1", "completion": "x"}
           {"prompt": "a", "answer": "2", "completion": "z"}
           {"prompt": "b", "answer": "1"}"#,
    )
    .unwrap();
    let report = source.report();
    assert_eq!(
        (report.rows(), report.duplicates, report.conflicts),
        (5, 2, 1)
    );
    assert_eq!((report.train, report.demonstrations), (2, 2));
    let mut completions = [0, 1].map(|n| source.demonstration(n).unwrap().completion);
    completions.sort();
    assert_eq!(completions, ["x", "y"]);
}

#[test]
fn errors_name_line_and_key() {
    let good = "{\"prompt\": \"a\", \"answer\": \"1\"}\n";
    let cases: [(&str, &str); 21] = [
        (r#"{"prompt": "b"}"#, "missing key `answer`"),
        (r#"{"answer": "b"}"#, "missing key `prompt` or `messages`"),
        (
            r#"{"prompt": "b", "answr": "1"}"#,
            "unknown key `answr`; known keys: prompt, messages, answer, completion; to leave it out, \
             add extra_columns = \"ignore\"",
        ),
        (
            r#"{"prompt": "b", "answer": "1", "answer": "2"}"#,
            "key `answer` appears twice",
        ),
        (
            r#"{"prompt": "b", "messages": [], "answer": "1"}"#,
            "has both `prompt` and `messages`; keep one",
        ),
        (
            r#"{"prompt": 3, "answer": "1"}"#,
            "`prompt` is a number; expected a string that is not empty",
        ),
        (
            r#"{"prompt": " ", "answer": "1"}"#,
            "`prompt` is empty; expected a string that is not empty",
        ),
        (
            r#"{"prompt": "b", "answer": null}"#,
            "`answer` is null; expected a string or a number",
        ),
        (
            r#"{"prompt": "b", "answer": [1]}"#,
            "`answer` is an array; expected a string or a number",
        ),
        (
            r#"{"prompt": "b", "answer": ""}"#,
            "`answer` is empty; expected a string that is not empty",
        ),
        (
            r#"{"prompt": "b", "answer": 1, "completion": true}"#,
            "`completion` is a boolean; expected a string that is not empty",
        ),
        (
            r#"{"messages": "b", "answer": 1}"#,
            "`messages` is a string; expected an array of messages that is not empty",
        ),
        (
            r#"{"messages": [], "answer": 1}"#,
            "`messages` is empty; expected an array of messages that is not empty",
        ),
        (
            r#"{"messages": ["b"], "answer": 1}"#,
            "`messages[0]` is a string; expected an object with `role` and `content`",
        ),
        (
            r#"{"messages": [{"role": "user"}], "answer": 1}"#,
            "`messages[0].content` is missing; expected a string",
        ),
        (
            r#"{"messages": [{"content": "b"}], "answer": 1}"#,
            r#"`messages[0].role` is missing; expected "system", "user" or "assistant""#,
        ),
        (
            r#"{"messages": [{"role": "bot", "content": "b"}], "answer": 1}"#,
            r#"`messages[0].role` is "bot"; expected "system", "user" or "assistant""#,
        ),
        (
            r#"{"messages": [{"role": "user", "text": "b"}], "answer": 1}"#,
            "unknown key `messages[0].text`; known keys: role, content",
        ),
        (
            r#"{"messages": [{"role": "user", "content": "b"}, {"role": "assistant", "content": "c"}], "answer": 1}"#,
            "`messages` is ended by the assistant; expected the last message to be the user's; \
             put the assistant's into `completion`",
        ),
        (
            r#"{"prompt": "b", "answer": {}}"#,
            "`answer` is an object; expected a string or a number",
        ),
        (
            r#"{"prompt": "b", "completion": 1e999, "answer": 1}"#,
            "`completion` is a value out of range; expected a string that is not empty",
        ),
    ];
    for (row, expected) in cases {
        let text = message(format!("{good}{row}\n{good}"));
        assert_eq!(text, format!("p.jsonl:2: {expected}"));
    }
}

#[test]
fn broken_lines_are_named_with_their_column() {
    let cases = [
        ("{\"prompt\": \"a\", \"answer\": \"1\"", 29, "EOF"),
        (
            "{\"prompt\": \"a\" \"answer\": \"1\"}",
            16,
            "expected `,` or `}`",
        ),
        ("[1, 2]", 0, "expected a JSON object"),
        ("34", 2, "expected a JSON object"),
        ("{} {}", 4, "trailing characters"),
        ("{\"prompt\": nul}", 15, "expected ident"),
    ];
    for (line, column, expected) in cases {
        let text = message(format!("\n\n{line}"));
        let prefix = format!("p.jsonl:3:{column}: not a JSON object: ");
        let what = text.strip_prefix(&prefix);
        assert!(
            what.is_some_and(|what| what.contains(expected)),
            "{line}: {text}"
        );
        assert!(!text.contains(" at line "), "{text}");
    }
}

#[test]
fn files_without_rows_or_text_are_errors() {
    for empty in ["", "\n\n", "\u{FEFF}", " \r\n"] {
        assert!(message(empty).starts_with("p.jsonl: no rows; expected one JSON object"));
    }
    assert_eq!(
        message(b"\n\xFF\xFE"),
        "p.jsonl:2: not valid UTF-8; save the file as UTF-8"
    );
    let deep = "[".repeat(100_000);
    assert!(message(format!("{{\"prompt\": {deep}")).starts_with("p.jsonl:1:"));
}

proptest! {
    #[test]
    fn no_file_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = open(bytes);
    }

    #[test]
    fn no_row_panics(
        prompt in "\\PC{0,5}",
        answer in "null|-?[0-9]{1,3}|\"[a-z]{0,2}\"|\\[\\]",
        key in "completion|answer|messages|\\PC{0,3}",
    ) {
        let prompt = serde_json::to_string(&prompt).unwrap();
        let key = serde_json::to_string(&key).unwrap();
        let row = format!("{{\"prompt\": {prompt}, {key}: {answer}, \"answer\": {answer}}}");
        if let Ok(source) = open(row) {
            prop_assert_eq!(source.len(), Some(1));
            source.train(3);
        }
    }
}
