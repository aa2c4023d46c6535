//! Rows that are problems: what is asked, and the answer.

use std::borrow::Cow;

use equipoise_core::{Message, Problem, Role};

use crate::chat::{ChatMessage, ChatTemplate, ChatTemplateError};
use crate::messages::MessageFormat;
use crate::rows::{DataError, Row, RowSchema, Text};

/// The place of the prompt in a template.
const PLACE: &str = "{prompt}";

/// How what a row asks becomes the text of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptFormat {
    /// How a conversation becomes text.
    pub format: MessageFormat,
    /// The chat template that makes the text, with the opening of the assistant's turn at its end, in
    /// place of `format`. A prompt that is a string becomes the user's message.
    pub chat: Option<ChatTemplate>,
    /// A text with `{prompt}` in it, which stands for what the row asks; of a conversation, for the
    /// last message of the user. Every other character stands for itself.
    pub template: Option<String>,
    /// A system message to put in front. It makes a conversation of a prompt that is a string. A
    /// conversation that begins with a system message of its own keeps that.
    pub system: Option<String>,
}

impl PromptFormat {
    pub(crate) fn validate(&self) -> Result<(), DataError> {
        match &self.template {
            Some(template) if !template.contains(PLACE) => Err(DataError::Setting {
                key: "prompt_template".into(),
                got: format!("{template:?}"),
                expected: format!("it must hold {PLACE}, the place of what is asked"),
            }),
            _ => Ok(()),
        }
    }

    /// The text of a prompt.
    ///
    /// # Errors
    /// What the chat template says, if there is one.
    ///
    /// ```
    /// use equipoise_data::{PromptFormat, Text};
    ///
    /// let style = PromptFormat {
    ///     template: Some("{prompt}\nAnswer after ####.".into()),
    ///     ..PromptFormat::default()
    /// };
    /// assert_eq!(style.render(Text::Plain("6*7?".into()))?, "6*7?\nAnswer after ####.");
    /// # Ok::<(), equipoise_data::chat::ChatTemplateError>(())
    /// ```
    pub fn render(&self, prompt: Text) -> Result<String, ChatTemplateError> {
        let fill = |text: &str| match &self.template {
            Some(template) => template.replace(PLACE, text),
            None => text.to_owned(),
        };
        let mut messages = match (prompt, &self.system) {
            (Text::Plain(text), None) if self.chat.is_none() => return Ok(fill(&text)),
            (Text::Plain(text), _) => vec![Message {
                role: Role::User,
                content: fill(&text),
            }],
            (Text::Conversation(mut messages), _) => {
                let user = messages
                    .iter_mut()
                    .rfind(|message| message.role == Role::User);
                if let Some(user) = user {
                    user.content = fill(&user.content);
                }
                messages
            }
        };
        let framed = messages
            .first()
            .is_some_and(|first| first.role == Role::System);
        if let Some(system) = &self.system
            && !framed
        {
            let (role, content) = (Role::System, system.clone());
            messages.insert(0, Message { role, content });
        }
        match &self.chat {
            None => Ok(self.format.render(&messages)),
            Some(chat) => {
                let messages: Vec<ChatMessage> = messages.iter().map(ChatMessage::from).collect();
                chat.render(&messages, true)
            }
        }
    }
}

/// Rows that are problems with a known answer.
///
/// ```text
/// prompt       what is asked: a string that is not empty,  exactly one of
///              or a conversation                           these two
/// messages     what is asked: [{"role": …, "content": …}]
/// answer       the expected answer: a string or a number (kept as written, digit for digit)
/// completion   optional: a text that solves the problem, used as a demonstration;
///              a string, or a conversation of one message of the assistant
/// ```
///
/// Roles are `system`, `user` and `assistant`; the last message of what is asked is not the
/// assistant's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ProblemSchema {
    /// How what is asked becomes the text of a prompt.
    pub style: PromptFormat,
}

/// A problem of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProblemRow {
    /// The problem; its id is 0 and its source is `file:line`.
    pub problem: Problem,
    /// The demonstration, if the row has one.
    pub completion: Option<String>,
}

impl RowSchema for ProblemSchema {
    type Item = ProblemRow;

    fn columns(&self) -> &'static [&'static str] {
        &["prompt", "messages", "answer", "completion"]
    }

    fn read(&self, row: &Row<'_>) -> Result<ProblemRow, DataError> {
        let column = row.either("prompt", "messages")?;
        let asked = match column {
            "messages" => Text::Conversation(row.messages(column)?),
            _ => row.text_or_messages(column)?,
        };
        if let Text::Conversation(messages) = &asked
            && messages
                .last()
                .is_some_and(|last| last.role == Role::Assistant)
        {
            return Err(row.wrong(
                column,
                "ended by the assistant",
                "the last message to be the user's; put the assistant's into `completion`",
            ));
        }
        let prompt = self.style.render(asked).map_err(|error| {
            row.wrong(
                column,
                &error.to_string(),
                "a conversation that the chat template accepts",
            )
        })?;
        let problem = Problem {
            id: 0,
            prompt,
            answer: row.answer("answer")?,
            source: row.location(),
        };
        let completion = match row.has("completion") {
            true => Some(completion(row)?),
            false => None,
        };
        Ok(ProblemRow {
            problem,
            completion,
        })
    }

    fn prompt<'a>(&self, item: &'a ProblemRow) -> Cow<'a, str> {
        Cow::Borrowed(&item.problem.prompt)
    }
}

fn completion(row: &Row<'_>) -> Result<String, DataError> {
    match row.text_or_messages("completion")? {
        Text::Plain(text) => Ok(text),
        Text::Conversation(messages) => match messages.as_slice() {
            [message] if message.role == Role::Assistant => Ok(message.content.clone()),
            _ => Err(row.wrong(
                "completion",
                "a conversation of more than one answer",
                "one message of the assistant",
            )),
        },
    }
}
