//! Conversations as tokens with a loss mask.

use std::ops::Range;

use equipoise_core::TokenId;

use super::error::ChatTemplateError;
use super::layout::{Layout, Located, MaskOptions};
use super::template::{ChatTemplate, Conversation};
use crate::tokenizer::Tokenizer;

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
    /// The messages, in order.
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
        let (tokens, offsets) = tokenizer.encode_with_offsets(&layout.text)?;
        let (loss_mask, straddling) = mask(&offsets, &layout.loss);
        let Layout {
            text,
            messages,
            located,
            ..
        } = layout;
        let begins = |byte: usize| offsets.partition_point(|offset| offset.start < byte);
        let messages = messages.into_iter().map(|span| MessageTokens {
            tokens: span.range.map(|range| {
                // What stands before the first token with a place of its own begins the text.
                let start = if range.start == 0 {
                    0
                } else {
                    begins(range.start)
                };
                start..begins(range.end)
            }),
            role: span.role,
            rewritten: span.rewritten,
        });
        Ok(Encoded {
            messages: messages.collect(),
            text,
            tokens,
            loss_mask,
            offsets,
            straddling,
            located,
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
