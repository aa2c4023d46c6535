//! Which tokens of a packed batch belong together.

use std::ops::Range;

use super::Heads;
use crate::gemm::MatrixRef;

/// The sequences of a packed batch. Some may go on from tokens that others go on from, too: a prompt
/// that stands in the batch once, with all its completions after it.
///
/// Rows are given out in order, so no two sequences have a row of their own in common, and together
/// they have all of them.
///
/// ```
/// use equipoise_kernels::attention::Sequences;
///
/// let mut sequences = Sequences::default();
/// let prompt = sequences.push(0..0, 5);
/// assert_eq!(sequences.push(prompt.clone(), 3), 5..8);
/// assert_eq!(sequences.push(prompt, 2), 8..10);
/// assert_eq!(sequences.tokens(), 10);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Sequences {
    parts: Vec<Part>,
    tokens: usize,
}

/// Some tokens, and those before them in their sequence that have rows elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) prefix: Range<usize>,
    pub(super) rows: Range<usize>,
}

impl Sequences {
    /// Sequence s is the tokens `offsets[s]..offsets[s + 1]`, and nothing is shared.
    ///
    /// # Panics
    /// If the offsets do not rise from 0.
    pub fn from_offsets(offsets: &[usize]) -> Self {
        let from_zero = offsets.first().is_none_or(|&first| first == 0);
        assert!(
            from_zero && offsets.is_sorted(),
            "the offsets must rise from 0"
        );
        let mut sequences = Self::default();
        for pair in offsets.windows(2) {
            sequences.push(0..0, pair[1] - pair[0]);
        }
        sequences
    }

    /// Appends `length` tokens that go on from the rows `prefix`, as if these stood before them, and
    /// says which rows they have. The prefix itself attends to what it was pushed with, not to them.
    ///
    /// # Panics
    /// If the prefix is not among the rows so far.
    pub fn push(&mut self, prefix: Range<usize>, length: usize) -> Range<usize> {
        assert!(
            prefix.start <= prefix.end && prefix.end <= self.tokens,
            "rows {prefix:?} of {}",
            self.tokens
        );
        let end = self.tokens.checked_add(length);
        let rows = self.tokens..end.expect("fewer tokens than there are numbers");
        self.tokens = rows.end;
        self.parts.push(Part {
            prefix,
            rows: rows.clone(),
        });
        rows
    }

    /// The number of rows.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }
}

impl Part {
    /// The number of tokens of the sequence, those of the prefix included.
    pub(super) fn length(&self) -> usize {
        self.prefix.len() + self.rows.len()
    }

    /// The row of a position that is none of the prefix.
    pub(super) fn row(&self, position: usize) -> usize {
        self.rows.start + position - self.prefix.len()
    }

    /// One head of the sequence's first `length` rows of `all`, copied side by side into `buffer` if they
    /// are not one after the other.
    pub(super) fn head<'a>(
        &self,
        heads: Heads,
        shared: usize,
        length: usize,
        all: &'a [f32],
        buffer: &'a mut Vec<f32>,
    ) -> MatrixRef<'a> {
        let d = heads.head_dim;
        let width = heads.key_value * d;
        if self.prefix.is_empty() || self.prefix.end == self.rows.start {
            let first = self.rows.start - self.prefix.len();
            let from = (first * width + shared * d).min(all.len());
            return MatrixRef::strided(&all[from..], length, d, width);
        }
        buffer.clear();
        let rows = self.prefix.clone().chain(self.rows.clone());
        for row in rows.take(length) {
            buffer.extend_from_slice(&all[row * width + shared * d..][..d]);
        }
        MatrixRef::row_major(buffer, length, d)
    }
}
