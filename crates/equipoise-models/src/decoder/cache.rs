//! Keys and values of sequences being written, in blocks of sixteen positions.

use std::sync::Arc;

use equipoise_kernels::attention::cache::{POSITIONS, Segment};

/// Keys and values of consecutive positions, in every layer.
#[derive(Debug, Default)]
pub struct KeyValues {
    blocks: Vec<Box<[f32]>>,
    length: usize,
}

impl KeyValues {
    /// How many positions are filled.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether no position is filled.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Makes room for one more position, with a block from the pool where one is full, and returns
    /// its number.
    pub(super) fn push(&mut self, pool: &mut Pool) -> usize {
        if self.length == self.blocks.len() * POSITIONS {
            self.blocks.push(pool.take());
        }
        self.length += 1;
        self.length - 1
    }

    /// The block of a position, and its place in it.
    pub(super) fn slot(&mut self, position: usize) -> (&mut [f32], usize) {
        (&mut self.blocks[position / POSITIONS], position % POSITIONS)
    }

    /// The first positions.
    pub(super) fn segment(&self, length: usize) -> Segment<'_> {
        Segment {
            blocks: &self.blocks[..length.div_ceil(POSITIONS)],
            length,
        }
    }
}

/// A sequence being written: positions it shares with others, and its own after them.
#[derive(Debug, Default)]
pub struct Sequence {
    /// Positions computed once for several sequences: the prompt.
    pub prefix: Option<Arc<KeyValues>>,
    /// The positions after the prefix.
    pub own: KeyValues,
}

impl Sequence {
    /// The number of positions filled: where the next token stands.
    pub fn len(&self) -> usize {
        self.prefix.as_ref().map_or(0, |prefix| prefix.len()) + self.own.len()
    }

    /// Whether no position is filled.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Blocks that finished sequences gave back.
#[derive(Debug, Default)]
pub(super) struct Pool {
    spare: Vec<Box<[f32]>>,
    /// Numbers in a block.
    length: usize,
}

impl Pool {
    /// Prepares for blocks of this length.
    pub(super) fn fit(&mut self, length: usize) {
        if self.length != length {
            self.length = length;
            self.spare.clear();
        }
    }

    fn take(&mut self) -> Box<[f32]> {
        let fresh = || vec![0.0; self.length].into_boxed_slice();
        self.spare.pop().unwrap_or_else(fresh)
    }

    /// Takes the blocks of a finished sequence, and those of its prefix if it was the last.
    pub(super) fn give_back(&mut self, sequence: Sequence) {
        let prefix = sequence
            .prefix
            .and_then(|prefix| Arc::try_unwrap(prefix).ok());
        for positions in [Some(sequence.own), prefix].into_iter().flatten() {
            let blocks = positions.blocks.into_iter();
            self.spare
                .extend(blocks.filter(|block| block.len() == self.length));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_taken_when_needed_and_come_back_with_the_last_holder() {
        let mut pool = Pool::default();
        pool.fit(8);
        let mut prompt = KeyValues::default();
        for position in 0..=POSITIONS {
            assert_eq!(prompt.push(&mut pool), position);
        }
        assert_eq!((prompt.len(), prompt.blocks.len()), (POSITIONS + 1, 2));
        assert_eq!(prompt.segment(POSITIONS).blocks.len(), 1);
        let prefix = Some(Arc::new(prompt));
        let sequences: Vec<Sequence> = (0..2)
            .map(|_| {
                let mut own = KeyValues::default();
                own.push(&mut pool);
                let prefix = prefix.clone();
                Sequence { prefix, own }
            })
            .collect();
        assert_eq!(sequences[0].len(), POSITIONS + 2);
        drop(prefix);
        let mut counts = sequences.into_iter().map(|sequence| {
            pool.give_back(sequence);
            pool.spare.len()
        });
        assert_eq!((counts.next(), counts.next()), (Some(1), Some(4)));
        pool.fit(9);
        assert!(
            pool.spare.is_empty(),
            "blocks of another model are of no use"
        );
    }
}
