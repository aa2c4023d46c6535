//! Streams of rows: each row once an epoch, in an order of its own, and resumed exactly.

use std::fs;
use std::path::{Path, PathBuf};

use equipoise_data::{
    Cursor, DataError, Example, ExampleKind, Located, MixedCursor, OnBadRow, RowOptions,
    ShuffleOptions, StreamingMixture, StreamingShuffle, Text,
};
use proptest::prelude::*;

const KIND: ExampleKind = ExampleKind::LanguageModeling;

/// Files with `rows` rows each, named by `name`; blank lines lie between some.
fn files(folder: &Path, name: &str, count: usize, rows: usize) -> Vec<PathBuf> {
    let write = |file: usize| {
        let path = folder.join(format!("{name}{file}.jsonl"));
        let row = |i| format!("{{\"text\": \"{name}{file}.{i}\"}}\n{}", "\n".repeat(i % 2));
        fs::write(&path, (0..rows).map(row).collect::<String>()).unwrap();
        path
    };
    (0..count).map(write).collect()
}

fn text(item: &Located<Example>) -> String {
    match &item.item {
        Example::LanguageModeling {
            text: Text::Plain(text),
        } => text.clone(),
        other => panic!("{other:?}"),
    }
}

fn texts(stream: impl Iterator<Item = Result<Located<Example>, DataError>>) -> Vec<String> {
    stream.map(|item| text(&item.unwrap())).collect()
}

/// The cursor as a checkpoint would bring it back.
fn saved(cursor: &Cursor) -> Cursor {
    serde_json::from_str(&serde_json::to_string(cursor).unwrap()).unwrap()
}

#[test]
fn every_epoch_has_every_row_once_in_another_order() {
    let folder = tempfile::tempdir().unwrap();
    let options = ShuffleOptions {
        files: files(folder.path(), "a", 3, 20),
        buffer: 16,
        epochs: Some(2),
        ..ShuffleOptions::new("")
    };
    let all = texts(StreamingShuffle::open(KIND, options.clone()).unwrap());
    assert_eq!(all.len(), 120);
    let (first, second) = all.split_at(60);
    assert_ne!(first, second);
    for epoch in [first, second] {
        let mut sorted = epoch.to_vec();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 60);
    }
    // An item moves forward by less than the buffer.
    let of_file = |text: &String| text[1..2].parse::<usize>().unwrap();
    assert!((0..3).any(|file| first.iter().take(4).all(|text| of_file(text) == file)));

    let other_seed = ShuffleOptions {
        seed: 1,
        ..options.clone()
    };
    assert_ne!(
        all,
        texts(StreamingShuffle::open(KIND, other_seed).unwrap())
    );
    let other_source = ShuffleOptions {
        source: 1,
        ..options.clone()
    };
    assert_ne!(
        all,
        texts(StreamingShuffle::open(KIND, other_source).unwrap())
    );
    // A buffer of one keeps the order of the files.
    let options = ShuffleOptions {
        buffer: 1,
        files: options.files[..1].to_vec(),
        ..options
    };
    let in_order: Vec<String> = (0..40).map(|i| format!("a0.{}", i % 20)).collect();
    assert_eq!(
        texts(StreamingShuffle::open(KIND, options).unwrap()),
        in_order
    );
}

#[test]
fn a_full_buffer_draws_uniformly() {
    // Six orders of three rows, 1200 seeds: five standard deviations of a count of mean 200 are 65.
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), "a", 1, 3);
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..1200 {
        let options = ShuffleOptions {
            files: files.clone(),
            seed,
            buffer: 3,
            epochs: Some(1),
            ..ShuffleOptions::new("")
        };
        *counts
            .entry(texts(StreamingShuffle::open(KIND, options).unwrap()))
            .or_insert(0_u32) += 1;
    }
    assert_eq!(counts.len(), 6);
    assert!(
        counts.values().all(|count| count.abs_diff(200) < 65),
        "{counts:?}"
    );
}

