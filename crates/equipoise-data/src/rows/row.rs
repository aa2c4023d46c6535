//! A row whose columns have their meaning, checked value by value.

use std::borrow::Cow;

use equipoise_core::{Message, Role};
use serde_json::value::RawValue;

use super::error::DataError;
use super::example::Text;
use super::mapping::Layout;
use super::object::{Object, is_array, is_number, kind};
use super::reader::Place;

/// The keys of a message.
const MESSAGE_KEYS: [&str; 2] = ["role", "content"];

/// What a text must be.
const TEXT: &str = "a string that is not empty";

/// What a conversation must be.
const MESSAGES: &str = "an array of messages that is not empty";

/// A row of a file under the names of our columns. Errors name the file, the line, and the key as the
/// file has it.
#[derive(Debug)]
pub struct Row<'a> {
    place: &'a Place,
    layout: &'a Layout,
    values: Vec<(&'static str, Cow<'a, RawValue>)>,
}

impl<'a> Row<'a> {
    pub(super) fn new(
        place: &'a Place,
        layout: &'a Layout,
        values: Vec<(&'static str, Cow<'a, RawValue>)>,
    ) -> Self {
        Self {
            place,
            layout,
            values,
        }
    }

    /// The file and line, as `file:line`.
    pub fn location(&self) -> String {
        format!("{}:{}", self.place.path.display(), self.place.line)
    }

    /// Whether the row has this column.
    pub fn has(&self, column: &str) -> bool {
        self.find(column).is_some()
    }

