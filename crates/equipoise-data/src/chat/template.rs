//! A chat template and what it is rendered with.

use jiff::civil::Date;
use minijinja::value::{Serde, Value as Any};
use serde_json::{Map, Value};

use super::engine::Engine;
use super::error::ChatTemplateError;
use super::load::SpecialTokens;
use super::message::ChatMessage;

/// What stands behind a message that is to be continued; the same as in transformers.
const CONTINUE: &str = "CONTINUE_FINAL_MESSAGE_TAG ";

/// A chat template: the Jinja program that makes the text of a conversation.
///
/// It is rendered as transformers' `apply_chat_template` renders it (5.23, utils/chat_template_utils.py):
/// `trim_blocks` and `lstrip_blocks`, `raise_exception`, `strftime_now`, `tojson`, `break` and
/// `continue`, `{% generation %}`, methods of Python's strings and maps, values printed as Python
/// prints them, and the variables `messages`, `tools`, `documents`, `add_generation_prompt`,
/// `bos_token`, `eos_token`, `pad_token` and `unk_token`.
///
/// One difference is meant: `strftime_now` does not ask the clock. Without
/// [`with_date`](Self::with_date) a template that calls it fails with
/// [`ChatTemplateError::NoDate`].
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    engine: Engine,
    source: String,
    tokens: SpecialTokens,
    variables: Map<String, Value>,
}

/// Two templates are equal if they have the same text, special tokens and variables.
impl PartialEq for ChatTemplate {
    fn eq(&self, other: &Self) -> bool {
        let parts = |of: &Self| (of.source.clone(), of.tokens.clone(), of.variables.clone());
        parts(self) == parts(other)
    }
}

/// A conversation and what else its template is told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The messages, in order.
    pub messages: Vec<ChatMessage>,
    /// The tools the model may call, each as a JSON schema; `None` if there are none.
    pub tools: Option<Vec<Value>>,
    /// More variables of the template, such as `enable_thinking`.
    pub variables: Map<String, Value>,
}

impl From<Vec<ChatMessage>> for Conversation {
    fn from(messages: Vec<ChatMessage>) -> Self {
        Self {
            messages,
            ..Self::default()
        }
    }
}

/// How the text of a conversation ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// With the end of the last message.
    #[default]
    Message,
    /// With the opening of the assistant's next message: `add_generation_prompt` in transformers.
    GenerationPrompt,
    /// Inside the last message, right behind its content: `continue_final_message` in transformers.
    Continue,
}

impl ChatTemplate {
    /// A template from its text, with the special tokens of its tokenizer.
    ///
    /// # Errors
    /// [`ChatTemplateError::Syntax`] with the line, if the text is not Jinja.
    pub fn new(
        source: impl Into<String>,
        tokens: SpecialTokens,
    ) -> Result<Self, ChatTemplateError> {
        let source = source.into();
        Ok(Self {
            engine: Engine::new(&source, None)?,
            source,
            tokens,
            variables: Map::new(),
        })
    }

    /// The template with a date, like `2026-11-24`, for templates that write one
    /// (`strftime_now`). The time is midnight.
    ///
    /// # Errors
    /// [`ChatTemplateError::Date`] if that is not a date.
    pub fn with_date(mut self, date: &str) -> Result<Self, ChatTemplateError> {
        let date: Date = date.parse().map_err(|_| ChatTemplateError::Date {
            text: date.to_owned(),
        })?;
        self.engine = Engine::new(&self.source, Some(date))?;
        Ok(self)
    }

    /// The template with other special tokens.
    #[must_use]
    pub fn with_special_tokens(mut self, tokens: SpecialTokens) -> Self {
        self.tokens = tokens;
        self
    }