#[test]
fn a_changed_file_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let files = files(folder.path(), "a", 2, 30);
    let options = ShuffleOptions {
        files: files.clone(),
        buffer: 8,
        ..ShuffleOptions::new("")
    };
    let mut stream = StreamingShuffle::open(KIND, options.clone()).unwrap();
    stream.nth(10).unwrap().unwrap();
    let cursor = saved(&stream.cursor());
    let resume = |options: ShuffleOptions| {
        let resumed = StreamingShuffle::resume(KIND, options, &cursor);
        resumed.map(|_| ()).map_err(|error| error.to_string())
    };
    resume(options.clone()).unwrap();

    let before = fs::read_to_string(&files[1]).unwrap();
    fs::write(&files[1], before.replace("a1.29", "a1.77")).unwrap();
    let error = resume(options.clone()).unwrap_err();
    assert!(
        error.ends_with(
            "a1.jsonl: has changed since the position in it was saved (it has 545 bytes as before, but \
             others); put the old file back or start anew"
        ),
        "{error}"
    );
    fs::write(&files[1], format!("{before}{{\"text\": \"more\"}}\n")).unwrap();
    let error = resume(options.clone()).unwrap_err();
    assert!(error.contains("it had 545 bytes and has 562"), "{error}");
    fs::write(&files[1], &before).unwrap();
    resume(options.clone()).unwrap();

    // The same content elsewhere is the same file.
    let moved = folder.path().join("moved.jsonl");
    fs::rename(&files[0], &moved).unwrap();
    let options = ShuffleOptions {
        files: vec![moved, files[1].clone()],
        ..options
    };
    resume(options.clone()).unwrap();

    for (options, expected) in [
        (
            ShuffleOptions {
                seed: 4,
                ..options.clone()
            },
            "seed = 4: the saved position is of a stream with 0",
        ),
        (
            ShuffleOptions {
                buffer: 9,
                ..options.clone()
            },
            "buffer = 9: the saved position is of a stream with 8",
        ),
        (
            ShuffleOptions {
                files: files[1..].to_vec(),
                ..options.clone()
            },
            "the number of files = 1: the saved position is of a stream with 2",
        ),
    ] {
        assert_eq!(resume(options).unwrap_err(), expected);
    }
}

#[test]
fn bad_rows_are_counted_once_and_limited() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    let rows: String = (0..20)
        .map(|i| match i {
            7 => "{\"txt\": \"x\"}\n".to_owned(),
            9 => "{\"messages\": [{\"role\": \"user\", \"content\": \"x\"}]}\n".to_owned(),
            i => format!("{{\"text\": \"{i}\"}}\n"),
        })
        .collect();
    fs::write(&path, rows).unwrap();
    let options = |max_share| ShuffleOptions {
        rows: RowOptions {
            on_bad_row: OnBadRow::Skip { max_share },
            ..RowOptions::default()
        },
        buffer: 4,
        epochs: Some(3),
        ..ShuffleOptions::new(&path)
    };
    let mut stream = StreamingShuffle::open(KIND, options(0.1)).unwrap();
    assert_eq!(stream.by_ref().map(Result::unwrap).count(), 54);
    let report = &stream.reports()[0];
    assert_eq!((report.rows, report.bad.count()), (20, 2));
    let reasons = report.bad.reasons.iter();
    let reasons: Vec<String> = reasons.map(|reason| reason.fault.to_string()).collect();
    assert_eq!(reasons, ["unknown key", "mixed forms"]);

    let stream = StreamingShuffle::open(KIND, options(0.05)).unwrap();
    let results: Vec<_> = stream.collect();
    let error = results.last().unwrap().as_ref().unwrap_err().to_string();
    assert!(
        error.contains("2 of 20 rows are bad, more than max_bad_share = 0.05 allows; the first: ")
            && error.contains("a.jsonl:8: unknown key `txt`"),
        "{error}"
    );

    fs::write(&path, "{\"text\": 1}\n").unwrap();
    let mut stream = StreamingShuffle::open(KIND, options(1.0)).unwrap();
    let error = stream.next().unwrap().unwrap_err();
    assert!(
        matches!(error, DataError::NothingLeft { rows: 1, .. }),
        "{error}"
    );
    assert!(stream.next().is_none());
}

#[test]
fn impossible_options_are_named() {
    let open = |options: ShuffleOptions| {
        StreamingShuffle::open(KIND, options)
            .unwrap_err()
            .to_string()
    };
    let none = ShuffleOptions {
        files: vec![],
        ..ShuffleOptions::new("")
    };
    assert_eq!(open(none), "files = 0: name at least one file");
    let empty = ShuffleOptions {
        buffer: 0,
        ..ShuffleOptions::new("")
    };
    assert_eq!(open(empty), "buffer = 0: it must be at least 1");
}

/// A mixture of two sources, of which one has two files.
fn sources(folder: &Path, buffer: usize) -> Vec<(ShuffleOptions, f64)> {
    let source = |name, count, rows| ShuffleOptions {
        files: files(folder, name, count, rows),
        buffer,
        ..ShuffleOptions::new("")
    };
    vec![(source("a", 2, 5), 2.0), (source("b", 1, 9), 1.0)]
}

