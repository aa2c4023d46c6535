//! Problems of files: how prompts are written, what is left out, and what is said about it.

use std::fs;

use equipoise_data::{
    DataError, Duplicates, FileOptions, FileProblems, FileSource, Filters, Mapping, MessageFormat,
    OnBadRow, ProblemSource, PromptFormat, Split,
};
use tempfile::TempDir;

/// A folder with files of these names and contents.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, rows) in files {
        fs::write(folder.path().join(name), rows).unwrap();
    }
    folder
}

fn options(folder: &TempDir, name: &str) -> FileOptions {
    FileOptions::new(folder.path().join(name))
}

/// A text without the folder.
fn bare(folder: &TempDir, text: &str) -> String {
    let prefix = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    text.replace(&prefix, "")
}

fn prompts(problems: &FileProblems) -> Vec<String> {
    let count = problems.len().unwrap();
    (0..count)
        .map(|index| problems.nth_problem(index).prompt)
        .collect()
}

#[test]
fn templates_and_system_messages() {
    let folder = folder(&[(
        "p.jsonl",
        r#"{"prompt": "a {prompt}", "answer": 1}
{"messages": [{"role": "user", "content": "b"}], "answer": 1}
{"prompt": [{"role": "system", "content": "own"}, {"role": "user", "content": "c"}], "answer": 1}
{"messages": [{"role": "user", "content": "d"}, {"role": "assistant", "content": "e"}, {"role": "user", "content": "f"}], "answer": 1, "completion": [{"role": "assistant", "content": "g"}]}
"#,
    )]);
    let mut options = options(&folder, "p.jsonl");
    options.style.template = Some("<{prompt}>".into());
    let problems = FileProblems::open(&options).unwrap();
    // What stands for itself in a prompt is not filled in again.
    assert_eq!(
        prompts(&problems),
        ["<a {prompt}>", "<b>", "own\n<c>", "d\ne\n<f>"]
    );
    assert_eq!(problems.demonstration(0).unwrap().completion, "g");

    options.style = PromptFormat {
        chat: None,
        format: MessageFormat::ChatMl,
        system: Some("S".into()),
        template: None,
    };
    let problems = FileProblems::open(&options).unwrap();
    let all = prompts(&problems);
    assert_eq!(
        all[0],
        "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na {prompt}<|im_end|>\n\
         <|im_start|>assistant\n"
    );
    assert!(all[1].starts_with("<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nb"));
    assert!(all[2].starts_with("<|im_start|>system\nown<|im_end|>\n<|im_start|>user\nc"));

    options.style.template = Some("Q: ".into());
    assert_eq!(
        FileProblems::open(&options).unwrap_err().to_string(),
        "prompt_template = \"Q: \": it must hold {prompt}, the place of what is asked"
    );
}

#[test]
fn a_prompt_that_the_assistant_ends_is_a_bad_row() {
    let folder = folder(&[(
        "p.jsonl",
        r#"{"prompt": [{"role": "assistant", "content": "x"}], "answer": 1}"#,
    )]);
    let error = FileProblems::open(&options(&folder, "p.jsonl")).unwrap_err();
    assert_eq!(
        bare(&folder, &error.to_string()),
        "p.jsonl:1: `prompt` is ended by the assistant; expected the last message to be the user's; put \
         the assistant's into `completion`"
    );
}

#[test]
fn answers_behind_a_marker() {
    let folder = folder(&[(
        "p.jsonl",
        r##"{"prompt": "a", "answer": "no #### 1 #### 1,234 \n"}
{"prompt": "b", "answer": "none"}
{"prompt": "c", "answer": "x #### "}
{"prompt": "d", "answer": 4}
"##,
    )]);
    let mut options = options(&folder, "p.jsonl");
    options.sources[0].mapping.answer_after = Some("####".into());
    let error = FileProblems::open(&options).unwrap_err();
    assert_eq!(
        bare(&folder, &error.to_string()),
        "p.jsonl:2: `answer` has nothing after \"####\"; expected the final answer behind the last \
         \"####\""
    );
    options.on_bad_row = OnBadRow::Skip { max_share: 0.75 };
    let problems = FileProblems::open(&options).unwrap();
    assert_eq!(problems.nth_problem(0).answer, "1,234");
    assert_eq!(problems.len(), Some(1));
    let lines = problems.notes().join("\n");
    assert_eq!(
        bare(&folder, &lines),
        "p.jsonl: 4 rows, 3 bad (no answer marker; the first: p.jsonl:2: `answer` has nothing after \
         \"####\"; expected the final answer behind the last \"####\")"
    );
}

