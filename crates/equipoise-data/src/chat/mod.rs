//! Conversations as tokens: chat templates as transformers renders them, and which tokens the model
//! is trained to write.
//!
//! A model's chat template is a Jinja program that comes with it. [`ChatTemplate`] runs it as
//! transformers' `apply_chat_template` does, byte for byte, and [`ChatTemplate::encode`] says for
//! every token of the result whether it carries loss.
//!
//! ```
//! use equipoise_data::chat::{ChatMessage, ChatTemplate, Conversation, MaskOptions};
//!
//! let messages = vec![ChatMessage::new("user", "2+2?"), ChatMessage::new("assistant", "4")];
//! let template = ChatTemplate::builtin("chatml")?;
//! assert_eq!(
//!     template.render(&messages[..1], true)?,
//!     "<|im_start|>user\n2+2?<|im_end|>\n<|im_start|>assistant\n",
//! );
//! // The answer and the token that ends it, not the line break behind that.
//! let layout = template.layout(&Conversation::from(messages), MaskOptions::default())?;
//! let written: Vec<&str> = layout.loss.iter().map(|range| &layout.text[range.clone()]).collect();
//! assert_eq!(written, ["4<|im_end|>"]);
//! # Ok::<(), equipoise_data::chat::ChatTemplateError>(())
//! ```
//!
//! # Which tokens carry loss
//!
//! What the model has to write by itself when it is sampled: the contents of the assistant's
//! messages and the token that ends each, neither the header before nor the line break after.
//!
//! 1. A template that has `{% generation %}` blocks is taken at its word: their output carries loss,
//!    all of it and nothing else, as with `return_assistant_tokens_mask` in transformers. (The
//!    training templates of TRL put the line break behind the end of the turn inside; the built-in
//!    templates do not.)
//! 2. Otherwise the conversation is rendered up to each message. What stands between the rendering
//!    of the messages before with a generation prompt, and the rendering up to and with the
//!    message, is what the model writes, provided that both are beginnings of the whole text.
//! 3. Some templates change their mind about earlier messages. Qwen3 shows the reasoning of the
//!    last turn only. Then the message is located by a mark put into its content, and what carries
//!    loss is exactly what the whole text still contains of it. Such messages are reported
//!    ([`MessageSpan::rewritten`], [`Diagnostic::Rewritten`]): the model is then trained on turns
//!    in a form in which it does not write them. [`MaskOptions::last_turn_only`] avoids it.
//! 4. If that cannot be told either, it is an error, never a guess.
//!
//! The whole text is turned into tokens at once, and the ranges of bytes are mapped to tokens, so
//! the tokens are those of the text. A token that lies on a border, part of it inside and part of it
//! outside, carries loss (as in transformers), since otherwise some of what the model has to write
//! would never be learned; [`Diagnostic::Straddling`] reports it.

mod builtin;
mod diagnostics;
mod encode;
mod engine;
mod error;
mod layout;
mod load;
mod message;
mod python;
mod template;

pub use builtin::BUILTIN;
pub use diagnostics::{Diagnostic, Severity};
pub use encode::{Encoded, MessageTokens};
pub use error::ChatTemplateError;
pub use layout::{Layout, Located, MaskOptions, MessageSpan};
pub use load::{GenerationConfig, SpecialTokens};
pub use message::ChatMessage;
pub use template::{ChatTemplate, Conversation, Ending};
