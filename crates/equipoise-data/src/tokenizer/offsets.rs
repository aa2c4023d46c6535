//! Where tokens stand in the text, and which ones are not made of its characters.

use std::ops::Range;

use equipoise_core::TokenId;
use tokenizers::{Encoding, PostProcessor as _};

use super::{Tokenizer, TokenizerError};

impl Tokenizer {
    /// The token ids of `text`, the same as [`encode`](Self::encode) gives, and for each the bytes
    /// of `text` it stands for.
    ///
    /// A character that is cut into several tokens belongs to each of them. White space belongs to
    /// the token it is part of, also where the file's post-processor would trim it off
    /// (`trim_offsets`).
    ///
    /// # Errors
    /// Those of [`encode`](Self::encode).
    pub fn encode_with_offsets(
        &self,
        text: &str,
    ) -> Result<(Vec<TokenId>, Vec<Range<usize>>), TokenizerError> {
        let encoding = self.encoding(text)?;
        let offsets = encoding.get_offsets().iter();
        let offsets = offsets.map(|&(start, end)| start..end).collect();
        Ok((encoding.get_ids().to_vec(), offsets))
    }

    /// Whether the token was added to the vocabulary as a whole, such as `<|im_end|>` or `<think>`.
    pub fn is_added(&self, id: TokenId) -> bool {
        self.backend.get_added_tokens_decoder().contains_key(&id)
    }

    /// The special tokens, those that stand for something other than text, by id.
    pub fn special_tokens(&self) -> Vec<(TokenId, String)> {
        let added = self.backend.get_added_tokens_decoder();
        let special = added.into_iter().filter(|(_, token)| token.special);
        let mut special: Vec<_> = special.map(|(id, token)| (id, token.content)).collect();
        special.sort_unstable();
        special
    }

    /// The tokens that the file's post-processor would put around a text: for Llama 3 the beginning
    /// of the sequence. Encoding here never adds them, since a chat template writes its own, and
    /// both together make the double beginning that many a peer trains on.
    pub fn post_processor_tokens(&self) -> Vec<TokenId> {
        let Some(post_processor) = &self.post_processor else {
            return Vec::new();
        };
        let around = post_processor.process(Encoding::default(), None, true);
        around.map_or_else(|_| Vec::new(), |encoding| encoding.get_ids().to_vec())
    }
}
