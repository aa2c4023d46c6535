//! The steps that small functions are put together from: in words, in Rust and in Python.

use equipoise_core::Stream;

use super::value::Value;
use crate::tasks::wording::{PromptStyle, Wording};

/// What a step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    // From a number to a list.
    Digits,
    Sequence,
    Range,
    Divisors,
    // From a text to a list.
    Positions,
    // From a list to a list.
    Divisible,
    Greater,
    Multiply,
    Add,
    Reverse,
    Sort,
    First,
    DigitSums,
    Modulo,
    Totals,
    Unique,
    // From a list to a number or a truth value.
    Sum,
    Largest,
    Length,
    Gcd,
    Palindrome,
    // From a text to a text.
    Shift,
    Backwards,
    DropVowels,
    RunLengths,
    // From a text to a number or a truth value.
    CountLetter,
    Mirrored,
}

use Kind::*;

pub(super) const OPENINGS: [Kind; 4] = [Digits, Sequence, Range, Divisors];
pub(super) const LIST_STEPS: [Kind; 11] = [
    Divisible, Greater, Multiply, Add, Reverse, Sort, First, DigitSums, Modulo, Totals, Unique,
];
pub(super) const REDUCERS: [Kind; 5] = [Sum, Largest, Length, Gcd, Palindrome];
pub(super) const TEXT_STEPS: [Kind; 3] = [Shift, Backwards, DropVowels];
pub(super) const TEXT_ENDS: [Kind; 3] = [RunLengths, CountLetter, Mirrored];

/// A kind with its parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) kind: Kind,
    numbers: [i64; 2],
    letter: char,
}

impl Kind {
    fn all() -> impl Iterator<Item = Self> {
        let lists = OPENINGS.into_iter().chain([Positions]).chain(LIST_STEPS);
        lists.chain(REDUCERS).chain(TEXT_STEPS).chain(TEXT_ENDS)
    }

    fn wording(self) -> Wording {
        let (compact, text) = match self {
            Digits => (
                "digits {}",
                "make the list of the digits of n in base {}, the most significant digit first",
            ),
            Sequence => (
                "sequence {} {}",
                "make the list of the first n terms of the sequence that starts with {} and {} and in \
                 which every further term is the sum of the two before it",
            ),
            Range => ("range", "make the list of the whole numbers from 1 to n"),
            Divisors => (
                "divisors",
                "make the list of the positive divisors of n in ascending order",
            ),
            Positions => (
                "positions",
                "make the list of the positions of its letters in the alphabet, with 1 for a",
            ),
            Divisible => ("divisible {}", "keep only the elements divisible by {}"),
            Greater => ("greater {}", "keep only the elements greater than {}"),
            Multiply => ("multiply {}", "multiply every element by {}"),
            Add => ("add {}", "add {} to every element"),
            Reverse => ("reverse", "reverse the order of the elements"),
            Sort => ("sort", "sort the elements in ascending order"),
            First => ("first {}", "keep only the first {} elements"),
            DigitSums => (
                "digit sums",
                "replace every element by the sum of the decimal digits of its absolute value",
            ),
            Modulo => (
                "modulo {}",
                "replace every element by its remainder, never negative, modulo {}",
            ),
            Totals => (
                "totals",
                "replace every element by the sum of the elements up to and including it",
            ),
            Unique => ("unique", "keep only the first occurrence of every element"),
            Sum => ("sum", "return the sum of the elements"),
            Largest => (
                "largest",
                "return the largest element, or 0 if there is none",
            ),
            Length => ("length", "return the number of elements"),
            Gcd => (
                "gcd",
                "return the greatest common divisor of the elements, which is 0 if all of them are",
            ),
            Palindrome => (
                "palindrome",
                "return whether the elements are the same in reverse order",
            ),
            Shift => (
                "shift {}",
                "replace every letter by the one {} places further in the alphabet, with a after z",
            ),
            Backwards => ("backwards", "reverse the order of the letters"),
            DropVowels => ("drop vowels", "remove the vowels a e i o u"),
            RunLengths => (
                "run lengths",
                "replace every run of equal letters by the letter and the length of the run",
            ),
            CountLetter => ("count {}", "return how often the letter {} occurs"),
            Mirrored => ("mirrored", "return whether it reads the same backwards"),
        };
        Wording { compact, text }
    }
}

