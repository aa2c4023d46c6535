//! Whether what is tested was trained on: word n-grams of the test that occur in the training data.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::EvalError;

/// A word that no test item has.
const UNKNOWN: u32 = u32::MAX;

/// Positions of one n-gram that are followed when the longest match is sought.
const MAX_FOLLOWED: usize = 256;

/// What counts as an overlap.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct ContaminationSettings {
    /// Words per n-gram, at least 1; default 13 (GPT-3, arXiv:2005.14165, appendix C). Llama 3 takes
    /// 8 (arXiv:2407.21783, section 5.1.4).
    pub n: usize,
    /// An item is flagged if at least this share of its n-grams occurs in the training data, and at
    /// least one does. Default 0: one is enough, as in GPT-3.
    pub threshold: f64,
}

impl Default for ContaminationSettings {
    fn default() -> Self {
        Self {
            n: 13,
            threshold: 0.0,
        }
    }
}

/// Looks for test items in training data.
///
/// **Normalisation.** A text is the list of its words: the longest runs of letters and digits
/// (Unicode `alphanumeric`), in lower case. White space and punctuation part words and are nothing
/// else, so `3.5` is two words, and `17+25` and `17-25` are the same; no accents are folded.
/// For [`ContaminationItem::duplicate`] alone, punctuation counts: the whole texts must be equal after
/// lower case and with every run of white space as one space.
///
/// **Memory.** The test set is kept; training texts pass by one at a time and leave nothing but
/// counts. An n-gram is looked up by a hash and compared word by word, so no collision is ever
/// counted.
///
/// ```
/// use equipoise_eval::{Contamination, ContaminationSettings};
///
/// let settings = ContaminationSettings { n: 3, threshold: 0.5 };
/// let test = [("q1", "One two three four five."), ("q2", "Six seven eight nine.")];
/// let mut check = Contamination::new(test, settings)?;
/// check.train("zero ONE, two three four");
/// let report = check.report();
/// // Of the three 3-grams of q1 two occur: "one two three" and "two three four".
/// assert_eq!((report.items[0].covered, report.items[0].grams), (2, 3));
/// assert_eq!(report.items[0].longest_match, 4);
/// assert!(report.items[0].flagged && !report.items[1].flagged);
/// # Ok::<(), equipoise_eval::EvalError>(())
/// ```
#[derive(Debug)]
pub struct Contamination {
    settings: ContaminationSettings,
    vocabulary: HashMap<String, u32>,
    items: Vec<Item>,
    /// All items' words, one after the other.
    words: Vec<u32>,
    /// The item of every word.
    item_of: Vec<u32>,
    /// The n-grams by their hash.
    grams: HashMap<u64, Vec<Gram>, BuildHasherDefault<Hashed>>,
    /// Whole texts, and the items that have them.
    whole: HashMap<String, Vec<usize>>,
    documents: u64,
    document_words: u64,
}

#[derive(Debug)]
struct Item {
    id: String,
    start: usize,
    words: usize,
    longest: usize,
    duplicate: Option<u64>,
    first: Option<u64>,
}

/// A distinct n-gram of the test.
#[derive(Debug)]
struct Gram {
    /// Where it stands in [`Contamination::words`].
    positions: Vec<u32>,
    /// Whether the training data has it.
    seen: bool,
}

