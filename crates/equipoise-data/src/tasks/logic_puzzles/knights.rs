//! Knights, who always tell the truth, and knaves, who always lie.

use equipoise_core::Stream;

use super::formula::{Formula, LETTERS, chosen, draw_letters, letter, listed, read_listed};
use crate::tasks::wording::{PromptStyle, Wording, instructed};

const PUZZLE: Wording = Wording {
    compact: "{}?",
    text: instructed!(
        "Knights always tell the truth and knaves always lie. {} Who are the knights?",
        "the letters of the knights, in alphabetical order and separated by commas without spaces, \
         or none"
    ),
};

const SAYS: Wording = Wording {
    compact: "{}:{}",
    text: "{} says: {}.",
};

/// What can be said. `{}` stands for a person; the compact form is a formula.
const STATEMENTS: [Wording; 7] = [
    Wording {
        compact: "{}",
        text: "{} is a knight",
    },
    Wording {
        compact: "-{}",
        text: "{} is a knave",
    },
    Wording {
        compact: "({}&{})",
        text: "{} and {} are both knights",
    },
    Wording {
        compact: "(-{}&-{})",
        text: "{} and {} are both knaves",
    },
    Wording {
        compact: "({}|{})",
        text: "at least one of {} and {} is a knight",
    },
    Wording {
        compact: "({}={})",
        text: "{} and {} are of the same kind",
    },
    Wording {
        compact: "-({}={})",
        text: "{} and {} are of different kinds",
    },
];

/// How often statements are drawn anew because the puzzle has not exactly one solution.
const ATTEMPTS: u32 = 1000;

/// What one person says: the statement's number, and whom it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    kind: usize,
    about: Vec<usize>,
    formula: Formula,
}

impl Statement {
    fn new(kind: usize, about: Vec<usize>) -> Option<Self> {
        let formula = Self::write(kind, &about, PromptStyle::Compact);
        Some(Self {
            kind,
            formula: Formula::read(&formula)?,
            about,
        })
    }

    fn write(kind: usize, about: &[usize], style: PromptStyle) -> String {
        let names: Vec<String> = about
            .iter()
            .map(|&index| letter(index).to_string())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        STATEMENTS[kind].write(style, &names)
    }

    fn read(style: PromptStyle, text: &str) -> Option<Self> {
        // The plain letter matches everything, so the others go first.
        (0..STATEMENTS.len()).rev().find_map(|kind| {
            let parts = STATEMENTS[kind].read_as(style, text)?;
            Self::new(kind, read_listed(&parts.join(","))?)
        })
    }
}

/// A puzzle: people, each with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Knights {
    people: Vec<usize>,
    statements: Vec<Statement>,
}

impl Knights {
    /// A puzzle with exactly one solution.
    pub(super) fn draw(count: usize, stream: &mut Stream) -> Self {
        let people = draw_letters(count, stream);
        for _ in 0..ATTEMPTS {
            let statement = |speaker: usize, stream: &mut Stream| {
                let kind = stream.below(STATEMENTS.len() as u64) as usize;
                let pair = kind >= 2;
                let mut others = people.clone();
                // About oneself alone one can only say "I am a knight".
                others.retain(|&person| pair || person != speaker);
                stream.shuffle(&mut others);
                others.truncate(if pair { 2 } else { 1 });
                others.sort_unstable();
                Statement::new(kind, others)
            };
            let statements = people.iter().map(|&speaker| statement(speaker, stream));
            if let Some(statements) = statements.collect() {
                let people = people.clone();
                let puzzle = Self { people, statements };
                if puzzle.solutions().count() == 1 {
                    return puzzle;
                }
            }
        }
        Self::fallback(people)
    }

