//! Reports.

use equipoise_eval::judge::{BiasSuite, Choice, FnJudge, JudgeItem, JudgedPair, reasoning_study};
use equipoise_eval::report::{Report, Row, Unit};
use equipoise_eval::{
    Bin, Bootstrap, Contamination, ContaminationSettings, Interval, Pairing, Scores,
};
use proptest::prelude::*;

fn example() -> Report {
    let mut report = Report::new("A <b>model</b> & its \"friends\"");
    let interval = Interval {
        low: 0.49,
        high: 0.943,
    };
    report.push(
        Row::new("pass@1", 0.8, Unit::Share)
            .between(interval)
            .of(10)
            .note("2 left out"),
    );
    report.push(Row::new("log loss", 0.51234, Unit::Number));
    report.push(Row::new("AUROC", None, Unit::Number).note("all answers are right"));
    report.push(Row::new("p", 0.000_012, Unit::PValue));
    report.push(Row::count("unscorable", 3));
    report.reliability = vec![
        Bin {
            low: 0.5,
            high: 0.6,
            count: 4,
            confidence: 0.55,
            accuracy: 0.25,
        },
        Bin {
            low: 0.9,
            high: 1.0,
            count: 1,
            confidence: 0.95,
            accuracy: 1.0,
        },
    ];
    report
}

#[test]
fn columns_are_aligned() {
    let expected = "\
A <b>model</b> & its \"friends\"

metric       value  95 % interval    n
pass@1      80.0 %  49.0 to 94.3 %  10  2 left out
log loss    0.5123
AUROC            –                      all answers are right
p           1.2e-5
unscorable       3
";
    assert_eq!(example().to_text(), expected);
}

#[test]
fn json_has_its_keys_in_order() {
    let json = example().to_json();
    let text = json.to_string();
    assert!(text.starts_with(
        r#"{"title":"A <b>model</b> & its \"friends\"","level":0.95,"rows":[{"metric":"pass@1","value":0.8,"low":0.49,"high":0.943,"n":10,"unit":"share","note":"2 left out"}"#
    ), "{text}");
    assert_eq!(json["rows"][2]["value"], serde_json::Value::Null);
    assert_eq!(json["reliability"][0]["count"], 4);
    let rows: Vec<Row> = serde_json::from_value(json["rows"].clone()).unwrap();
    assert_eq!(rows, example().rows);
}

#[test]
fn a_page_needs_nothing_else() {
    let page = example().to_html();
    for absent in [
        "<script", "http:", "https:", "url(", "@import", "<b>", "<link", "<img",
    ] {
        assert!(!page.contains(absent), "{absent}");
    }
    for present in [
        "&lt;b&gt;model&lt;/b&gt; &amp; its &quot;friends&quot;",
        "<svg",
        "prefers-color-scheme: dark",
        "80.0 %",
        "49.0 to 94.3 %",
        "Reliability",
    ] {
        assert!(page.contains(present), "{present}");
    }
    // Two pictures, two dots, one bar.
    assert_eq!(page.matches("<svg").count(), 2);
    assert_eq!(page.matches("<circle").count(), 2);
    assert_eq!(page.matches("<rect class=\"bar\"").count(), 1);
    // Every element that is opened is closed.
    for element in [
        "table", "tr", "td", "th", "svg", "figure", "text", "title", "body", "html",
    ] {
        let opened = page.matches(&format!("<{element}>")).count()
            + page.matches(&format!("<{element} ")).count();
        assert_eq!(
            opened,
            page.matches(&format!("</{element}>")).count(),
            "{element}"
        );
    }
    let plain = Report::new("x").to_html();
    assert!(!plain.contains("<svg"));
}

#[test]
fn every_result_has_rows() {
    let scores = |values: [f64; 3]| {
        let problems = ["a", "b", "c"].into_iter().zip(values.map(Some));
        Scores::new("accuracy", problems).unwrap()
    };
    let comparison = Pairing::new(&scores([0.0, 0.5, 1.0]), &scores([0.5, 0.5, 1.0]))
        .compare(&Bootstrap::default())
        .unwrap();
    let mut report = Report::new("all");
    report.push_comparison(&comparison, Unit::Share);
    let text = report.to_text();
    assert!(
        text.contains("+16.7 pp") && text.contains("1 better, 0 worse"),
        "{text}"
    );

    let mut check = Contamination::new(
        [("a", "x y z")],
        ContaminationSettings {
            n: 2,
            threshold: 0.0,
        },
    )
    .unwrap();
    check.train("w x y");
    report.push_contamination(&check.report());
    assert!(report.to_text().contains("flagged"));

    let pairs = [JudgedPair {
        id: "a".to_owned(),
        question: "?".to_owned(),
        chosen: "yes".to_owned(),
        rejected: "no".to_owned(),
    }];
    let suite = BiasSuite {
        injections: reasoning_study(),
        seed: 0,
        bootstrap: Bootstrap::default(),
    };
    let judge = FnJudge::new("tie", |_: &JudgeItem| Choice::Tie);
    report.push_biases(&suite.run(&judge, &pairs).unwrap());
    let text = report.to_text();
    // Nothing was right, so that there is no sensitivity; nothing changed, so that all is robust.
    let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap();
    assert!(line("total: sensitivity").contains('–'), "{text}");
    assert!(line("total: robust rate").contains("100.0 %"), "{text}");
}

proptest! {
    #[test]
    fn no_name_breaks_a_page(title in "\\PC{0,30}", metric in "\\PC{0,60}", note in "[<>&\"'a-z\n]{0,20}") {
        let mut report = Report::new(title);
        let interval = Interval { low: 0.1, high: 0.9 };
        report.push(Row::new(metric, 0.5, Unit::Share).between(interval).note(note));
        let page = report.to_html();
        prop_assert_eq!(page.matches("<td").count(), 5);
        prop_assert_eq!(page.matches("<text").count(), page.matches("</text>").count());
        // Title, empty line, heading and one row, unless the title has lines of its own.
        let lines = report.to_text().lines().count();
        prop_assert_eq!(lines, 3 + report.title.lines().count().max(1));
    }
}
