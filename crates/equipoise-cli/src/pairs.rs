//! Rows of a gold answer and a completion, one JSON object a line.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

use anyhow::Context as _;
use equipoise_core::Problem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The most rows that are judged together.
const MAX_ROWS: usize = 4096;

/// The most bytes of rows that are judged together, unless one row alone is longer.
const MAX_BYTES: usize = 16 << 20;

/// One line with something on it.
pub(crate) enum Row {
    /// A problem and a completion.
    Pair(Problem, String),
    /// A line that is none.
    Bad(BadRow),
}

/// Where a line is not what it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BadRow {
    file: String,
    line: u64,
    column: usize,
    why: String,
}

impl fmt::Display for BadRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            line,
            column,
            why,
        } = self;
        write!(
            f,
            "{file}:{line}:{column}: {why}; expected {{\"gold\": …, \"answer\": …}}"
        )
    }
}

impl std::error::Error for BadRow {}

/// Reads rows.
pub(crate) struct Pairs {
    reader: BufReader<Box<dyn Read>>,
    name: String,
    line: u64,
    /// Whether somebody may be waiting for an answer before going on.
    interactive: bool,
}

#[derive(Deserialize)]
struct Pair<'a> {
    #[serde(borrow)]
    gold: &'a RawValue,
    #[serde(borrow)]
    answer: &'a RawValue,
    prompt: Option<String>,
}

impl Pairs {
    /// The rows of a file; `-` is standard input.
    pub(crate) fn open(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == "-" {
            return Ok(Self::new(Box::new(io::stdin()), "standard input", true));
        }
        let name = path.display().to_string();
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        Ok(Self::new(Box::new(file), &name, false))
    }

    fn new(source: Box<dyn Read>, name: &str, interactive: bool) -> Self {
        Self {
            reader: BufReader::with_capacity(1 << 18, source),
            name: name.to_owned(),
            line: 0,
            interactive,
        }
    }

    /// The next rows, as many as are judged together; none at the end. Empty lines are no rows.
    pub(crate) fn next_rows(&mut self) -> anyhow::Result<Vec<Row>> {
        let (mut rows, mut bytes, mut line) = (Vec::new(), 0, Vec::new());
        while rows.len() < MAX_ROWS && bytes < MAX_BYTES {
            line.clear();
            let read = self.reader.read_until(b'\n', &mut line);
            let length = read.with_context(|| format!("cannot read {}", self.name))?;
            if length == 0 {
                break;
            }
            self.line += 1;
            bytes += length;
            let text = line
                .strip_prefix(b"\xef\xbb\xbf")
                .filter(|_| self.line == 1);
            let text = text.unwrap_or(&line);
            if !text.trim_ascii().is_empty() {
                rows.push(self.row(text));
            }
            if self.interactive && !rows.is_empty() && self.reader.buffer().is_empty() {
                break;
            }
        }
        Ok(rows)
    }

    fn row(&self, text: &[u8]) -> Row {
        let bad = |column, why: String| {
            Row::Bad(BadRow {
                file: self.name.clone(),
                line: self.line,
                column,
                why,
            })
        };
        let pair: Pair<'_> = match serde_json::from_slice(text) {
            Ok(pair) => pair,
            Err(error) => return bad(error.column(), without_place(&error)),
        };
        let column = |value: &RawValue| {
            // A raw value is a part of the line it was read from.
            let offset = (value.get().as_ptr() as usize).wrapping_sub(text.as_ptr() as usize);
            offset.wrapping_add(1)
        };
        let [gold, answer] =
            match [("gold", pair.gold), ("answer", pair.answer)].map(|(key, value)| {
                words(value).map_err(|why| bad(column(value), format!("{key} {why}")))
            }) {
                [Ok(gold), Ok(answer)] => [gold, answer],
                [Err(bad), _] | [_, Err(bad)] => return bad,
            };
        let problem = Problem {
            id: self.line,
            prompt: pair.prompt.unwrap_or_default(),
            answer: gold,
            source: self.name.clone(),
        };
        Row::Pair(problem, answer)
    }
}

