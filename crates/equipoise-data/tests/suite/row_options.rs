//! Column names, bad rows and filters.

use std::sync::Arc;

use equipoise_data::{
    BadRows, Example, ExampleKind, ExtraColumns, FilterReason, Filters, Mapping, OnBadRow,
    RowFault, RowOptions, Text, TokenLimit,
};
use serde_json::{Value, json};

use crate::rows::read;

fn plain(text: &str) -> Text {
    Text::Plain(text.into())
}

fn mapped(mapping: Mapping) -> RowOptions {
    RowOptions {
        mapping,
        ..RowOptions::default()
    }
}

#[test]
fn columns_are_read_under_their_own_names() {
    let mapping = Mapping {
        extra: ExtraColumns::Ignore,
        ..Mapping::of([("prompt", "in.text"), ("completion", "a.b")])
    };
    // A key with a full stop comes before a path; `prompt` is mapped away and ignored.
    let row = json!({"in": {"text": "deep"}, "a.b": "flat", "a": {"b": "c"}, "prompt": 3});
    let read_row = read(
        ExampleKind::PromptCompletion,
        &[&row],
        &mapped(mapping.clone()),
    );
    let expected = Example::PromptCompletion {
        prompt: plain("deep"),
        completion: plain("flat"),
    };
    assert_eq!(read_row.0.unwrap(), [expected]);
    let row = json!({"in": {"txt": "deep"}, "a.b": "flat"});
    let missing = read(ExampleKind::PromptCompletion, &[&row], &mapped(mapping))
        .0
        .unwrap_err();
    assert_eq!(
        missing,
        "r.jsonl:1: missing key `in.text`, which `columns` reads `prompt` from"
    );
    for (mapping, expected) in [
        (
            Mapping::of([("promt", "x")]),
            "columns.promt = \"x\": `promt` is no column; the columns are prompt, completion",
        ),
        (
            Mapping {
                answer_after: Some("####".into()),
                ..Mapping::default()
            },
            "answer_after = \"####\": rows of this kind have no answer; remove it",
        ),
    ] {
        let rows: [Value; 0] = [];
        let text = read(ExampleKind::PromptCompletion, &rows, &mapped(mapping))
            .0
            .unwrap_err();
        assert_eq!(text, expected);
    }
}

#[test]
fn bad_rows_are_counted_by_reason() {
    let mut rows: Vec<String> = (0..20)
        .map(|i| format!("{{\"prompt\": \"{i}\"}}"))
        .collect();
    for (at, row) in [
        (1, "{\"prompt\": 1}"),
        (4, "{"),
        (5, "{\"prompt\": null}"),
        (7, "{\"prompt\": []}"),
        (8, "{\"prompt\": {}}"),
    ] {
        rows[at] = row.into();
    }
    let options = |max_share| RowOptions {
        on_bad_row: OnBadRow::Skip { max_share },
        ..RowOptions::default()
    };
    let (items, report) = read(ExampleKind::PromptOnly, &rows, &options(0.25));
    assert_eq!(items.unwrap().len(), 15);
    assert_eq!((report.rows, report.bad.count()), (20, 5));
    let reasons: Vec<_> = report
        .bad
        .reasons
        .iter()
        .map(|r| (r.fault, r.count))
        .collect();
    assert_eq!(reasons, [(RowFault::WrongValue, 4), (RowFault::NotJson, 1)]);
    let first = &report.bad.reasons[0].first;
    assert_eq!(first.len(), BadRows::KEPT);
    assert!(
        first[0].ends_with("r.jsonl:2: `prompt` is a number; expected a string that is not empty")
    );
    assert!(report.left_out()[1].starts_with("1 bad (not a JSON object; the first: "));

    let (items, _) = read(ExampleKind::PromptOnly, &rows, &options(0.249));
    let text = items.unwrap_err();
    let expected = "r.jsonl: 5 of 20 rows are bad, more than max_bad_share = 0.249 allows; the first: \
                    r.jsonl:2: `prompt` is a number";
    assert!(text.starts_with(expected), "{text}");
    let (items, _) = read(ExampleKind::PromptOnly, &rows, &options(1.5));
    assert_eq!(
        items.unwrap_err(),
        "max_bad_share = 1.5: it must be from 0 to 1"
    );
}

#[test]
fn filters_are_counted_by_reason() {
    let rows: Vec<Value> = [
        "é", "four", "seven77", "a bcd", "bad one", "other", "nolevel",
    ]
    .into_iter()
    .zip([
        json!(1),
        json!(1),
        json!("1"),
        json!(1),
        json!(1),
        json!(2),
        Value::Null,
    ])
    .map(|(prompt, level)| json!({"prompt": prompt, "level": level}))
    .collect();
    let options = RowOptions {
        filters: Filters {
            min_prompt_characters: Some(2),
            max_prompt_characters: Some(7),
            max_prompt_tokens: Some(TokenLimit {
                max: 1,
                count: Arc::new(|text| Ok(text.split(' ').count())),
            }),
            prompt_matches: Some("^[a-z0-9 ]+$".into()),
            prompt_excludes: Some("^bad".into()),
            one_of: [("level".to_owned(), vec!["1".to_owned()])].into(),
        },
        ..RowOptions::default()
    };
    let (items, report) = read(ExampleKind::PromptOnly, &rows, &options);
    let prompts: Vec<String> = items
        .unwrap()
        .iter()
        .map(|item| item.prompt().unwrap().content().into_owned())
        .collect();
    assert_eq!(prompts, ["four", "seven77"]);
    let expected = [
        (FilterReason::TooShort, 1),
        (FilterReason::TooManyTokens, 1),
        (FilterReason::Excluded, 1),
        (FilterReason::OtherValue, 2),
    ];
    assert_eq!(report.filtered, expected);
    assert_eq!((report.rows, report.filtered()), (7, 5));
    assert_eq!(report.left_out()[3], "2 with another value in one_of");

    let mut options = options;
    options.filters.prompt_matches = Some("(".into());
    let (items, _) = read(ExampleKind::PromptOnly, &rows, &options);
    assert!(
        items
            .unwrap_err()
            .starts_with("prompt_matches = \"(\": it must be a regular expression")
    );
    options.filters.prompt_matches = None;
    options.filters.min_prompt_characters = Some(8);
    let (items, _) = read(ExampleKind::PromptOnly, &rows, &options);
    let expected = "min_prompt_characters = 8: it must be at most max_prompt_characters = 7";
    assert_eq!(items.unwrap_err(), expected);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_asks_for_its_feature() {
    let text = equipoise_data::RowReader::open("x.parquet")
        .unwrap_err()
        .to_string();
    assert_eq!(
        text,
        "x.parquet: this build reads no Parquet; build with the feature `parquet`, or convert the file \
         to JSONL"
    );
}