impl Step {
    pub(super) fn draw(kind: Kind, stream: &mut Stream) -> Self {
        let range = match kind {
            Digits => (2, 16),
            Greater => (-30, 60),
            Add => (1, 50),
            First => (2, 6),
            Shift => (1, 25),
            Modulo => (3, 20),
            _ => (2, 9),
        };
        let numbers = [(); 2].map(|()| stream.between(range.0, range.1));
        let letter = char::from(b'a' + stream.below(super::value::LETTERS) as u8);
        Self {
            kind,
            numbers,
            letter,
        }
    }

    pub(super) fn write(&self, style: PromptStyle) -> String {
        let [first, second] = self.numbers.map(|number| number.to_string());
        let letter = self.letter.to_string();
        let parts: &[&str] = match self.kind {
            CountLetter => &[&letter],
            _ => &[&first, &second],
        };
        self.kind.wording().write(style, parts)
    }

    pub(super) fn read(style: PromptStyle, text: &str) -> Option<Self> {
        Kind::all().find_map(|kind| {
            let parts = kind.wording().read_as(style, text)?;
            let mut step = Self {
                kind,
                numbers: [0; 2],
                letter: 'a',
            };
            if kind == CountLetter {
                let mut letters = parts[0].chars();
                step.letter = letters.next().filter(char::is_ascii_lowercase)?;
                return letters.next().is_none().then_some(step);
            }
            for (number, part) in step.numbers.iter_mut().zip(parts) {
                let digits = part.strip_prefix('-').unwrap_or(part);
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                *number = plain.then(|| part.parse().ok()).flatten()?;
            }
            Some(step)
        })
    }

    /// What the step makes of a value; `None` if the value is of another type.
    ///
    /// Lists have at most 40 elements of at most 10⁷ before the first step, and no step multiplies
    /// more than 40-fold, so that six steps stay below 10¹⁷.
    pub(super) fn apply(&self, value: Value) -> Option<Value> {
        let number = self.numbers[0];
        Some(match value {
            Value::Number(n) => Value::List(match self.kind {
                Digits => {
                    let mut digits: Vec<i64> = std::iter::successors(Some(n), |n| Some(n / number))
                        .take_while(|&n| n > 0)
                        .map(|n| n % number)
                        .collect();
                    digits.reverse();
                    digits
                }
                Sequence => {
                    let [a, b] = self.numbers;
                    let terms = std::iter::successors(Some((a, b)), |&(a, b)| Some((b, a + b)));
                    terms.map(|(a, _)| a).take(n as usize).collect()
                }
                Range => (1..=n).collect(),
                Divisors => (1..=n).filter(|d| n % d == 0).collect(),
                _ => return None,
            }),
            Value::List(list) => return self.apply_to_list(list),
            Value::Text(text) => match self.kind {
                Positions => Value::List(text.bytes().map(|b| i64::from(b - b'a') + 1).collect()),
                Shift => {
                    let shifted = |byte| b'a' + ((i64::from(byte - b'a') + number) % 26) as u8;
                    Value::Text(text.bytes().map(|byte| char::from(shifted(byte))).collect())
                }
                Backwards => Value::Text(text.chars().rev().collect()),
                DropVowels => Value::Text(text.replace(['a', 'e', 'i', 'o', 'u'], "")),
                RunLengths => {
                    let runs = text.as_bytes().chunk_by(|a, b| a == b);
                    let written = runs.map(|run| format!("{}{}", char::from(run[0]), run.len()));
                    Value::Text(written.collect())
                }
                CountLetter => Value::Number(text.matches(self.letter).count() as i64),
                Mirrored => Value::Truth(text.chars().eq(text.chars().rev())),
                _ => return None,
            },
            Value::Truth(_) => return None,
        })
    }

