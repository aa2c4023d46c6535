//! Conversations as tokens with a loss mask.

use std::ops::Range;

use equipoise_core::TokenId;

use super::error::ChatTemplateError;
use super::layout::{Located, MaskOptions};
use super::template::{ChatTemplate, Conversation};
use crate::tokenizer::{Tokenizer, TokenizerError};

/// A conversation as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// The text, whole.
    pub text: String,
    /// Its tokens: those of the whole text, with nothing added.
    pub tokens: Vec<TokenId>,
    /// For every token whether it carries loss.
    pub loss_mask: Vec<bool>,
    /// For every token the bytes of `text` it stands for.
    pub offsets: Vec<Range<usize>>,
    /// The messages, in order; none of a text that is no conversation.
    pub messages: Vec<MessageTokens>,
    /// The tokens that lie on a border of what carries loss, part of them inside and part outside;
    /// they carry loss.
    pub straddling: Vec<usize>,
    /// How it was found what carries loss.
    pub located: Located,
}

/// One message of a conversation as tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTokens {
    /// Who speaks.
    pub role: String,
    /// Its tokens with those of its header and its end; a token across the border of two messages
    /// belongs to the one it begins in. `None` if it cannot be told.
    pub tokens: Option<Range<usize>>,
    /// As [`MessageSpan::rewritten`](super::MessageSpan::rewritten).
    pub rewritten: bool,
}

impl Encoded {
    /// A text that is no conversation as tokens, of which those in the ranges of bytes `loss`
    /// carry loss: all of it for language modelling, the completion behind its prompt.
    ///
    /// ```
    /// use equipoise_data::{Tokenizer, chat::Encoded};
    ///
    /// let tokenizer = Tokenizer::from_alphabet(&["2", "+", "=", "4"], "<eos>")?;
    /// let encoded = Encoded::of_text(&tokenizer, "2+2=4<eos>", &[4..10])?;
    /// assert_eq!(encoded.loss_mask, [false, false, false, false, true, true]);
    /// # Ok::<(), equipoise_data::TokenizerError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`Tokenizer::encode`].
    pub fn of_text(
        tokenizer: &Tokenizer,
        text: &str,
        loss: &[Range<usize>],
    ) -> Result<Self, TokenizerError> {
        let (tokens, offsets) = tokenizer.encode_with_offsets(text)?;
        let (loss_mask, straddling) = mask(&offsets, loss);
        Ok(Self {
            text: text.to_owned(),
            tokens,
            loss_mask,
            offsets,
            messages: Vec::new(),
            straddling,
            located: Located::Given,
        })
    }

    /// How many tokens carry loss.
    pub fn loss_tokens(&self) -> usize {
        self.loss_mask.iter().filter(|&&carries| carries).count()
    }
}

impl ChatTemplate {
    /// A conversation as tokens, with a mask of those that carry loss; the [module](crate::chat)
    /// says which they are.
    ///
    /// # Errors
    /// Those of [`layout`](Self::layout), and [`ChatTemplateError::Tokenizer`] for a character that
    /// has no token.
    pub fn encode(
        &self,
        tokenizer: &Tokenizer,
        conversation: &Conversation,
        options: MaskOptions,
    ) -> Result<Encoded, ChatTemplateError> {
        let layout = self.layout(conversation, options)?;
        let encoded = Encoded::of_text(tokenizer, &layout.text, &layout.loss)?;
        let begins = |byte: usize| {
            encoded
                .offsets
                .partition_point(|offset| offset.start < byte)
        };
        let messages = layout.messages.into_iter().map(|span| MessageTokens {
            tokens: span
                .range
                .map(|range| begins(range.start)..begins(range.end)),
            role: span.role,
            rewritten: span.rewritten,
        });
        let messages = messages.collect();
        Ok(Encoded {
            messages,
            located: layout.located,
            ..encoded
        })
    }
}

/// The tokens that have a byte of `loss` carry loss, and so do those between two such tokens of one
/// range that have no bytes. Also returned: the tokens that have bytes on both sides of a border.
fn mask(offsets: &[Range<usize>], loss: &[Range<usize>]) -> (Vec<bool>, Vec<usize>) {
    let (mut carries, mut straddling) = (vec![false; offsets.len()], Vec::new());
    for range in loss {
        let overlaps = |offset: &Range<usize>| offset.start < range.end && range.start < offset.end;
        let first = offsets.iter().position(overlaps);
        let last = offsets.iter().rposition(overlaps);
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        carries[first..=last].fill(true);
        let crosses = |at: &usize| {
            let offset = &offsets[*at];
            overlaps(offset) && (offset.start < range.start || offset.end > range.end)
        };
        straddling.extend((first..=last).filter(crosses));
    }
    straddling.dedup();
    (carries, straddling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_on_a_border_carries_loss_and_is_told() {
        // Bytes 3 to 7 carry loss: the token 2..4 reaches in, 4..4 has no bytes, 6..9 reaches out.
        let offsets = [0..2, 2..4, 4..4, 4..6, 6..9, 9..10];
        let one = 3..7;
        let (carries, straddling) = mask(&offsets, &[one]);
        assert_eq!(carries, [false, true, true, true, true, false]);
        assert_eq!(straddling, [1, 4]);
        // Borders between tokens, and a range beyond the last token.
        let (carries, straddling) = mask(&offsets, &[4..6, 12..14]);
        assert_eq!(carries, [false, false, false, true, false, false]);
        assert!(straddling.is_empty());
    }
}
