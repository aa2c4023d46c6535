//! A batch laid out for the engine: sequences one after the other, without padding.

use crate::{ModelError, Need, TokenBatch};

/// Rows of a packed batch. The last token of a sequence predicts nothing that is scored, so it is
/// fed only where the sequence as a whole is scored.
#[derive(Debug)]
pub(super) struct Layout {
    /// The fed tokens.
    pub(super) ids: Vec<u32>,
    pub(super) positions: Vec<u32>,
    /// Borders of the sequences among the fed tokens.
    pub(super) offsets: Vec<usize>,
    /// Rows of the hidden state whose prediction is scored, and what they should predict.
    pub(super) rows: Vec<u32>,
    pub(super) targets: Vec<u32>,
    /// Borders of the scored tokens, a row per sequence.
    pub(super) borders: Vec<usize>,
    /// The last row of each sequence, where sequences are scored as a whole.
    pub(super) lasts: Vec<u32>,
}

impl Layout {
    pub(super) fn new(
        batch: &TokenBatch,
        need: &Need,
        limit: usize,
        vocabulary: usize,
    ) -> Result<Self, ModelError> {
        let temperature = need.temperature;
        if !(temperature.is_finite() && temperature > 0.0) {
            let reason = format!("the temperature is {temperature}; it must be positive");
            return Err(ModelError::Batch(reason));
        }
        let mut layout = Self {
            ids: vec![],
            positions: vec![],
            offsets: vec![0],
            rows: vec![],
            targets: vec![],
            borders: vec![0],
            lasts: vec![],
        };
        let rows = batch.tokens().rows().zip(batch.scored().rows());
        for (row, (tokens, scored)) in rows.enumerate() {
            let fail = |reason: String| Err(ModelError::Batch(format!("sequence {row}: {reason}")));
            if scored.first() == Some(&true) {
                return fail("its first token is scored, but nothing predicts it".to_owned());
            }
            let fed = match need.sequence_scores {
                true => tokens.len(),
                false => tokens.len().saturating_sub(1),
            };
            if need.sequence_scores && fed == 0 {
                return fail("it is empty, and there is nothing to score".to_owned());
            }
            if fed > limit {
                let length = tokens.len();
                return fail(format!(
                    "{length} tokens, but the model reads at most {limit}"
                ));
            }
            if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return fail(format!("token {id} is not in a vocabulary of {vocabulary}"));
            }
            layout.push(tokens, scored, fed);
            if need.sequence_scores {
                layout.lasts.push((layout.ids.len() - 1) as u32);
            }
        }
        Ok(layout)
    }

    fn push(&mut self, tokens: &[u32], scored: &[bool], fed: usize) {
        let start = self.ids.len();
        for (t, mark) in scored.iter().enumerate().skip(1) {
            if *mark {
                self.rows.push((start + t - 1) as u32);
                self.targets.push(tokens[t]);
            }
        }
        self.ids.extend_from_slice(&tokens[..fed]);
        self.positions.extend(0..fed as u32);
        self.offsets.push(self.ids.len());
        self.borders.push(self.rows.len());
    }

    /// The number of fed tokens.
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }
}
