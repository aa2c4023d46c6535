//! Checks of a template and a tokenizer that are to work together, and of single conversations.

use std::fmt;

use equipoise_core::TokenId;
use thiserror::Error;

use super::encode::Encoded;
use super::layout::MaskOptions;
use super::load::GenerationConfig;
use super::message::ChatMessage;
use super::template::{ChatTemplate, Conversation};
use crate::tokenizer::Tokenizer;

/// How bad a [`Diagnostic`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Training works, but perhaps not as intended.
    Warning,
    /// Training on this does harm.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something about a template, its tokenizer or a conversation that leads to bad training.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Diagnostic {
    /// The end of sequence is not what ends the assistant's turns.
    #[error(
        "the end of sequence is {eos} (by the {by}), but the template ends the assistant's turns \
         with {end}: the model learns to write {end}, and sampling waits for {eos}"
    )]
    EosMismatch {
        /// Who names it: `tokenizer` or `tokenizer_config.json`.
        by: &'static str,
        /// The end of sequence.
        eos: String,
        /// What ends a turn.
        end: String,
    },
    /// `generation_config.json` does not list what ends the assistant's turns.
    #[error(
        "generation_config.json stops at {}, not at {end}, with which the template ends the \
         assistant's turns: other programs will not stop there", listed.join(", ")
    )]
    EosNotListed {
        /// What ends a turn.
        end: String,
        /// The tokens it lists.
        listed: Vec<String>,
    },
    /// The end of sequence is in the text, but carries no loss.
    #[error("{eos} ends the text but carries no loss: the model never learns to stop")]
    EosNeverTrained {
        /// The end of sequence.
        eos: String,
    },
    /// The assistant's turns end without a token that says so.
    #[error(
        "no {eos} behind what the assistant writes: the model never learns to stop; add \
         `eos_token` to the template"
    )]
    EosAbsent {
        /// The end of sequence.
        eos: String,
    },
    /// Padding is done with the end of sequence.
    #[error(
        "{token} is both the padding and the end of sequence: programs that mask padding by its id \
         never train the model to stop (Equipoise masks by length)"
    )]
    PadIsEos {
        /// The token.
        token: String,
    },
    /// The text begins with more than one beginning of sequence.
    #[error("the text begins with {count} times {bos}; exactly one is right")]
    DoubleBos {
        /// The beginning of sequence.
        bos: String,
        /// How many.
        count: usize,
    },
    /// The tokenizer wants a beginning of sequence and the template writes none.
    #[error(
        "the tokenizer's file puts {bos} in front of every text, and the template does not write \
         it: the model sees texts without it for the first time"
    )]
    BosMissing {
        /// The beginning of sequence.
        bos: String,
    },
    /// Both the tokenizer's file and the template would write a beginning of sequence.
    #[error(
        "both the template and the post-processor of the tokenizer's file write {bos}: one is \
         written here, but programs that encode the text with special tokens get two"
    )]
    BosTwice {
        /// The beginning of sequence.
        bos: String,
    },
    /// A token that the configuration calls special is no token of the tokenizer.
    #[error("{name} is {token:?}, which the tokenizer does not have as one token")]
    NoSuchToken {
        /// Its name: `bos_token`, `eos_token`, `pad_token` or `unk_token`.
        name: &'static str,
        /// Its text.
        token: String,
    },
    /// White space behind the end of the turn carries loss.
    #[error("{text:?} behind {end} carries loss, though sampling has stopped by then")]
    LossBehindEnd {
        /// What ends a turn.
        end: String,
        /// What stands behind it.
        text: String,
    },
    /// The template refuses an ordinary conversation, so it was not checked.
    #[error("not checked: {why}")]
    NotChecked {
        /// Its error.
        why: String,
    },
    /// A message of the assistant is rendered otherwise than it was written.
    #[error(
        "message {message}: the template renders this turn of the assistant otherwise than the \
         model wrote it (it leaves out earlier reasoning, for example); train on the last turn only"
    )]
    Rewritten {
        /// Which message, from 0.
        message: usize,
    },
    /// No token carries loss.
    #[error("no token carries loss: nothing is learned from this conversation")]
    NoLoss,
    /// The content of a message has the text of a special token.
    #[error("message {message}: the content has {token}, which becomes the special token")]
    SpecialTokenInContent {
        /// Which message, from 0.
        message: usize,
        /// The token.
        token: String,
    },
    /// A token lies on the border of what carries loss.
    #[error("token {at}, {text:?}, is partly prompt and partly answer; it carries loss")]
    Straddling {
        /// Which token, from 0.
        at: usize,
        /// Its text.
        text: String,
    },
}