    /// The first says that the first two are of the same kind, which makes the second a knight
    /// either way; everyone else says that the first is a knight, which is then true.
    fn fallback(people: Vec<usize>) -> Self {
        let statements = people.iter().enumerate().filter_map(|(at, _)| match at {
            0 => Statement::new(5, people.iter().take(2).copied().collect()),
            _ => Statement::new(0, vec![people[0]]),
        });
        Self {
            statements: statements.collect(),
            people,
        }
    }

    /// Who contradicts the case with this rank; `None` if nobody does.
    fn contradiction(&self, rank: u32) -> Option<usize> {
        let knights = chosen(&self.people, rank);
        let mut pairs = self.people.iter().zip(&self.statements);
        let found = pairs.find(|(person, statement)| {
            (knights >> **person & 1 == 1) != statement.formula.value(knights)
        });
        found.map(|(&person, _)| person)
    }

    /// The ranks of the cases without contradiction.
    fn solutions(&self) -> impl Iterator<Item = u32> + '_ {
        (0..1 << self.people.len()).filter(|&rank| self.contradiction(rank).is_none())
    }

    pub(super) fn write(&self, style: PromptStyle) -> String {
        let said: Vec<String> = self
            .people
            .iter()
            .zip(&self.statements)
            .map(|(&person, statement)| {
                let statement = Statement::write(statement.kind, &statement.about, style);
                SAYS.write(style, &[&letter(person).to_string(), &statement])
            })
            .collect();
        let said = said.join(match style {
            PromptStyle::Compact => ";",
            PromptStyle::Text => " ",
        });
        PUZZLE.write(style, &[&said])
    }

    pub(super) fn read(prompt: &str) -> Option<Self> {
        let said = PUZZLE.read(prompt)?[0];
        let style = match said.contains(" says: ") {
            true => PromptStyle::Text,
            false => PromptStyle::Compact,
        };
        let sentences: Vec<&str> = match style {
            PromptStyle::Text => said.split_inclusive('.').map(str::trim_start).collect(),
            PromptStyle::Compact => said.split(';').collect(),
        };
        let mut people = Vec::new();
        let mut statements = Vec::new();
        for sentence in sentences {
            let parts = SAYS.read_as(style, sentence)?;
            people.extend(read_listed(parts[0])?);
            statements.push(Statement::read(style, parts[1])?);
        }
        let known = statements
            .iter()
            .all(|statement| statement.about.iter().all(|person| people.contains(person)));
        let different = people
            .iter()
            .enumerate()
            .all(|(at, p)| !people[..at].contains(p));
        let complete = known && different && people.len() == statements.len();
        (complete && people.len() <= LETTERS).then_some(Self { people, statements })
    }

    /// The thought and the answer; `None` if there is not exactly one solution.
    pub(super) fn solve(&self) -> Option<(String, String)> {
        let solutions: Vec<u32> = self.solutions().collect();
        let [solution] = solutions[..] else {
            return None;
        };
        let cases: Vec<String> = (0..=solution)
            .map(|rank| {
                let case = written_case(self.people.len(), rank);
                match self.contradiction(rank) {
                    Some(person) => format!("{case}:{}", letter(person)),
                    None => format!("{case}:ok"),
                }
            })
            .collect();
        let knights = chosen(&self.people, solution);
        let mut named = self.people.clone();
        named.retain(|&person| knights >> person & 1 == 1);
        named.sort_unstable();
        let answer = match named.is_empty() {
            true => "none".to_owned(),
            false => listed(&named),
        };
        Some((cases.join(";"), answer))
    }
}

/// T or F for each of `count` letters.
pub(super) fn written_case(count: usize, rank: u32) -> String {
    let bit = |at: usize| if rank >> at & 1 == 1 { 'T' } else { 'F' };
    (0..count).rev().map(bit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fallback_has_one_solution() {
        for count in 2..=8 {
            let puzzle = Knights::fallback((0..count).collect());
            let solutions: Vec<u32> = puzzle.solutions().collect();
            assert_eq!(solutions, [(1 << count) - 1]);
        }
    }
}
