//! `equipoise contamination`: whether what is tested was trained on.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::PathBuf;

use anyhow::Context as _;
use equipoise_eval::report::Report;
use equipoise_eval::rows::{row_identifier, row_text};
use equipoise_eval::{Contamination, ContaminationSettings};
use serde_json::json;

use super::eval::Output;

/// The arguments of `equipoise contamination`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Training data: a JSON object or a plain text a line. Read once and never held in memory.
    #[arg(long, value_name = "FILE", required = true)]
    train: Vec<PathBuf>,
    /// Test data, likewise.
    #[arg(long, value_name = "FILE")]
    test: PathBuf,
    /// The key of the text in a row of the training data. [default: every text in the row]
    #[arg(long, value_name = "KEY")]
    train_key: Option<String>,
    /// The key of the text in a row of the test data. [default: every text in the row]
    #[arg(long, value_name = "KEY")]
    test_key: Option<String>,
    /// Words per n-gram.
    #[arg(long, value_name = "N", default_value_t = 13)]
    n: usize,
    /// Flag an item if this share of its n-grams occurs in the training data; at 0 one is enough.
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    threshold: f64,
    /// List every flagged item, not only the first ten.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let name = arguments.test.display().to_string();
    let text =
        fs::read_to_string(&arguments.test).with_context(|| format!("cannot read {name}"))?;
    let mut items = Vec::new();
    for (row, line) in text.lines().zip(1..) {
        if row.trim().is_empty() {
            continue;
        }
        let words = row_text(&name, line, row, arguments.test_key.as_deref())?;
        items.push((
            row_identifier(row).unwrap_or_else(|| line.to_string()),
            words,
        ));
    }
    let settings = ContaminationSettings {
        n: arguments.n,
        threshold: arguments.threshold,
    };
    let mut check = Contamination::new(items, settings)?;
    for path in &arguments.train {
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        for (row, line) in BufReader::new(file).lines().zip(1..) {
            let row = row.with_context(|| format!("cannot read {name}, line {line}"))?;
            if !row.trim().is_empty() {
                check.train(&row_text(
                    &name,
                    line,
                    &row,
                    arguments.train_key.as_deref(),
                )?);
            }
        }
    }
    let found = check.report();
    let mut report = Report::new(format!("{} in training data", arguments.test.display()));
    report.push_contamination(&found);
    let mut out = io::stdout();
    if arguments.output.json {
        arguments.output.page(&report)?;
        let whole = json!({ "report": report.to_json(), "contamination": found });
        writeln!(out, "{whole}")?;
        return Ok(());
    }
    arguments.output.show(&report)?;
    let shown = if arguments.all { usize::MAX } else { 10 };
    for item in found.items.iter().filter(|item| item.flagged).take(shown) {
        let document = item.first_document.map_or(0, |document| document + 1);
        writeln!(
            out,
            "\nflagged {}: {} of {} n-grams, longest match {} words{}, first in training text {document}",
            item.id,
            item.covered,
            item.grams,
            item.longest_match,
            if item.duplicate { ", duplicate" } else { "" },
        )?;
    }
    if found.flagged > shown {
        writeln!(
            out,
            "\nand {} more; --all lists them",
            found.flagged - shown
        )?;
    }
    Ok(())
}
