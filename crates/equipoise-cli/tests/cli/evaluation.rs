//! Evaluation without training: saved completions, contamination, judge bias; and of two models.

use std::fs;

use serde_json::{Value, json};

use crate::home::Home;

const COMPLETIONS: &str = r#"
{"problem": "a", "completion": "7\nConfidence: 90%", "correct": true}
{"problem": "a", "completion": "8\nConfidence: 60%", "correct": false}
{"problem": "b", "completion": "5", "correct": true}
{"problem": "b", "completion": "5.0", "correct": true}
{"problem": "c", "completion": "?", "correct": null}
"#;

fn row<'a>(report: &'a Value, metric: &str) -> &'a Value {
    let rows = report["rows"].as_array().unwrap();
    rows.iter()
        .find(|row| row["metric"] == metric)
        .unwrap_or_else(|| panic!("{metric} is not in {report}"))
}

#[test]
fn saved_completions() {
    let home = Home::new();
    home.write("x.jsonl", COMPLETIONS);
    let evaluate = ["eval", "--completions", "x.jsonl", "--k", "1,2"];
    let text = home.call(&evaluate).succeeded().out;
    assert!(
        text.contains("pass@2") && text.contains("95 % interval"),
        "{text}"
    );
    let json = home.call(&[&evaluate[..], &["--json", "--html", "x.html"]].concat());
    let report: Value = serde_json::from_str(&json.succeeded().out).unwrap();
    // a: 1 of 2; b: 2 of 2; c could not be scored.
    assert_eq!(row(&report, "avg")["value"], 0.75);
    assert_eq!(row(&report, "pass@2")["value"], 1.0);
    assert_eq!(row(&report, "pass^2")["value"], 0.5);
    // A tie for a; 5 and 5.0 are one answer.
    assert_eq!(row(&report, "maj@2")["value"], 0.75);
    assert_eq!(row(&report, "unscorable")["value"], 1.0);
    assert_eq!(row(&report, "stated confidences")["value"], 2.0);
    let page = fs::read_to_string(home.path("x.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("<script"));

    home.write("y.jsonl", &COMPLETIONS.replace("false", "true"));
    let against = [&evaluate[..], &["--against", "y.jsonl"]].concat();
    let text = home.call(&against).succeeded().out;
    assert!(text.contains("second − first") && text.contains("1 better, 0 worse"));

    home.write("bad.jsonl", "{\"problem\": 1, \"reward\": \"high\"}");
    home.call(&["eval", "--completions", "bad.jsonl"]).failed(&[
        "bad.jsonl, line 1",
        "`reward`",
        "a number or null",
    ]);
    home.write("empty.jsonl", "\n");
    home.call(&["eval", "--completions", "empty.jsonl"])
        .failed(&["empty.jsonl has no rows"]);
    let both = home.call(&["eval", "runs/tiny", "--completions", "x.jsonl"]);
    assert_eq!(both.code, Some(2), "{both:?}");
    let misplaced = home.call(&["eval", "runs/tiny", "--threshold", "0.5"]);
    assert_eq!(misplaced.code, Some(2), "{misplaced:?}");
}

#[test]
fn two_models() {
    let home = Home::new();
    home.train(&["--set", "stage.rl.steps=1"]).succeeded();
    let sampled = ["eval", "runs/tiny", "--samples", "2", "--problems", "4"];
    let text = home.call(&sampled).succeeded().out;
    assert!(
        text.contains("4 held out") && text.contains("maj@2"),
        "{text}"
    );
    let same = home.call(&["eval", "runs/tiny", "runs/tiny", "--json"]);
    let summary: Value = serde_json::from_str(&same.succeeded().out).unwrap();
    assert_eq!(summary["comparison"]["difference"], 0.0);
    assert_eq!(summary["comparison"]["problems"], 16);
    assert_eq!(summary["against"]["accuracy"], summary["accuracy"]);
    assert_eq!(row(&summary["report"], "avg")["value"], summary["accuracy"]);
    home.call(&["eval", "runs/tiny", "runs/tiny", "--against", "runs/tiny"])
        .failed(&["once"]);
}

#[test]
fn contamination() {
    let home = Home::new();
    home.write(
        "train.jsonl",
        "{\"text\": \"x one two three four y\"}\nplain text\n",
    );
    let test = "{\"id\": \"q\", \"question\": \"One, two three four?\"}\n{\"question\": \"five six seven\"}\n";
    home.write("test.jsonl", test);
    let check = [
        "contamination",
        "--train",
        "train.jsonl",
        "--test",
        "test.jsonl",
        "--n",
        "3",
    ];
    let text = home.call(&[&check[..], &["--test-key", "question"]].concat());
    let text = text.succeeded().out;
    assert!(
        text.contains("flagged q: 2 of 2 n-grams, longest match 4 words, first in training text 1"),
        "{text}"
    );
    let json = home
        .call(&[&check[..], &["--json"]].concat())
        .succeeded()
        .out;
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(found["contamination"]["flagged"], 1);
    assert_eq!(found["contamination"]["documents"], 2);
    // Every text of the row: that of the identifier, too.
    assert_eq!(found["contamination"]["items"][0]["words"], 5);
    home.call(&[&check[..], &["--test-key", "text"]].concat())
        .failed(&["test.jsonl, line 1", "`text`", "id, question"]);
}

#[test]
fn judge_bias() {
    let home = Home::new();
    let pairs = "{\"id\": 1, \"question\": \"1+1?\", \"chosen\": \"2\", \"rejected\": \"3\"}\n\
                 {\"id\": 2, \"question\": \"2+2?\", \"chosen\": \"4\", \"rejected\": \"5\"}\n";
    home.write("pairs.jsonl", pairs);
    let suite = ["judge-bias", "pairs.jsonl", "--suite", "reasoning-study"];
    let asked = home.call(&suite).succeeded().out;
    assert_eq!(asked.lines().count(), 2 * (1 + 5));
    // A judge that always takes the first answer.
    let verdict = |line: &str| {
        let item: Value = serde_json::from_str(line).unwrap();
        assert!(item["prompt"].as_str().unwrap().contains("[User Question]"));
        json!({"id": item["id"], "bias": item["bias"], "verdict": "A"}).to_string()
    };
    let said: Vec<String> = asked.lines().map(verdict).collect();
    home.write("said.jsonl", &said.join("\n"));
    let json = home.call(&[&suite[..], &["--verdicts", "said.jsonl", "--json"]].concat());
    let found: Value = serde_json::from_str(&json.succeeded().out).unwrap();
    for bias in found["biases"]["rows"].as_array().unwrap() {
        let robust = if bias["bias"] == "position" { 0.0 } else { 1.0 };
        assert_eq!(bias["robust"]["value"], robust, "{bias}");
    }
    home.write("few.jsonl", &said[1..].join("\n"));
    home.call(&[&suite[..], &["--verdicts", "few.jsonl"]].concat())
        .failed(&["no verdict on pair 1, bias none"]);
}
