//! Units behind a number.
//!
//! A unit on one side only is left out, as people do. Two units of the same kind are converted: 1 m
//! is 100 cm. Two of different kinds make different answers. A word that is no unit, such as
//! "apples", is left out.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::One as _;

use super::lexer::Lexeme;
use super::token::Token;

/// A unit: powers of length, mass, time and money, and its size in metres, grams, seconds and
/// dollars.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Unit {
    dimension: [i32; 4],
    size: BigRational,
}

impl Unit {
    /// How many of `other` it is, if both measure the same.
    pub(super) fn in_terms_of(&self, other: &Self) -> Option<BigRational> {
        (self.dimension == other.dimension).then(|| &self.size / &other.size)
    }
}

/// What stands behind a number.
#[derive(Debug, PartialEq)]
pub(super) struct Tail {
    /// Where it starts.
    pub(super) start: usize,
    /// The unit, if it is a known one.
    pub(super) unit: Option<Unit>,
    /// Whether it could as well be a variable, as in "5m".
    pub(super) ambiguous: bool,
}

/// The unit or the words at the end of an answer; `None` if there are none.
pub(super) fn tail(lexemes: &[Lexeme<'_>]) -> Option<Tail> {
    let mut start = lexemes.len();
    let mut found = None;
    // The longest run of words and signs that units are made of, with a value before it.
    while start > 0 && is_unit_sign(lexemes, start - 1) {
        start -= 1;
        let before = start.checked_sub(1).map(|at| &lexemes[at].token);
        let starts = matches!(
            lexemes[start].token,
            Token::Text(_) | Token::Word(_) | Token::Name(_)
        );
        let value = before.is_some_and(|token| {
            token.ends_value() && !matches!(token, Token::Word(_) | Token::Name(_) | Token::Bar)
        });
        if starts && value {
            found = Some(start);
        }
    }
    let start = found?;
    let tail = &lexemes[start..];
    let after_degree = lexemes[start - 1].token == Token::Degree;
    let unit = unit(&spelling(tail));
    let letters = tail
        .iter()
        .all(|lexeme| !matches!(lexeme.token, Token::Text(_) | Token::Word(_)));
    let word = match &tail[0].token {
        Token::Text(_) => true,
        Token::Word(word) => word.chars().count() > 3 || counted(word),
        _ => after_degree,
    };
    (word || unit.is_some()).then_some(Tail {
        start,
        ambiguous: letters && !after_degree,
        unit,
    })
}

/// Whether the sign at `at` can be a part of a unit: `m/s^2`, `square feet`.
fn is_unit_sign(lexemes: &[Lexeme<'_>], at: usize) -> bool {
    match &lexemes[at].token {
        Token::Text(_) | Token::Word(_) | Token::Divide | Token::Caret | Token::Constant(_) => true,
        Token::Name(name) => name.chars().count() == 1,
        Token::Times => at > 0 && matches!(lexemes[at - 1].token, Token::Text(_) | Token::Word(_)),
        Token::Number { .. } | Token::OpenGroup | Token::Minus => {
            let before = at.checked_sub(1).map(|at| &lexemes[at].token);
            matches!(before, Some(Token::Caret | Token::Text(_)))
                || matches!(before, Some(Token::OpenGroup | Token::Minus))
                    && is_unit_sign(lexemes, at - 1)
        }
        Token::CloseGroup => {
            // Only around an exponent.
            let open = lexemes[..at]
                .iter()
                .rposition(|lexeme| lexeme.token == Token::OpenGroup);
            open.is_some_and(|open| is_unit_sign(lexemes, open))
        }
        _ => false,
    }
}

/// Whether letters are a word or the sign of a unit, and no product of variables.
pub(super) fn is_word(letters: &str) -> bool {
    counted(letters) || known(letters).is_some()
}

/// Short words for things that are counted.
fn counted(word: &str) -> bool {
    const WORDS: [&str; 24] = [
        "men", "man", "boy", "box", "cup", "pie", "kid", "hen", "cow", "pig", "dog", "cat", "egg",
        "pen", "toy", "car", "bus", "job", "way", "set", "pts", "rd", "th", "nd",
    ];
    WORDS.contains(&word.to_lowercase().as_str())
}

fn spelling(tail: &[Lexeme<'_>]) -> String {
    let mut out = String::new();
    for lexeme in tail {
        match &lexeme.token {
            Token::Text(text) | Token::Word(text) => {
                out.push(' ');
                out.push_str(text);
            }
            Token::Name(name) => {
                out.push(' ');
                out.push_str(name);
            }
            Token::Number { digits, .. } => out.push_str(digits),
            Token::Divide => out.push('/'),
            Token::Caret => out.push('^'),
            Token::Minus => out.push('-'),
            Token::Times => out.push('*'),
            _ => {}
        }
    }
    out
}

/// The unit that a text names.
fn unit(text: &str) -> Option<Unit> {
    let mut whole = Unit {
        dimension: [0; 4],
        size: BigRational::one(),
    };
    let mut sign = 1;
    let mut next_power = 1;
    let mut last: Option<(Unit, i32)> = None;
    let mut rest = text;
    let mut any = false;
    loop {
        rest = rest.trim_start_matches([' ', '*', '.', '·', '~', '\\', ',', '{', '}']);
        let Some(first) = rest.chars().next() else {
            break;
        };
        match first {
            '/' => {
                sign = -1;
                rest = &rest[1..];
            }
            '^' => {
                rest = rest[1..].trim_start_matches(['{', ' ']);
                let length = rest
                    .find(|c: char| !c.is_ascii_digit() && c != '-')
                    .unwrap_or(rest.len());
                let power: i32 = rest[..length].parse().ok().filter(|p: &i32| p.abs() <= 4)?;
                let (unit, sign) = last.take()?;
                // One power is already counted.
                multiply(&mut whole, &unit, sign * (power - 1));
                rest = rest[length..].trim_start_matches('}');
            }
            _ => {
                let length = rest
                    .find(|c: char| !c.is_alphabetic())
                    .unwrap_or(rest.len());
                if length == 0 {
                    return None;
                }
                let word = &rest[..length];
                rest = &rest[length..];
                match word.to_lowercase().as_str() {
                    "per" => sign = -1,
                    "square" | "sq" => next_power = 2,
                    "cubic" | "cu" => next_power = 3,
                    "squared" => {
                        let (unit, sign) = last.take()?;
                        multiply(&mut whole, &unit, sign);
                    }
                    _ => {
                        let unit = known(word)?;
                        multiply(&mut whole, &unit, sign * next_power);
                        last = Some((unit, sign));
                        next_power = 1;
                        any = true;
                    }
                }
            }
        }
    }
    any.then_some(whole)
}

fn multiply(whole: &mut Unit, unit: &Unit, power: i32) {
    for (sum, part) in whole.dimension.iter_mut().zip(unit.dimension) {
        *sum += part * power;
    }
    whole.size *= unit.size.pow(power);
}

/// A unit by its name or sign.
fn known(word: &str) -> Option<Unit> {
    const LENGTH: usize = 0;
    const MASS: usize = 1;
    const TIME: usize = 2;
    const MONEY: usize = 3;
    let lower = word.to_lowercase();
    let singular = match lower.as_str() {
        "feet" => "foot",
        "inches" => "inch",
        "s" | "ms" | "gs" | "hours" | "hrs" => match lower.as_str() {
            "hours" | "hrs" => "hour",
            other => other,
        },
        other if other.len() > 2 => other.strip_suffix('s').unwrap_or(other),
        other => other,
    };
    let (kind, size): (usize, (i64, i64)) = match singular {
        "m" | "meter" | "metre" => (LENGTH, (1, 1)),
        "cm" | "centimeter" | "centimetre" => (LENGTH, (1, 100)),
        "mm" | "millimeter" | "millimetre" => (LENGTH, (1, 1_000)),
        "dm" | "decimeter" | "decimetre" => (LENGTH, (1, 10)),
        "km" | "kilometer" | "kilometre" => (LENGTH, (1_000, 1)),
        "in" | "inch" => (LENGTH, (254, 10_000)),
        "ft" | "foot" => (LENGTH, (3_048, 10_000)),
        "yd" | "yard" => (LENGTH, (9_144, 10_000)),
        "mi" | "mile" => (LENGTH, (1_609_344, 1_000)),
        "g" | "gram" | "gm" => (MASS, (1, 1)),
        "mg" | "milligram" => (MASS, (1, 1_000)),
        "kg" | "kilogram" => (MASS, (1_000, 1)),
        "lb" | "pound" => (MASS, (45_359_237, 100_000)),
        "oz" | "ounce" => (MASS, (45_359_237, 1_600_000)),
        "s" | "sec" | "second" => (TIME, (1, 1)),
        "min" | "minute" => (TIME, (60, 1)),
        "h" | "hr" | "hour" => (TIME, (3_600, 1)),
        "day" => (TIME, (86_400, 1)),
        "week" => (TIME, (604_800, 1)),
        "dollar" | "usd" | "buck" => (MONEY, (1, 1)),
        "cent" => (MONEY, (1, 100)),
        "mph" => return quotient("mile", "hour"),
        "kmph" | "kmh" | "kph" => return quotient("km", "hour"),
        "l" | "liter" | "litre" => return volume(1, 1_000),
        "ml" | "milliliter" | "millilitre" => return volume(1, 1_000_000),
        _ => return None,
    };
    let mut dimension = [0; 4];
    dimension[kind] = 1;
    Some(Unit {
        dimension,
        size: BigRational::new(size.0.into(), size.1.into()),
    })
}

fn quotient(above: &str, below: &str) -> Option<Unit> {
    let mut unit = known(above)?;
    multiply(&mut unit, &known(below)?, -1);
    Some(unit)
}

/// A volume in cubic metres.
fn volume(above: i64, below: i64) -> Option<Unit> {
    Some(Unit {
        dimension: [3, 0, 0, 0],
        size: BigRational::new(BigInt::from(above), BigInt::from(below)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(a: &str, b: &str) -> Option<BigRational> {
        unit(a).unwrap().in_terms_of(&unit(b).unwrap())
    }

    #[test]
    fn units_of_one_kind_are_converted_exactly() {
        let fraction = |a: i64, b: i64| Some(BigRational::new(a.into(), b.into()));
        assert_eq!(ratio("m", "cm"), fraction(100, 1));
        assert_eq!(ratio("m/s", "km/h"), fraction(18, 5));
        assert_eq!(ratio("square feet", "in^2"), fraction(144, 1));
        assert_eq!(ratio("cm^{2}", "m^2"), fraction(1, 10_000));
        assert_eq!(ratio("miles per hour", "mph"), fraction(1, 1));
        assert_eq!(ratio("liters", "cm^3"), fraction(1_000, 1));
        assert_eq!(ratio("m", "s"), None);
        assert_eq!(unit("apples"), None);
        assert_eq!(unit("m^99"), None);
    }
}
