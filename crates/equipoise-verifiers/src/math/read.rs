//! Reading one answer.

use num_rational::BigRational;

use super::compare::{Rules, bare};
use super::expression::{Expression, NamedSet, Value};
use super::lexer::{Lexeme, lexemes, tidy};
use super::parser;
use super::token::Token;
use super::units::{self, Unit};

/// Longer texts are not read as answers, only compared letter by letter.
const MAX_LENGTH: usize = 2_000;

/// An answer as it was understood.
#[derive(Debug)]
pub(super) struct Reading {
    /// The text, without white space and signs at its ends.
    pub(super) text: String,
    /// What it says, or why that could not be made out.
    pub(super) value: Result<Value, String>,
    /// The unit behind it.
    unit: Option<Unit>,
    /// What it says if the last letter is a unit and no variable.
    without_unit: Option<Value>,
    /// Whether it reads like a sentence: then it is no answer by itself.
    pub(super) prose: bool,
}

impl Reading {
    pub(super) fn of(text: &str) -> Self {
        let text = trimmed(text);
        let mut reading = Self {
            text: text.to_owned(),
            value: Err("nothing is written".into()),
            unit: None,
            without_unit: None,
            prose: false,
        };
        if text.is_empty() {
            return reading;
        }
        if text.len() > MAX_LENGTH {
            reading.value = Err(format!("it is longer than {MAX_LENGTH} bytes"));
            reading.prose = true;
            return reading;
        }
        let tidy = tidy(text);
        let all = match lexemes(&tidy) {
            Ok(all) => all,
            Err(why) => {
                // Punctuation inside a sentence is what usually is not understood.
                reading.prose = text.split_whitespace().any(|word| {
                    word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic())
                });
                reading.value = Err(why);
                return reading;
            }
        };
        let all = introduction(&all);
        // `\text{42 apples}` is what stands in it.
        if let [
            Lexeme {
                token: Token::Text(inner),
                ..
            },
        ] = all
            && inner.bytes().any(|byte| byte.is_ascii_digit())
        {
            return Self::of(inner);
        }
        if let Some(words) = words(all, text) {
            reading.prose = words.split(' ').count() > 5;
            reading.value = Ok(match bare(&words).as_str() {
                "nosolution" | "nosolutions" | "norealsolution" | "norealsolutions" | "none"
                | "emptyset" | "theemptyset" => Value::Named(NamedSet::Empty),
                "allrealnumbers" | "allreals" | "realnumbers" | "allrealvalues" => {
                    Value::Named(NamedSet::Reals)
                }
                _ => Value::Text(words),
            });
            return reading;
        }
        let mut kept = all;
        if let Some(tail) = units::tail(all) {
            if tail.ambiguous {
                reading.without_unit = parser::parse(&all[..tail.start]).ok();
            } else {
                kept = &all[..tail.start];
            }
            reading.unit = tail.unit;
        }
        reading.prose = kept.iter().any(|lexeme| is_prose(&lexeme.token));
        reading.value = parser::parse(kept);
        reading
    }

    /// Whether `answer` says what this gold answer says.
    pub(super) fn matches(&self, answer: &Self, rules: &Rules) -> bool {
        if self.text == answer.text {
            return true;
        }
        if let (Some(letter), Some(other)) = (choice(&self.text), leading_choice(&answer.text)) {
            return letter == other;
        }
        let (Ok(gold), Ok(given)) = (&self.value, &answer.value) else {
            return same_signs(&self.text, &answer.text);
        };
        let golds = self.readings(gold);
        let answers = answer.readings(given);
        golds.iter().any(|(gold, unit)| {
            answers.iter().any(|(given, other)| match (unit, other) {
                (Some(unit), Some(other)) => other
                    .in_terms_of(unit)
                    .is_some_and(|times| rules.same(gold, &times_as_much(given, times))),
                _ => rules.same(gold, given),
            })
        })
    }

    /// Whether it is the letter of a multiple choice.
    pub(super) fn is_choice(&self) -> bool {
        choice(&self.text).is_some()
    }

    /// What it may say: with a letter at the end as a variable, and as a unit.
    fn readings<'r>(&'r self, value: &'r Value) -> Vec<(&'r Value, Option<&'r Unit>)> {
        match &self.without_unit {
            None => vec![(value, self.unit.as_ref())],
            Some(without) => vec![(value, None), (without, self.unit.as_ref())],
        }
    }
}

/// The letter of a multiple choice that is all of an answer: `B`, `(B)`, `\text{(B)}`.
fn choice(text: &str) -> Option<char> {
    let inner = text
        .strip_prefix("\\text{")
        .or_else(|| text.strip_prefix("\\textbf{"))
        .and_then(|text| text.strip_suffix('}'))
        .unwrap_or(text);
    let mut letters = inner.chars().filter(|c| !"() .:".contains(*c));
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    (letters.next().is_none() && letter <= 'J').then_some(letter)
}

