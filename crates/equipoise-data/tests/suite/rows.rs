//! Rows as examples: the six types, and what is wrong with a row.

use std::path::PathBuf;

use equipoise_core::{Message, Role};
use equipoise_data::{DataError, Example, ExampleKind, FileReport, RowOptions, Text, TypedRows};
use proptest::prelude::*;
use serde_json::{Value, json};

/// The items of a file with these rows and what became of them, or the error without its folder.
pub(crate) fn read(
    kind: ExampleKind,
    rows: &[impl std::fmt::Display],
    options: &RowOptions,
) -> (Result<Vec<Example>, String>, FileReport) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("r.jsonl");
    let text: String = rows.iter().map(|row| format!("{row}\n")).collect();
    std::fs::write(&path, text).unwrap();
    let prefix = format!("{}{}", folder.path().display(), std::path::MAIN_SEPARATOR);
    let mut stream = match TypedRows::open(kind, &path, options) {
        Ok(stream) => stream,
        Err(error) => return (Err(error.to_string()), FileReport::default()),
    };
    let items = stream.by_ref().map(|item| item.map(|item| item.item));
    let items = items.collect::<Result<_, DataError>>();
    let items = items.map_err(|error| error.to_string().replace(&prefix, ""));
    (items, stream.report().clone())
}

fn items(kind: ExampleKind, rows: &[Value]) -> Vec<Example> {
    read(kind, rows, &RowOptions::default()).0.unwrap()
}

fn error(kind: ExampleKind, row: &Value) -> String {
    read(kind, &[row], &RowOptions::default()).0.unwrap_err()
}

fn plain(text: &str) -> Text {
    Text::Plain(text.into())
}

fn talk<const N: usize>(messages: [(Role, &str); N]) -> Text {
    let message = |(role, content): (Role, &str)| Message {
        role,
        content: content.into(),
    };
    Text::Conversation(messages.map(message).into())
}

fn user(content: &str) -> Value {
    json!([{"role": "user", "content": content}])
}

fn assistant(content: &str) -> Value {
    json!([{"role": "assistant", "content": content}])
}

#[test]
fn the_six_types_as_strings() {
    let (p, c) = (plain("p"), plain("c"));
    let cases = [
        (
            json!({"text": "p"}),
            Example::LanguageModeling { text: p.clone() },
        ),
        (
            json!({"prompt": "p"}),
            Example::PromptOnly { prompt: p.clone() },
        ),
        (
            json!({"prompt": "p", "completion": "c"}),
            Example::PromptCompletion {
                prompt: p.clone(),
                completion: c.clone(),
            },
        ),
        (
            json!({"prompt": "p", "chosen": "c", "rejected": "r"}),
            Example::Preference {
                prompt: Some(p.clone()),
                chosen: c.clone(),
                rejected: plain("r"),
            },
        ),
        (
            json!({"prompt": "p", "completion": "c", "label": false}),
            Example::UnpairedPreference {
                prompt: p.clone(),
                completion: c.clone(),
                label: false,
            },
        ),
        (
            json!({"prompt": "p", "completions": ["c", "d"], "labels": [true, false]}),
            Example::StepwiseSupervision {
                prompt: p,
                completions: vec![c, plain("d")],
                labels: vec![true, false],
            },
        ),
    ];
    for (kind, (row, example)) in ExampleKind::ALL.into_iter().zip(cases) {
        assert_eq!(
            items(kind, std::slice::from_ref(&row)),
            std::slice::from_ref(&example)
        );
        assert_eq!(example.kind(), kind);
        assert_eq!(kind.name().parse::<ExampleKind>().unwrap(), kind);
        assert!(!example.is_conversational());
        let columns: Vec<&str> = row
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(ExampleKind::of(columns), Some(kind));
    }
    assert_eq!(ExampleKind::of(["question"]), None);
    let unknown = "dpo".parse::<ExampleKind>().unwrap_err().to_string();
    assert!(
        unknown.starts_with("kind = \"dpo\": it must be one of language_modeling, prompt_only")
    );
}

