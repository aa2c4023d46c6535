//! What can be wrong with a chat template, or with a conversation it is given.

use std::path::PathBuf;

use thiserror::Error;

use crate::tokenizer::TokenizerError;

/// Why a chat template could not be loaded, rendered or turned into tokens.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ChatTemplateError {
    /// A file could not be read.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A file of the model's directory is not what it should be.
    #[error("{path}: {message}", path = path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what would be right.
        message: String,
    },
    /// A directory has no chat template.
    #[error(
        "{path}: no chat template: neither chat_template.jinja nor `chat_template` in \
         tokenizer_config.json; take a built-in one ({builtin}) if the model was trained with it",
        path = path.display()
    )]
    NoTemplate {
        /// The directory.
        path: PathBuf,
        /// The names of the built-in templates.
        builtin: String,
    },
    /// There is no template of this name.
    #[error("no chat template is called `{name}`; there are {known}")]
    UnknownName {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The text of a template is not Jinja.
    #[error("line {line} of the chat template: {message}")]
    Syntax {
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// The template failed on a conversation.
    #[error("line {line} of the chat template: {message}")]
    Render {
        /// The line, from 1.
        line: usize,
        /// What went wrong.
        message: String,
    },
    /// The template refused a conversation with `raise_exception`.
    #[error("the chat template refuses the conversation: {message}")]
    Raised {
        /// The template's own words.
        message: String,
    },
    /// The template writes today's date.
    #[error(
        "the chat template writes the date (`strftime_now`); give it a fixed one, such as \
         2026-11-24, so that the same conversation is the same text on every day"
    )]
    NoDate,
    /// A date is not a date.
    #[error("`{text}` is not a date; write it like 2026-11-24")]
    Date {
        /// What was given.
        text: String,
    },
    /// A message is not one.
    #[error("message {index}: {message}")]
    Message {
        /// Which message, from 0.
        index: usize,
        /// What is wrong with it and what would be right.
        message: String,
    },
    /// There are no messages.
    #[error("the conversation has no messages; it needs at least one")]
    EmptyConversation,
    /// The last message cannot be continued.
    #[error("the last message cannot be continued: {why}")]
    Continue {
        /// Why not.
        why: String,
    },
    /// Where an assistant's message stands in the rendered conversation cannot be told.
    #[error(
        "message {index}: cannot tell which part of the rendered conversation the assistant has \
         to write: {why}; put `{{% generation %}}` and `{{% endgeneration %}}` around it in the \
         template"
    )]
    NotLocated {
        /// Which message, from 0.
        index: usize,
        /// What was tried.
        why: &'static str,
    },
    /// The rendered conversation has no tokens.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
}
