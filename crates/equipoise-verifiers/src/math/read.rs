//! Reading one answer.

use num_rational::BigRational;

use super::compare::{Rules, bare};
use super::expression::{Expression, Value};
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
                reading.prose = text.contains(' ');
                reading.value = Err(why);
                return reading;
            }
        };
        let all = introduction(&all);
        if let Some(words) = words(all, text) {
            reading.prose = words.split(' ').count() > 5;
            reading.value = Ok(Value::Text(words));
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
        let (Ok(gold), Ok(given)) = (&self.value, &answer.value) else {
            return same_signs(&self.text, &answer.text);
        };
        match (&self.unit, &answer.unit) {
            (Some(unit), Some(other))
                if self.without_unit.is_none() && answer.without_unit.is_none() =>
            {
                match other.in_terms_of(unit) {
                    None => false,
                    Some(times) => rules.same(gold, &times_as_much(given, times)),
                }
            }
            _ => {
                rules.same(gold, given)
                    || self
                        .without_unit
                        .as_ref()
                        .is_some_and(|gold| rules.same(gold, given))
                    || answer
                        .without_unit
                        .as_ref()
                        .is_some_and(|given| rules.same(gold, given))
            }
        }
    }
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
    const WORDS: [&str; 9] = [
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
        text.chars()
            .filter(|c| !c.is_whitespace())
            .flat_map(char::to_lowercase)
            .collect()
    };
    squeezed(gold) == squeezed(answer)
}
