//! Sets of samples, and the rows they come from.

use equipoise_eval::judge::Choice;
use equipoise_eval::report::{Report, Unit};
use equipoise_eval::rows::{
    RowSettings, judged_pairs, row_identifier, row_text, sample_records, verdicts,
};
use equipoise_eval::{Bootstrap, Confidence, EvalError, SampleRecord, SampleSet, Scale};

use crate::close;

const ROWS: &str = r#"
{"problem": "a", "completion": "<think>x</think> 7\nConfidence: 90%", "correct": true, "answer": "7"}
{"problem": "b", "completion": "5. Confidence: 20%", "correct": false, "answer": "5", "other": []}
{"problem": "a", "completion": "7.0", "correct": true, "answer": 7, "confidence": 0.8}

{"problem": "a", "completion": "8. Confidence: 9", "correct": false, "answer": "8"}
{"problem": "b", "completion": "6", "correct": true, "answer": null}
{"id": 3, "reward": null}
"#;

fn set(text: &str) -> SampleSet {
    SampleSet::new(sample_records("x.jsonl", text, RowSettings::default()).unwrap()).unwrap()
}

fn value(report: &Report, metric: &str) -> Option<f64> {
    let row = report.rows.iter().find(|row| row.metric == metric);
    row.unwrap_or_else(|| panic!("{metric} is not in {report:?}"))
        .value
}

#[test]
fn a_table_by_hand() {
    let set = set(ROWS);
    assert_eq!(set.correct().ids(), ["a", "b", "3"]);
    let report = set
        .report("x", &[1, 2, 9], |a, b| a == b, &Bootstrap::default())
        .unwrap();
    // a: 2 of 3, b: 1 of 2.
    close(value(&report, "avg").unwrap(), 7.0 / 12.0);
    close(value(&report, "pass@1").unwrap(), 7.0 / 12.0);
    // a: 1 − 0 / 3; b: 1.
    close(value(&report, "pass@2").unwrap(), 1.0);
    // a: 1 of 3 pairs; b: none.
    close(value(&report, "pass^2").unwrap(), 1.0 / 6.0);
    // a: 77 right, two ties; b: 5 wins over silence.
    close(value(&report, "maj@2").unwrap(), 1.0 / 3.0);
    assert_eq!(value(&report, "pass@9"), None);
    // Confidences 0.9 right, 0.8 right, 0.2 wrong; one malformed; one row without any, and one of no
    // text.
    assert_eq!(value(&report, "stated confidences"), Some(3.0));
    let stated = report
        .rows
        .iter()
        .find(|row| row.metric == "stated confidences")
        .unwrap();
    assert_eq!(stated.note, "2 absent, 1 malformed");
    close(value(&report, "ECE").unwrap(), (0.1 + 0.2 + 0.2) / 3.0);
    close(value(&report, "AUROC").unwrap(), 1.0);
    close(value(&report, "Brier score").unwrap(), 0.03);
    close(
        value(&report, "confidence − accuracy").unwrap(),
        (0.9 + 0.8 + 0.2 - 2.0) / 3.0,
    );
    let counts = ["problems", "samples", "unscorable"].map(|name| value(&report, name).unwrap());
    assert_eq!(counts, [3.0, 6.0, 1.0]);
    assert_eq!(report.reliability.len(), 3);
    // Rewards say what right and wrong say.
    assert!(report.rows.iter().all(|row| row.metric != "mean reward"));
    assert_eq!(set.main_scores().unwrap().1, Unit::Share);
}

#[test]
fn rewards_alone() {
    let text =
        "{\"id\": 1, \"reward\": 0.5}\n{\"id\": 1, \"reward\": 1.0}\n{\"id\": 2, \"reward\": 0}";
    let plain = set(text);
    // 0.5 is neither right nor wrong.
    assert_eq!((plain.correct().scored(), plain.rewards().scored()), (2, 3));
    let report = plain
        .report("x", &[1], |_, _| false, &Bootstrap::default())
        .unwrap();
    close(value(&report, "mean reward").unwrap(), 0.375);
    assert_eq!(value(&report, "unscorable"), Some(0.0));
    let settings = RowSettings {
        threshold: Some(0.5),
        ..RowSettings::default()
    };
    let records = sample_records("x", text, settings).unwrap();
    assert_eq!(
        records.iter().map(|one| one.correct).collect::<Vec<_>>(),
        [Some(true), Some(true), Some(false)]
    );
    let neither = set("{\"id\": 1, \"reward\": 0.25}");
    let (scores, unit) = neither.main_scores().unwrap();
    assert_eq!((scores.mean(), unit), (Some(0.25), Unit::Number));
}

