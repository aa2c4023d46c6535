//! `equipoise verify`: what a verifier says about answers in a file.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use equipoise_core::Problem;
use equipoise_verifiers::{CATALOGUE, Explanation, Outcomes, Verifier, VerifierSpec, explain_all};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::output::percent;
use crate::pairs::{Pairs, Row};

/// The arguments of `equipoise verify`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A file with one `{"gold": …, "answer": …}` a line, and perhaps a `"prompt"`; `-` for standard
    /// input. Values are texts, or numbers and objects, which are taken as they are written.
    #[arg(required_unless_present = "list")]
    pairs: Option<PathBuf>,
    /// The verifier, by its name.
    #[arg(long, value_name = "NAME", conflicts_with = "spec")]
    #[arg(required_unless_present_any = ["spec", "list"])]
    verifier: Option<String>,
    /// The verifier, in a TOML file with its `name` and its options.
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// An option of the verifier, for example `ignore_case=true` or `extraction.after_marker=####`.
    /// The value is read as TOML, or else as the text it is.
    #[arg(long, value_name = "KEY=VALUE")]
    option: Vec<String>,
    /// Add the steps that led to each verdict.
    #[arg(long)]
    explain: bool,
    /// What a line that is no pair does: end with an error after the verdicts on the lines before
    /// it, be skipped, or get a verdict without a reward, so that every line keeps its place.
    #[arg(long, value_enum, default_value_t = OnBadRow::Error)]
    on_bad_row: OnBadRow,
    /// End with an error if a greater share of the pairs, from 0 to 1, cannot be scored.
    #[arg(long, value_name = "SHARE")]
    max_unscorable_share: Option<f64>,
    /// Print the verifiers with their options, and nothing else.
    #[arg(long)]
    list: bool,
}

/// What a line that is no pair does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum OnBadRow {
    Error,
    Skip,
    Verdict,
}

/// A verdict as it is printed.
#[derive(Serialize)]
struct Line<'a> {
    reward: Option<f64>,
    correct: Option<bool>,
    extracted: Option<&'a str>,
    why: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<&'a [String]>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let out = BufWriter::new(io::stdout().lock());
    if arguments.list {
        return list(out);
    }
    if let Some(share) = arguments.max_unscorable_share
        && !(0.0..=1.0).contains(&share)
    {
        bail!("--max-unscorable-share {share}: it must be from 0 to 1");
    }
    let verifier = specification(arguments)?.build()?;
    let path = arguments.pairs.as_deref().unwrap_or(Path::new("-"));
    let mut judging = Judging {
        arguments,
        verifier,
        out,
        outcomes: Outcomes::default(),
        bad_rows: 0,
    };
    let judged = judging.all(Pairs::open(path)?);
    // Whatever went wrong, the verdicts before it are there, and counted.
    judging.out.flush()?;
    judging.summary()?;
    judged?;
    if let Some(share) = arguments.max_unscorable_share {
        judging.outcomes.check(share)?;
    }
    Ok(())
}

struct Judging<'a, W: Write> {
    arguments: &'a Arguments,
    verifier: Box<dyn Verifier>,
    out: W,
    outcomes: Outcomes,
    bad_rows: usize,
}

impl<W: Write> Judging<'_, W> {
    /// Judges all rows, some at a time, and prints the verdicts in order.
    fn all(&mut self, mut pairs: Pairs) -> anyhow::Result<()> {
        loop {
            let rows = pairs.next_rows()?;
            if rows.is_empty() {
                return Ok(());
            }
            self.some(&rows)?;
            self.out.flush()?;
        }
    }

    fn some(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let stops = |row: &Row| matches!(row, Row::Bad(_)) && self.stops_at_bad_rows();
        let end = rows.iter().position(stops).unwrap_or(rows.len());
        let completions: Vec<(&Problem, &str)> = rows[..end]
            .iter()
            .filter_map(|row| match row {
                Row::Pair(problem, answer) => Some((problem, answer.as_str())),
                Row::Bad(_) => None,
            })
            .collect();
        let explanations = explain_all(&*self.verifier, &completions);
        self.outcomes
            .add(explanations.iter().map(|said| &said.verdict));
        let mut explanations = explanations.iter();
        for row in &rows[..end] {
            match row {
                Row::Pair(..) => {
                    // There is one for each pair.
                    if let Some(said) = explanations.next() {
                        self.print(said)?;
                    }
                }
                Row::Bad(bad) => {
                    self.bad_rows += 1;
                    if self.arguments.on_bad_row == OnBadRow::Verdict {
                        let why = bad.to_string();
                        self.print_line(&Line {
                            reward: None,
                            correct: None,
                            extracted: None,
                            why: &why,
                            steps: self.arguments.explain.then_some(&[]),
                        })?;
                    }
                }
            }
        }
        match rows.get(end) {
            Some(Row::Bad(bad)) => {
                Err(bad.clone()).context("a line is no pair (--on-bad-row skip or verdict goes on)")
            }
            _ => Ok(()),
        }
    }

    fn stops_at_bad_rows(&self) -> bool {
        self.arguments.on_bad_row == OnBadRow::Error
    }

    fn print(&mut self, said: &Explanation) -> anyhow::Result<()> {
        self.print_line(&Line {
            reward: said.verdict.reward(),
            correct: said.verdict.correct(),
            extracted: said.extracted.as_deref(),
            why: &said.why,
            steps: self.arguments.explain.then_some(&said.steps),
        })
    }

    fn print_line(&mut self, line: &Line<'_>) -> anyhow::Result<()> {
        let text = serde_json::to_string(line)?;
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// The counts, on standard error.
    fn summary(&self) -> anyhow::Result<()> {
        let outcomes = &self.outcomes;
        let mut err = io::stderr().lock();
        write!(err, "{} pairs", outcomes.total())?;
        let counts = [
            (outcomes.right, "right"),
            (outcomes.wrong, "wrong"),
            (
                outcomes.rewarded_without_answer,
                "rewarded without a look at the answer",
            ),
            (outcomes.unscorable_count(), "unscorable"),
        ];
        let said = counts.iter().filter(|(count, _)| *count > 0);
        for ((count, what), between) in said.zip([":", ",", ",", ","]) {
            write!(err, "{between} {count} {what}")?;
        }
        if let Some(accuracy) = outcomes.accuracy() {
            write!(err, "; accuracy {}", percent(accuracy))?;
        }
        writeln!(err)?;
        for reason in outcomes.unscorable.iter().take(3) {
            writeln!(err, "  {} ×, such as: {}", reason.count, reason.example)?;
        }
        if self.bad_rows > 0 {
            writeln!(err, "{} lines are no pairs", self.bad_rows)?;
        }
        Ok(())
    }
}