impl Diagnostic {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::EosMismatch { .. }
            | Self::EosNeverTrained { .. }
            | Self::DoubleBos { .. }
            | Self::NoSuchToken { .. } => Severity::Error,
            Self::EosNotListed { .. }
            | Self::EosAbsent { .. }
            | Self::BosMissing { .. }
            | Self::Rewritten { .. }
            | Self::NoLoss
            | Self::SpecialTokenInContent { .. } => Severity::Warning,
            Self::PadIsEos { .. }
            | Self::BosTwice { .. }
            | Self::LossBehindEnd { .. }
            | Self::NotChecked { .. }
            | Self::Straddling { .. } => Severity::Note,
        }
    }
}

/// What ends the part of a conversation that the model writes.
struct TurnEnd {
    /// The added token, if it is one.
    token: Option<TokenId>,
    /// What carries loss behind it.
    behind: String,
}

impl ChatTemplate {
    /// Checks that the template, a tokenizer and, if given, a `generation_config.json` agree on how
    /// texts begin and turns end, by rendering a conversation of two turns.
    pub fn check(
        &self,
        tokenizer: &Tokenizer,
        config: Option<&GenerationConfig>,
    ) -> Vec<Diagnostic> {
        let mut found = self.check_names(tokenizer);
        let messages = ["What is 2+2?", "It is 4.", "And 3+3?", "It is 6."];
        let roles = ["user", "assistant"].into_iter().cycle();
        let messages = roles
            .zip(messages)
            .map(|(role, text)| ChatMessage::new(role, text));
        let conversation = Conversation::from(messages.collect::<Vec<_>>());
        let encoded = match self.encode(tokenizer, &conversation, MaskOptions::default()) {
            Ok(encoded) => encoded,
            Err(error) => {
                let why = error.to_string();
                found.push(Diagnostic::NotChecked { why });
                return found;
            }
        };
        found.extend(check_end(self, tokenizer, config, &encoded));
        found.extend(self.check_begin(tokenizer, &encoded));
        found
    }

    /// Checks one conversation that was encoded with this template.
    pub fn check_conversation(
        &self,
        tokenizer: &Tokenizer,
        conversation: &Conversation,
        encoded: &Encoded,
    ) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        if encoded.loss_tokens() == 0 {
            found.push(Diagnostic::NoLoss);
        }
        let messages = encoded.messages.iter().enumerate();
        found.extend(
            messages
                .filter(|(_, message)| message.rewritten)
                .map(|(message, _)| Diagnostic::Rewritten { message }),
        );
        let special = tokenizer.special_tokens();
        for (message, content) in conversation
            .messages
            .iter()
            .map(ChatMessage::content)
            .enumerate()
        {
            let content = content.unwrap_or_default();
            let inside = special.iter().filter(|(_, token)| content.contains(token));
            found.extend(inside.map(|(_, token)| Diagnostic::SpecialTokenInContent {
                message,
                token: token.clone(),
            }));
        }
        if let Some(double) = self.double_bos(tokenizer, encoded) {
            found.push(double);
        }
        found.extend(encoded.straddling.iter().map(|&at| Diagnostic::Straddling {
            at,
            text: encoded.text[encoded.offsets[at].clone()].to_owned(),
        }));
        found
    }

    /// The special tokens of the configuration have to be tokens.
    fn check_names(&self, tokenizer: &Tokenizer) -> Vec<Diagnostic> {
        let tokens = self.special_tokens();
        let missing = tokens
            .variables()
            .filter(|(_, token)| tokenizer.id(token).is_none());
        let mut found: Vec<Diagnostic> = missing
            .map(|(name, token)| Diagnostic::NoSuchToken {
                name,
                token: token.to_owned(),
            })
            .collect();
        if let (Some(pad), Some(eos)) = (&tokens.pad, &tokens.eos)
            && pad == eos
        {
            let token = pad.clone();
            found.push(Diagnostic::PadIsEos { token });
        }
        found
    }

    fn check_begin(&self, tokenizer: &Tokenizer, encoded: &Encoded) -> Vec<Diagnostic> {
        let mut found: Vec<Diagnostic> = self.double_bos(tokenizer, encoded).into_iter().collect();
        // What the file puts around a text ends with the end of sequence, if it has one.
        let around = tokenizer.post_processor_tokens();
        if let Some(&first) = around.first().filter(|&&first| first != tokenizer.eos()) {
            let bos = tokenizer.token(first).unwrap_or_default();
            found.push(if encoded.tokens.first() == Some(&first) {
                Diagnostic::BosTwice { bos }
            } else {
                Diagnostic::BosMissing { bos }
            });
        }
        found
    }

    fn double_bos(&self, tokenizer: &Tokenizer, encoded: &Encoded) -> Option<Diagnostic> {
        let bos = self.special_tokens().bos.as_ref()?;
        let id = tokenizer.id(bos)?;
        let count = encoded
            .tokens
            .iter()
            .take_while(|&&token| token == id)
            .count();
        (count > 1).then(|| Diagnostic::DoubleBos {
            bos: bos.clone(),
            count,
        })
    }
}