impl Contamination {
    /// Takes the test set: items with their identifiers.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for n = 0, a threshold outside [0, 1] or more than 2³² words;
    /// [`EvalError::Duplicate`]; [`EvalError::TooFew`] without items.
    pub fn new<I: Into<String>, T: AsRef<str>>(
        test: impl IntoIterator<Item = (I, T)>,
        settings: ContaminationSettings,
    ) -> Result<Self, EvalError> {
        if settings.n == 0 {
            return Err(EvalError::range("n", 0, "at least 1"));
        }
        if !(0.0..=1.0).contains(&settings.threshold) {
            let what = "the threshold";
            return Err(EvalError::range(what, settings.threshold, "in [0, 1]"));
        }
        let mut check = Self {
            settings,
            vocabulary: HashMap::new(),
            items: Vec::new(),
            words: Vec::new(),
            item_of: Vec::new(),
            grams: HashMap::default(),
            whole: HashMap::new(),
            documents: 0,
            document_words: 0,
        };
        for (id, text) in test {
            check.add(id.into(), text.as_ref())?;
        }
        if check.items.is_empty() {
            return Err(EvalError::too_few("a contamination check", 1, 0));
        }
        let ids: Vec<String> = check.items.iter().map(|item| item.id.clone()).collect();
        crate::outcomes::unique(&ids)?;
        Ok(check)
    }

    fn add(&mut self, id: String, text: &str) -> Result<(), EvalError> {
        let (start, number) = (self.words.len(), self.items.len());
        for_words(text, |word| {
            let next = self.vocabulary.len() as u32;
            let known = match self.vocabulary.get(word) {
                Some(known) => *known,
                None => *self.vocabulary.entry(word.to_owned()).or_insert(next),
            };
            self.words.push(known);
            self.item_of.push(number as u32);
        });
        if self.words.len() >= UNKNOWN as usize {
            let what = "the number of words of the test set";
            return Err(EvalError::range(what, self.words.len(), "below 2³²"));
        }
        let n = self.settings.n;
        for position in start..(self.words.len() + 1).saturating_sub(n).max(start) {
            let gram = &self.words[position..position + n];
            let candidates = self.grams.entry(hash(gram)).or_default();
            let same = candidates.iter_mut().find(|candidate| {
                let at = candidate.positions[0] as usize;
                self.words[at..at + n] == *gram
            });
            match same {
                Some(known) => known.positions.push(position as u32),
                None => candidates.push(Gram {
                    positions: vec![position as u32],
                    seen: false,
                }),
            }
        }
        self.whole.entry(whole(text)).or_default().push(number);
        self.items.push(Item {
            id,
            start,
            words: self.words.len() - start,
            longest: 0,
            duplicate: None,
            first: None,
        });
        Ok(())
    }

    /// Takes one training text. Texts are numbered from 0 in the order they come.
    pub fn train(&mut self, text: &str) {
        let number = self.documents;
        self.documents += 1;
        if let Some(items) = self.whole.get(&whole(text)) {
            for &item in items {
                self.items[item].duplicate.get_or_insert(number);
            }
        }
        let mut document = Vec::new();
        for_words(text, |word| {
            document.push(self.vocabulary.get(word).copied().unwrap_or(UNKNOWN));
        });
        self.document_words += document.len() as u64;
        let n = self.settings.n;
        // Matches that reach up to the n-gram before: (position in the test, words).
        let (mut running, mut next) = (HashMap::new(), HashMap::new());
        let mut known = 0;
        for end in 1..=document.len() {
            known = match document[end - 1] {
                UNKNOWN => 0,
                _ => known + 1,
            };
            next.clear();
            if known >= n {
                let gram = &document[end - n..end];
                let words = &self.words;
                let candidates = self.grams.get_mut(&hash(gram));
                let found = candidates.and_then(|candidates| {
                    candidates.iter_mut().find(|candidate| {
                        let at = candidate.positions[0] as usize;
                        words[at..at + n] == *gram
                    })
                });
                if let Some(found) = found {
                    found.seen = true;
                    for &position in found.positions.iter().take(MAX_FOLLOWED) {
                        let before = position.checked_sub(1).and_then(|at| running.get(&at));
                        let item = &mut self.items[self.item_of[position as usize] as usize];
                        let length = match before {
                            // The n-gram before belongs to the same item.
                            Some(length) if position as usize > item.start => length + 1,
                            _ => n,
                        };
                        item.longest = item.longest.max(length);
                        item.first.get_or_insert(number);
                        next.insert(position, length);
                    }
                }
            }
            std::mem::swap(&mut running, &mut next);
        }
    }