/// The verifier with its options, as the arguments say.
fn specification(arguments: &Arguments) -> anyhow::Result<VerifierSpec> {
    let mut spec = match (&arguments.spec, &arguments.verifier) {
        (Some(path), _) => {
            let name = path.display();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            toml::from_str(&text).with_context(|| format!("{name} is no verifier"))?
        }
        (None, Some(name)) => VerifierSpec::new(name),
        (None, None) => bail!("--verifier or --spec is needed"),
    };
    for option in &arguments.option {
        set(&mut spec.options, option).with_context(|| format!("--option {option}"))?;
    }
    Ok(spec)
}

/// Sets an option, `key=value` or `outer.inner=value`.
fn set(options: &mut Map<String, Value>, assignment: &str) -> anyhow::Result<()> {
    let (key, text) = assignment
        .split_once('=')
        .context("an option is KEY=VALUE")?;
    let keys: Vec<&str> = key.split('.').map(str::trim).collect();
    let Some((last, outer)) = keys.split_last().filter(|_| !keys.contains(&"")) else {
        bail!("a part of the key is empty");
    };
    let mut table = options;
    for key in outer {
        let inner = table
            .entry(*key)
            .or_insert_with(|| Value::Object(Map::new()));
        // An option that was a text or a number before becomes a table.
        if !inner.is_object() {
            *inner = Value::Object(Map::new());
        }
        let Value::Object(inner) = inner else {
            bail!("{key} is no table");
        };
        table = inner;
    }
    table.insert((*last).to_owned(), value(text)?);
    Ok(())
}

/// A value as TOML, or else as the text it is.
fn value(text: &str) -> anyhow::Result<Value> {
    let mut table = match toml::from_str::<toml::Table>(&format!("value = {text}")) {
        // More than one key means that there was a line break in the text.
        Ok(table) if table.len() == 1 => table,
        _ => return Ok(Value::String(text.to_owned())),
    };
    match table.remove("value") {
        Some(toml::Value::Datetime(_)) | None => Ok(Value::String(text.to_owned())),
        Some(value) => Ok(serde_json::to_value(value)?),
    }
}

fn list(mut out: impl Write) -> anyhow::Result<()> {
    let width = CATALOGUE.iter().map(|entry| entry.name.len()).max();
    let width = width.unwrap_or(0);
    for entry in CATALOGUE {
        writeln!(out, "{:width$}  {}", entry.name, entry.about)?;
        writeln!(
            out,
            "{:width$}  options: {}",
            "",
            entry.options().join(", ")
        )?;
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn options_are_toml_or_text() {
        for (assignment, expected) in [
            ("a=true", json!({"a": true})),
            ("a=1", json!({"a": 1})),
            ("a=0.5", json!({"a": 0.5})),
            ("a=\"1\"", json!({"a": "1"})),
            ("a=[\"x\", \"y\"]", json!({"a": ["x", "y"]})),
            (r"a=\d+=", json!({"a": r"\d+="})),
            ("a=2026-11-24", json!({"a": "2026-11-24"})),
            ("a=", json!({"a": ""})),
            ("a=1\nb = 2", json!({"a": "1\nb = 2"})),
            ("a.b=</think>", json!({"a": {"b": "</think>"}})),
            ("a={ name = \"x\" }", json!({"a": {"name": "x"}})),
        ] {
            let mut options = Map::new();
            set(&mut options, assignment).unwrap();
            assert_eq!(Value::Object(options), expected, "{assignment}");
        }
        for bad in ["a", "=1", "a.=1", ".a=1"] {
            assert!(set(&mut Map::new(), bad).is_err(), "{bad}");
        }
        let mut options = Map::new();
        set(&mut options, "a.b=1").unwrap();
        set(&mut options, "a.c=2").unwrap();
        assert_eq!(Value::Object(options), json!({"a": {"b": 1, "c": 2}}));
    }
}