    /// The template with a variable that every conversation gets, such as `enable_thinking`; those
    /// of a [`Conversation`] come before it.
    #[must_use]
    pub fn with_variable(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// The text of the template.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The special tokens the template is given.
    pub fn special_tokens(&self) -> &SpecialTokens {
        &self.tokens
    }

    /// Whether the template marks what the model writes with `{% generation %}`.
    pub fn has_generation_markers(&self) -> bool {
        self.engine.has_markers()
    }

    /// The text of a conversation, with the opening of the assistant's next message if
    /// `add_generation_prompt`.
    ///
    /// # Errors
    /// [`ChatTemplateError::Render`] with the line, [`ChatTemplateError::Raised`] with the
    /// template's words, [`ChatTemplateError::NoDate`], and
    /// [`ChatTemplateError::EmptyConversation`].
    pub fn render(
        &self,
        messages: &[ChatMessage],
        add_generation_prompt: bool,
    ) -> Result<String, ChatTemplateError> {
        let conversation = Conversation::from(messages.to_vec());
        let ending = if add_generation_prompt {
            Ending::GenerationPrompt
        } else {
            Ending::Message
        };
        self.render_conversation(&conversation, ending)
    }

    /// The text of a conversation.
    ///
    /// # Errors
    /// Those of [`render`](Self::render), and [`ChatTemplateError::Continue`] if the last message is
    /// to be continued and has no text or the template does not show it.
    pub fn render_conversation(
        &self,
        conversation: &Conversation,
        ending: Ending,
    ) -> Result<String, ChatTemplateError> {
        let Some((last, before)) = conversation.messages.split_last() else {
            return Err(ChatTemplateError::EmptyConversation);
        };
        let prepared = self.prepare(conversation);
        match ending {
            Ending::Message => prepared.render(&prepared.messages, false),
            Ending::GenerationPrompt => prepared.render(&prepared.messages, true),
            Ending::Continue => {
                let Some((text, tagged)) = last.tagged(CONTINUE) else {
                    return Err(ChatTemplateError::Continue {
                        why: "it has no text".to_owned(),
                    });
                };
                let mut messages = prepared.messages[..before.len()].to_vec();
                messages.push(value(&tagged));
                let rendered = prepared.render(&messages, false)?;
                continued(&rendered, &text).ok_or_else(|| ChatTemplateError::Continue {
                    why: "the template does not show its text as it is".to_owned(),
                })
            }
        }
    }

    /// Converts what the template is given once, for several renderings.
    pub(super) fn prepare(&self, conversation: &Conversation) -> Prepared<'_> {
        let tokens = self.tokens.variables();
        let text = |(name, token): (&str, &str)| (name.to_owned(), Any::from(token));
        let mut variables: Vec<(String, Any)> = tokens.map(text).collect();
        for (name, value) in self.variables.iter().chain(&conversation.variables) {
            variables.push((name.clone(), Any::from(Serde(value))));
        }
        let tools = conversation.tools.as_ref();
        variables.push(("tools".to_owned(), Any::from(Serde(tools))));
        variables.push(("documents".to_owned(), Any::from(())));
        Prepared {
            engine: &self.engine,
            messages: conversation.messages.iter().map(value).collect(),
            variables,
        }
    }
}

/// A message as the engine's value.
pub(super) fn value(message: &ChatMessage) -> Any {
    Any::from(Serde(message.for_template()))
}

/// The text up to the mark behind the last message.
fn continued(rendered: &str, content: &str) -> Option<String> {
    let at = rendered.rfind(CONTINUE.trim_end())?;
    if !rendered.contains(content.trim()) {
        return None;
    }
    let (before, after) = rendered.split_at(at);
    // A template that trims contents has trimmed the mark, and would have trimmed the content.
    let kept = if after.starts_with(CONTINUE) {
        before
    } else {
        before.trim_end()
    };
    Some(kept.to_owned())
}

/// A conversation converted for the engine.
pub(super) struct Prepared<'a> {
    engine: &'a Engine,
    /// The messages as values.
    pub(super) messages: Vec<Any>,
    variables: Vec<(String, Any)>,
}

impl Prepared<'_> {
    /// The text of these messages.
    pub(super) fn render(
        &self,
        messages: &[Any],
        add_generation_prompt: bool,
    ) -> Result<String, ChatTemplateError> {
        let rendered = self
            .engine
            .render(self.context(messages, add_generation_prompt));
        rendered.map(|(text, _)| text)
    }

    /// The text of all messages, and the bytes of it that `{% generation %}` blocks wrote.
    pub(super) fn render_marked(
        &self,
    ) -> Result<(String, Vec<std::ops::Range<usize>>), ChatTemplateError> {
        self.engine.render(self.context(&self.messages, false))
    }

    fn context(&self, messages: &[Any], add_generation_prompt: bool) -> Any {
        let own = [
            ("messages".to_owned(), Any::from(messages.to_vec())),
            (
                "add_generation_prompt".to_owned(),
                Any::from(add_generation_prompt),
            ),
        ];
        Any::from_pairs(self.variables.iter().cloned().chain(own))
    }
}