#[test]
fn rows_say_what_is_wrong_with_them() {
    let said = |text: &str| {
        let error = sample_records("x.jsonl", text, RowSettings::default()).unwrap_err();
        assert!(matches!(error, EvalError::BadRow { .. }));
        error.to_string()
    };
    assert_eq!(
        said("{\"id\": 1, \"reward\": 1}\n{\"id\": 2, \"correct\": \"yes\"}"),
        "x.jsonl, line 2: `correct` is \"yes\"; needed is true, false or null"
    );
    assert_eq!(
        said("\n{\"id\": 2, \"text\": \"\"}"),
        "x.jsonl, line 2: there is no `correct` or `reward` among its keys id, text; needed is a row with \
         that key"
    );
    for (row, key) in [
        ("[1]", "object"),
        ("{\"id\": 1", "line 1"),
        ("{\"reward\": 1}", "`problem` or `id`"),
        ("{\"id\": [], \"reward\": 1}", "`id` is []"),
        ("{\"id\": 1, \"reward\": \"x\"}", "`reward` is"),
        (
            "{\"id\": 1, \"reward\": 1, \"completion\": 4}",
            "`completion` is 4",
        ),
        (
            "{\"id\": 1, \"reward\": 1, \"answer\": true}",
            "`answer` is true",
        ),
        (
            "{\"id\": 1, \"reward\": 1, \"confidence\": 85}",
            "`confidence` is 85",
        ),
    ] {
        assert!(said(row).contains(key), "{row}: {}", said(row));
    }
    assert!(matches!(SampleSet::new([]), Err(EvalError::TooFew { .. })));
    let infinite = SampleRecord {
        problem: "a".to_owned(),
        correct: None,
        reward: Some(f64::INFINITY),
        answer: None,
        confidence: Confidence::Absent,
    };
    assert!(SampleSet::new([infinite]).is_err());
}

#[test]
fn confidences_have_a_scale() {
    let text = "{\"id\": 1, \"reward\": 1, \"completion\": \"7\\nConfidence: 9\"}";
    let settings = RowSettings {
        scale: Scale::Ten,
        ..RowSettings::default()
    };
    let records = sample_records("x", text, settings).unwrap();
    assert_eq!(records[0].confidence, Confidence::Found(0.9));
    assert_eq!(records[0].answer.as_deref(), Some("7"));
}

#[test]
fn pairs_and_verdicts() {
    let pairs = judged_pairs(
        "p",
        "{\"prompt\": \"?\", \"chosen\": \"a\", \"rejected\": \"b\"}",
    )
    .unwrap();
    assert_eq!(
        (pairs[0].id.as_str(), pairs[0].question.as_str()),
        ("1", "?")
    );
    let error = judged_pairs("p", "{\"question\": \"?\", \"chosen\": \"a\"}").unwrap_err();
    assert!(error.to_string().contains("`rejected`"));
    assert!(judged_pairs("p", "{\"chosen\": \"a\", \"rejected\": \"b\"}").is_err());
    let rows = [
        r#"{"id": 1, "verdict": "A"}"#,
        r#"{"id": 1, "bias": null, "verdict": "so [[B]]"}"#,
        r#"{"id": 1, "bias": "length", "verdict": "tie"}"#,
        r#"{"id": 1, "bias": "length", "verdict": null}"#,
    ];
    let read = verdicts("v", &rows.join("\n")).unwrap();
    let choices: Vec<Choice> = read.iter().map(|row| row.choice).collect();
    assert_eq!(
        choices,
        [
            Choice::First,
            Choice::Second,
            Choice::Tie,
            Choice::Unreadable
        ]
    );
    assert_eq!(
        (read[1].bias.as_deref(), read[2].bias.as_deref()),
        (None, Some("length"))
    );
    assert!(verdicts("v", r#"{"id": 1}"#).is_err());
    assert!(verdicts("v", r#"{"id": 1, "verdict": 4}"#).is_err());
}

#[test]
fn texts_of_rows() {
    let row =
        r#"{"id": 7, "messages": [{"role": "user", "content": "One two"}], "answer": "three"}"#;
    assert_eq!(row_text("t", 1, row, None).unwrap(), "user\nOne two\nthree");
    assert_eq!(row_text("t", 1, row, Some("answer")).unwrap(), "three");
    assert_eq!(row_text("t", 1, "plain text", None).unwrap(), "plain text");
    assert!(row_text("t", 1, "plain text", Some("answer")).is_err());
    assert_eq!(row_identifier(row).as_deref(), Some("7"));
    assert_eq!(row_identifier("plain text"), None);
    let error = row_text("t", 4, row, Some("id")).unwrap_err().to_string();
    assert_eq!(error, "t, line 4: `id` is 7; needed is text");
}
