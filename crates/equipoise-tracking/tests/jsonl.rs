//! The JSON-lines tracker on real files: equal bytes, resuming, and what goes wrong.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::Path;

use equipoise_core::Finish;
use equipoise_tracking::{
    COMPLETIONS_FILE, CompletionRecord, Event, JsonlTracker, METRICS_FILE, MetricRecord, Positions,
    TIMINGS_FILE, Tracker, TrackingError,
};
use tempfile::tempdir;

/// Records one step; only the timing depends on `clock`.
fn record_step(tracker: &mut JsonlTracker, step: u64, clock: f64) {
    let mut metrics = MetricRecord::new("rl", step);
    metrics.push("reward/mean", step as f64 / 7.0);
    metrics.push("loss", -1e-9 * step as f64);
    tracker.record(&Event::Metrics(&metrics)).unwrap();
    let mut timing = MetricRecord::new("rl", step);
    timing.push("seconds", clock);
    tracker.record(&Event::Timing(&timing)).unwrap();
    let completion = CompletionRecord {
        stage: "rl".into(),
        step,
        problem: 5,
        sample: 0,
        prompt: "1+1=".into(),
        completion: "2\n".into(),
        answer: "2".into(),
        reward: Some(1.0),
        parts: vec![("answer".into(), 1.0)],
        unscorable: None,
        advantage: 0.5,
        weight: 0.25,
        tokens: 2,
        finish: Finish::Stop,
    };
    tracker.record(&Event::Completion(&completion)).unwrap();
    tracker.record(&Event::Note("a step is over")).unwrap();
    tracker.flush().unwrap();
}

fn read(dir: &Path, name: &str) -> String {
    fs::read_to_string(dir.join(name)).unwrap()
}

#[test]
fn only_the_timings_depend_on_the_clock() {
    let (first, second) = (tempdir().unwrap(), tempdir().unwrap());
    for (dir, clock) in [(&first, 1.0), (&second, 2.0)] {
        let mut tracker = JsonlTracker::create(dir.path()).unwrap();
        (0..3).for_each(|step| record_step(&mut tracker, step, clock));
    }
    for name in [METRICS_FILE, COMPLETIONS_FILE] {
        assert_eq!(read(first.path(), name), read(second.path(), name));
        assert_eq!(read(first.path(), name).lines().count(), 3);
    }
    assert_ne!(
        read(first.path(), TIMINGS_FILE),
        read(second.path(), TIMINGS_FILE)
    );
}

