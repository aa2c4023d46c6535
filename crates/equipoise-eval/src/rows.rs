//! Lines of JSON as what this crate evaluates: sampled completions, pairs and verdicts.

use serde_json::{Map, Value};

use crate::judge::{Choice, JudgedPair};
use crate::{Confidence, EvalError, SampleRecord, Scale, stated_confidence, without_confidence};

/// How the rows of completions are read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RowSettings {
    /// The reward from which on an answer without a key `correct` is right; `None`: 1 is right, 0 is
    /// wrong, and any other reward says neither.
    pub threshold: Option<f64>,
    /// What a bare number in a stated confidence is a part of.
    pub scale: Scale,
}

/// Sampled completions, one JSON object a line.
///
/// ```text
/// problem, id    which problem; text or a number; one of them is needed
/// completion     the text; a confidence stated in it is read
/// correct        true, false, or null for unscorable
/// reward         a number, or null for unscorable; one of correct and reward is needed
/// answer         the extracted answer, text or a number, or null for none
/// confidence     the chance that the answer is right, in [0, 1]; otherwise that of the text
/// ```
///
/// Other keys are left alone, and so are empty lines. Without `answer`, what follows `</think>` in the
/// completion is the answer, or all of it, without the stated confidence and without white space at its
/// ends.
///
/// # Errors
/// [`EvalError::BadRow`] with the file's `name`, the line and the key.
pub fn sample_records(
    name: &str,
    text: &str,
    settings: RowSettings,
) -> Result<Vec<SampleRecord>, EvalError> {
    objects(name, text)
        .map(|row| {
            let row = row?;
            let correct = match row.get("correct") {
                None => None,
                Some(Value::Null) => Some(None),
                Some(Value::Bool(correct)) => Some(Some(*correct)),
                Some(other) => {
                    return Err(row.bad("correct", other, "true, false or null"));
                }
            };
            let reward = match row.get("reward") {
                None => None,
                Some(Value::Null) => Some(None),
                Some(value) => match value.as_f64() {
                    Some(reward) => Some(Some(reward)),
                    None => return Err(row.bad("reward", value, "a number or null")),
                },
            };
            let right = |reward: f64| match settings.threshold {
                Some(threshold) => Some(reward >= threshold),
                None if reward == 1.0 => Some(true),
                None if reward == 0.0 => Some(false),
                None => None,
            };
            let (correct, reward) = match (correct, reward) {
                (Some(correct), Some(reward)) => (correct, reward),
                (Some(correct), None) => (correct, correct.map(|right| f64::from(u8::from(right)))),
                (None, Some(reward)) => (reward.and_then(right), reward),
                (None, None) => return Err(row.missing("`correct` or `reward`")),
            };
            let completion = row.text("completion")?;
            let answer = match row.get("answer") {
                Some(Value::Null) => None,
                Some(Value::String(answer)) => Some(answer.clone()),
                Some(Value::Number(answer)) => Some(answer.to_string()),
                Some(other) => return Err(row.bad("answer", other, "text, a number or null")),
                None => completion.and_then(|text| after_thinking(&without_confidence(text))),
            };
            let confidence = match row.get("confidence") {
                None | Some(Value::Null) => completion.map_or(Confidence::Absent, |completion| {
                    stated_confidence(completion, settings.scale)
                }),
                Some(value) => match value.as_f64() {
                    Some(chance) if (0.0..=1.0).contains(&chance) => Confidence::Found(chance),
                    _ => return Err(row.bad("confidence", value, "a number in [0, 1]")),
                },
            };
            Ok(SampleRecord {
                problem: row.identifier(&["problem", "id"])?,
                correct,
                reward,
                answer,
                confidence,
            })
        })
        .collect()
}

/// What follows the last `</think>` of a completion, or all of it, without white space at its ends;
/// `None` if that is nothing.
///
/// ```
/// use equipoise_eval::rows::after_thinking;
/// assert_eq!(after_thinking("<think>17+25=42</think> 42\n").as_deref(), Some("42"));
/// assert_eq!(after_thinking("<think>17+25=42</think>"), None);
/// ```
pub fn after_thinking(completion: &str) -> Option<String> {
    let rest = completion
        .rsplit_once("</think>")
        .map_or(completion, |(_, rest)| rest);
    let answer = rest.trim();
    (!answer.is_empty()).then(|| answer.to_owned())
}

/// Pairs of answers, one JSON object a line: `id` (text or a number; the line's number without one),
/// `question` or `prompt`, `chosen`, `rejected`, all three text.
///
/// # Errors
/// As [`sample_records`].
pub fn judged_pairs(name: &str, text: &str) -> Result<Vec<JudgedPair>, EvalError> {
    objects(name, text)
        .map(|row| {
            let row = row?;
            let question = match row.text("question")? {
                Some(question) => Some(question),
                None => row.text("prompt")?,
            };
            let needed = |key: &str| {
                let found = row.text(key)?;
                found.ok_or_else(|| row.missing(&format!("`{key}`")))
            };
            Ok(JudgedPair {
                id: match row.get("id") {
                    None => row.line.to_string(),
                    Some(_) => row.identifier(&["id"])?,
                },
                question: question
                    .ok_or_else(|| row.missing("`question`"))?
                    .to_owned(),
                chosen: needed("chosen")?.to_owned(),
                rejected: needed("rejected")?.to_owned(),
            })
        })
        .collect()
}

