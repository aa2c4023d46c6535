//! The report of invented runs: complete, self-contained, and undisturbed by bad records.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use equipoise_core::Finish;
use equipoise_tracking::{
    COMPLETIONS_FILE, CompletionRecord, Event, JsonlTracker, METRICS_FILE, MetricRecord,
    TIMINGS_FILE, Tracker, TrackingError, catalogue, report,
};
use tempfile::tempdir;

fn is_timing(key: &str) -> bool {
    key.starts_with("seconds") || key.starts_with("tokens_per_second")
}

/// A run that records every metric of the catalogue, 60 steps of each stage.
fn write_run(dir: &Path) {
    let mut tracker = JsonlTracker::create(dir).unwrap();
    for (stage, first, held_out) in [("sft", 1, 0.1), ("rl", 0, 0.4)] {
        for step in first..=60_u64 {
            let mut metrics = MetricRecord::new(stage, step);
            let mut timing = MetricRecord::new(stage, step);
            for metric in catalogue::METRICS {
                let key = metric.key.replace("PART", "answer");
                let supervised = ["loss", "grad_norm", "learning_rate", "tokens"];
                if stage == "sft" && !supervised.contains(&key.as_str()) && !is_timing(&key) {
                    continue;
                }
                let record = if is_timing(&key) {
                    &mut timing
                } else {
                    &mut metrics
                };
                if key == "held_out/accuracy" {
                    continue;
                }
                record.push(key, 0.5 + 0.1 * (step as f64).sin());
            }
            if step % 20 == 0 {
                metrics.push("held_out/accuracy", held_out + step as f64 / 120.0);
            }
            tracker.record(&Event::Metrics(&metrics)).unwrap();
            tracker.record(&Event::Timing(&timing)).unwrap();
        }
    }
    for step in [1, 30, 60] {
        for sample in 0..2 {
            let record = completion(step, sample, &format!("text of step {step}"));
            tracker.record(&Event::Completion(&record)).unwrap();
        }
    }
    tracker.flush().unwrap();
}

fn completion(step: u64, sample: u32, text: &str) -> CompletionRecord {
    CompletionRecord {
        stage: "rl".into(),
        step,
        problem: 7,
        sample,
        prompt: "1+1=".into(),
        completion: text.into(),
        answer: "2".into(),
        reward: (sample == 0).then_some(0.25),
        parts: vec![("format".into(), 0.5)],
        unscorable: (sample == 1).then(|| "judge is asleep".into()),
        advantage: if sample == 0 { 1.5 } else { -1.5 },
        weight: 0.002,
        tokens: 5,
        finish: Finish::Length,
    }
}

fn html_of(dir: &Path) -> String {
    fs::read_to_string(report::write(dir).unwrap()).unwrap()
}

/// Nothing in the page may make a browser ask the network.
fn assert_self_contained(page: &str) {
    for needle in [
        "http:", "https:", "src=", "url(", "@import", "<link", "<iframe", "fetch(",
    ] {
        assert!(!page.contains(needle), "{needle}");
    }
}

#[test]
fn a_full_run_has_every_chart_and_needs_nothing_else() {
    let dir = tempdir().unwrap();
    write_run(dir.path());
    fs::write(dir.path().join("recipe.toml"), "# a recipe\nseed = 3\n").unwrap();
    let page = html_of(dir.path());
    for title in [
        "Held-out accuracy",
        "Reward",
        "Reward by part",
        "Reward spread",
        "Groups without signal",
        "Unscorable",
        "Held-out format",
        "Response length",
        "Longest response",
        "Truncated",
        "Held-out length",
        "Entropy",
        "KL to the reference",
        "Clipped tokens",
        "Largest ratio",
        "Sampler against trainer",
        "Advantage",
        "Loss",
        "Gradient norm",
        "Learning rate",
        "Tokens",
        "Length variation",
        "Negative–positive length gap",
        "Relative length gap",
        "Mass by sign",
        "Net mass",
        "Sign–length coupling",
        "Tokens per second",
        "Seconds per step",
    ] {
        assert!(page.contains(&format!(">{title}</h")), "{title}");
    }
    assert!(!page.contains("Not recorded") && !page.contains("Other metrics"));
    assert!(!page.contains("NaN") && !page.contains("class=\"warnings\""));
    assert!(page.contains("<span>seed </span>= 3"));
    assert_self_contained(&page);
    // The first and the last recorded step, and not the one between.
    assert!(page.contains("text of step 1<") && page.contains("text of step 60<"));
    assert!(!page.contains("text of step 30<"));
    for text in [
        "judge is asleep",
        "truncated",
        "+1.50",
        "−1.50",
        "format 0.500",
    ] {
        assert!(page.contains(text), "{text}");
    }
}

