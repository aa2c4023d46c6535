//! The score in a judge's reply.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::invalid::InvalidOption;
use crate::pattern::compile;
use crate::text::{last_fenced_block, quoted};

/// Where in a judge's reply the score stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreReading {
    /// The number after the last occurrence of a marker, in any case: `Score: 7` and `**Score:** 7`.
    /// `7/10` is 7 if 10 is the highest score, and nothing otherwise. A reply that is a number and
    /// nothing else needs no marker.
    AfterMarker(String),
    /// The first group of a regular expression where it matches last.
    Pattern(String),
    /// A field of a JSON object, `score` or `result.score`, that is the reply or its last fenced
    /// block.
    Field(String),
}

impl Default for ScoreReading {
    fn default() -> Self {
        Self::AfterMarker("Score:".to_owned())
    }
}

/// Reads scores.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    how: How,
    lowest: f64,
    highest: f64,
}

#[derive(Clone, Debug)]
enum How {
    /// The marker in small letters.
    Marker(String),
    Pattern(Regex),
    Field(Vec<String>),
}

static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"^[\s*_`:=\[(]*([-+]?[0-9]+(?:\.[0-9]+)?)(?:\s*/\s*([0-9]+(?:\.[0-9]+)?))?";
    // The tests use it.
    Regex::new(pattern).expect("the pattern is a regular expression")
});

impl ScoreReading {
    pub(super) fn reader(
        &self,
        verifier: &'static str,
        lowest: f64,
        highest: f64,
    ) -> Result<Reader, InvalidOption> {
        let invalid = |value: &str, expected| {
            let value = format!("{value:?}");
            Err(InvalidOption::new(verifier, "score", value, expected))
        };
        let how = match self {
            Self::AfterMarker(marker) if marker.is_empty() => {
                return invalid(marker, "a marker that is not empty");
            }
            Self::AfterMarker(marker) => How::Marker(marker.to_ascii_lowercase()),
            Self::Pattern(pattern) => {
                let regex = compile(verifier, "score", pattern)?;
                if regex.captures_len() < 2 {
                    return invalid(pattern, "a regular expression with a group");
                }
                How::Pattern(regex)
            }
            Self::Field(path) => {
                let names: Vec<String> = path.split('.').map(str::to_owned).collect();
                if names.iter().any(String::is_empty) {
                    return invalid(path, "the names of fields with points between them");
                }
                How::Field(names)
            }
        };
        Ok(Reader {
            how,
            lowest,
            highest,
        })
    }
}

impl Reader {
    /// The score in `reply`, or why there is none.
    pub(super) fn score(&self, reply: &str) -> Result<f64, String> {
        let score = match &self.how {
            How::Marker(marker) => self.after_marker(reply, marker)?,
            How::Pattern(regex) => {
                let last = regex.captures_iter(reply).last();
                let group = last.as_ref().and_then(|captures| captures.get(1));
                let text = group
                    .ok_or("nothing matches the pattern of the score")?
                    .as_str();
                parse(text)?
            }
            How::Field(names) => field(reply, names)?,
        };
        let (lowest, highest) = (self.lowest, self.highest);
        if (lowest..=highest).contains(&score) {
            Ok(score)
        } else {
            Err(format!(
                "the score {score} is outside {lowest} to {highest}"
            ))
        }
    }

    fn after_marker(&self, reply: &str, marker: &str) -> Result<f64, String> {
        let Some(at) = reply.to_ascii_lowercase().rfind(marker) else {
            let alone = reply.trim();
            return parse(alone).map_err(|_| format!("there is no {marker:?}"));
        };
        let rest = &reply[at + marker.len()..];
        let captures = NUMBER
            .captures(rest)
            .ok_or("there is no number after the marker")?;
        let score = parse(&captures[1])?;
        match captures.get(2).map(|of| parse(of.as_str())).transpose()? {
            Some(of) if of != self.highest => {
                let highest = self.highest;
                Err(format!(
                    "the score is of {of}, and the highest is {highest}"
                ))
            }
            _ => Ok(score),
        }
    }
}

fn parse(text: &str) -> Result<f64, String> {
    let number = text
        .trim()
        .parse::<f64>()
        .ok()
        .filter(|number| number.is_finite());
    number.ok_or_else(|| format!("{} is not a number", quoted(text)))
}

fn field(reply: &str, names: &[String]) -> Result<f64, String> {
    let whole = serde_json::from_str(reply.trim()).ok();
    let fenced = || serde_json::from_str(last_fenced_block(reply)?).ok();
    let object: Value = whole.or_else(fenced).ok_or("there is no JSON")?;
    let mut value = &object;
    for name in names {
        let inner = value.get(name.as_str());
        value = inner.ok_or_else(|| format!("there is no field {:?}", names.join(".")))?;
    }
    match value {
        Value::Number(number) => number.as_f64().ok_or_else(|| "not a number".to_owned()),
        Value::String(text) => parse(text),
        other => Err(format!("the field {:?} is {other}", names.join("."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(reading: &ScoreReading, reply: &str) -> Option<f64> {
        let reader = reading.reader("judge", 0.0, 10.0).unwrap();
        reader.score(reply).ok()
    }

    #[test]
    fn scores_after_a_marker_by_hand() {
        let reading = ScoreReading::default();
        for (reply, expected) in [
            ("Good.\nScore: 7", Some(7.0)),
            ("**Score:** 7.5", Some(7.5)),
            ("Score: 3. No: score: 4.", Some(4.0)),
            ("Score: **8/10**", Some(8.0)),
            ("Score: 8 / 10", Some(8.0)),
            ("Score: 8/100", None),
            ("Score: 0.8/1", None),
            ("Score: 11", None),
            ("Score: -1", None),
            ("Score: seven", None),
            ("I give 7.", None),
            (" 7 ", Some(7.0)),
            ("7 of 10", None),
            ("nan", None),
            ("", None),
        ] {
            assert_eq!(score(&reading, reply), expected, "{reply}");
        }
    }

    #[test]
    fn scores_by_pattern_and_field_by_hand() {
        let pattern = ScoreReading::Pattern(r"\[\[(\d+)\]\]".to_owned());
        assert_eq!(score(&pattern, "[[3]] or [[4]]"), Some(4.0));
        assert_eq!(score(&pattern, "3"), None);
        let field = ScoreReading::Field("result.score".to_owned());
        for (reply, expected) in [
            (r#"{"result": {"score": 4}}"#, Some(4.0)),
            (
                "so\n```json\n{\"result\": {\"score\": \"4.5\"}}\n```",
                Some(4.5),
            ),
            (r#"{"result": {"score": true}}"#, None),
            (r#"{"result": 4}"#, None),
            ("4", None),
            ("{", None),
        ] {
            assert_eq!(score(&field, reply), expected, "{reply}");
        }
    }
}
