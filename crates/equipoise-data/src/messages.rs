//! Conversations as text.

use equipoise_core::{Message, Role};

use crate::chat::ChatTemplate;

/// How the messages of a conversation become the text of a prompt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MessageFormat {
    /// The contents, one after the other, with a line feed between them.
    #[default]
    Plain,
    /// ChatML, the format of the Qwen models: every message between `<|im_start|>` and
    /// `<|im_end|>`, and the opening of the assistant's turn at the end.
    ChatMl,
}

impl MessageFormat {
    /// The built-in chat template that renders the same prompts.
    pub fn template(self) -> ChatTemplate {
        let name = match self {
            Self::Plain => "plain",
            Self::ChatMl => "chatml",
        };
        // These two are compiled by a test.
        ChatTemplate::builtin(name).expect("a built-in template")
    }

    /// `messages` as the text of a prompt.
    ///
    /// ```
    /// use equipoise_core::{Message, Role};
    /// use equipoise_data::MessageFormat;
    ///
    /// let messages = [Message { role: Role::User, content: "2+2?".into() }];
    /// assert_eq!(MessageFormat::Plain.render(&messages), "2+2?");
    /// assert_eq!(
    ///     MessageFormat::ChatMl.render(&messages),
    ///     "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n",
    /// );
    /// ```
    pub fn render(self, messages: &[Message]) -> String {
        match self {
            Self::Plain => {
                let contents: Vec<&str> = messages.iter().map(|m| m.content.as_str()).collect();
                contents.join("\n")
            }
            Self::ChatMl => {
                let mut text = String::new();
                for message in messages {
                    let role = match message.role {
                        Role::System => "system",
                        Role::User => "user",
                        Role::Assistant => "assistant",
                    };
                    text.push_str(&format!(
                        "<|im_start|>{role}\n{}<|im_end|>\n",
                        message.content
                    ));
                }
                text.push_str("<|im_start|>assistant\n");
                text
            }
        }
    }
}
