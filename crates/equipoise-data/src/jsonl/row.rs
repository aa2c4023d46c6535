//! One line of the file, checked key by key.

use std::fmt;
use std::fs;
use std::path::Path;

use equipoise_core::{Message, Problem, Role};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::JsonlError;
use crate::messages::MessageFormat;

/// The keys of a row.
const KEYS: [&str; 4] = ["prompt", "messages", "answer", "completion"];

/// The keys of a message.
const MESSAGE_KEYS: [&str; 2] = ["role", "content"];

/// One row of a file.
#[derive(Debug)]
pub(super) struct Row {
    /// The problem; its id is the row's number, from 0.
    pub(super) problem: Problem,
    /// The demonstration, if the row has one.
    pub(super) completion: Option<String>,
}

/// A JSON object as its keys and values in order, repeated keys included, every value as written.
struct Object(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Object(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// The rows of the file at `path`.
pub(super) fn read(path: &Path, format: MessageFormat) -> Result<Vec<Row>, JsonlError> {
    let bytes = fs::read(path).map_err(|source| JsonlError::Io {
        path: path.to_owned(),
        source,
    })?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let mut rows = Vec::new();
    for (line, number) in bytes.split(|&byte| byte == b'\n').zip(1..) {
        let text = std::str::from_utf8(line).map_err(|_| JsonlError::NotUtf8 {
            path: path.to_owned(),
            line: number,
        })?;
        // Only the end is cut off, so that columns stay right.
        let text = text.trim_end();
        if !text.is_empty() {
            let place = Place { path, line: number };
            rows.push(place.row(text, rows.len() as u64, format)?);
        }
    }
    if rows.is_empty() {
        return Err(JsonlError::Empty {
            path: path.to_owned(),
        });
    }
    Ok(rows)
}

/// Where a row stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    path: &'a Path,
    line: usize,
}

impl Place<'_> {
    fn row(self, text: &str, id: u64, format: MessageFormat) -> Result<Row, JsonlError> {
        let object: Object = serde_json::from_str(text).map_err(|error| {
            let message = error.to_string();
            // serde_json counts lines from the start of this line of the file; drop its position.
            let message = message.rsplit_once(" at line ").map_or(&*message, |m| m.0);
            JsonlError::Malformed {
                path: self.path.to_owned(),
                line: self.line,
                column: error.column(),
                message: message.to_owned(),
            }
        })?;
        let [prompt, messages, answer, completion] = self.fields(object, "", KEYS)?;
        let prompt = match (prompt, messages) {
            (Some(_), Some(_)) => {
                return Err(JsonlError::TwoPrompts {
                    path: self.path.to_owned(),
                    line: self.line,
                });
            }
            (None, None) => return Err(self.missing("prompt` or `messages")),
            (Some(prompt), None) => self.text("prompt", &prompt)?,
            (None, Some(messages)) => format.render(&self.messages(&messages)?),
        };
        let answer = answer.ok_or_else(|| self.missing("answer"))?;
        let problem = Problem {
            id,
            prompt,
            answer: self.answer(&answer)?,
            source: format!("{}:{}", self.path.display(), self.line),
        };
        let completion = completion
            .map(|completion| self.text("completion", &completion))
            .transpose()?;
        Ok(Row {
            problem,
            completion,
        })
    }

    /// The values of `known` in an object, in that order; `prefix` stands in front of a key in
    /// errors.
    fn fields<const N: usize>(
        self,
        object: Object,
        prefix: &str,
        known: [&'static str; N],
    ) -> Result<[Option<Box<RawValue>>; N], JsonlError> {
        let mut values = [const { None }; N];
        for (key, value) in object.0 {
            let (path, line) = (self.path.to_owned(), self.line);
            let Some(index) = known.iter().position(|name| *name == key) else {
                return Err(JsonlError::UnknownKey {
                    path,
                    line,
                    key: format!("{prefix}{key}"),
                    known: known.to_vec(),
                });
            };
            if values[index].replace(value).is_some() {
                let key = format!("{prefix}{key}");
                return Err(JsonlError::RepeatedKey { path, line, key });
            }
        }
        Ok(values)
    }

    fn missing(self, key: &'static str) -> JsonlError {
        JsonlError::MissingKey {
            path: self.path.to_owned(),
            line: self.line,
            key,
        }
    }

    fn value(self, key: &str, got: impl Into<String>, expected: &'static str) -> JsonlError {
        JsonlError::Value {
            path: self.path.to_owned(),
            line: self.line,
            key: key.to_owned(),
            got: got.into(),
            expected,
        }
    }

    /// A string that is not empty.
    fn text(self, key: &str, raw: &RawValue) -> Result<String, JsonlError> {
        let expected = "a string that is not empty";
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) if text.trim().is_empty() => Err(self.value(key, "empty", expected)),
            Ok(text) => Ok(text),
            Err(_) => Err(self.value(key, kind(raw), expected)),
        }
    }

    /// A string that is not empty, or a number as written.
    fn answer(self, raw: &RawValue) -> Result<String, JsonlError> {
        let written = raw.get();
        if written.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return Ok(written.to_owned());
        }
        match self.text("answer", raw) {
            Err(JsonlError::Value { got, .. }) if got != "empty" => {
                Err(self.value("answer", got, "a string or a number"))
            }
            other => other,
        }
    }

    fn messages(self, raw: &RawValue) -> Result<Vec<Message>, JsonlError> {
        let expected = "an array of messages that is not empty";
        let Ok(list) = serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) else {
            return Err(self.value("messages", kind(raw), expected));
        };
        let messages = list
            .iter()
            .enumerate()
            .map(|(index, raw)| self.message(&format!("messages[{index}]"), raw))
            .collect::<Result<Vec<Message>, _>>()?;
        match messages.last() {
            None => Err(self.value("messages", "empty", expected)),
            Some(last) if last.role == Role::Assistant => Err(self.value(
                "messages",
                "ended by the assistant",
                "the last message to be the user's; put the assistant's into `completion`",
            )),
            Some(_) => Ok(messages),
        }
    }

    fn message(self, key: &str, raw: &RawValue) -> Result<Message, JsonlError> {
        let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
            let expected = "an object with `role` and `content`";
            return Err(self.value(key, kind(raw), expected));
        };
        let prefix = format!("{key}.");
        let [role, content] = self.fields(object, &prefix, MESSAGE_KEYS)?;
        let (role_key, content_key) = (format!("{key}.role"), format!("{key}.content"));
        let roles = "\"system\", \"user\" or \"assistant\"";
        let role = match role {
            None => return Err(self.value(&role_key, "missing", roles)),
            Some(raw) => serde_json::from_str::<Role>(raw.get())
                .map_err(|_| self.value(&role_key, raw.get(), roles))?,
        };
        let content = match content {
            None => return Err(self.value(&content_key, "missing", "a string")),
            Some(raw) => self.text(&content_key, &raw)?,
        };
        Ok(Message { role, content })
    }
}

/// What a JSON value is, in words.
fn kind(raw: &RawValue) -> &'static str {
    match serde_json::from_str(raw.get()) {
        Ok(Value::Null) => "null",
        Ok(Value::Bool(_)) => "a boolean",
        Ok(Value::Number(_)) => "a number",
        Ok(Value::String(_)) => "a string",
        Ok(Value::Array(_)) => "an array",
        Ok(Value::Object(_)) => "an object",
        Err(_) => "a value out of range",
    }
}