/// A verdict that was had elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictRow {
    /// The pair's identifier.
    pub id: String,
    /// The injection's name; `None` for the pair as it is.
    pub bias: Option<String>,
    /// The verdict.
    pub choice: Choice,
}

/// Verdicts of a judge, one JSON object a line: `id`, `bias` (null or absent for the pair as it is) and
/// `verdict`: `A`, `B`, `tie`, null for none, or a text with `[[A]]`, `[[B]]` or `[[C]]`.
///
/// # Errors
/// As [`sample_records`].
pub fn verdicts(name: &str, text: &str) -> Result<Vec<VerdictRow>, EvalError> {
    objects(name, text)
        .map(|row| {
            let row = row?;
            let choice = match row.get("verdict") {
                None => return Err(row.missing("`verdict`")),
                Some(Value::Null) => Choice::Unreadable,
                Some(Value::String(verdict)) => match verdict.trim() {
                    "A" => Choice::First,
                    "B" => Choice::Second,
                    "C" | "tie" => Choice::Tie,
                    text => Choice::read(text),
                },
                Some(other) => return Err(row.bad("verdict", other, "text or null")),
            };
            let bias = match row.get("bias") {
                None | Some(Value::Null) => None,
                Some(_) => row.text("bias")?.map(str::to_owned),
            };
            Ok(VerdictRow {
                id: row.identifier(&["id"])?,
                bias,
                choice,
            })
        })
        .collect()
}

/// The text of a row for a contamination check: that of a key, or, without one, every text in the row,
/// also inside of lists and objects, one a line. A line that is no JSON object is itself the text.
///
/// # Errors
/// [`EvalError::BadRow`] if the row has no such key, or something else than text there.
pub fn row_text(
    name: &str,
    line: usize,
    text: &str,
    key: Option<&str>,
) -> Result<String, EvalError> {
    let value = match serde_json::from_str(text) {
        Ok(Value::Object(value)) => value,
        _ if key.is_none() => return Ok(text.to_owned()),
        Ok(_) | Err(_) => {
            return Err(bad_row(
                name,
                line,
                "it is no JSON object".to_owned(),
                "an object with the key",
            ));
        }
    };
    let row = Object { name, line, value };
    match key {
        None => {
            let mut texts = Vec::new();
            collect(&Value::Object(row.value), &mut texts);
            Ok(texts.join("\n"))
        }
        Some(key) => {
            let found = row.text(key)?;
            found
                .map(str::to_owned)
                .ok_or_else(|| row.missing(&format!("`{key}`")))
        }
    }
}

/// The `id` of a row, text or a number; `None` if it has none, or is no JSON object.
pub fn row_identifier(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    match value.get("id")? {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

fn collect(value: &Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) => texts.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(values) => values.values().for_each(|value| collect(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// One row, and where it stands.
struct Object<'a> {
    name: &'a str,
    line: usize,
    value: Map<String, Value>,
}

impl Object<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key)
    }

    /// The text of a key; `None` if the row has no such key.
    fn text(&self, key: &str) -> Result<Option<&str>, EvalError> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(key, other, "text")),
        }
    }

    /// The first of some keys that the row has, a text or a number.
    fn identifier(&self, keys: &[&str]) -> Result<String, EvalError> {
        let found = keys.iter().find_map(|key| Some((*key, self.get(key)?)));
        match found {
            Some((_, Value::String(id))) => Ok(id.clone()),
            Some((_, Value::Number(id))) => Ok(id.to_string()),
            Some((key, other)) => Err(self.bad(key, other, "text or a number")),
            None => {
                let keys: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                Err(self.missing(&keys.join(" or ")))
            }
        }
    }

    fn bad(&self, key: &str, value: &Value, expected: &'static str) -> EvalError {
        let mut found = value.to_string();
        if let Some((end, _)) = found.char_indices().nth(40) {
            found.truncate(end);
            found.push('…');
        }
        bad_row(
            self.name,
            self.line,
            format!("`{key}` is {found}"),
            expected,
        )
    }

    fn missing(&self, keys: &str) -> EvalError {
        let found: Vec<&str> = self.value.keys().map(String::as_str).collect();
        let what = format!("there is no {keys} among its keys {}", found.join(", "));
        bad_row(self.name, self.line, what, "a row with that key")
    }
}

fn bad_row(name: &str, line: usize, what: String, expected: &'static str) -> EvalError {
    EvalError::BadRow {
        file: name.to_owned(),
        line,
        what,
        expected,
    }
}

/// The JSON objects of a text, one a line.
fn objects<'a>(
    name: &'a str,
    text: &'a str,
) -> impl Iterator<Item = Result<Object<'a>, EvalError>> + 'a {
    let lines = text
        .lines()
        .zip(1..)
        .filter(|(line, _)| !line.trim().is_empty());
    lines.map(move |(text, line)| match serde_json::from_str(text) {
        Ok(Value::Object(value)) => Ok(Object { name, line, value }),
        Ok(_) => Err(bad_row(
            name,
            line,
            "it is no object".to_owned(),
            "a JSON object",
        )),
        Err(error) => Err(bad_row(name, line, error.to_string(), "a JSON object")),
    })
}
