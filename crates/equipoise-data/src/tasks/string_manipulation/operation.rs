//! What can be done with a text.

use equipoise_core::Stream;
use serde::{Deserialize, Serialize};

use crate::tasks::wording::{PromptStyle, Wording};

/// The operations of [`StringManipulation`](super::StringManipulation).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StringOperation {
    /// `reverse`: the text from its end to its start, spaces included.
    Reverse,
    /// `swap`: the words from the last to the first.
    ReverseWords,
    /// `sort`: the words in alphabetical order.
    SortWords,
    /// `caesar 3`: every letter moved that many places on in the alphabet, from z on to a.
    Caesar,
    /// `drop vowels`: without a, e, i, o and u.
    RemoveVowels,
    /// `replace a b`: every a becomes b.
    Replace,
    /// `word 2`: the second word.
    NthWord,
    /// `initials`: the first letters of the words.
    Initials,
    /// `count a`: how many a there are.
    CountLetter,
}

impl StringOperation {
    /// All operations.
    pub const ALL: [Self; 9] = [
        Self::Reverse,
        Self::ReverseWords,
        Self::SortWords,
        Self::Caesar,
        Self::RemoveVowels,
        Self::Replace,
        Self::NthWord,
        Self::Initials,
        Self::CountLetter,
    ];

    /// Whether the result is a number.
    pub(super) fn counts(self) -> bool {
        self == Self::CountLetter
    }

    fn wording(self) -> Wording {
        let (compact, text) = match self {
            Self::Reverse => ("reverse", "reverse it, letter by letter"),
            Self::ReverseWords => ("swap", "put its words in reverse order"),
            Self::SortWords => ("sort", "put its words in alphabetical order"),
            Self::Caesar => (
                "caesar {}",
                "replace every letter by the one {} places further in the alphabet, with a after z",
            ),
            Self::RemoveVowels => ("drop vowels", "remove the vowels a e i o u"),
            Self::Replace => ("replace {} {}", "replace every letter {} by the letter {}"),
            Self::NthWord => ("word {}", "take word number {}, counted from 1"),
            Self::Initials => ("initials", "join the first letters of its words"),
            Self::CountLetter => ("count {}", "count how often the letter {} occurs"),
        };
        Wording { compact, text }
    }
}

/// An operation with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    kind: StringOperation,
    /// The shift, or the number of a word.
    number: usize,
    /// The letter that is counted or replaced, and what replaces it.
    letters: (char, char),
}

fn is_vowel(letter: &char) -> bool {
    "aeiou".contains(*letter)
}

impl Operation {
    /// An operation of this kind for `text`: with one of its letters and one of its words.
    pub(super) fn draw(kind: StringOperation, text: &str, stream: &mut Stream) -> Self {
        let present: Vec<char> = text.chars().filter(char::is_ascii_lowercase).collect();
        let mut letter = |from: &[char]| stream.choose(from).copied().unwrap_or('a');
        let first = letter(&present);
        let others: Vec<char> = ('a'..='z').filter(|&other| other != first).collect();
        let letters = (first, letter(&others));
        let number = match kind {
            StringOperation::Caesar => stream.between(1, 25),
            _ => stream.between(1, text.split(' ').count() as i64),
        };
        Self {
            kind,
            number: number.unsigned_abs() as usize,
            letters,
        }
    }

    pub(super) fn write(&self, style: PromptStyle) -> String {
        let (first, second) = (self.letters.0.to_string(), self.letters.1.to_string());
        let number = self.number.to_string();
        let parts: &[&str] = match self.kind {
            StringOperation::Caesar | StringOperation::NthWord => &[&number],
            StringOperation::Replace | StringOperation::CountLetter => &[&first, &second],
            _ => &[],
        };
        self.kind.wording().write(style, parts)
    }

    pub(super) fn read(style: PromptStyle, text: &str) -> Option<Self> {
        StringOperation::ALL.into_iter().find_map(|kind| {
            let parts = kind.wording().read_as(style, text)?;
            let letter = |at: usize| {
                let mut characters = parts.get(at)?.chars();
                let letter = characters.next().filter(char::is_ascii_lowercase)?;
                characters.next().is_none().then_some(letter)
            };
            let mut operation = Self {
                kind,
                number: 1,
                letters: ('a', 'a'),
            };
            match kind {
                StringOperation::Caesar | StringOperation::NthWord => {
                    let digits = parts[0];
                    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                    operation.number = plain.then(|| digits.parse().ok()).flatten()?;
                }
                StringOperation::CountLetter => operation.letters.0 = letter(0)?,
                StringOperation::Replace => operation.letters = (letter(0)?, letter(1)?),
                _ => {}
            }
            Some(operation)
        })
    }

    fn shifted(&self, letter: char) -> char {
        match letter {
            'a'..='z' => {
                let place = (letter as usize - 'a' as usize + self.number % 26) % 26;
                char::from(b'a' + place as u8)
            }
            other => other,
        }
    }

    /// What becomes of `text`.
    pub(super) fn apply(&self, text: &str) -> String {
        let mut words: Vec<&str> = text.split(' ').collect();
        let (letter, other) = self.letters;
        match self.kind {
            StringOperation::Reverse => text.chars().rev().collect(),
            StringOperation::ReverseWords => {
                words.reverse();
                words.join(" ")
            }
            StringOperation::SortWords => {
                words.sort_unstable();
                words.join(" ")
            }
            StringOperation::Caesar => text.chars().map(|c| self.shifted(c)).collect(),
            StringOperation::RemoveVowels => text.chars().filter(|c| !is_vowel(c)).collect(),
            StringOperation::Replace => text.replace(letter, &other.to_string()),
            // No word has a number above the last one's in a problem of the task.
            StringOperation::NthWord => {
                let at = self.number.clamp(1, words.len());
                words[at - 1].to_owned()
            }
            StringOperation::Initials => words.iter().filter_map(|w| w.chars().next()).collect(),
            StringOperation::CountLetter => text.matches(letter).count().to_string(),
        }
    }

    /// The steps to the result, for a demonstration.
    pub(super) fn working(&self, text: &str) -> String {
        let letters = || text.chars().filter(char::is_ascii_lowercase);
        let joined = |parts: Vec<String>| parts.join(",");
        match self.kind {
            StringOperation::Caesar => joined(
                letters()
                    .map(|c| format!("{c}={}", self.shifted(c)))
                    .collect(),
            ),
            StringOperation::CountLetter => {
                let mut count = 0;
                let counted = letters().map(|c| {
                    count += usize::from(c == self.letters.0);
                    format!("{c}{count}")
                });
                joined(counted.collect())
            }
            StringOperation::NthWord | StringOperation::ReverseWords => {
                let numbered = text
                    .split(' ')
                    .zip(1..)
                    .map(|(word, n)| format!("{n}={word}"));
                joined(numbered.collect())
            }
            StringOperation::Initials => {
                let first = |word: &str| word.chars().take(1).collect::<String>();
                joined(
                    text.split(' ')
                        .map(|w| format!("{w}={}", first(w)))
                        .collect(),
                )
            }
            StringOperation::Reverse => {
                let turned = |word: &str| word.chars().rev().collect::<String>();
                joined(
                    text.split(' ')
                        .map(|w| format!("{w}={}", turned(w)))
                        .collect(),
                )
            }
            _ => text.to_owned(),
        }
    }
}
