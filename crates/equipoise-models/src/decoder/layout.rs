//! A batch laid out for the engine: sequences one after the other, without padding, and what
//! neighbours begin with only once.
//!
//! A row's result depends on nothing but the tokens before it, so the completions of a prompt have the
//! same bits whether the prompt stands before each of them or once before all, and a prompt of p tokens
//! with n completions costs p rows instead of n·p. Gradients are the same sums in another order.
//! (Liu et al., *Prefix Grouper*, arXiv:2506.05433, for policies with a common prompt.)

use std::ops::Range;

use equipoise_kernels::attention::Sequences;

use crate::{ModelError, Need, TokenBatch};

/// The most sequences that share a beginning; more are several families.
const FAMILY: usize = 256;

/// Rows of a packed batch. The last token of a sequence predicts nothing that is scored, so it is
/// fed only where the sequence as a whole is scored.
#[derive(Debug, Default)]
pub(super) struct Layout {
    /// The fed tokens.
    pub(super) ids: Vec<u32>,
    pub(super) positions: Vec<u32>,
    /// Which rows attend to which.
    pub(super) sequences: Sequences,
    /// The address of every row for dropout; empty without.
    pub(super) keys: Vec<u64>,
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
        let rows = batch.tokens().rows().zip(batch.scored().rows());
        let mut fed = Vec::with_capacity(batch.len());
        for (row, (tokens, scored)) in rows.enumerate() {
            let fail = |reason: String| Err(ModelError::Batch(format!("sequence {row}: {reason}")));
            if scored.first() == Some(&true) {
                return fail("its first token is scored, but nothing predicts it".to_owned());
            }
            let count = match need.sequence_scores {
                true => tokens.len(),
                false => tokens.len().saturating_sub(1),
            };
            if need.sequence_scores && count == 0 {
                return fail("it is empty, and there is nothing to score".to_owned());
            }
            if count > limit {
                let length = tokens.len();
                return fail(format!(
                    "{length} tokens, but the model reads at most {limit}"
                ));
            }
            if let Some(id) = tokens.iter().find(|&&id| id as usize >= vocabulary) {
                return fail(format!("token {id} is not in a vocabulary of {vocabulary}"));
            }
            fed.push(&tokens[..count]);
        }
        let mut layout = Self {
            borders: vec![0],
            ..Self::default()
        };
        let families = match need.shares_prompts() {
            true => families(&fed),
            false => (0..fed.len()).map(|at| (at..at + 1, 0)).collect(),
        };
        for (family, common) in families {
            let prefix = match common {
                0 => 0..0,
                _ => layout.feed(need, family.start, fed[family.start], 0..0, common),
            };
            for sequence in family {
                let own = layout.feed(need, sequence, fed[sequence], prefix.clone(), usize::MAX);
                layout.score(batch, sequence, &prefix, &own);
                if need.sequence_scores {
                    let last = own.clone().next_back().or(prefix.clone().next_back());
                    layout.lasts.extend(last.map(|row| row as u32));
                }
            }
        }
        Ok(layout)
    }

    /// Appends rows for the tokens of a sequence that come after those of the prefix, up to `end`.
    fn feed(
        &mut self,
        need: &Need,
        sequence: usize,
        fed: &[u32],
        prefix: Range<usize>,
        end: usize,
    ) -> Range<usize> {
        let positions = prefix.len()..end.min(fed.len());
        self.ids.extend_from_slice(&fed[positions.clone()]);
        self.positions.extend(positions.clone().map(|at| at as u32));
        if let Some(dropout) = need.dropout {
            let keys = positions.clone().map(|at| dropout.key(sequence, at));
            self.keys.extend(keys);
        }
        self.sequences.push(prefix, positions.len())
    }

    /// Notes which rows of a sequence are scored.
    fn score(
        &mut self,
        batch: &TokenBatch,
        sequence: usize,
        prefix: &Range<usize>,
        own: &Range<usize>,
    ) {
        let tokens = batch.tokens().row(sequence);
        let scored = batch.scored().row(sequence);
        for (t, mark) in scored.iter().enumerate().skip(1) {
            if *mark {
                let before = t - 1;
                let row = match before.checked_sub(prefix.len()) {
                    Some(at) => own.start + at,
                    None => prefix.start + before,
                };
                self.rows.push(row as u32);
                self.targets.push(tokens[t]);
            }
        }
        self.borders.push(self.rows.len());
    }

    /// The number of fed tokens.
    pub(super) fn tokens(&self) -> usize {
        self.ids.len()
    }
}

