//! Propositional formulas over the letters A to L.

use std::fmt;

use equipoise_core::Stream;

/// A formula. Compound ones are written in parentheses, so nothing depends on precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Formula {
    /// The letter with this index.
    Letter(usize),
    /// `-A`
    Not(Box<Formula>),
    /// `(A&B)`, `(A|B)` or `(A=B)`
    Both(Box<Formula>, Connective, Box<Formula>),
}

/// What joins two formulas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Connective {
    /// `&`: both.
    And,
    /// `|`: at least one.
    Or,
    /// `=`: both or neither.
    Equal,
}

impl Connective {
    pub(super) const ALL: [Self; 3] = [Self::And, Self::Or, Self::Equal];

    fn symbol(self) -> char {
        match self {
            Self::And => '&',
            Self::Or => '|',
            Self::Equal => '=',
        }
    }
}

/// The deepest nesting that is read.
const DEEPEST: usize = 16;

/// How many letters there are.
pub(super) const LETTERS: usize = 12;

/// The letter with that index.
pub(super) fn letter(index: usize) -> char {
    char::from(b'A' + (index % LETTERS) as u8)
}

/// That many different letters, by index, ascending.
pub(super) fn draw_letters(count: usize, stream: &mut Stream) -> Vec<usize> {
    let mut letters: Vec<usize> = (0..LETTERS).collect();
    stream.shuffle(&mut letters);
    letters.truncate(count);
    letters.sort_unstable();
    letters
}

/// The letters, with commas between them.
pub(super) fn listed(letters: &[usize]) -> String {
    let texts: Vec<String> = letters
        .iter()
        .map(|&index| letter(index).to_string())
        .collect();
    texts.join(",")
}

/// The letters that `text` lists; `None` if it lists something else, or one twice.
pub(super) fn read_listed(text: &str) -> Option<Vec<usize>> {
    let index = |part: &str| (0..LETTERS).find(|&index| part == letter(index).to_string());
    let letters: Vec<usize> = text.split(',').map(index).collect::<Option<_>>()?;
    let different = letters
        .iter()
        .enumerate()
        .all(|(at, l)| !letters[..at].contains(l));
    different.then_some(letters)
}

/// The set of letters in which those of `letters` are whose bits are set in `rank`, the first letter
/// being the highest of the bits.
pub(super) fn chosen(letters: &[usize], rank: u32) -> u32 {
    let last = letters.len().saturating_sub(1);
    let bit = |(at, &letter): (usize, &usize)| (rank >> (last - at) & 1) << letter;
    letters.iter().enumerate().map(bit).sum()
}

impl Formula {
    /// The formula's value, with `true` for the letters whose bit is set.
    pub(super) fn value(&self, letters: u32) -> bool {
        match self {
            Self::Letter(index) => letters >> index & 1 == 1,
            Self::Not(inner) => !inner.value(letters),
            Self::Both(left, connective, right) => {
                let (left, right) = (left.value(letters), right.value(letters));
                match connective {
                    Connective::And => left && right,
                    Connective::Or => left || right,
                    Connective::Equal => left == right,
                }
            }
        }
    }

    /// The formula that `text` spells; `None` if it spells none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (formula, rest) = Self::parse(text, 0)?;
        rest.is_empty().then_some(formula)
    }

    fn parse(text: &str, depth: usize) -> Option<(Self, &str)> {
        if depth > DEEPEST {
            return None;
        }
        if let Some(rest) = text.strip_prefix('-') {
            let (inner, rest) = Self::parse(rest, depth + 1)?;
            return Some((Self::Not(Box::new(inner)), rest));
        }
        if let Some(rest) = text.strip_prefix('(') {
            let (left, rest) = Self::parse(rest, depth + 1)?;
            let (connective, rest) = Connective::ALL.into_iter().find_map(|connective| {
                Some((connective, rest.strip_prefix(connective.symbol())?))
            })?;
            let (right, rest) = Self::parse(rest, depth + 1)?;
            let both = Self::Both(Box::new(left), connective, Box::new(right));
            return Some((both, rest.strip_prefix(')')?));
        }
        let index = (0..LETTERS).find(|&index| text.starts_with(letter(index)))?;
        Some((Self::Letter(index), &text[1..]))
    }
}

impl fmt::Display for Formula {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Letter(index) => write!(f, "{}", letter(*index)),
            Self::Not(inner) => write!(f, "-{inner}"),
            Self::Both(left, connective, right) => {
                write!(f, "({left}{}{right})", connective.symbol())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_read_as_they_are_written() {
        for (text, count, truths) in [
            ("A", 2, "0101"),
            ("-B", 2, "1100"),
            ("(A&B)", 2, "0001"),
            ("(A|-B)", 2, "1101"),
            ("-(A=B)", 2, "0110"),
            ("((A|B)&-C)", 3, "01110000"),
        ] {
            let formula = Formula::read(text).unwrap();
            assert_eq!(formula.to_string(), text);
            let values: String = (0..1 << count)
                .map(|letters| if formula.value(letters) { '1' } else { '0' })
                .collect();
            assert_eq!(values, truths, "{text}");
        }
        let deep = "-".repeat(40) + "A";
        for wrong in [
            "", "M", "AB", "(A&B", "A&B", "(A)", "-", "(A&)", "a", "é", &deep,
        ] {
            assert_eq!(Formula::read(wrong), None, "{wrong}");
        }
    }
}
