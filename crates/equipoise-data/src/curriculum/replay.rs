//! What is shown again: by how rarely it was, or by how much it still surprises.

use std::collections::BTreeMap;

use equipoise_core::Stream;
use serde::{Deserialize, Serialize};

use super::{CurriculumError, SumTree};

/// Prioritised replay by visits (MEMO, arXiv:2603.09022): what was seen rarely comes again more often.
///
/// ```text
/// P(i) = (1/count(i))^α / Σ (1/count)^α
/// ```
///
/// ```
/// use equipoise_data::curriculum::CountReplay;
///
/// let mut replay = CountReplay::new(0.6)?;
/// for (item, visits) in [(10, 1), (11, 4), (12, 2)] {
///     (0..visits).for_each(|_| replay.visit(item));
/// }
/// // 1, 4^(−0.6) = 0.43528 and 2^(−0.6) = 0.65975, divided by their sum
/// let shares: Vec<f64> = replay.probabilities().into_iter().map(|(_, share)| share).collect();
/// for (share, expected) in shares.iter().zip([0.4773203, 0.2077657, 0.3149139]) {
///     assert!((share - expected).abs() < 1e-7);
/// }
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountReplay {
    alpha: f64,
    counts: BTreeMap<u64, u64>,
}

impl CountReplay {
    /// A replay of nothing yet. `alpha` is 0.6 in MEMO; with 0 everything is drawn equally often.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for an alpha that is negative or not finite.
    pub fn new(alpha: f64) -> Result<Self, CurriculumError> {
        let possible = alpha >= 0.0 && alpha.is_finite();
        CurriculumError::check(possible, "alpha", alpha, "at least 0 and finite")?;
        Ok(Self {
            alpha,
            counts: BTreeMap::new(),
        })
    }

    /// Notes that an item was seen once more.
    pub fn visit(&mut self, item: u64) {
        let count = self.counts.entry(item).or_default();
        *count = count.saturating_add(1);
    }

    /// How often an item was seen.
    pub fn visits(&self, item: u64) -> u64 {
        self.counts.get(&item).copied().unwrap_or(0)
    }

    fn weight(&self, count: u64) -> f64 {
        (count as f64).powf(-self.alpha)
    }

    /// Every item that was seen, in ascending order, with its probability.
    pub fn probabilities(&self) -> Vec<(u64, f64)> {
        let total: f64 = self.counts.values().map(|&count| self.weight(count)).sum();
        let share = |(&item, &count): (&u64, &u64)| (item, self.weight(count) / total);
        self.counts.iter().map(share).collect()
    }

    /// One of the items that were seen; `None` if there is none. It does not count as a visit.
    pub fn draw(&self, stream: &mut Stream) -> Option<u64> {
        let mut left = stream.uniform();
        let probabilities = self.probabilities();
        let drawn = probabilities.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        // Rounding may leave a point beyond the end.
        drawn.or(probabilities.last()).map(|(item, _)| *item)
    }
}

/// The settings of a [`PrioritisedReplay`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplaySettings {
    /// How many items are held, at most 2²⁸; the oldest makes room. Default 4096.
    pub capacity: usize,
    /// α: 0 draws uniformly, 1 in proportion to the priorities; default 0.6.
    pub alpha: f64,
    /// ε: what is added to every surprise, so that nothing is never drawn; default 1e-6.
    pub epsilon: f64,
}

impl Default for ReplaySettings {
    fn default() -> Self {
        Self {
            capacity: 4096,
            alpha: 0.6,
            epsilon: 1e-6,
        }
    }
}

/// More items than this would need gigabytes for their priorities alone.
const MOST_ITEMS: usize = 1 << 28;

/// One draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drawn {
    /// Where the item lies; to be handed to [`PrioritisedReplay::update`].
    pub slot: usize,
    /// The item.
    pub item: u64,
    /// Its importance weight, at most 1.
    pub weight: f64,
}

