//! Results as a table for the terminal, as JSON and as a page.

mod html;
mod text;

use crate::judge::{BiasReport, BiasRow};
use crate::{Bin, Comparison, ContaminationReport, Estimate, Interval};

/// What a number is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Unit {
    /// A share; shown in percent.
    Share,
    /// A difference of shares; shown in points of a percent, with its sign.
    ShareDifference,
    /// Neither: shown as it is.
    Number,
    /// The chance of a result at least as far out; shown with two digits.
    PValue,
    /// A whole number.
    Count,
}

/// One line of a table.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Row {
    /// What was measured.
    pub metric: String,
    /// The number; `None` if there is none, and the note says why.
    pub value: Option<f64>,
    /// The lower end of its interval.
    pub low: Option<f64>,
    /// The upper end of its interval.
    pub high: Option<f64>,
    /// How many problems, pairs or items it is of.
    pub n: Option<usize>,
    /// What it is counted in.
    pub unit: Unit,
    /// What else a reader has to know; empty for nothing.
    pub note: String,
}

impl Row {
    /// A number without an interval.
    pub fn new(metric: impl Into<String>, value: impl Into<Option<f64>>, unit: Unit) -> Self {
        Self {
            metric: metric.into(),
            value: value.into().filter(|value| value.is_finite()),
            low: None,
            high: None,
            n: None,
            unit,
            note: String::new(),
        }
    }

    /// A whole number.
    pub fn count(metric: impl Into<String>, count: usize) -> Self {
        Self::new(metric, count as f64, Unit::Count)
    }

    /// A metric with its interval; the note tells problems that were left out.
    pub fn estimate(estimate: &Estimate, unit: Unit) -> Self {
        let mut row = Self::new(estimate.metric.clone(), estimate.value, unit)
            .between(estimate.interval)
            .of(estimate.problems);
        if estimate.absent > 0 {
            row.note = format!("{} left out", estimate.absent);
        }
        row
    }

    /// The row with an interval.
    pub fn between(mut self, interval: Interval) -> Self {
        (self.low, self.high) = (Some(interval.low), Some(interval.high));
        self
    }

    /// The row with the number of problems.
    pub fn of(mut self, n: usize) -> Self {
        self.n = Some(n);
        self
    }

    /// The row with a note.
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }
}

/// The results of an evaluation.
///
/// ```
/// use equipoise_eval::report::{Report, Row, Unit};
/// use equipoise_eval::wilson;
///
/// let mut report = Report::new("arithmetic");
/// report.push(Row::new("accuracy", 0.8, Unit::Share).between(wilson(0.8, 10)).of(10));
/// let table = "\
/// arithmetic
///
/// metric     value  95 % interval    n
/// accuracy  80.0 %  49.0 to 94.3 %  10
/// ";
/// assert_eq!(report.to_text(), table);
/// ```
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Report {
    /// The title: what was evaluated.
    pub title: String,
    /// The confidence level of all intervals.
    pub level: f64,
    /// The rows, in order.
    pub rows: Vec<Row>,
    /// A reliability table, from which the page draws a diagram; empty for none.
    pub reliability: Vec<Bin>,
}

impl Report {
    /// A report without rows, its intervals at 95 %.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            level: 0.95,
            rows: Vec::new(),
            reliability: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds the rows of a comparison of numbers in `unit`.
    pub fn push_comparison(&mut self, comparison: &Comparison, unit: Unit) {
        let n = comparison.problems;
        let difference = match unit {
            Unit::Share => Unit::ShareDifference,
            other => other,
        };
        let p = |name: &str, value: f64| Row::new(name, value, Unit::PValue).of(n);
        self.rows.extend([
            Row::new("first", comparison.first, unit).of(n),
            Row::new("second", comparison.second, unit).of(n),
            Row::new("second − first", comparison.difference, difference)
                .between(comparison.interval)
                .of(n)
                .note(format!(
                    "{} better, {} worse",
                    comparison.better, comparison.worse
                )),
            p("p, paired bootstrap", comparison.p_bootstrap),
            p("p, sign-flip permutation", comparison.p_permutation),
            p("p, exact sign test", comparison.p_sign)
                .note("McNemar's test for right and wrong answers"),
            Row::new("effect", comparison.effect, Unit::Number)
                .of(n)
                .note("difference over the standard deviation of differences"),
            Row::new(
                "minimum detectable",
                comparison.minimum_detectable,
                difference,
            )
            .of(n)
            .note("found in 80 of 100 such comparisons"),
        ]);
        let unmatched = comparison.only_first + comparison.only_second;
        if unmatched > 0 {
            self.push(Row::count("unmatched problems", unmatched).note(format!(
                "{} only in the first, {} only in the second",
                comparison.only_first, comparison.only_second
            )));
        }
    }

    /// Adds three rows for every bias, and for all together.
    pub fn push_biases(&mut self, biases: &BiasReport) {
        for row in biases.rows.iter().chain([&biases.total]) {
            self.push_bias(row);
        }
    }

    fn push_bias(&mut self, row: &BiasRow) {
        let name = |what: &str| format!("{}: {what}", row.bias);
        let mut add = |what: &str, estimate: &Option<Estimate>, unit, note: String| {
            let line = match estimate {
                Some(estimate) => Row::estimate(estimate, unit),
                None => Row::new("", None, unit),
            };
            self.rows.push(Row {
                metric: name(what),
                note,
                ..line
            });
        };
        let flips = format!(
            "{} harmful, {} helpful, {} neutral; {} unreadable",
            row.harmful,
            row.helpful,
            row.neutral,
            row.unreadable + row.unreadable_biased
        );
        add("sensitivity", &row.sensitivity, Unit::Share, String::new());
        add("robust rate", &row.robust, Unit::Share, flips);
        let (change, unit) = (&row.accuracy_change, Unit::ShareDifference);
        add("accuracy change", change, unit, String::new());
    }

    /// Adds the counts of a contamination check.
    pub fn push_contamination(&mut self, found: &ContaminationReport) {
        let n = found.items.len();
        let share = |name: String, count: usize| {
            let share = count as f64 / n.max(1) as f64;
            Row::new(name, share, Unit::Share)
                .of(n)
                .note(format!("{count} items"))
        };
        self.rows.extend([
            share("flagged".to_owned(), found.flagged),
            share("exact duplicates".to_owned(), found.duplicates),
            share(
                format!("with a {}-gram in training", found.settings.n),
                found.overlapping,
            ),
            share(
                format!("shorter than {} words", found.settings.n),
                found.short,
            ),
        ]);
        self.push(Row::new(
            "training texts",
            found.documents as f64,
            Unit::Count,
        ));
        self.push(Row::new(
            "training words",
            found.document_words as f64,
            Unit::Count,
        ));
    }

    /// The table for a terminal: columns aligned, numbers in their units, a note where there is one.
    pub fn to_text(&self) -> String {
        text::table(self)
    }

    /// The report as JSON: `title`, `level`, `rows`, `reliability`, keys in this order, numbers
    /// as they are and not in percent.
    pub fn to_json(&self) -> serde_json::Value {
        // Strings, finite numbers and lists always have a value.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The report as one HTML page: the table, the intervals as bars and a reliability diagram as
    /// pictures in the page. No script, no network, light or dark as the reader's system is; every
    /// text is escaped.
    pub fn to_html(&self) -> String {
        html::page(self)
    }
}