#[test]
fn the_six_types_as_conversations() {
    let (p, c) = (talk([(Role::User, "p")]), talk([(Role::Assistant, "c")]));
    let cases = [
        (
            json!({"messages": user("p")}),
            Example::LanguageModeling { text: p.clone() },
        ),
        (
            json!({"prompt": user("p")}),
            Example::PromptOnly { prompt: p.clone() },
        ),
        (
            json!({"prompt": user("p"), "completion": assistant("c")}),
            Example::PromptCompletion {
                prompt: p.clone(),
                completion: c.clone(),
            },
        ),
        (
            json!({"prompt": user("p"), "chosen": assistant("c"), "rejected": assistant("r")}),
            Example::Preference {
                prompt: Some(p.clone()),
                chosen: c.clone(),
                rejected: talk([(Role::Assistant, "r")]),
            },
        ),
        (
            json!({"prompt": user("p"), "completion": assistant("c"), "label": true}),
            Example::UnpairedPreference {
                prompt: p.clone(),
                completion: c.clone(),
                label: true,
            },
        ),
        (
            json!({"prompt": user("p"), "completions": [assistant("c")], "labels": [true]}),
            Example::StepwiseSupervision {
                prompt: p,
                completions: vec![c],
                labels: vec![true],
            },
        ),
    ];
    for (kind, (row, example)) in ExampleKind::ALL.into_iter().zip(cases) {
        assert_eq!(items(kind, &[row]), std::slice::from_ref(&example));
        assert!(example.is_conversational());
    }
}

#[test]
fn a_prompt_repeated_in_the_conversations_is_taken_from_them() {
    // As UltraFeedback has it: the prompt as a string beside conversations that begin with it.
    let mut chosen = user("Why? ");
    chosen
        .as_array_mut()
        .unwrap()
        .extend(assistant("a").as_array().unwrap().clone());
    let mut rejected = user("Why? ");
    rejected
        .as_array_mut()
        .unwrap()
        .extend(assistant("b").as_array().unwrap().clone());
    let row = json!({"prompt": "Why?", "chosen": chosen, "rejected": rejected});
    let expected = Example::Preference {
        prompt: Some(talk([(Role::User, "Why? ")])),
        chosen: talk([(Role::Assistant, "a")]),
        rejected: talk([(Role::Assistant, "b")]),
    };
    assert_eq!(items(ExampleKind::Preference, &[row]), [expected]);
    let other = json!({"prompt": "How?", "chosen": chosen, "rejected": rejected});
    assert_eq!(
        error(ExampleKind::Preference, &other),
        "r.jsonl:1: `prompt` is a string, but `chosen` and `rejected` are conversations that do not \
         begin with it; use one form"
    );
    let other = json!({"prompt": user("p"), "chosen": "a", "rejected": "b"});
    assert_eq!(
        error(ExampleKind::Preference, &other),
        "r.jsonl:1: `prompt` is a conversation, but `chosen` and `rejected` are strings; use one form"
    );
}

#[test]
fn implicit_prompts_agree_with_trl() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/preference.json");
    let cases: Vec<(Value, Value)> =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(cases.len() > 90);
    let text = |value: &Value| match value {
        Value::String(text) => Text::Plain(text.clone()),
        list => Text::Conversation(serde_json::from_value(list.clone()).unwrap()),
    };
    for (row, expected) in cases {
        let empty = ["", "[]"].contains(&expected["prompt"].to_string().trim_matches('"'));
        let [item] = &items(ExampleKind::Preference, &[row])[..] else {
            panic!("one row")
        };
        let expected = Example::Preference {
            prompt: (!empty).then(|| text(&expected["prompt"])),
            chosen: text(&expected["chosen"]),
            rejected: text(&expected["rejected"]),
        };
        assert_eq!(item, &expected);
    }
}

