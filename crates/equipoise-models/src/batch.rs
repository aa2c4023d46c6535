//! What goes into a policy and what comes out: ragged, without padding.

use equipoise_core::{Ragged, TokenId};

use crate::ModelError;
use crate::decoder::Dropout;

/// Sequences of tokens, each token marked if it is to be scored.
///
/// A marked token's log-probability is that of the token given everything before it in its row, so
/// the first token of a row cannot be marked.
#[derive(Clone, Debug, Default)]
pub struct TokenBatch {
    tokens: Ragged<TokenId>,
    scored: Ragged<bool>,
}

impl TokenBatch {
    /// No sequences.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a prompt and its response; every token of the response is scored.
    pub fn push(&mut self, prompt: &[TokenId], response: &[TokenId]) {
        self.tokens.push_row(prompt.iter().chain(response).copied());
        let marks = [(prompt.len(), false), (response.len(), true)];
        self.scored.push_row(
            marks
                .into_iter()
                .flat_map(|(count, mark)| vec![mark; count]),
        );
    }

    /// Appends a sequence with any tokens marked (several turns, tool output).
    ///
    /// # Errors
    /// If there are not as many marks as tokens.
    pub fn push_masked(&mut self, tokens: &[TokenId], scored: &[bool]) -> Result<(), ModelError> {
        if tokens.len() != scored.len() {
            let (tokens, marks) = (tokens.len(), scored.len());
            return Err(ModelError::Batch(format!(
                "{tokens} tokens with {marks} marks"
            )));
        }
        self.tokens.push_row(tokens.iter().copied());
        self.scored.push_row(scored.iter().copied());
        Ok(())
    }

    /// The tokens, a row per sequence.
    pub fn tokens(&self) -> &Ragged<TokenId> {
        &self.tokens
    }

    /// Which tokens are scored, with the same borders.
    pub fn scored(&self) -> &Ragged<bool> {
        &self.scored
    }

    /// The number of sequences.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many tokens of each sequence are scored.
    pub fn scored_lengths(&self) -> impl Iterator<Item = usize> {
        self.scored
            .rows()
            .map(|row| row.iter().filter(|&&mark| mark).count())
    }
}

/// What a forward pass is to compute.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Need {
    /// The temperature the logits are divided by before anything else: the sampler's.
    pub temperature: f64,
    /// Whether the score head's number is wanted for the state each scored token was chosen in: a
    /// value function.
    pub values: bool,
    /// Whether the score head's number is wanted for the last token of each sequence: a reward model.
    pub sequence_scores: bool,
    /// What the adapters drop; `None` drops nothing.
    pub dropout: Option<Dropout>,
    /// Whether entropies will have cotangents that are not zero. It changes what the passes cost and no
    /// result: without, a model whose vocabulary projection is frozen prepares the gradient of the
    /// log-probabilities in the forward pass, and has to compute logits again if entropies have one.
    pub entropy_gradients: bool,
}

impl Need {
    /// Log-probabilities and entropies at a temperature.
    pub fn at_temperature(temperature: f64) -> Self {
        Self {
            temperature,
            values: false,
            sequence_scores: false,
            dropout: None,
            entropy_gradients: false,
        }
    }

    /// Whether what neighbouring sequences begin with may be computed once for all of them: dropout has a
    /// mask of its own for each, so that with it nothing is shared.
    pub fn shares_prompts(&self) -> bool {
        self.dropout.is_none()
    }

    /// The same, for a loss that depends on entropies.
    #[must_use]
    pub fn with_entropy_gradients(self) -> Self {
        Self {
            entropy_gradients: true,
            ..self
        }
    }

    /// The same, and the score head's number for the state before each scored token.
    #[must_use]
    pub fn with_values(self) -> Self {
        Self {
            values: true,
            ..self
        }
    }

    /// The same, and the score head's number for the last token of each sequence.
    #[must_use]
    pub fn with_sequence_scores(self) -> Self {
        Self {
            sequence_scores: true,
            ..self
        }
    }

    /// The same, with dropout in the adapters.
    #[must_use]
    pub fn with_dropout(self, dropout: Dropout) -> Self {
        Self {
            dropout: Some(dropout),
            ..self
        }
    }
}

/// Numbers of the scored tokens: a row per sequence of the batch, an element per scored token.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TokenOutputs {
    /// The log-probability of each scored token, in nats.
    pub logprobs: Ragged<f32>,
    /// The entropy of the distribution each scored token was drawn from, in nats.
    pub entropies: Ragged<f32>,
    /// The value of the state before each scored token, if asked for.
    pub values: Option<Ragged<f32>>,
    /// The score of each sequence, if asked for.
    pub sequence_scores: Option<Vec<f32>>,
}

/// The derivative of a scalar with respect to each number of [`TokenOutputs`], same borders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TokenCotangents {
    /// With respect to the log-probabilities.
    pub logprobs: Ragged<f32>,
    /// With respect to the entropies; `None` stands for zeros.
    pub entropies: Option<Ragged<f32>>,
    /// With respect to the values; `None` stands for zeros.
    pub values: Option<Ragged<f32>>,
    /// With respect to the sequences' scores; `None` stands for zeros.
    pub sequence_scores: Option<Vec<f32>>,
}