#[test]
fn the_headline_is_the_gain_since_the_start_of_reinforcement_learning() {
    let dir = tempdir().unwrap();
    write_run(dir.path());
    let page = html_of(dir.path());
    // Step 0 of "rl" was measured at 0.4, its step 60 at 0.4 + 60/120.
    assert!(page.contains("<dd>40.0% <span"), "start");
    assert!(page.contains("</span> 90.0%</dd>"), "end");
    assert!(page.contains("<dd>+50.0</dd>"), "gain");
}

#[test]
fn the_same_records_give_the_same_page_and_no_other_file() {
    let dir = tempdir().unwrap();
    write_run(dir.path());
    let first = html_of(dir.path());
    assert_eq!(html_of(dir.path()), first);
    let names = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    let expected = [
        COMPLETIONS_FILE,
        METRICS_FILE,
        report::REPORT_FILE,
        TIMINGS_FILE,
    ];
    assert_eq!(names, expected);
}

#[test]
fn no_text_of_a_run_becomes_markup() {
    let outer = tempdir().unwrap();
    let dir = outer.path().join("<img src=x onerror=alert(1)>'\"&");
    let nasty = "</pre></script><script>alert('1')</script>\" onload='x' \u{202e}";
    let mut tracker = JsonlTracker::create(&dir).unwrap();
    for step in 0..3 {
        let mut metrics = MetricRecord::new(format!("rl{nasty}"), step);
        metrics.push("held_out/accuracy", 0.5);
        metrics.push(format!("reward/{nasty}"), 0.5);
        metrics.push(nasty, 1.0);
        metrics.push("not a number'<script>", f64::NAN);
        tracker.record(&Event::Metrics(&metrics)).unwrap();
        let record = CompletionRecord {
            stage: nasty.into(),
            prompt: nasty.into(),
            answer: nasty.into(),
            unscorable: Some(nasty.into()),
            parts: vec![(nasty.into(), 1.0)],
            ..completion(step, 1, nasty)
        };
        let record = CompletionRecord {
            reward: None,
            ..record
        };
        tracker.record(&Event::Completion(&record)).unwrap();
    }
    tracker.flush().unwrap();
    fs::write(
        dir.join("recipe.toml"),
        format!("{nasty}\n[{nasty}]\n#{nasty}\nx={nasty}"),
    )
    .unwrap();
    let page = html_of(&dir);
    assert_eq!(page.matches("<script").count(), 1);
    assert_eq!(page.matches("</script").count(), 1);
    assert!(!page.contains("<img") && !page.contains('\u{202e}'));
    // The data of the charts stand in single quotes, and no quote of the text may end them.
    for rest in page.split("data-chart='").skip(1) {
        let (data, after) = rest.split_once('\'').unwrap();
        assert!(after.starts_with('>') && !data.contains('<'));
        let data = data
            .replace("&#39;", "'")
            .replace("&lt;", "<")
            .replace("&amp;", "&");
        serde_json::from_str::<serde_json::Value>(&data).unwrap();
    }
    let svg = report::learning_curve_svg(&dir).unwrap();
    assert!(!svg.contains("<script") && !svg.contains("<img"));
}