    /// Which of two columns the row has.
    ///
    /// # Errors
    /// If it has both or neither.
    pub fn either(
        &self,
        first: &'static str,
        second: &'static str,
    ) -> Result<&'static str, DataError> {
        match (self.has(first), self.has(second)) {
            (true, false) => Ok(first),
            (false, true) => Ok(second),
            (true, true) => Err(DataError::TwoOfOne {
                path: self.place.path(),
                line: self.place.line,
                first: self.key(first).into(),
                second: self.key(second).into(),
            }),
            (false, false) => {
                let (first, second) = (self.key(first), self.key(second));
                Err(self.missing(format!("{first}` or `{second}")))
            }
        }
    }

    /// A string that is not empty.
    ///
    /// # Errors
    /// A column that is missing or something else.
    pub fn text(&self, column: &str) -> Result<String, DataError> {
        self.string(self.key(column), self.get(column)?)
    }

    /// A conversation of at least one message.
    ///
    /// # Errors
    /// A column that is missing or something else, with the place inside of it.
    pub fn messages(&self, column: &str) -> Result<Vec<Message>, DataError> {
        self.conversation(self.key(column), self.get(column)?)
    }

    /// A string or a conversation.
    ///
    /// # Errors
    /// As [`text`](Self::text) and [`messages`](Self::messages).
    pub fn text_or_messages(&self, column: &str) -> Result<Text, DataError> {
        self.either_form(self.key(column), self.get(column)?)
    }

    /// An array of texts, each a string or a conversation.
    ///
    /// # Errors
    /// A column that is missing, something else, or empty.
    pub fn texts(&self, column: &str) -> Result<Vec<Text>, DataError> {
        self.array(column, "an array of texts that is not empty", |key, raw| {
            self.either_form(key, raw)
        })
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// A column that is missing or something else.
    pub fn flag(&self, column: &str) -> Result<bool, DataError> {
        self.boolean(self.key(column), self.get(column)?)
    }

    /// An array of `true` and `false`.
    ///
    /// # Errors
    /// A column that is missing, something else, or empty.
    pub fn flags(&self, column: &str) -> Result<Vec<bool>, DataError> {
        self.array(column, "an array of true and false", |key, raw| {
            self.boolean(key, raw)
        })
    }

    /// An answer: a string that is not empty, or a number digit for digit; with
    /// [`Mapping::answer_after`](super::Mapping::answer_after), what is behind the marker.
    ///
    /// # Errors
    /// A column that is missing or something else, or lacks the marker.
    pub fn answer(&self, column: &str) -> Result<String, DataError> {
        let (key, raw) = (self.key(column), self.get(column)?);
        let whole = if is_number(raw) {
            raw.get().to_owned()
        } else {
            match self.string(key, raw) {
                Err(DataError::Value { got, .. }) if got != "empty" => {
                    return Err(self.value(key, got, "a string or a number"));
                }
                other => other?,
            }
        };
        let Some(marker) = self.layout.answer_after() else {
            return Ok(whole);
        };
        match whole.rsplit_once(marker).map(|(_, answer)| answer.trim()) {
            Some(answer) if !answer.is_empty() => Ok(answer.to_owned()),
            _ => Err(DataError::NoMarker {
                path: self.place.path(),
                line: self.place.line,
                key: key.into(),
                marker: marker.into(),
            }),
        }
    }

    /// An error about the value of a column, for what only the reader of the row can know.
    pub fn wrong(&self, column: &str, got: &str, expected: &str) -> DataError {
        self.value(self.key(column), got, expected)
    }

    /// An error about a column that is a string where another is a conversation, or the other way
    /// round.
    pub(super) fn mixed(&self, column: &str, got: &Text, before: String) -> DataError {
        DataError::MixedForms {
            path: self.place.path(),
            line: self.place.line,
            key: self.key(column).into(),
            got: got.form(),
            before,
        }
    }

    fn key<'b>(&'b self, column: &'b str) -> &'b str {
        self.layout.key(column)
    }

    fn find(&self, column: &str) -> Option<&RawValue> {
        let mut values = self.values.iter();
        values
            .find(|(name, _)| *name == column)
            .map(|(_, value)| &**value)
    }

    fn get(&self, column: &str) -> Result<&RawValue, DataError> {
        self.find(column)
            .ok_or_else(|| self.missing(self.key(column).into()))
    }

    fn missing(&self, key: String) -> DataError {
        DataError::MissingKey {
            path: self.place.path(),
            line: self.place.line,
            key,
            column: None,
        }
    }

    fn value(&self, key: &str, got: impl Into<String>, expected: &str) -> DataError {
        DataError::Value {
            path: self.place.path(),
            line: self.place.line,
            key: key.to_owned(),
            got: got.into(),
            expected: expected.to_owned(),
        }
    }

    fn string(&self, key: &str, raw: &RawValue) -> Result<String, DataError> {
        match serde_json::from_str::<String>(raw.get()) {
            Ok(text) if text.trim().is_empty() => Err(self.value(key, "empty", TEXT)),
            Ok(text) => Ok(text),
            Err(_) => Err(self.value(key, kind(raw), TEXT)),
        }
    }

    fn boolean(&self, key: &str, raw: &RawValue) -> Result<bool, DataError> {
        serde_json::from_str(raw.get()).map_err(|_| self.value(key, kind(raw), "true or false"))
    }

    fn either_form(&self, key: &str, raw: &RawValue) -> Result<Text, DataError> {
        if is_array(raw) {
            return self.conversation(key, raw).map(Text::Conversation);
        }
        self.string(key, raw).map(Text::Plain)
    }

    fn array<T>(
        &self,
        column: &str,
        expected: &str,
        read: impl Fn(&str, &RawValue) -> Result<T, DataError>,
    ) -> Result<Vec<T>, DataError> {
        let (key, raw) = (self.key(column), self.get(column)?);
        let Ok(list) = serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) else {
            return Err(self.value(key, kind(raw), expected));
        };
        if list.is_empty() {
            return Err(self.value(key, "empty", expected));
        }
        list.iter()
            .enumerate()
            .map(|(index, raw)| read(&format!("{key}[{index}]"), raw))
            .collect()
    }

    fn conversation(&self, key: &str, raw: &RawValue) -> Result<Vec<Message>, DataError> {
        let Ok(list) = serde_json::from_str::<Vec<Box<RawValue>>>(raw.get()) else {
            return Err(self.value(key, kind(raw), MESSAGES));
        };
        if list.is_empty() {
            return Err(self.value(key, "empty", MESSAGES));
        }
        list.iter()
            .enumerate()
            .map(|(index, raw)| self.message(&format!("{key}[{index}]"), raw))
            .collect()
    }

    fn message(&self, key: &str, raw: &RawValue) -> Result<Message, DataError> {
        let Ok(object) = serde_json::from_str::<Object>(raw.get()) else {
            let expected = "an object with `role` and `content`";
            return Err(self.value(key, kind(raw), expected));
        };
        let [role, content] = self.message_fields(object, key)?;
        let (role_key, content_key) = (format!("{key}.role"), format!("{key}.content"));
        let roles = "\"system\", \"user\" or \"assistant\"";
        let role = match role {
            None => return Err(self.value(&role_key, "missing", roles)),
            Some(raw) => serde_json::from_str::<Role>(raw.get())
                .map_err(|_| self.value(&role_key, raw.get(), roles))?,
        };
        let content = match content {
            None => return Err(self.value(&content_key, "missing", "a string")),
            Some(raw) => self.string(&content_key, &raw)?,
        };
        Ok(Message { role, content })
    }

    fn message_fields(
        &self,
        object: Object,
        prefix: &str,
    ) -> Result<[Option<Box<RawValue>>; 2], DataError> {
        let mut values = [None, None];
        for (key, value) in object.0 {
            let (path, line) = (self.place.path(), self.place.line);
            let full = format!("{prefix}.{key}");
            let Some(index) = MESSAGE_KEYS.iter().position(|name| *name == key) else {
                return Err(DataError::UnknownKey {
                    path,
                    line,
                    key: full,
                    known: MESSAGE_KEYS.to_vec(),
                });
            };
            if values[index].replace(value).is_some() {
                let key = full;
                return Err(DataError::RepeatedKey { path, line, key });
            }
        }
        Ok(values)
    }
}

/// The contents of messages with line feeds between them.
pub(super) fn join_contents(messages: &[Message]) -> String {
    let contents: Vec<&str> = messages
        .iter()
        .map(|message| message.content.as_str())
        .collect();
    contents.join("\n")
}
