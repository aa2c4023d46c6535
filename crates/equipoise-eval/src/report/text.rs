//! The table for a terminal.

use super::{Report, Row, Unit};

/// A number in its unit.
pub(super) fn number(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Share => format!("{:.1} %", 100.0 * value),
        Unit::ShareDifference => format!("{:+.1} pp", 100.0 * value),
        Unit::Number => format!("{value:.4}"),
        Unit::Count => format!("{value:.0}"),
        Unit::PValue if value > 0.0 && value < 0.001 => format!("{value:.1e}"),
        Unit::PValue => format!("{value:.3}"),
    }
}

/// The value of a row in its unit.
pub(super) fn value(row: &Row) -> String {
    row.value
        .map_or_else(|| "–".to_owned(), |value| number(value, row.unit))
}

/// The interval of a row, its unit said once.
pub(super) fn interval(row: &Row) -> String {
    let (Some(low), Some(high)) = (row.low, row.high) else {
        return String::new();
    };
    let (low, high) = (number(low, row.unit), number(high, row.unit));
    let bare = low.trim_end_matches(" %").trim_end_matches(" pp");
    format!("{bare} to {high}")
}

/// `95 % interval`.
pub(super) fn heading(report: &Report) -> String {
    // 99.9 and not 99.90000000000001.
    let percent = (report.level * 1e6).round() / 1e4;
    format!("{percent} % interval")
}

/// How wide a text is: its characters, which is right for all this crate writes itself.
fn width(text: &str) -> usize {
    text.chars().count()
}

pub(super) fn table(report: &Report) -> String {
    let heading = heading(report);
    let mut lines = vec![["metric", "value", &heading, "n", ""].map(str::to_owned)];
    lines.extend(report.rows.iter().map(|row| {
        let n = row.n.map(|n| n.to_string()).unwrap_or_default();
        let one_line = |text: &str| text.replace(['\n', '\r', '\t'], " ");
        [
            one_line(&row.metric),
            value(row),
            interval(row),
            n,
            one_line(&row.note),
        ]
    }));
    let widest = |column: usize| lines.iter().map(|line| width(&line[column])).max();
    let widths: Vec<usize> = (0..5).map(|column| widest(column).unwrap_or(0)).collect();
    let mut text = format!("{}\n\n", report.title);
    for line in &lines {
        let padding = |column: usize| " ".repeat(widths[column] - width(&line[column]));
        let [metric, value, interval, n, note] = line;
        let (metric_end, value_start) = (padding(0), padding(1));
        let (interval_end, n_start) = (padding(2), padding(3));
        let row = format!(
            "{metric}{metric_end}  {value_start}{value}  {interval}{interval_end}  {n_start}{n}  {note}"
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}
