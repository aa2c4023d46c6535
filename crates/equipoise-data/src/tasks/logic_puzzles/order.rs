//! Everyone in the order that comparisons imply.

use equipoise_core::Stream;

use super::formula::{draw_letters, letter, listed, read_listed};
use crate::tasks::wording::{PromptStyle, Wording, instructed};

const PUZZLE: Wording = Wording {
    compact: "{}!",
    text: instructed!(
        "{} List everyone from the oldest to the youngest.",
        "the letters in that order, separated by commas without spaces"
    ),
};

/// The older one first.
const OLDER: Wording = Wording {
    compact: "{}>{}",
    text: "{} is older than {}.",
};

/// The older one last.
const YOUNGER: Wording = Wording {
    compact: "{}<{}",
    text: "{} is younger than {}.",
};

/// Comparisons of two people each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The older and the younger one, and whether the younger one is named first.
    facts: Vec<(usize, usize, bool)>,
}

impl Order {
    /// `sizes.1` comparisons of `sizes.0` people that leave one order; with `turned`, in both
    /// directions.
    pub(super) fn draw(sizes: (usize, usize), turned: bool, stream: &mut Stream) -> Self {
        let mut people = draw_letters(sizes.0, stream);
        stream.shuffle(&mut people);
        // Neighbours leave one order; the other comparisons follow from them.
        let mut pairs: Vec<(usize, usize)> = people.windows(2).map(|w| (w[0], w[1])).collect();
        let mut others: Vec<(usize, usize)> = (0..people.len())
            .flat_map(|older| (older + 2..people.len()).map(move |younger| (older, younger)))
            .map(|(older, younger)| (people[older], people[younger]))
            .collect();
        stream.shuffle(&mut others);
        pairs.extend(others.into_iter().take(sizes.1.saturating_sub(pairs.len())));
        stream.shuffle(&mut pairs);
        let facts = pairs
            .into_iter()
            .map(|(older, younger)| (older, younger, turned && stream.below(2) == 0));
        Self {
            facts: facts.collect(),
        }
    }

    pub(super) fn write(&self, style: PromptStyle) -> String {
        let facts: Vec<String> = self
            .facts
            .iter()
            .map(|&(older, younger, turned)| {
                let (older, younger) = (letter(older).to_string(), letter(younger).to_string());
                match turned {
                    false => OLDER.write(style, &[&older, &younger]),
                    true => YOUNGER.write(style, &[&younger, &older]),
                }
            })
            .collect();
        let facts = facts.join(match style {
            PromptStyle::Compact => ";",
            PromptStyle::Text => " ",
        });
        PUZZLE.write(style, &[&facts])
    }

    pub(super) fn read(prompt: &str) -> Option<Self> {
        let written = PUZZLE.read(prompt)?[0];
        let sentences: Vec<&str> = match written.contains('.') {
            true => written.split_inclusive('.').map(str::trim_start).collect(),
            false => written.split(';').collect(),
        };
        let fact = |sentence: &str| {
            let (parts, turned) = match OLDER.read(sentence) {
                Some(parts) => (parts, false),
                None => (YOUNGER.read(sentence)?, true),
            };
            match read_listed(&parts.join(","))?[..] {
                [first, second] if turned => Some((second, first, true)),
                [first, second] => Some((first, second, false)),
                _ => None,
            }
        };
        let facts = sentences.into_iter().map(fact).collect::<Option<_>>()?;
        Some(Self { facts })
    }

    /// The thought and the answer; `None` unless there is exactly one order.
    pub(super) fn solve(&self) -> Option<(String, String)> {
        let mut left: Vec<usize> = Vec::new();
        for &(older, younger, _) in &self.facts {
            left.extend([older, younger]);
        }
        left.sort_unstable();
        left.dedup();
        let mut thoughts = Vec::new();
        let mut order = Vec::new();
        while !left.is_empty() {
            let is_younger = |person: usize| {
                let mut facts = self.facts.iter();
                facts.any(|&(older, younger, _)| younger == person && left.contains(&older))
            };
            let mut oldest = left.iter().copied().filter(|&person| !is_younger(person));
            let (next, None) = (oldest.next()?, oldest.next()) else {
                return None;
            };
            thoughts.push(format!("{}:{}", listed(&left), letter(next)));
            order.push(next);
            left.retain(|&person| person != next);
        }
        Some((thoughts.join(";"), listed(&order)))
    }
}
