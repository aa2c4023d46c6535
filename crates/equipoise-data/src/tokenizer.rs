//! Text to token ids and back.

mod offsets;

use std::collections::HashSet;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use equipoise_core::TokenId;
use thiserror::Error;
use tokenizers::decoders::fuse::Fuse;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Encoding, PostProcessorWrapper, Tokenizer as Backend};

/// The end-of-sequence tokens [`Tokenizer::load`] looks for, in this order.
const KNOWN_EOS: [&str; 8] = [
    "<eos>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<end_of_turn>",
    "</s>",
    "<|end|>",
];

/// Text to token ids and back, in the format of Hugging Face's `tokenizer.json`.
///
/// It never adds a token of its own (no beginning-of-sequence token, no template, no padding, no
/// truncation): what [`encode`](Self::encode) returns stands for the text and nothing else.
#[derive(Clone, Debug)]
pub struct Tokenizer {
    /// Without the post-processor: all it could still do is to trim offsets.
    backend: Backend,
    /// The post-processor of the file, for writing it again.
    post_processor: Option<PostProcessorWrapper>,
    eos: TokenId,
    vocab_size: usize,
    /// The characters that are tokens by themselves.
    characters: HashSet<char>,
}

impl Tokenizer {
    /// A tokenizer with one token per symbol.
    ///
    /// A symbol of several characters, such as `<think>`, becomes a special token, which is found
    /// before anything else; so does `eos`, which is added in front if `symbols` does not have it.
    /// Ids are given in order: first the special tokens as listed, then the single characters as
    /// listed. A symbol listed twice counts once.
    ///
    /// # Errors
    /// [`TokenizerError::EmptySymbol`] for an empty symbol or an empty `eos`.
    pub fn from_alphabet<S: AsRef<str>>(symbols: &[S], eos: &str) -> Result<Self, TokenizerError> {
        let mut specials: Vec<&str> = Vec::new();
        let mut characters: Vec<&str> = Vec::new();
        if !symbols.iter().any(|symbol| symbol.as_ref() == eos) {
            specials.push(eos);
        }
        for symbol in symbols.iter().map(AsRef::as_ref) {
            let is_special = symbol == eos || symbol.chars().nth(1).is_some();
            let list = if is_special {
                &mut specials
            } else {
                &mut characters
            };
            if !list.contains(&symbol) {
                list.push(symbol);
            }
        }
        let all = || specials.iter().chain(&characters);
        if all().any(|symbol| symbol.is_empty()) {
            return Err(TokenizerError::EmptySymbol);
        }
        let vocabulary: Vocab = all()
            .zip(0..)
            .map(|(symbol, id)| ((*symbol).to_owned(), id))
            .collect();
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, Vec::new())
            .build()
            .map_err(TokenizerError::backend)?;
        let mut backend = Backend::new(model);
        backend.with_decoder(Some(Fuse::new()));
        let tokens = specials
            .iter()
            .map(|&text| AddedToken::from(text.to_owned(), true).normalized(false));
        backend
            .add_special_tokens(tokens)
            .map_err(TokenizerError::backend)?;
        Self::with_eos(backend, Some(eos), None)
    }

    /// A tokenizer for any text, with one token per byte and `<eos>`: 257 tokens, nothing to download.
    ///
    /// ```
    /// use equipoise_data::Tokenizer;
    ///
    /// let tokenizer = Tokenizer::bytes()?;
    /// let tokens = tokenizer.encode("2 + 2 = 4 ½")?;
    /// assert_eq!(tokens.len(), 12); // ½ has two bytes
    /// assert_eq!(tokenizer.decode(&tokens), "2 + 2 = 4 ½");
    /// # Ok::<(), equipoise_data::TokenizerError>(())
    /// ```
    ///
    /// # Errors
    /// None in practice: those of the tokenizer library for a vocabulary that it does not accept.
    pub fn bytes() -> Result<Self, TokenizerError> {
        const EOS: &str = "<eos>";
        // A byte is spelled as one of 256 characters; their order is that of the characters.
        let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        alphabet.sort_unstable();
        let tokens = std::iter::once(EOS.to_owned()).chain(alphabet.iter().map(char::to_string));
        let vocabulary: Vocab = tokens.zip(0..).collect();
        let model = BPE::builder()
            .vocab_and_merges(vocabulary, Vec::new())
            .build()
            .map_err(TokenizerError::backend)?;
        let mut backend = Backend::new(model);
        // One token per byte needs no cutting into words, and no space in front.
        let level = ByteLevel::new(false, false, false);
        backend.with_pre_tokenizer(Some(level));
        backend.with_decoder(Some(level));
        let eos = AddedToken::from(EOS.to_owned(), true).normalized(false);
        backend
            .add_special_tokens([eos])
            .map_err(TokenizerError::backend)?;
        Self::with_eos(backend, Some(EOS), None)
    }

    /// The tokenizer in a `tokenizer.json`. `eos` is the text of its end-of-sequence token; if it
    /// is `None`, the first of the usual ones that the vocabulary has is taken: `<eos>`,
    /// `<|im_end|>`, `<|eot_id|>`, `<|end_of_text|>`, `<|endoftext|>`, `<end_of_turn>`, `</s>`,
    /// `<|end|>`.
    ///
    /// Truncation and padding that the file asks for are switched off.
    ///
    /// # Errors
    /// A file that cannot be read or is no `tokenizer.json`, and an end-of-sequence token that the
    /// vocabulary does not have.
    pub fn load(path: impl AsRef<Path>, eos: Option<&str>) -> Result<Self, TokenizerError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| TokenizerError::Io {
            path: path.to_owned(),
            source,
        })?;
        let mut backend = Backend::from_bytes(&bytes).map_err(|error| TokenizerError::Format {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        backend
            .with_truncation(None)
            .map_err(TokenizerError::backend)?;
        backend.with_padding(None);
        Self::with_eos(backend, eos, Some(path))
    }

    fn with_eos(
        mut backend: Backend,
        eos: Option<&str>,
        path: Option<&Path>,
    ) -> Result<Self, TokenizerError> {
        let candidates = eos.map_or_else(|| KNOWN_EOS.to_vec(), |text| vec![text]);
        let found = candidates.iter().find_map(|text| backend.token_to_id(text));
        match found {
            Some(eos) => {
                let vocabulary = backend.get_vocab(true);
                let single = vocabulary.keys().filter_map(|token| {
                    let mut characters = token.chars();
                    let first = characters.next();
                    first.filter(|_| characters.next().is_none())
                });
                let single = single.collect();
                let post_processor = backend.get_post_processor().cloned();
                backend.with_post_processor(None::<PostProcessorWrapper>);
                Ok(Self {
                    eos,
                    post_processor,
                    vocab_size: vocabulary.values().max().map_or(0, |&id| id as usize + 1),
                    characters: single,
                    backend,
                })
            }
            None => Err(TokenizerError::NoEos {
                path: path.map(Path::to_owned).unwrap_or_default(),
                tried: candidates.into_iter().map(String::from).collect(),
            }),
        }
    }

    /// Writes the tokenizer as `tokenizer.json`, to a temporary name beside `path` that is then
    /// renamed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), TokenizerError> {
        let path = path.as_ref();
        let io = |source| TokenizerError::Io {
            path: path.to_owned(),
            source,
        };
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let written = fs::write(&temporary, self.to_json()?)
            .and_then(|()| fs::File::open(&temporary)?.sync_all())
            .and_then(|()| fs::rename(&temporary, path));
        if written.is_err() {
            // The error that matters is the one above; a leftover is only untidy.
            let _ = fs::remove_file(&temporary);
        }
        written.map_err(io)
    }

    /// The text of the `tokenizer.json`; the same tokenizer gives the same bytes.
    ///
    /// # Errors
    /// If a component of a loaded tokenizer cannot be written as JSON.
    pub fn to_json(&self) -> Result<String, TokenizerError> {
        let mut backend = self.backend.clone();
        backend.with_post_processor(self.post_processor.clone());
        backend.to_string(true).map_err(TokenizerError::backend)
    }

    /// The token ids of `text`.
    ///
    /// # Errors
    /// [`TokenizerError::UnknownCharacter`] for a character that no token stands for: it is never
    /// dropped and never replaced by an unknown-token.
    pub fn encode(&self, text: &str) -> Result<Vec<TokenId>, TokenizerError> {
        Ok(self.encoding(text)?.get_ids().to_vec())
    }

    /// The tokens of `text` with their places, checked.
    fn encoding(&self, text: &str) -> Result<Encoding, TokenizerError> {
        let encoding = self
            .backend
            .encode(text, false)
            .map_err(TokenizerError::backend)?;
        let unknown = self.unknown_token();
        self.check_characters(text, &encoding, unknown)?;
        // A word may be unknown although each of its characters is a token.
        let (ids, offsets) = (encoding.get_ids(), encoding.get_offsets());
        for (&id, &(start, end)) in ids.iter().zip(offsets) {
            let written = text.get(start..end);
            if Some(id) == unknown && written.is_some() && written != self.token(id).as_deref() {
                return Err(unknown_character(text, start));
            }
        }
        Ok(encoding)
    }

    /// Checks that every character of `text` has a token when it stands alone, except inside added
    /// tokens such as `<think>`.
    ///
    /// The encoding cannot tell: models drop characters without a trace, the offsets of the tokens
    /// after them are then off as well, and byte-level tokenizers leave white space out of the
    /// offsets although it has tokens.
    fn check_characters(
        &self,
        text: &str,
        encoding: &Encoding,
        unknown: Option<TokenId>,
    ) -> Result<(), TokenizerError> {
        let mut seen = HashSet::new();
        let mut added = None;
        for (start, character) in text.char_indices() {
            if self.characters.contains(&character) || seen.contains(&character) {
                continue;
            }
            let alone = self.backend.encode(character.to_string(), false);
            let has_token = alone.is_ok_and(|encoding| {
                let ids = encoding.get_ids();
                !ids.is_empty() && ids.iter().all(|&id| Some(id) != unknown)
            });
            if has_token {
                seen.insert(character);
                continue;
            }
            let added = added.get_or_insert_with(|| self.added_spans(encoding));
            if !added.iter().any(|span| span.contains(&start)) {
                return Err(unknown_character(text, start));
            }
        }
        Ok(())
    }

    /// The bytes of the text that are added tokens.
    fn added_spans(&self, encoding: &Encoding) -> Vec<Range<usize>> {
        let added = self.backend.get_added_tokens_decoder();
        let tokens = encoding.get_ids().iter().zip(encoding.get_offsets());
        tokens
            .filter(|(id, _)| added.contains_key(*id))
            .map(|(_, &(start, end))| start..end)
            .collect()
    }

    /// The id of the model's unknown-token, if it has one.
    fn unknown_token(&self) -> Option<TokenId> {
        use tokenizers::ModelWrapper as Model;
        let text = match self.backend.get_model() {
            Model::BPE(model) => model.unk_token.clone(),
            Model::WordLevel(model) => Some(model.unk_token.clone()),
            Model::WordPiece(model) => Some(model.unk_token.clone()),
            Model::Unigram(_) => Some("<unk>".to_owned()),
        };
        text.and_then(|text| self.backend.token_to_id(&text))
    }

    /// The text of `ids`, special tokens such as `<think>` included but without any end-of-sequence
    /// token. An id outside the vocabulary becomes `�`.
    pub fn decode(&self, ids: &[TokenId]) -> String {
        let kept: Vec<TokenId> = ids.iter().copied().filter(|&id| id != self.eos).collect();
        self.decode_with_eos(&kept)
    }

    /// The text of `ids`, end-of-sequence tokens included. An id outside the vocabulary becomes
    /// `�`.
    pub fn decode_with_eos(&self, ids: &[TokenId]) -> String {
        let known = |id: &TokenId| self.backend.id_to_token(*id).is_some();
        let mut text = String::new();
        for run in ids.chunk_by(|a, b| known(a) == known(b)) {
            if run.first().is_some_and(known) {
                let decoded = self.backend.decode(run, false);
                text.push_str(&decoded.unwrap_or_else(|_| self.join(run)));
            } else {
                text.extend(run.iter().map(|_| char::REPLACEMENT_CHARACTER));
            }
        }
        text
    }

    /// The tokens' own texts side by side, for a decoder that fails.
    fn join(&self, ids: &[TokenId]) -> String {
        ids.iter().filter_map(|&id| self.token(id)).collect()
    }

    /// The number of token ids: one more than the largest.
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// The end-of-sequence token.
    pub fn eos(&self) -> TokenId {
        self.eos
    }

    /// The token `id` as the vocabulary spells it; `None` if there is no such token.
    pub fn token(&self, id: TokenId) -> Option<String> {
        self.backend.id_to_token(id)
    }

    /// The id of the token that the vocabulary spells `text`; `None` if there is no such token.
    pub fn id(&self, text: &str) -> Option<TokenId> {
        self.backend.token_to_id(text)
    }
}

