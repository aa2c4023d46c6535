//! The page.

use std::fmt::Write as _;

use super::text::{heading, interval, number, value};
use super::{Report, Row, Unit};
use crate::Bin;

const STYLE: &str = include_str!("style.css");

/// A text that HTML shows as it is.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters have no place in a page.
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

pub(super) fn page(report: &Report) -> String {
    let title = escaped(&report.title);
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
    );
    table(&mut page, report);
    bars(&mut page, report);
    reliability(&mut page, &report.reliability);
    page.push_str("</body>\n</html>\n");
    page
}

/// Writes into a string, which cannot fail.
macro_rules! put {
    ($page:expr, $($part:tt)*) => {
        let _ = write!($page, $($part)*);
    };
}

fn table(page: &mut String, report: &Report) {
    let heading = escaped(&heading(report));
    put!(
        page,
        "<table>\n<thead><tr><th>metric</th><th class=\"n\">value</th><th>{heading}</th>\
         <th class=\"n\">n</th><th></th></tr></thead>\n<tbody>\n"
    );
    for row in &report.rows {
        let n = row.n.map(|n| n.to_string()).unwrap_or_default();
        put!(
            page,
            "<tr><td>{}</td><td class=\"n\">{}</td><td>{}</td><td class=\"n\">{n}</td><td \
             class=\"note\">{}</td></tr>\n",
            escaped(&row.metric),
            escaped(&value(row)),
            escaped(&interval(row)),
            escaped(&row.note)
        );
    }
    page.push_str("</tbody>\n</table>\n");
}

/// Where a share stands in a picture of width 720, names in the first 260.
fn across(share: f64) -> f64 {
    260.0 + 440.0 * share.clamp(0.0, 1.0)
}

/// The shares as bars, with their intervals.
fn bars(page: &mut String, report: &Report) {
    let shares: Vec<(&Row, f64)> = report
        .rows
        .iter()
        .filter(|row| row.unit == Unit::Share && row.low.is_some())
        .filter_map(|row| Some((row, row.value?)))
        .collect();
    if shares.is_empty() {
        return;
    }
    let height = 24 * shares.len() + 28;
    put!(
        page,
        "<figure>\n<svg viewBox=\"0 0 720 {height}\" role=\"img\" aria-label=\"Shares with their \
         intervals\">\n"
    );
    for tick in 0..=4 {
        let share = f64::from(tick) / 4.0;
        let (x, end) = (across(share), height - 24);
        put!(
            page,
            "<line class=\"grid\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{end}\"/>\
             <text class=\"tick\" x=\"{x:.1}\" y=\"{}\">{}</text>\n",
            height - 8,
            number(share, Unit::Share)
        );
    }
    for ((row, share), index) in shares.iter().zip(0_usize..) {
        let y = 24 * index + 12;
        let (low, high) = (row.low.unwrap_or(*share), row.high.unwrap_or(*share));
        let (from, to, low, high) = (across(0.0), across(*share), across(low), across(high));
        put!(
            page,
            "<text class=\"name\" x=\"250\" y=\"{}\">{}</text>\
             <rect class=\"bar\" x=\"{from:.1}\" y=\"{}\" width=\"{:.1}\" height=\"12\"/>\
             <path class=\"error\" d=\"M{low:.1} {y}H{high:.1}M{low:.1} {}v8M{high:.1} {}v8\"/>\n",
            y + 4,
            escaped(&short(&row.metric)),
            y - 6,
            to - from,
            y - 4,
            y - 4
        );
    }
    page.push_str("</svg>\n<figcaption>Shares with their intervals.</figcaption>\n</figure>\n");
}

/// A name that fits beside its bar.
fn short(name: &str) -> String {
    match name.char_indices().nth(38) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

/// Accuracy against confidence, bin by bin; the area of a dot is the number of its predictions.
fn reliability(page: &mut String, bins: &[Bin]) {
    let Some(most) = bins.iter().map(|bin| bin.count).max() else {
        return;
    };
    let at = |share: f64| 40.0 + 320.0 * share.clamp(0.0, 1.0);
    let up = |share: f64| 400.0 - at(share);
    page.push_str(
        "<figure>\n<svg class=\"square\" viewBox=\"0 0 400 400\" role=\"img\" aria-label=\"Reliability \
         diagram\">\n<rect class=\"frame\" x=\"40\" y=\"40\" width=\"320\" height=\"320\"/>\n\
         <line class=\"grid\" x1=\"40\" y1=\"360\" x2=\"360\" y2=\"40\"/>\n",
    );
    for tick in [0.0, 0.5, 1.0] {
        let percent = number(tick, Unit::Share);
        put!(
            page,
            "<text class=\"tick\" x=\"{}\" y=\"378\">{percent}</text>\
             <text class=\"name\" x=\"36\" y=\"{}\">{percent}</text>\n",
            at(tick),
            up(tick) + 4.0
        );
    }
    for bin in bins {
        let (x, y) = (at(bin.confidence), up(bin.accuracy));
        let radius = 2.0 + 12.0 * (bin.count as f64 / most as f64).sqrt();
        put!(
            page,
            "<path class=\"gap\" d=\"M{x:.1} {:.1}V{y:.1}\"/><circle class=\"bar\" cx=\"{x:.1}\" \
             cy=\"{y:.1}\" r=\"{radius:.1}\"><title>confidence {}, accuracy {}, {} \
             predictions</title></circle>\n",
            up(bin.confidence),
            number(bin.confidence, Unit::Share),
            number(bin.accuracy, Unit::Share),
            bin.count
        );
    }
    page.push_str(
        "<text class=\"tick\" x=\"200\" y=\"396\">confidence</text>\n\
         <text class=\"tick\" x=\"-200\" y=\"12\" transform=\"rotate(-90)\">accuracy</text>\n</svg>\n\
         <figcaption>Reliability: on the line, confidence is accuracy; below it, the model is \
         overconfident.</figcaption>\n</figure>\n",
    );
}