    fn apply_to_list(&self, mut list: Vec<i64>) -> Option<Value> {
        let number = self.numbers[0];
        match self.kind {
            Divisible => list.retain(|x| x % number == 0),
            Greater => list.retain(|&x| x > number),
            Multiply => list.iter_mut().for_each(|x| *x *= number),
            Add => list.iter_mut().for_each(|x| *x += number),
            Reverse => list.reverse(),
            Sort => list.sort_unstable(),
            First => list.truncate(number as usize),
            DigitSums => list.iter_mut().for_each(|x| *x = digit_sum(x.abs())),
            Modulo => list.iter_mut().for_each(|x| *x = x.rem_euclid(number)),
            Totals => {
                let mut total = 0;
                list.iter_mut().for_each(|x| {
                    total += *x;
                    *x = total;
                });
            }
            Unique => {
                let mut seen = Vec::new();
                list.retain(|x| {
                    let new = !seen.contains(x);
                    seen.push(*x);
                    new
                });
            }
            Sum => return Some(Value::Number(list.iter().sum())),
            Largest => return Some(Value::Number(list.iter().copied().max().unwrap_or(0))),
            Length => return Some(Value::Number(list.len() as i64)),
            Gcd => return Some(Value::Number(list.iter().fold(0, |g, &x| gcd(g, x.abs())))),
            Palindrome => return Some(Value::Truth(list.iter().eq(list.iter().rev()))),
            _ => return None,
        }
        Some(Value::List(list))
    }

    /// The lines of a Python function that do this, where a number is called `n`, a list `xs` and a
    /// text `s`; whether they return.
    pub(super) fn python(&self) -> (String, bool) {
        let [a, b] = self.numbers;
        let letter = self.letter;
        let lines = match self.kind {
            Digits => format!(
                "xs = []\nwhile n > 0:\n    xs.append(n % {a})\n    n //= {a}\nxs.reverse()"
            ),
            Sequence => format!(
                "xs = []\na, b = {a}, {b}\nfor i in range(n):\n    xs.append(a)\n    a, b = b, a + b"
            ),
            Range => "xs = list(range(1, n + 1))".to_owned(),
            Divisors => "xs = [d for d in range(1, n + 1) if n % d == 0]".to_owned(),
            Positions => "xs = [ord(c) - 96 for c in s]".to_owned(),
            Divisible => format!("xs = [x for x in xs if x % {a} == 0]"),
            Greater => format!("xs = [x for x in xs if x > {a}]"),
            Multiply => format!("xs = [x * {a} for x in xs]"),
            Add => format!("xs = [x + {a} for x in xs]"),
            Reverse => "xs = xs[::-1]".to_owned(),
            Sort => "xs = sorted(xs)".to_owned(),
            First => format!("xs = xs[:{a}]"),
            DigitSums => "xs = [sum(int(d) for d in str(abs(x))) for x in xs]".to_owned(),
            Modulo => format!("xs = [x % {a} for x in xs]"),
            Totals => "xs = [sum(xs[:i + 1]) for i in range(len(xs))]".to_owned(),
            Unique => "xs = list(dict.fromkeys(xs))".to_owned(),
            Sum => "return sum(xs)".to_owned(),
            Largest => "return max(xs, default=0)".to_owned(),
            Length => "return len(xs)".to_owned(),
            Gcd => {
                "g = 0\nfor x in xs:\n    while x:\n        g, x = x, g % x\nreturn abs(g)".into()
            }
            Palindrome => "return xs == xs[::-1]".to_owned(),
            Shift => format!("s = ''.join(chr((ord(c) - 97 + {a}) % 26 + 97) for c in s)"),
            Backwards => "s = s[::-1]".to_owned(),
            DropVowels => "s = ''.join(c for c in s if c not in 'aeiou')".to_owned(),
            RunLengths => "t = ''\nwhile s:\n    k = len(s) - len(s.lstrip(s[0]))\n    \
                           t += s[0] + str(k)\n    s = s[k:]\nreturn t"
                .to_owned(),
            CountLetter => format!("return s.count('{letter}')"),
            Mirrored => "return s == s[::-1]".to_owned(),
        };
        let returns = REDUCERS.contains(&self.kind) || TEXT_ENDS.contains(&self.kind);
        (lines, returns)
    }
}

fn digit_sum(mut value: i64) -> i64 {
    let mut sum = 0;
    while value > 0 {
        sum += value % 10;
        value /= 10;
    }
    sum
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}