/// Proportional prioritised experience replay (arXiv:1511.05952, §3.3 and 3.4).
///
/// ```text
/// p(i) = |surprise| + ε        P(i) = p(i)^α / Σ p^α        w(i) = (N P(i))^(−β) / max w
/// ```
///
/// The surprise is the temporal-difference error in the paper; here it may be an advantage, or the
/// distance of a pass rate from 0 and 1. New items have the largest priority so far, so that each is
/// soon drawn once. The largest weight is taken over all items held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrioritisedReplay {
    settings: ReplaySettings,
    /// p^α of every slot; 0 for empty ones.
    tree: SumTree,
    items: Vec<u64>,
    /// The slot that the next item takes.
    next: usize,
    /// The largest p so far.
    largest: f64,
}

impl PrioritisedReplay {
    /// An empty replay.
    ///
    /// # Errors
    /// [`CurriculumError::InvalidSetting`] for a capacity of 0, a negative α, or an ε that is not
    /// positive.
    pub fn new(settings: ReplaySettings) -> Result<Self, CurriculumError> {
        let check = CurriculumError::check;
        let ReplaySettings {
            capacity,
            alpha,
            epsilon,
        } = settings;
        let possible = (1..=MOST_ITEMS).contains(&capacity);
        let requirement = "at least 1 and at most 2^28";
        check(possible, "capacity", capacity as f64, requirement)?;
        let possible = alpha >= 0.0 && alpha.is_finite();
        check(possible, "alpha", alpha, "at least 0 and finite")?;
        let possible = epsilon > 0.0 && epsilon.is_finite();
        check(possible, "epsilon", epsilon, "positive and finite")?;
        Ok(Self {
            settings,
            tree: SumTree::new(capacity),
            items: Vec::new(),
            next: 0,
            largest: 1.0,
        })
    }

    /// How many items are held.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds an item with the largest priority so far, in place of the oldest if there is no room;
    /// returns its slot.
    pub fn push(&mut self, item: u64) -> usize {
        let slot = self.next;
        match self.items.get_mut(slot) {
            Some(place) => *place = item,
            None => self.items.push(item),
        }
        self.next = (slot + 1) % self.settings.capacity;
        // The slot lies in the tree, and the largest priority is finite: this cannot fail.
        let _ = self.tree.set(slot, self.largest.powf(self.settings.alpha));
        slot
    }

    /// Notes how surprising the item in a slot was.
    ///
    /// # Errors
    /// [`CurriculumError::OutOfRange`] for a slot without item, and
    /// [`CurriculumError::InvalidSetting`] for a surprise whose priority is not finite.
    pub fn update(&mut self, slot: usize, surprise: f64) -> Result<(), CurriculumError> {
        let count = self.items.len();
        if slot >= count {
            return Err(CurriculumError::OutOfRange {
                what: "item",
                index: slot,
                count,
            });
        }
        let priority = surprise.abs() + self.settings.epsilon;
        let weight = priority.powf(self.settings.alpha);
        CurriculumError::check(weight.is_finite(), "surprise", surprise, "finite")?;
        self.tree.set(slot, weight)?;
        self.largest = self.largest.max(priority);
        Ok(())
    }

    /// The probability of the item in a slot; 0 for a slot without item.
    pub fn probability(&self, slot: usize) -> f64 {
        match self.tree.total() {
            total if total > 0.0 => self.tree.get(slot) / total,
            _ => 0.0,
        }
    }

    /// `count` draws, one from each of `count` equal parts of the sum, which has less variance than
    /// independent draws (§3.3 there); none if nothing is held. `beta` is β, from 0 (weights of 1) to
    /// 1 (full correction); the paper lets it grow to 1.
    pub fn draw(&self, count: usize, beta: f64, stream: &mut Stream) -> Vec<Drawn> {
        let part = self.tree.total() / count.max(1) as f64;
        let smallest = self.tree.smallest().unwrap_or(1.0);
        let draws = (0..count).filter_map(|place| {
            let slot = self.tree.find((place as f64 + stream.uniform()) * part)?;
            // The factor N / Σ p^α is the same in w and in max w.
            let weight = (self.tree.get(slot) / smallest).powf(-beta);
            let item = *self.items.get(slot)?;
            Some(Drawn { slot, item, weight })
        });
        draws.collect()
    }
}