#[test]
fn what_is_wrong_is_said() {
    use ExampleKind as Kind;
    let mixed = json!({"prompt": user("p"), "completion": "c"});
    let cases = [
        (
            Kind::LanguageModeling,
            json!({}),
            "missing key `text` or `messages`",
        ),
        (
            Kind::LanguageModeling,
            json!({"text": "a", "messages": user("a")}),
            "has both `text` and `messages`; keep one",
        ),
        (
            Kind::LanguageModeling,
            json!({"text": user("a")}),
            "`text` is an array; expected a string that is not empty",
        ),
        (
            Kind::PromptCompletion,
            json!({"prompt": "p"}),
            "missing key `completion`",
        ),
        (
            Kind::PromptCompletion,
            mixed,
            "`completion` is a string, but the prompt is a conversation; use one form",
        ),
        (
            Kind::PromptOnly,
            json!({"prompt": [{"role": "user"}]}),
            "`prompt[0].content` is missing; expected a string",
        ),
        (
            Kind::Preference,
            json!({"chosen": "a", "rejected": "a"}),
            "`rejected` is the same as `chosen`; expected another text",
        ),
        (
            Kind::UnpairedPreference,
            json!({"prompt": "p", "completion": "c", "label": "yes"}),
            "`label` is a string; expected true or false",
        ),
        (
            Kind::StepwiseSupervision,
            json!({"prompt": "p", "completions": ["c"], "labels": [true, false]}),
            "`labels` is an array of 2; expected as many labels as there are completions, 1",
        ),
        (
            Kind::StepwiseSupervision,
            json!({"prompt": "p", "completions": ["c", 1], "labels": [true, false]}),
            "`completions[1]` is a number; expected a string that is not empty",
        ),
        (
            Kind::StepwiseSupervision,
            json!({"prompt": "p", "completions": [], "labels": []}),
            "`completions` is empty; expected an array of texts that is not empty",
        ),
        (
            Kind::PromptCompletion,
            json!({"question": "p", "output": "c", "id": 3}),
            "unknown keys `question`, `output`, `id`; known keys: prompt, completion; to read them, \
             set columns = { completion = \"output\", prompt = \"question\" } and extra_columns = \
             \"ignore\"; to leave them out, add extra_columns = \"ignore\"",
        ),
    ];
    for (kind, row, expected) in cases {
        assert_eq!(error(kind, &row), format!("r.jsonl:1: {expected}"));
    }
    let rows = [json!({"prompt": "a"}), json!({"prompt": user("b")})];
    let mixed = read(Kind::PromptOnly, &rows, &RowOptions::default())
        .0
        .unwrap_err();
    let expected =
        "r.jsonl:2: `prompt` is a conversation, but r.jsonl:1 has a string; use one form";
    assert_eq!(mixed, expected);
}

proptest! {
    /// Whatever is in a row, every type reads it or says what is wrong with it.
    #[test]
    fn no_row_panics(
        keys in proptest::collection::vec(
            "prompt|completion|completions|label|labels|chosen|rejected|text|messages|\\PC{0,2}", 0..4),
        value in "null|true|-?[0-9]{1,3}|\"[a-z ]{0,3}\"|\\[\\]|\\[\"a\"\\]|\\[true\\]|\
                  \\[\\{\"role\": \"user\", \"content\": \"a\"\\}\\]|\\{\\}",
        kind in 0_usize..6,
    ) {
        let fields: Vec<String> = keys
            .iter()
            .map(|key| format!("{}: {value}", serde_json::to_string(key).unwrap()))
            .collect();
        let row = format!("{{{}}}", fields.join(", "));
        let (read, report) = read(ExampleKind::ALL[kind], &[row], &RowOptions::default());
        prop_assert_eq!(report.rows, 1);
        if let Ok(items) = read {
            prop_assert_eq!(items[0].kind(), ExampleKind::ALL[kind]);
        }
    }
}
