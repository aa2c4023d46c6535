//! What small functions take and return.

use std::fmt;

use equipoise_core::Stream;

/// A value; `Display` writes it as Python does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Number(i64),
    List(Vec<i64>),
    /// Lower-case letters, and digits once runs are counted.
    Text(String),
    Truth(bool),
}

/// What a function takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    Number,
    List,
    Text,
}

/// Texts are made of this many letters, the first of the alphabet, so that runs and counts occur.
pub(super) const LETTERS: u64 = 9;

impl Input {
    pub(super) const ALL: [Self; 3] = [Self::Number, Self::List, Self::Text];

    /// The parameter's name in Python.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Number => "n",
            Self::List => "xs",
            Self::Text => "s",
        }
    }

    /// What the parameter is, in words.
    pub(super) fn description(self) -> &'static str {
        match self {
            Self::Number => "a positive whole number n",
            Self::List => "a list xs of whole numbers",
            Self::Text => "a string s of lower-case letters",
        }
    }

    /// An argument.
    pub(super) fn draw(self, stream: &mut Stream) -> Value {
        match self {
            Self::Number => Value::Number(stream.between(1, 30)),
            Self::List => {
                let count = stream.between(0, 9);
                // In every other list numbers are close together, so that some occur twice.
                let (low, high) = match stream.below(2) {
                    0 => (-20, 99),
                    _ => (-3, 12),
                };
                Value::List((0..count).map(|_| stream.between(low, high)).collect())
            }
            Self::Text => {
                let mut text = String::new();
                for _ in 0..stream.between(1, 5) {
                    let letter = char::from(b'a' + stream.below(LETTERS) as u8);
                    (0..stream.between(1, 3)).for_each(|_| text.push(letter));
                }
                // Every fourth text reads the same backwards.
                if stream.below(4) == 0 {
                    let reversed: String = text.chars().rev().collect();
                    text.push_str(&reversed);
                }
                Value::Text(text)
            }
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::List(list) => {
                let texts: Vec<String> = list.iter().map(i64::to_string).collect();
                write!(f, "[{}]", texts.join(", "))
            }
            Self::Text(text) => write!(f, "'{text}'"),
            Self::Truth(true) => f.write_str("True"),
            Self::Truth(false) => f.write_str("False"),
        }
    }
}
