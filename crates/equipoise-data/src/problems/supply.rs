//! The endless order of what lies in several sources.

use std::sync::{Mutex, PoisonError};

use equipoise_core::{Domain, Stream};

use crate::mixture::SourceMixture;
use crate::rows::DataError;

/// An endless order of items: sources take turns by weight, and each goes through its own items in
/// epochs.
#[derive(Debug)]
pub(super) struct Supply {
    seed: u64,
    /// What the supply is of, which keeps its random streams apart from others.
    kind: u64,
    mixture: SourceMixture,
    sources: Vec<Turn>,
}

/// The items of one source.
#[derive(Debug)]
struct Turn {
    /// The number of the source.
    source: usize,
    /// The index of its first item.
    first: usize,
    /// How many items it has; not 0.
    count: usize,
    order: Mutex<EpochOrder>,
}

/// The order of the epoch that was asked for last, since the next question is about it too.
#[derive(Debug, Default)]
struct EpochOrder {
    epoch: u64,
    order: Vec<usize>,
}

impl Supply {
    /// A supply of items that lie together by source: `counts` of each. Sources without items have no
    /// turn. Without weights, a source has the weight of its items. `None` if there are no items.
    pub(super) fn new(
        seed: u64,
        kind: u64,
        counts: &[usize],
        weights: Option<&[f64]>,
    ) -> Result<Option<Self>, DataError> {
        let mut sources = Vec::new();
        let mut shares = Vec::new();
        let mut first = 0;
        for (source, &count) in counts.iter().enumerate() {
            if count > 0 {
                shares.push(weights.map_or(count as f64, |weights| weights[source]));
                sources.push(Turn {
                    source,
                    first,
                    count,
                    order: Mutex::default(),
                });
            }
            first += count;
        }
        if sources.is_empty() {
            return Ok(None);
        }
        Ok(Some(Self {
            seed,
            kind,
            mixture: SourceMixture::new(&shares, seed)?,
            sources,
        }))
    }

    /// The index of item `number` of the endless order.
    pub(super) fn index(&self, number: u64) -> usize {
        let (turn, number) = self.mixture.locate(number);
        let turn = &self.sources[turn];
        let (epoch, offset) = (number / turn.count as u64, number % turn.count as u64);
        let mut current = turn
            .order
            .lock()
            // The order is replaced as a whole, so a panic elsewhere cannot have left half of one.
            .unwrap_or_else(PoisonError::into_inner);
        if current.order.is_empty() || current.epoch != epoch {
            let mut order: Vec<usize> = (0..turn.count).collect();
            let coordinates = [epoch, self.kind, turn.source as u64];
            Stream::new(self.seed, Domain::Shuffle, coordinates).shuffle(&mut order);
            *current = EpochOrder { epoch, order };
        }
        turn.first + current.order[offset as usize]
    }
}