/// Cuts neighbouring sequences into families, each with the number of tokens that all of it begin with,
/// so that as few rows as possible are fed.
///
/// ```text
/// saved = Σ over families  (sequences − 1) · common tokens
/// ```
fn families(sequences: &[&[u32]]) -> Vec<(Range<usize>, usize)> {
    let common: Vec<usize> = (sequences.windows(2))
        .map(|pair| {
            let same = pair[0].iter().zip(pair[1]).take_while(|(a, b)| a == b);
            same.count()
        })
        .collect();
    // The best that can be saved in the first so many sequences, and the last family of that choice.
    let mut best = vec![(0, 0..0, 0)];
    for end in 1..=sequences.len() {
        let (mut saved, mut family, mut least) = (best[end - 1].0, end - 1..end, 0);
        let mut shared = usize::MAX;
        for start in (end.saturating_sub(FAMILY)..end - 1).rev() {
            shared = shared.min(common[start]);
            if shared == 0 {
                break;
            }
            let now = best[start].0 + (end - start - 1) * shared;
            if now > saved {
                (saved, family, least) = (now, start..end, shared);
            }
        }
        best.push((saved, family, least));
    }
    let mut families = Vec::new();
    let mut end = sequences.len();
    while let Some((_, family, common)) = best.get(end).filter(|_| end > 0) {
        families.push((family.clone(), *common));
        end = family.start;
    }
    families.reverse();
    families
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(sequences: &[&str]) -> Vec<(Range<usize>, usize)> {
        let ids: Vec<Vec<u32>> = (sequences.iter())
            .map(|text| text.chars().map(u32::from).collect())
            .collect();
        families(&ids.iter().map(Vec::as_slice).collect::<Vec<_>>())
    }

    #[test]
    fn families_save_the_most_rows() {
        assert_eq!(cut(&[]), []);
        assert_eq!(cut(&["abc"]), [(0..1, 0)]);
        // One prompt each, whatever they have in common with the next.
        let two = [
            "sys one a",
            "sys one b",
            "sys one c",
            "sys two a",
            "sys two b",
        ];
        assert_eq!(cut(&two), [(0..3, 8), (3..5, 8)]);
        // The last of one prompt, and then others: it stays alone rather than spoil them.
        let cut_off = ["sys one z", "sys two aa", "sys two ab", "sys two b"];
        assert_eq!(cut(&cut_off), [(0..1, 0), (1..4, 8)]);
        // A common beginning is worth it where it is all there is.
        assert_eq!(cut(&["sys a", "sys b", "sys c"]), [(0..3, 4)]);
        assert_eq!(
            cut(&["ab", "ab", "ab", "", ""]),
            [(0..3, 2), (3..4, 0), (4..5, 0)]
        );
    }

    #[test]
    fn a_prompt_is_fed_once_and_every_scored_token_has_its_row() {
        let mut batch = TokenBatch::new();
        batch.push(&[1, 2, 3], &[7, 8]);
        batch.push(&[1, 2, 3], &[9]);
        batch.push(&[1, 2, 3], &[]);
        batch.push(&[5], &[6]);
        let layout = Layout::new(&batch, &Need::at_temperature(1.0), 16, 10).unwrap();
        // Of the third sequence the last token is not fed. Two tokens that three have in common save
        // four rows, three that two have in common only three.
        assert_eq!(layout.ids, [1, 2, 3, 7, 3, 5]);
        assert_eq!(layout.positions, [0, 1, 2, 3, 2, 0]);
        assert_eq!(layout.rows, [2, 3, 4, 5]);
        assert_eq!(layout.targets, [7, 8, 9, 6]);
        assert_eq!(layout.borders, [0, 2, 3, 3, 4]);
    }
}
