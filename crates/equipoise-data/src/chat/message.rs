//! Messages as chat templates see them: JSON objects with a role.

use equipoise_core::{Message, Role};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::ChatTemplateError;

/// The names under which a message brings the model's reasoning.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// One message of a conversation: a role, and whatever else the template reads.
///
/// Unlike [`Message`] it keeps every key: `content` may be a text or a list of parts, and there may
/// be `reasoning_content`, `tool_calls`, `name` and so on. Keys whose value is null are dropped, as
/// transformers does it: many templates would write `None`.
///
/// ```
/// use equipoise_data::chat::ChatMessage;
///
/// let message = ChatMessage::new("assistant", "4").with("reasoning_content", "2+2 is 4");
/// assert_eq!((message.role(), message.content()), ("assistant", Some("4")));
/// assert!(serde_json::from_str::<ChatMessage>(r#"{"content": "who?"}"#).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct ChatMessage(Map<String, Value>);

impl ChatMessage {
    /// A message with a text.
    pub fn new(role: impl Into<String>, content: impl Into<String>) -> Self {
        let mut keys = Map::new();
        keys.insert("role".to_owned(), Value::String(role.into()));
        keys.insert("content".to_owned(), Value::String(content.into()));
        Self(keys)
    }

    /// The message with another key, or another value of a key; null removes the key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        let (key, value) = (key.into(), value.into());
        if value.is_null() && key != "role" {
            self.0.shift_remove(&key);
        } else if key != "role" || value.is_string() {
            self.0.insert(key, value);
        }
        self
    }

    /// The messages of a JSON list.
    ///
    /// # Errors
    /// [`ChatTemplateError::Message`] with the number of the first that is not an object with a
    /// role, or whose content is neither a text nor a list of parts;
    /// [`ChatTemplateError::EmptyConversation`] for an empty list and for anything but a list.
    pub fn list(value: &Value) -> Result<Vec<Self>, ChatTemplateError> {
        let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
        if items.is_empty() {
            return Err(ChatTemplateError::EmptyConversation);
        }
        let read = |(index, item): (usize, &Value)| {
            Self::try_from(item.clone())
                .map_err(|message| ChatTemplateError::Message { index, message })
        };
        items.iter().enumerate().map(read).collect()
    }

    /// Who speaks: `system`, `user`, `assistant`, `tool` or whatever the template knows.
    pub fn role(&self) -> &str {
        // `try_from` and `with` keep it a string.
        self.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// The text, if the content is one.
    pub fn content(&self) -> Option<&str> {
        self.get("content").and_then(Value::as_str)
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// Whether the model speaks.
    pub fn is_assistant(&self) -> bool {
        self.role() == "assistant"
    }

    /// The message as the template sees it: the reasoning under all its names, as transformers
    /// 5.23 copies it (`_alias_reasoning_fields` in utils/chat_template_utils.py).
    pub(super) fn for_template(&self) -> Value {
        let mut keys = self.0.clone();
        let reasoning = REASONING.iter().find_map(|key| keys.get(*key).cloned());
        if let Some(reasoning) = reasoning {
            if !keys.contains_key("thinking") {
                keys.shift_insert(0, "thinking".to_owned(), reasoning.clone());
            }
            keys.insert("reasoning_content".to_owned(), reasoning);
        }
        Value::Object(keys)
    }

    /// The text that a last message is continued from, and the same message with `tag` behind it.
    pub(super) fn tagged(&self, tag: &str) -> Option<(String, Self)> {
        let mut tagged = self.clone();
        let text = match tagged.0.get_mut("content")? {
            Value::String(text) => text,
            Value::Array(parts) => parts.iter_mut().rev().find_map(|part| {
                let text = part.get_mut("text")?;
                if let Value::String(text) = text {
                    Some(text)
                } else {
                    None
                }
            })?,
            _ => return None,
        };
        let before = text.clone();
        text.push_str(tag);
        Some((before, tagged))
    }
}

impl TryFrom<Value> for ChatMessage {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let Value::Object(mut keys) = value else {
            return Err(
                "not an object; expected one like {\"role\": \"user\", \"content\": \"…\"}".into(),
            );
        };
        keys.retain(|_, value| !value.is_null());
        match keys.get("role") {
            Some(Value::String(_)) => {}
            Some(_) => return Err("`role` is not a text; expected one like \"user\"".into()),
            None => return Err("has no `role`; expected one like \"user\"".into()),
        }
        match keys.get("content") {
            None | Some(Value::String(_) | Value::Array(_)) => Ok(Self(keys)),
            Some(_) => Err("`content` is neither a text nor a list of parts".into()),
        }
    }
}

impl From<ChatMessage> for Value {
    fn from(message: ChatMessage) -> Self {
        Self::Object(message.0)
    }
}

impl From<&Message> for ChatMessage {
    fn from(message: &Message) -> Self {
        let role = match message.role {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        Self::new(role, message.content.as_str())
    }
}