/// A value as text: a string without its quotes, anything else as it is written, so that a number
/// keeps every digit.
fn words(value: &RawValue) -> Result<String, String> {
    match value.get() {
        "null" => Err("is null".to_owned()),
        text if text.starts_with('"') => serde_json::from_str(text)
            .map_err(|error| format!("is no text: {}", without_place(&error))),
        text => Ok(text.to_owned()),
    }
}

/// What an error says, without the place inside the line.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Row> {
        let mut pairs = Pairs::new(Box::new(io::Cursor::new(text.to_owned())), "x.jsonl", false);
        pairs.next_rows().unwrap()
    }

    fn pair(text: &str) -> (String, String) {
        match read(text).pop() {
            Some(Row::Pair(problem, answer)) => (problem.answer, answer),
            Some(Row::Bad(bad)) => panic!("{bad}"),
            None => panic!("no row"),
        }
    }

    fn bad(text: &str) -> String {
        match read(text).pop() {
            Some(Row::Bad(bad)) => bad.to_string(),
            _ => panic!("{text} is a row"),
        }
    }

    #[test]
    fn values_keep_what_is_written() {
        for (gold, expected) in [
            ("\"a\\n\\u00e9\"", "a\né"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("0.10", "0.10"),
            ("1e3", "1e3"),
            ("true", "true"),
            (
                "{\"target\": 3, \"numbers\": [1]}",
                "{\"target\": 3, \"numbers\": [1]}",
            ),
            ("\"\"", ""),
        ] {
            let row = format!("{{\"gold\": {gold}, \"x\": 0, \"answer\": \"b\"}}");
            assert_eq!(pair(&row), (expected.to_owned(), "b".to_owned()));
        }
    }

    #[test]
    fn lines_are_counted_and_empty_ones_are_no_rows() {
        let rows = read(
            "\u{feff}{\"gold\":1,\"answer\":2}\r\n\n  \n{\"gold\":3,\"answer\":4,\"prompt\":\"p\"}",
        );
        let rows: Vec<_> = rows
            .iter()
            .map(|row| match row {
                Row::Pair(problem, answer) => {
                    (problem.id, problem.prompt.as_str(), answer.as_str())
                }
                Row::Bad(bad) => panic!("{bad}"),
            })
            .collect();
        assert_eq!(rows, [(1, "", "2"), (4, "p", "4")]);
    }

    #[test]
    fn bad_rows_say_where_and_why() {
        for (text, expected) in [
            ("\n{\"gold\": 1}", "x.jsonl:2:11: missing field `answer`"),
            (
                "{\"gold\": 1 \"answer\": 2}",
                "x.jsonl:1:12: expected `,` or `}`",
            ),
            (
                "{\"gold\": 1, \"answer\": null}",
                "x.jsonl:1:23: answer is null",
            ),
            (
                "{\"gold\": null, \"answer\": 1}",
                "x.jsonl:1:10: gold is null",
            ),
            ("{\"gold\": \"\\ud800\", \"answer\": 1}", "x.jsonl:1:"),
            ("[1, 2]", "x.jsonl:1:"),
            ("nonsense", "x.jsonl:1:2: expected ident"),
        ] {
            let said = bad(text);
            assert!(said.starts_with(expected), "{said}\n{expected}");
            assert!(
                said.ends_with("expected {\"gold\": …, \"answer\": …}"),
                "{said}"
            );
        }
    }

    #[test]
    fn long_files_come_in_pieces() {
        let row = "{\"gold\":1,\"answer\":1}\n";
        let text = row.repeat(MAX_ROWS + 3);
        let mut pairs = Pairs::new(Box::new(io::Cursor::new(text)), "x.jsonl", false);
        let sizes: Vec<usize> = (0..3).map(|_| pairs.next_rows().unwrap().len()).collect();
        assert_eq!(sizes, [MAX_ROWS, 3, 0]);
    }
}