/// The letter of a multiple choice with which an answer starts, before what it stands for: `(B) 14`,
/// `B. fourteen`.
pub(super) fn leading_choice(text: &str) -> Option<char> {
    let text = ["\\textbf{", "\\text{"]
        .iter()
        .find_map(|start| text.strip_prefix(start))
        .unwrap_or(text);
    let (rest, end): (&str, &[char]) = match text.strip_prefix('(') {
        Some(rest) => (rest, &[')']),
        None => (text, &[')', ':', '.']),
    };
    let mut characters = rest.chars();
    let letter = characters
        .next()
        .filter(|c| c.is_ascii_uppercase() && *c <= 'J')?;
    let closed = characters.next().is_some_and(|c| end.contains(&c));
    // With nothing behind it, the letter is the whole answer and is compared as one.
    let more = characters
        .as_str()
        .trim_matches(|c: char| c == '}' || c.is_whitespace());
    (closed && !more.is_empty()).then_some(letter)
}

/// The value in another unit.
fn times_as_much(value: &Value, times: BigRational) -> Value {
    match value {
        Value::Scalar(expression) if times != BigRational::from_integer(1.into()) => Value::Scalar(
            Expression::product(Expression::exact(times), expression.clone()),
        ),
        other => other.clone(),
    }
}

/// Without what surrounds an answer but does not belong to it.
fn trimmed(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let before = text;
        text = text.trim_matches(|c: char| c.is_whitespace() || "*`$\"".contains(c));
        text = text.trim_end_matches(['.', ',', ';', ':', '。', '，']);
        for end in ["\\,", "\\;", "\\!", "\\quad", "\\\\", "\\"] {
            text = text.strip_suffix(end).unwrap_or(text);
        }
        for (open, close) in [("\\[", "\\]"), ("\\(", "\\)")] {
            let inner = text
                .strip_prefix(open)
                .and_then(|text| text.strip_suffix(close));
            text = inner.unwrap_or(text);
        }
        if text == before {
            return text;
        }
    }
}

/// Without the words that lead to the value: "about 5", "Rs 200".
fn introduction<'s, 'a>(lexemes: &'s [Lexeme<'a>]) -> &'s [Lexeme<'a>] {
    const WORDS: [&str; 12] = [
        "there",
        "are",
        "option",
        "approximately",
        "about",
        "roughly",
        "around",
        "rs",
        "usd",
        "exactly",
        "is",
        "only",
    ];
    let leads = |lexeme: &Lexeme<'_>| match &lexeme.token {
        Token::Word(word) | Token::Text(word) => WORDS.contains(&bare(word).as_str()),
        _ => false,
    };
    let first = lexemes
        .iter()
        .position(|lexeme| !leads(lexeme))
        .unwrap_or(0);
    &lexemes[first..]
}

/// The words, if the answer consists of nothing else.
fn words(lexemes: &[Lexeme<'_>], text: &str) -> Option<String> {
    let wordy = |lexeme: &Lexeme<'_>| match &lexeme.token {
        Token::Text(text) => !text.bytes().any(|byte| byte.is_ascii_digit()),
        Token::Word(_) | Token::Name(_) | Token::Constant(_) | Token::And => true,
        Token::Minus | Token::Prime | Token::Bang | Token::Times => true,
        _ => false,
    };
    let long = |lexeme: &Lexeme<'_>| match &lexeme.token {
        Token::Word(word) => word.chars().count() > 3,
        Token::Text(text) => text.trim().chars().count() > 3,
        _ => false,
    };
    let count = lexemes
        .iter()
        .filter(|lexeme| matches!(lexeme.token, Token::Word(_) | Token::Text(_)))
        .count();
    if !lexemes.iter().all(wordy) || !(lexemes.iter().any(long) || count > 1) {
        return None;
    }
    let mut spelled = String::new();
    for lexeme in lexemes {
        let part = match &lexeme.token {
            Token::Text(text) | Token::Word(text) => text,
            Token::Name(name) => name.as_str(),
            Token::And => "and",
            Token::Constant(super::expression::Constant::E) => "e",
            Token::Constant(super::expression::Constant::I) => "i",
            Token::Constant(_) => return None,
            _ => continue,
        };
        if !spelled.is_empty() {
            spelled.push(' ');
        }
        spelled.push_str(part);
    }
    (!bare(text).is_empty()).then_some(spelled)
}

/// Whether a word does not occur in formulas.
fn is_prose(token: &Token<'_>) -> bool {
    const SHORT: [&str; 14] = [
        "is", "the", "so", "of", "are", "we", "to", "it", "has", "was", "for", "by", "if", "get",
    ];
    match token {
        Token::Word(word) => {
            word.chars().count() > 3 || SHORT.contains(&word.to_lowercase().as_str())
        }
        _ => false,
    }
}

/// Whether two texts that are not understood consist of the same signs, whatever the spaces.
fn same_signs(gold: &str, answer: &str) -> bool {
    let signs = |text: &str| -> Option<Vec<String>> {
        let tidy = tidy(text);
        let lexemes = lexemes(&tidy).ok()?;
        Some(
            lexemes
                .iter()
                .map(|lexeme| format!("{:?}", lexeme.token))
                .collect(),
        )
    };
    if let (Some(a), Some(b)) = (signs(gold), signs(answer)) {
        return a == b;
    }
    let squeezed = |text: &str| -> String {
        let text = ["\\,", "\\;", "\\:", "\\!"]
            .iter()
            .fold(text.to_owned(), |text, space| text.replace(space, ""));
        text.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect()
    };
    squeezed(gold) == squeezed(answer)
}