#[test]
fn a_mixture_of_other_weights_is_not_resumed() {
    let folder = tempfile::tempdir().unwrap();
    let mut sources = sources(folder.path(), 3);
    let mut stream = StreamingMixture::open(&KIND, sources.clone(), 4).unwrap();
    assert_eq!(
        stream.nth(5).unwrap().unwrap().0,
        stream.nth(2).unwrap().unwrap().0
    );
    let cursor = stream.cursor();
    let resume = |sources, seed| {
        let resumed = StreamingMixture::resume(&KIND, sources, seed, &cursor);
        resumed.map(|_| ()).map_err(|error| error.to_string())
    };
    resume(sources.clone(), 4).unwrap();
    let error = resume(sources.clone(), 5).unwrap_err();
    assert_eq!(error, "seed = 5: the saved position is of a mixture with 4");
    sources[0].1 = 3.0;
    let error = resume(sources, 4).unwrap_err();
    assert!(error.starts_with("weights = [3.0, 1.0]: "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn resuming_is_as_if_it_had_not_stopped(
        count in 1_usize..4,
        rows in 1_usize..12,
        buffer in 1_usize..20,
        stop in 0_usize..70,
        seed in any::<u64>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let options = ShuffleOptions {
            files: files(folder.path(), "a", count, rows),
            buffer,
            seed,
            epochs: Some(3),
            ..ShuffleOptions::new("")
        };
        let whole = texts(StreamingShuffle::open(KIND, options.clone()).unwrap());
        prop_assert_eq!(whole.len(), 3 * count * rows);
        let stop = stop % (whole.len() + 1);
        let mut stream = StreamingShuffle::open(KIND, options.clone()).unwrap();
        let mut all = texts(stream.by_ref().take(stop));
        let cursor = saved(&stream.cursor());
        let resumed = StreamingShuffle::resume(KIND, options, &cursor).unwrap();
        prop_assert_eq!(&resumed.cursor(), &cursor);
        all.extend(texts(resumed));
        prop_assert_eq!(all, whole);
    }

    #[test]
    fn mixtures_resume_too(buffer in 1_usize..8, stop in 0_usize..60, seed in any::<u64>()) {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(folder.path(), buffer);
        let take = |stream: &mut StreamingMixture<ExampleKind>, count| -> Vec<(usize, String)> {
            let items = stream.by_ref().take(count).map(Result::unwrap);
            items.map(|(source, item)| (source, text(&item))).collect()
        };
        let mut stream = StreamingMixture::open(&KIND, sources.clone(), seed).unwrap();
        let whole = take(&mut stream, 90);
        let of_first = whole.iter().filter(|(source, _)| *source == 0).count();
        prop_assert!(of_first.abs_diff(60) <= 1);
        let mut stream = StreamingMixture::open(&KIND, sources.clone(), seed).unwrap();
        let mut all = take(&mut stream, stop);
        let cursor = serde_json::to_string(&stream.cursor()).unwrap();
        let cursor: MixedCursor = serde_json::from_str(&cursor).unwrap();
        let mut stream = StreamingMixture::resume(&KIND, sources, seed, &cursor).unwrap();
        all.extend(take(&mut stream, 90 - stop));
        prop_assert_eq!(all, whole);
    }

    /// A cursor that was tampered with is an error or another position, never a panic.
    #[test]
    fn no_cursor_panics(file in 0_usize..4, offset in 0_u64..400, line in 0_u64..9, drawn in any::<u64>()) {
        let folder = tempfile::tempdir().unwrap();
        let options = ShuffleOptions {
            files: files(folder.path(), "a", 2, 6),
            buffer: 3,
            epochs: Some(1),
            ..ShuffleOptions::new("")
        };
        let mut stream = StreamingShuffle::open(KIND, options.clone()).unwrap();
        stream.nth(2);
        let mut cursor = serde_json::to_value(stream.cursor()).unwrap();
        cursor["rows"] = serde_json::json!([[file, {"offset": offset, "line": line}]]);
        cursor["next"] = serde_json::json!({"offset": offset, "line": line});
        cursor["file"] = file.into();
        cursor["drawn"] = drawn.into();
        let cursor: Cursor = serde_json::from_value(cursor).unwrap();
        if let Ok(stream) = StreamingShuffle::resume(KIND, options, &cursor) {
            stream.count();
        }
    }
}