fn check_end(
    template: &ChatTemplate,
    tokenizer: &Tokenizer,
    config: Option<&GenerationConfig>,
    encoded: &Encoded,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let name = |id: TokenId| tokenizer.token(id).unwrap_or_else(|| id.to_string());
    let eos = name(tokenizer.eos());
    let Some(TurnEnd { token, behind }) = turn_end(tokenizer, encoded) else {
        return vec![Diagnostic::NoLoss];
    };
    let Some(end) = token else {
        let written = encoded.tokens.contains(&tokenizer.eos());
        found.push(if written {
            Diagnostic::EosNeverTrained { eos }
        } else {
            Diagnostic::EosAbsent { eos }
        });
        return found;
    };
    let end_name = name(end);
    if end != tokenizer.eos() {
        found.push(Diagnostic::EosMismatch {
            by: "tokenizer",
            eos,
            end: end_name.clone(),
        });
    }
    if let Some(eos) = &template.special_tokens().eos
        && tokenizer.id(eos).is_some_and(|id| id != end)
    {
        found.push(Diagnostic::EosMismatch {
            by: "tokenizer_config.json",
            eos: eos.clone(),
            end: end_name.clone(),
        });
    }
    if let Some(config) = config.filter(|config| !config.eos.is_empty())
        && !config.eos.contains(&end)
    {
        found.push(Diagnostic::EosNotListed {
            end: end_name.clone(),
            listed: config.eos.iter().map(|&id| name(id)).collect(),
        });
    }
    if let Some(config) = config.filter(|config| config.pad.is_some_and(|pad| pad == end))
        && template.special_tokens().pad.as_deref() != Some(&end_name)
    {
        let token = config.pad.map(name).unwrap_or_default();
        found.push(Diagnostic::PadIsEos { token });
    }
    if !behind.is_empty() {
        found.push(Diagnostic::LossBehindEnd {
            end: end_name,
            text: behind,
        });
    }
    found
}

/// How the last part that carries loss ends; `None` if nothing carries loss.
fn turn_end(tokenizer: &Tokenizer, encoded: &Encoded) -> Option<TurnEnd> {
    let text = |at: usize| &encoded.text[encoded.offsets[at].clone()];
    let last = encoded.loss_mask.iter().rposition(|&carries| carries)?;
    let at = (0..=last).rev().find(|&at| !text(at).trim().is_empty())?;
    let token = encoded.tokens[at];
    let ends = tokenizer.is_added(token) && encoded.loss_mask[at];
    Some(TurnEnd {
        token: ends.then_some(token),
        behind: (at + 1..=last).map(text).collect(),
    })
}