#[test]
fn a_resumed_run_has_the_bytes_of_an_uninterrupted_one() {
    let (whole, cut) = (tempdir().unwrap(), tempdir().unwrap());
    let mut tracker = JsonlTracker::create(whole.path()).unwrap();
    (0..6).for_each(|step| record_step(&mut tracker, step, 1.0));

    let mut tracker = JsonlTracker::create(cut.path()).unwrap();
    (0..3).for_each(|step| record_step(&mut tracker, step, 1.0));
    let positions = tracker.positions().unwrap();
    assert_eq!(
        positions.metrics,
        fs::metadata(cut.path().join(METRICS_FILE)).unwrap().len()
    );
    // Two steps after the checkpoint, and a third the crash cut short.
    (3..5).for_each(|step| record_step(&mut tracker, step, 1.0));
    drop(tracker);
    for name in [METRICS_FILE, COMPLETIONS_FILE] {
        let mut file = OpenOptions::new()
            .append(true)
            .open(cut.path().join(name))
            .unwrap();
        file.write_all(br#"{"stage":"rl","st"#).unwrap();
    }

    let saved = serde_json::to_string(&positions).unwrap();
    let positions: Positions = serde_json::from_str(&saved).unwrap();
    let mut tracker = JsonlTracker::resume(cut.path(), positions).unwrap();
    (3..6).for_each(|step| record_step(&mut tracker, step, 1.0));
    for name in [METRICS_FILE, TIMINGS_FILE, COMPLETIONS_FILE] {
        assert_eq!(read(whole.path(), name), read(cut.path(), name), "{name}");
    }
}

/// A slower clock writes longer timings, and a checkpoint does not notice.
#[test]
fn positions_do_not_depend_on_the_clock() {
    let positions = |clock: f64| {
        let dir = tempdir().unwrap();
        let mut tracker = JsonlTracker::create(dir.path()).unwrap();
        (0..3).for_each(|step| record_step(&mut tracker, step, clock));
        let positions = tracker.positions().unwrap();
        (3..5).for_each(|step| record_step(&mut tracker, step, clock));
        drop(tracker);
        JsonlTracker::resume(dir.path(), positions).unwrap();
        assert_eq!(read(dir.path(), TIMINGS_FILE).lines().count(), 3);
        positions
    };
    let short = positions(1.0);
    assert_eq!(short.timings, 3);
    assert_eq!(short, positions(12345.678));
}

#[test]
fn a_run_without_a_checkpoint_starts_again_at_nothing() {
    let dir = tempdir().unwrap();
    let mut tracker = JsonlTracker::create(dir.path()).unwrap();
    record_step(&mut tracker, 0, 1.0);
    drop(tracker);
    fs::remove_file(dir.path().join(COMPLETIONS_FILE)).unwrap();
    JsonlTracker::resume(dir.path(), Positions::default()).unwrap();
    assert_eq!(read(dir.path(), METRICS_FILE), "");
    assert_eq!(read(dir.path(), COMPLETIONS_FILE), "");
}

#[test]
fn a_file_that_lost_records_is_refused_and_nothing_is_changed() {
    let dir = tempdir().unwrap();
    let mut tracker = JsonlTracker::create(dir.path()).unwrap();
    (0..3).for_each(|step| record_step(&mut tracker, step, 1.0));
    let mut positions = tracker.positions().unwrap();
    drop(tracker);
    let before = read(dir.path(), METRICS_FILE);

    positions.metrics -= 1;
    let error = JsonlTracker::resume(dir.path(), positions).err().unwrap();
    assert!(matches!(error, TrackingError::NotALine { .. }), "{error}");

    positions.metrics = 0;
    positions.completions += 1;
    let error = JsonlTracker::resume(dir.path(), positions).err().unwrap();
    assert!(matches!(error, TrackingError::TooShort { .. }));
    let message = error.to_string();
    assert!(message.contains(COMPLETIONS_FILE) && message.contains("older checkpoint"));
    assert_eq!(read(dir.path(), METRICS_FILE), before);

    positions.completions = 0;
    positions.timings += 1;
    let error = JsonlTracker::resume(dir.path(), positions).err().unwrap();
    let message = error.to_string();
    assert!(
        message.contains("timings.jsonl has 3 whole lines") && message.contains("had 4"),
        "{message}"
    );
    assert_eq!(read(dir.path(), METRICS_FILE), before);
}

#[test]
fn a_new_run_does_not_overwrite_an_old_one() {
    let dir = tempdir().unwrap();
    record_step(&mut JsonlTracker::create(dir.path()).unwrap(), 0, 1.0);
    let before = read(dir.path(), METRICS_FILE);
    let error = JsonlTracker::create(dir.path()).err().unwrap();
    assert!(matches!(error, TrackingError::Exists { .. }), "{error}");
    assert_eq!(read(dir.path(), METRICS_FILE), before);
}

#[test]
fn a_bad_record_is_an_error_and_leaves_no_trace() {
    let dir = tempdir().unwrap();
    let mut tracker = JsonlTracker::create(dir.path()).unwrap();
    let mut record = MetricRecord::new("rl", 9);
    record.push("loss", 1.0);
    record.push("loss", 2.0);
    let message = tracker
        .record(&Event::Metrics(&record))
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("step 9") && message.contains("\"loss\""),
        "{message}"
    );
    assert_eq!(tracker.positions().unwrap(), Positions::default());
}

/// `/dev/full` refuses every write as a full disk does.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let dir = tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", dir.path().join(METRICS_FILE)).unwrap();
    let mut tracker = JsonlTracker::create(dir.path()).unwrap();
    let record = MetricRecord::new("rl", 0);
    tracker.record(&Event::Metrics(&record)).unwrap();
    let message = tracker.flush().unwrap_err().to_string();
    assert!(
        message.contains(METRICS_FILE) && message.contains("write"),
        "{message}"
    );
}