/// The error for the character that starts at byte `start` of `text`.
fn unknown_character(text: &str, start: usize) -> TokenizerError {
    let (before, rest) = text.split_at(start);
    TokenizerError::UnknownCharacter {
        character: rest.chars().next().unwrap_or(char::REPLACEMENT_CHARACTER),
        position: before.chars().count(),
    }
}

/// Why a tokenizer could not be made, saved or used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TokenizerError {
    /// The file could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The file is not a tokenizer.
    #[error("{path}: not a tokenizer.json: {message}", path = path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The vocabulary has no end-of-sequence token.
    #[error(
        "{path}: the vocabulary has no end-of-sequence token (looked for {tried}); name the one \
         the model was trained with, as `eos_token` in its tokenizer_config.json does",
        path = path.display(), tried = tried.join(", ")
    )]
    NoEos {
        /// The file.
        path: PathBuf,
        /// The tokens looked for.
        tried: Vec<String>,
    },
    /// A symbol of the alphabet is empty.
    #[error("the alphabet has an empty symbol; every symbol needs at least one character")]
    EmptySymbol,
    /// A character that no token stands for.
    #[error("character {character:?} at position {position} is not in the vocabulary")]
    UnknownCharacter {
        /// The character.
        character: char,
        /// How many characters stand before it.
        position: usize,
    },
    /// The tokenizers crate failed.
    #[error("tokenizer: {0}")]
    Backend(String),
}

impl TokenizerError {
    fn backend(error: tokenizers::Error) -> Self {
        Self::Backend(error.to_string())
    }
}