#[test]
fn every_count_that_is_not_zero_is_said() {
    let folder = folder(&[
        (
            "a.jsonl",
            r#"{"prompt": "one two three four five six", "answer": 1, "completion": "x"}
{"prompt": "One two  three four five six", "answer": 1, "completion": "y"}
{"prompt": "one two three four five seven", "answer": 2}
{"prompt": "ONE two three four five six", "answer": 3}
{"prompt": "held OUT", "answer": 3}
{"prompt": "x", "answer": 3}
"#,
        ),
        ("b.jsonl", "{\"prompt\": \"other thing\", \"answer\": 1}\n"),
        (
            "h.jsonl",
            "{\"prompt\": \"Held out\", \"answer\": 3}\n{\"prompt\": \"y\", \"answer\": 1}\n",
        ),
    ]);
    let mut options = options(&folder, "a.jsonl");
    options.sources.push(FileSource {
        path: folder.path().join("b.jsonl"),
        ..FileSource::default()
    });
    options.held_out = Split::File {
        path: folder.path().join("h.jsonl"),
        mapping: Mapping::default(),
    };
    options.filters.min_prompt_characters = Some(2);
    options.duplicates = Duplicates::Near {
        words: 3,
        similarity: 0.6,
    };
    let problems = FileProblems::open(&options).unwrap();
    assert_eq!(
        prompts(&problems),
        ["one two three four five six", "other thing"]
    );
    assert_eq!(problems.held_out().len(), 1);
    let lines = problems.notes().join("\n");
    assert_eq!(
        bare(&folder, &lines),
        "a.jsonl: 6 rows, 1 with too few characters\n\
         b.jsonl: 1 rows\n\
         h.jsonl: 2 rows held out, 1 with too few characters\n\
         1 repeated, 1 repeated with another answer, 1 similar to earlier ones, 1 held out by the other \
         file, 2 demonstrations"
    );
    // Character for character, only what is filtered is left out.
    options.duplicates = Duplicates::Exact;
    assert_eq!(FileProblems::open(&options).unwrap().len(), Some(6));
}

#[test]
fn a_source_of_which_nothing_is_left_is_an_error() {
    let row = "{\"prompt\": \"abc\", \"answer\": 1}\n";
    let folder = folder(&[("a.jsonl", row), ("b.jsonl", row)]);
    let mut options = options(&folder, "a.jsonl");
    options.filters = Filters {
        max_prompt_characters: Some(2),
        ..Filters::default()
    };
    let error = FileProblems::open(&options).unwrap_err();
    assert_eq!(
        bare(&folder, &error.to_string()),
        "a.jsonl: none of its 1 rows is left: 1 with too many characters"
    );
    options.filters = Filters::default();
    options.sources.push(FileSource {
        path: folder.path().join("b.jsonl"),
        ..FileSource::default()
    });
    let error = FileProblems::open(&options).unwrap_err();
    assert!(matches!(error, DataError::NothingLeft { .. }));
    assert_eq!(
        bare(&folder, &error.to_string()),
        "b.jsonl: none of its 1 rows is left: the rest repeats what earlier files ask"
    );
    options.sources.clear();
    let error = FileProblems::open(&options).unwrap_err().to_string();
    assert_eq!(error, "sources = []: name at least one source");
}

#[test]
fn a_chat_template_makes_the_text_of_a_prompt() {
    use equipoise_data::chat::ChatTemplate;
    let folder = folder(&[(
        "p.jsonl",
        "{\"prompt\": \"a\", \"answer\": 1}\n{\"messages\": [{\"role\": \"user\", \"content\": \"b\"}], \
         \"answer\": 1}\n",
    )]);
    let mut options = options(&folder, "p.jsonl");
    options.style.chat = Some(ChatTemplate::builtin("chatml").unwrap());
    options.style.template = Some("<{prompt}>".into());
    let turn = |text: &str| format!("<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n");
    let problems = FileProblems::open(&options).unwrap();
    assert_eq!(prompts(&problems), [turn("<a>"), turn("<b>")]);
    // What a template refuses is a bad row, with its place.
    let refuses = "{{ raise_exception('no ' + messages[0]['content']) }}";
    options.style.chat = Some(ChatTemplate::new(refuses, Default::default()).unwrap());
    let error = FileProblems::open(&options).unwrap_err().to_string();
    assert!(
        error.contains("p.jsonl:1") && error.contains("no <a>"),
        "{error}"
    );
}
