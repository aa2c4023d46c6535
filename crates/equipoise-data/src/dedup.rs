//! Prompts that were there before.

use std::collections::{HashMap, HashSet};

use crate::rows::DataError;

/// When two prompts count as the same.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Duplicates {
    /// When they are equal, character for character.
    #[default]
    Exact,
    /// When they are equal without regard to case and to the amount of white space.
    Normalised,
    /// When they are equal after that, or share most of their n-grams of words.
    Near {
        /// How many words an n-gram has.
        words: usize,
        /// The least Jaccard similarity of the sets of n-grams, above 0 and at most 1.
        similarity: f64,
    },
}

impl Duplicates {
    /// How many words an n-gram has unless another number is asked for.
    pub const WORDS: usize = 3;

    /// The similarity of near duplicates unless another is asked for.
    pub const SIMILARITY: f64 = 0.9;

    fn key(self, prompt: &str) -> String {
        match self {
            Self::Exact => prompt.to_owned(),
            Self::Normalised | Self::Near { .. } => normalised(prompt),
        }
    }
}

fn normalised(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    words.join(" ")
}

/// Whether a prompt was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was not.
    New,
    /// It equals an earlier prompt, the one of this number; as [`Duplicates::Exact`] or
    /// [`Duplicates::Normalised`] mean it.
    Same(usize),
    /// It is similar to an earlier prompt, the one of this number.
    Near(usize),
}

/// Remembers prompts and recognises those that were there before.
///
/// ```text
/// J(a, b) = |A ∩ B| / |A ∪ B|        A, B: sets of word n-grams; near if J ≥ similarity
/// ```
///
/// A prompt of fewer words than an n-gram has is one n-gram. Near duplicates are found exactly, not by
/// sketches: two sets that are so similar share one of their |A| − ⌈similarity · |A|⌉ + 1 first
/// elements in any fixed order, so only these are looked up (prefix filtering; Chaudhuri, Ganti and
/// Kaushik, ICDE 2006; Bayardo, Ma and Srikant, WWW 2007).
///
/// ```
/// use equipoise_data::{Deduplicator, Duplicates, Seen};
///
/// let mut seen = Deduplicator::new(Duplicates::Normalised)?;
/// assert_eq!(seen.add("What is 6 times 7?"), Seen::New);
/// assert_eq!(seen.add("what is  6 times 7?"), Seen::Same(0));
///
/// // Of two and two bigrams one is shared and three are there: similarity 1/3.
/// let mut seen = Deduplicator::new(Duplicates::Near { words: 2, similarity: 0.33 })?;
/// seen.add("six times seven");
/// assert_eq!(seen.add("six times eight"), Seen::Near(0));
/// # Ok::<(), equipoise_data::DataError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deduplicator {
    rule: Duplicates,
    keys: HashMap<String, usize>,
    added: usize,
    /// For each element of a prefix, the prompts that have it in theirs.
    prefixes: HashMap<u64, Vec<usize>>,
    /// The sorted n-grams of each prompt that was new.
    sets: Vec<Vec<u64>>,
    /// The number of each of these prompts.
    numbers: Vec<usize>,
}

impl Deduplicator {
    /// Remembers nothing yet.
    ///
    /// # Errors
    /// A rule for near duplicates that is impossible.
    pub fn new(rule: Duplicates) -> Result<Self, DataError> {
        if let Duplicates::Near { words, similarity } = rule {
            let setting = |key: &str, got: String, expected: &str| DataError::Setting {
                key: key.into(),
                got,
                expected: expected.into(),
            };
            if words == 0 {
                return Err(setting("near_words", "0".into(), "it must be at least 1"));
            }
            if !(similarity > 0.0 && similarity <= 1.0) {
                let expected = "it must be above 0 and at most 1";
                return Err(setting("near_similarity", similarity.to_string(), expected));
            }
        }
        Ok(Self {
            rule,
            keys: HashMap::new(),
            added: 0,
            prefixes: HashMap::new(),
            sets: Vec::new(),
            numbers: Vec::new(),
        })
    }

    /// Whether `prompt` was there before, without remembering it.
    pub fn look(&self, prompt: &str) -> Seen {
        self.search(&self.rule.key(prompt)).0
    }

    /// Whether `prompt` was there before. If it is new it is remembered under the number of prompts
    /// that were new before it.
    pub fn add(&mut self, prompt: &str) -> Seen {
        let key = self.rule.key(prompt);
        let (seen, grams) = self.search(&key);
        if seen != Seen::New {
            return seen;
        }
        self.keys.insert(key, self.added);
        if let Duplicates::Near { similarity, .. } = self.rule {
            for &gram in &grams[..prefix(grams.len(), similarity)] {
                self.prefixes.entry(gram).or_default().push(self.sets.len());
            }
            self.sets.push(grams);
            self.numbers.push(self.added);
        }
        self.added += 1;
        Seen::New
    }

    /// What is known of a prompt with this key, and its n-grams.
    fn search(&self, key: &str) -> (Seen, Vec<u64>) {
        if let Some(&number) = self.keys.get(key) {
            return (Seen::Same(number), Vec::new());
        }
        let Duplicates::Near { words, similarity } = self.rule else {
            return (Seen::New, Vec::new());
        };
        let grams = grams(key, words);
        let mut looked_at = HashSet::new();
        let mut nearest = None;
        for gram in &grams[..prefix(grams.len(), similarity)] {
            for &at in self.prefixes.get(gram).into_iter().flatten() {
                if looked_at.insert(at) && jaccard(&grams, &self.sets[at]) >= similarity {
                    nearest = Some(nearest.map_or(at, |before: usize| before.min(at)));
                }
            }
        }
        match nearest {
            Some(at) => (Seen::Near(self.numbers[at]), grams),
            None => (Seen::New, grams),
        }
    }
}

/// How many elements of a set of `size` must be looked up.
fn prefix(size: usize, similarity: f64) -> usize {
    // Rounding may not make the prefix shorter than the theorem asks for.
    let shared = (similarity * size as f64 - 1e-9).ceil() as usize;
    (size + 1).saturating_sub(shared.max(1)).min(size)
}

/// The n-grams of words as numbers, sorted, each once.
fn grams(text: &str, words: usize) -> Vec<u64> {
    let all: Vec<&str> = text.split(' ').collect();
    let number = |gram: &[&str]| {
        let hash = blake3::hash(gram.join(" ").as_bytes());
        let mut first = [0_u8; 8];
        first.copy_from_slice(&hash.as_bytes()[..8]);
        u64::from_le_bytes(first)
    };
    let mut grams: Vec<u64> = all.windows(words.min(all.len())).map(number).collect();
    grams.sort_unstable();
    grams.dedup();
    grams
}

/// The Jaccard similarity of two sorted sets.
fn jaccard(a: &[u64], b: &[u64]) -> f64 {
    let (mut i, mut j, mut shared) = (0, 0, 0_usize);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, shared) = (i + 1, j + 1, shared + 1),
        }
    }
    shared as f64 / (a.len() + b.len() - shared) as f64
}
