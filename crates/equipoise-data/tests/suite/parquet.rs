//! Parquet files that pyarrow wrote, against the rows that were put into them.

use std::path::PathBuf;

use equipoise_data::{
    Example, ExampleKind, ExtraColumns, FileOptions, FileProblems, FileSource, Mapping,
    ProblemSource, RowAddress, RowOptions, RowReader, ShuffleOptions, StreamingShuffle, TypedRows,
};
use proptest::prelude::*;
use serde_json::Value;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name)
}

fn written(table: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(fixture("parquet_rows.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    value[table].as_array().unwrap().clone()
}

/// A value without the keys of its objects that are null.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(
                kept.map(|(key, value)| (key.clone(), without_nulls(value)))
                    .collect(),
            )
        }
        Value::Array(items) => items.iter().map(without_nulls).collect(),
        other => other.clone(),
    }
}

#[test]
fn rows_are_what_was_written() {
    for (row, expected) in RowReader::open(fixture("conversations.parquet"))
        .unwrap()
        .zip(written("conversations"))
    {
        let row = row.unwrap();
        for (key, value) in without_nulls(&expected).as_object().unwrap() {
            let read: Value = serde_json::from_str(row.get(key).unwrap()).unwrap();
            assert_eq!(&read, value, "{}", row.location());
        }
        assert_eq!(row.get("note").is_none(), expected["note"].is_null());
    }
    let rows = RowReader::open(fixture("numbers.parquet")).unwrap();
    let rows: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(rows.len(), 7);
    for (n, row) in rows.iter().enumerate() {
        // Above 2⁵³, where a float would round.
        assert_eq!(
            row.get("answer").unwrap(),
            (9_007_199_254_740_993 + n as u64).to_string()
        );
        assert_eq!(row.get("tenths").unwrap(), format!("0.{n}0"));
        assert_eq!(row.get("half").unwrap(), format!("{n}.5"));
        assert_eq!(row.get("single").unwrap(), "0.1");
        assert_eq!(row.get("label").unwrap(), (n % 2 == 0).to_string());
        assert_eq!(row.get("day").unwrap(), "\"2024-02-29\"");
        let (offset, line) = (n as u64, n as u64 + 1);
        assert_eq!(row.address(), RowAddress { offset, line });
    }
}

#[test]
fn rows_are_found_again_by_their_address() {
    let path = fixture("conversations.parquet");
    let all: Vec<_> = RowReader::open(&path)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(all.len(), 25);
    let mut reader = RowReader::open(&path).unwrap();
    for at in [24, 0, 10, 9, 13, 20, 19] {
        reader.seek(all[at].address()).unwrap();
        let row = reader.next().unwrap().unwrap();
        assert_eq!(row.location(), all[at].location());
        assert_eq!(row.get("prompt"), all[at].get("prompt"));
    }
    reader
        .seek(RowAddress {
            offset: 99,
            line: 100,
        })
        .unwrap();
    assert!(reader.next().is_none());
}

#[test]
fn conversations_become_examples() {
    let options = RowOptions {
        mapping: Mapping {
            extra: ExtraColumns::Ignore,
            ..Mapping::default()
        },
        ..RowOptions::default()
    };
    let path = fixture("conversations.parquet");
    let rows = TypedRows::open(ExampleKind::PromptCompletion, &path, &options).unwrap();
    for (n, row) in rows.map(Result::unwrap).enumerate() {
        let Example::PromptCompletion { prompt, completion } = row.item else {
            panic!("another kind")
        };
        assert_eq!(prompt.content(), format!("What is {n} + {n}? “é”\n"));
        assert_eq!(completion.content(), (2 * n).to_string());
    }
    // As in JSONL, with the number of the row for the line.
    let mut rows =
        TypedRows::open(ExampleKind::PromptCompletion, &path, &RowOptions::default()).unwrap();
    let text = rows.next().unwrap().unwrap_err().to_string();
    assert!(
        text.contains("conversations.parquet:1: unknown keys `tags`, `note`;"),
        "{text}"
    );
}

#[test]
fn problems_are_read_with_nested_answers() {
    let mapping = Mapping {
        extra: ExtraColumns::Ignore,
        ..Mapping::of([("answer", "extra.truth.value")])
    };
    let path = fixture("numbers.parquet");
    let source = |mapping| FileOptions {
        sources: vec![FileSource {
            path: path.clone(),
            weight: None,
            mapping,
        }],
        ..FileOptions::new("")
    };
    let problems = FileProblems::open(&source(mapping)).unwrap();
    assert_eq!(problems.nth_problem(6).answer, "t6");
    let mapping = Mapping {
        extra: ExtraColumns::Ignore,
        ..Mapping::default()
    };
    let problems = FileProblems::open(&source(mapping)).unwrap();
    assert_eq!(problems.nth_problem(1).answer, "9007199254740994");
}

#[test]
fn files_that_are_not_parquet_say_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.PARQUET");
    std::fs::write(&path, "{\"prompt\": \"a\"}\n").unwrap();
    let text = RowReader::open(&path).unwrap_err().to_string();
    assert!(
        text.contains("x.PARQUET: not readable as Parquet: "),
        "{text}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn streams_resume(buffer in 1_usize..30, stop in 0_usize..50, seed in any::<u64>()) {
        let options = ShuffleOptions {
            files: vec![fixture("conversations.parquet")],
            rows: RowOptions {
                mapping: Mapping { extra: ExtraColumns::Ignore, ..Mapping::default() },
                ..RowOptions::default()
            },
            buffer,
            seed,
            epochs: Some(2),
            ..ShuffleOptions::new("")
        };
        let kind = ExampleKind::PromptCompletion;
        let open = || StreamingShuffle::open(kind, options.clone()).unwrap();
        let whole: Vec<_> = open().map(Result::unwrap).collect();
        prop_assert_eq!(whole.len(), 50);
        let mut stream = open();
        let mut all: Vec<_> = stream.by_ref().take(stop).map(Result::unwrap).collect();
        let cursor = stream.cursor();
        let stream = StreamingShuffle::resume(kind, options.clone(), &cursor).unwrap();
        all.extend(stream.map(Result::unwrap));
        prop_assert_eq!(all, whole);
    }
}