#[test]
fn a_line_cut_short_at_the_end_is_left_out_and_said_so() {
    let dir = tempdir().unwrap();
    write_run(dir.path());
    let whole = html_of(dir.path());
    for name in [METRICS_FILE, TIMINGS_FILE, COMPLETIONS_FILE] {
        let mut file = OpenOptions::new()
            .append(true)
            .open(dir.path().join(name))
            .unwrap();
        file.write_all(br#"{"stage":"rl","step":61,"reward/mean":0.9"#)
            .unwrap();
    }
    let page = html_of(dir.path());
    let start = page.find("<aside").unwrap();
    let end = page.find("</aside>").unwrap();
    assert_eq!(page[start..end].matches("incomplete").count(), 3);
    assert_eq!(
        page.replace(&page[start..end + "</aside>".len()], ""),
        whole
    );
}

#[test]
fn a_broken_line_elsewhere_is_an_error_with_file_and_line() {
    let dir = tempdir().unwrap();
    let lines = "{\"stage\":\"rl\",\"step\":0,\"loss\":1}\n\n{\"stage\":\"rl\"}\n{}\n";
    fs::write(dir.path().join(METRICS_FILE), lines).unwrap();
    let error = report::write(dir.path()).unwrap_err();
    assert!(
        matches!(error, TrackingError::Line { line: 3, .. }),
        "{error}"
    );
    let message = error.to_string();
    assert!(
        message.contains("metrics.jsonl:3:") && message.contains("`step`"),
        "{message}"
    );
    assert!(!dir.path().join(report::REPORT_FILE).exists());
}

#[test]
fn what_was_not_recorded_is_named_and_unknown_metrics_are_shown() {
    let dir = tempdir().unwrap();
    let lines = "{\"stage\":\"rl\",\"step\":0,\"reward/mean\":0.5,\"new/thing\":3,\"note\":\"x\"}\n\
                 {\"stage\":\"rl\",\"step\":1,\"reward/mean\":null,\"new/thing\":4}\n";
    fs::write(dir.path().join(METRICS_FILE), lines).unwrap();
    let page = html_of(dir.path());
    assert!(page.contains("Not recorded: held-out accuracy."));
    assert!(page.contains("Not recorded: Entropy, KL to the reference,"));
    assert!(page.contains("Other metrics") && page.contains(">new/thing</h4>"));
    assert!(page.contains("reward/mean is not a finite number at rl 1:"));
    assert!(!page.contains("<h2>Completions"));
}

#[test]
fn a_directory_without_metrics_is_an_error() {
    let dir = tempdir().unwrap();
    let error = report::write(dir.path()).unwrap_err();
    assert!(matches!(error, TrackingError::Empty { .. }), "{error}");
    fs::write(
        dir.path().join(METRICS_FILE),
        "{\"stage\":\"x\",\"step\":0,\"loss\":1}\n",
    )
    .unwrap();
    let error = report::learning_curve_svg(dir.path()).unwrap_err();
    assert!(error.to_string().contains("metrics.jsonl"), "{error}");
}

#[test]
fn the_learning_curve_is_a_standalone_picture() {
    let dir = tempdir().unwrap();
    write_run(dir.path());
    let svg = report::learning_curve_svg(dir.path()).unwrap();
    assert_eq!(svg.matches("http").count(), 1, "only the name space");
    assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
    assert!(svg.contains("Held-out accuracy") && svg.contains("Mean reward"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"));
    assert_balanced(&svg);
}

/// Checks that every element is closed in order, as XML demands.
fn assert_balanced(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag
            .trim_start_matches('/')
            .split([' ', '/'])
            .next()
            .unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
}

#[test]
fn the_glossary_in_the_documentation_has_exactly_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
    let text = fs::read_to_string(&path).unwrap();
    let rows = text
        .lines()
        .map(|line| line.split(" | ").collect::<Vec<_>>());
    let documented: Vec<(&str, &str, &str)> = rows
        .filter(|cells| cells.len() == 6 && cells[0].starts_with("| `"))
        .map(|cells| (cells[0].trim_matches(['|', ' ', '`']), cells[2], cells[3]))
        .collect();
    let metrics = catalogue::METRICS.iter();
    let metrics: Vec<_> = metrics.map(|m| (m.key, m.unit, m.meaning)).collect();
    assert_eq!(documented, metrics);
}