    /// What has been found so far.
    pub fn report(&self) -> ContaminationReport {
        let n = self.settings.n;
        let mut covered = vec![0; self.items.len()];
        for gram in self.grams.values().flatten().filter(|gram| gram.seen) {
            for &position in &gram.positions {
                covered[self.item_of[position as usize] as usize] += 1;
            }
        }
        let item = |(item, covered): (&Item, usize)| {
            let grams = (item.words + 1).saturating_sub(n);
            let share = (grams > 0).then(|| covered as f64 / grams as f64);
            let overlap = covered > 0 && share >= Some(self.settings.threshold);
            ContaminationItem {
                id: item.id.clone(),
                words: item.words,
                grams,
                covered,
                share,
                longest_match: item.longest,
                first_document: item.duplicate.into_iter().chain(item.first).min(),
                duplicate: item.duplicate.is_some(),
                flagged: overlap || item.duplicate.is_some(),
            }
        };
        let items: Vec<ContaminationItem> = self.items.iter().zip(covered).map(item).collect();
        let count =
            |of: fn(&ContaminationItem) -> bool| items.iter().filter(|item| of(item)).count();
        ContaminationReport {
            settings: self.settings,
            documents: self.documents,
            document_words: self.document_words,
            flagged: count(|item| item.flagged),
            duplicates: count(|item| item.duplicate),
            overlapping: count(|item| item.covered > 0),
            short: count(|item| item.grams == 0),
            items,
        }
    }
}

/// What a contamination check found out about one test item.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ContaminationItem {
    /// Its identifier.
    pub id: String,
    /// Its words.
    pub words: usize,
    /// Its n-grams; 0 if it has fewer than n words.
    pub grams: usize,
    /// How many of them occur in the training data.
    pub covered: usize,
    /// `covered / grams`; `None` without n-grams.
    pub share: Option<f64>,
    /// The longest run of words that it has in common with one training text; 0 below n. Of an
    /// n-gram that the test set has more than 256 times, only the first 256 places are followed.
    pub longest_match: usize,
    /// The number of the first training text with an n-gram of it, or with all of it.
    pub first_document: Option<u64>,
    /// Whether a training text is this item, word and sign for word and sign.
    pub duplicate: bool,
    /// Whether its share reaches the threshold, or it is a duplicate.
    pub flagged: bool,
}

/// What a contamination check found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ContaminationReport {
    /// What counted as an overlap.
    pub settings: ContaminationSettings,
    /// Training texts that were read.
    pub documents: u64,
    /// Words in them.
    pub document_words: u64,
    /// Items that are flagged.
    pub flagged: usize,
    /// Items that are training texts.
    pub duplicates: usize,
    /// Items with at least one n-gram in the training data.
    pub overlapping: usize,
    /// Items with fewer than n words: only a duplicate of them can be found.
    pub short: usize,
    /// The items, in order.
    pub items: Vec<ContaminationItem>,
}

/// Calls `with` with every word.
fn for_words(text: &str, mut with: impl FnMut(&str)) {
    let lower = text.to_lowercase();
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    for word in words.filter(|word| !word.is_empty()) {
        with(word);
    }
}

/// The text for the comparison as a whole.
fn whole(text: &str) -> String {
    let lower = text.to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A polynomial in an odd number, mixed at the end; equal words have equal hashes, and unequal ones
/// are told apart by comparing them.
fn hash(words: &[u32]) -> u64 {
    let sum = words.iter().fold(0x9E37_79B9_7F4A_7C15_u64, |sum, word| {
        (sum ^ u64::from(*word))
            .wrapping_mul(0x0000_0100_0000_01B3)
            .rotate_left(23)
    });
    (sum ^ (sum >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// A hasher for keys that are hashes.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
