//! From words and signs to an answer: lists, relations and sets. Scalars are in `scalar`.
//!
//! ```text
//! answer   = list
//! list     = element { ("," | ";" | "and" | "or") element }
//! element  = side { relation side }
//! side     = sum { ("∪" | "∩" | "∖") sum }
//! sum      = term { ("+" | "-" | "±" | "∓") term }
//! term     = factors { ("·" | "/" | ":" | "mod") factors }
//! factors  = power { power }            juxtaposition binds tighter than "/": 1/2x = 1/(2x)
//! power    = postfix [ "^" power ]
//! postfix  = primary { "!" | "%" | "°" | "′" }
//! ```

mod decimal;
mod functions;
mod matrix;
mod scalar;

use super::expression::{Bracket, Combination, Expression, NamedSet, Relation, Value};
use super::lexer::Lexeme;
use super::token::Token;

/// How deep brackets may be nested.
const MAX_DEPTH: usize = 64;

/// The variable that stands for the sign of `±` until the two cases are written out.
pub(super) const SIGN: &str = "±";

/// The answer that `lexemes` spell; an error says where it stops being one.
pub(super) fn parse(lexemes: &[Lexeme<'_>]) -> Result<Value, String> {
    let mut parser = Parser {
        lexemes,
        at: 0,
        taken: 0,
        depth: 0,
        bar_closes: false,
        colon_divides: true,
    };
    let value = parser.list()?;
    match parser.peek() {
        None if lexemes.iter().any(|lexeme| is_sign(&lexeme.token)) => {
            Ok(listed(both_signs(value)))
        }
        None => Ok(value),
        Some(token) => Err(format!("{token:?} is unexpected")),
    }
}

struct Parser<'t, 'a> {
    lexemes: &'t [Lexeme<'a>],
    at: usize,
    /// How many digits of the number at `at` are used up: `\frac12` takes one at a time.
    taken: usize,
    depth: usize,
    /// Whether `|` closes what is being read, or opens an absolute value.
    bar_closes: bool,
    /// Whether `:` is a division here, or belongs to the set around.
    colon_divides: bool,
}

type Parsed<T = Value> = Result<T, String>;

impl<'t, 'a> Parser<'t, 'a> {
    fn peek(&self) -> Option<&'t Token<'a>> {
        self.lexemes.get(self.at).map(|lexeme| &lexeme.token)
    }

    fn peek_at(&self, ahead: usize) -> Option<&'t Token<'a>> {
        self.lexemes
            .get(self.at + ahead)
            .map(|lexeme| &lexeme.token)
    }

    fn advance(&mut self) {
        self.at += 1;
        self.taken = 0;
    }

    /// Takes `token` if it is next.
    fn accept(&mut self, token: &Token<'_>) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, token: &Token<'_>) -> Parsed<()> {
        if self.accept(token) {
            return Ok(());
        }
        Err(format!("{token:?} is missing"))
    }

    /// Reads what stands inside brackets, where signs mean what they usually do.
    fn inside<T>(
        &mut self,
        bar_closes: bool,
        colon_divides: bool,
        read: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        if self.depth == MAX_DEPTH {
            return Err("brackets are nested too deeply".into());
        }
        let before = (self.bar_closes, self.colon_divides);
        (self.bar_closes, self.colon_divides) = (bar_closes, colon_divides);
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        (self.bar_closes, self.colon_divides) = before;
        result
    }

    fn list(&mut self) -> Parsed {
        let items = self.items()?;
        Ok(listed(items))
    }

    /// Elements with separators between them.
    fn items(&mut self) -> Parsed<Vec<Value>> {
        let mut items = vec![self.element()?];
        while let Some(Token::Comma | Token::Semicolon | Token::And) = self.peek() {
            self.advance();
            // "1, 2, and 3" has two separators in a row.
            while let Some(Token::Comma | Token::And) = self.peek() {
                self.advance();
            }
            // One at the end is punctuation.
            if self.peek().is_none() {
                break;
            }
            items.push(self.element()?);
        }
        Ok(items)
    }

    fn element(&mut self) -> Parsed {
        let first = self.side()?;
        let mut rest = Vec::new();
        while let Some(&Token::Relation(relation)) = self.peek() {
            self.advance();
            // "x =" followed by nothing, and "> or =" as one sign, are not written by anyone.
            rest.push((relation, self.side()?));
        }
        if rest.is_empty() {
            return Ok(first);
        }
        Ok(Value::Chain {
            first: Box::new(first),
            rest,
        })
    }

    fn side(&mut self) -> Parsed {
        let mut left = self.sum()?;
        loop {
            let how = match self.peek() {
                Some(Token::Union) => Combination::Union,
                Some(Token::Intersection) => Combination::Intersection,
                Some(Token::Without) => Combination::Difference,
                // A set and another with the letter U between them.
                Some(Token::Name(name)) if name == "u" && is_set(&left) => Combination::Union,
                _ => return Ok(left),
            };
            self.advance();
            let right = self.sum()?;
            left = Value::Combined(how, Box::new([left, right]));
        }
    }

    fn sum(&mut self) -> Parsed {
        let mut left = match self.peek() {
            Some(Token::PlusMinus | Token::MinusPlus) => Value::Scalar(Expression::integer(0)),
            _ => self.term()?,
        };
        loop {
            let (sign, varies) = match self.peek() {
                Some(Token::Plus) => (1, false),
                Some(Token::Minus) => (-1, false),
                Some(Token::PlusMinus) => (1, true),
                Some(Token::MinusPlus) => (-1, true),
                _ => return Ok(left),
            };
            self.advance();
            let mut right = self.term()?;
            if sign < 0 {
                right = scaled(&Expression::integer(-1), right)?;
            }
            if varies {
                right = scaled(&Expression::Symbol(SIGN.into()), right)?;
            }
            left = added(left, right)?;
        }
    }

    fn term(&mut self) -> Parsed {
        let mut sign = 1;
        while let Some(token @ (Token::Plus | Token::Minus)) = self.peek() {
            if *token == Token::Minus {
                sign = -sign;
            }
            self.advance();
        }
        let mut left = self.factors()?;
        loop {
            let token = match self.peek() {
                Some(Token::Colon) if self.colon_divides => Token::Divide,
                Some(token @ (Token::Times | Token::Divide | Token::Modulo)) => token.clone(),
                _ => break,
            };
            self.advance();
            let negative = matches!(self.peek(), Some(Token::Minus));
            if negative || matches!(self.peek(), Some(Token::Plus)) {
                self.advance();
            }
            let mut right = self.factors()?;
            if negative {
                right = scaled(&Expression::integer(-1), right)?;
            }
            left = match token {
                Token::Times => multiplied(left, right)?,
                Token::Divide => {
                    let right = scalar(right)?;
                    scaled(&Expression::power(right, Expression::integer(-1)), left)?
                }
                _ => Value::Scalar(Expression::Apply(
                    super::expression::Function::Modulo,
                    vec![scalar(left)?, scalar(right)?],
                )),
            };
        }
        if sign < 0 {
            left = match left {
                Value::Scalar(expression) => Value::Scalar(expression.negative()),
                other => scaled(&Expression::integer(-1), other)?,
            };
        }
        Ok(left)
    }

    /// What stands in round or square brackets: a group, a tuple or an interval.
    fn bracketed(&mut self, open: Bracket) -> Parsed {
        self.advance();
        let items = self.inside(false, true, Self::items)?;
        let Some(&Token::Close(close)) = self.peek() else {
            return Err("a bracket is not closed".into());
        };
        self.advance();
        let mut items = items;
        if items.len() == 1
            && let Some(item) = items.pop()
        {
            return Ok(item);
        }
        Ok(Value::Bracketed { open, items, close })
    }

    /// What stands in braces: a group of LaTeX, a set, or a set with a condition.
    fn braces(&mut self, close: &Token<'_>, group: bool) -> Parsed {
        self.advance();
        if self.accept(close) {
            return Ok(Value::Named(NamedSet::Empty));
        }
        self.inside(!group, group, |parser| {
            let mut items = parser.items()?;
            if let Some(Token::Choose | Token::Over) = parser.peek() {
                return parser.stacked(items, close);
            }
            if let Some(Token::SuchThat | Token::Bar | Token::Colon) = parser.peek() {
                parser.advance();
                let condition = parser.inside(false, true, Self::list)?;
                parser.expect(close)?;
                return Ok(Value::Condition(Box::new([listed(items), condition])));
            }
            parser.expect(close)?;
            match items.len() {
                1 if group => items.pop().ok_or_else(String::new),
                _ => Ok(Value::Set(items)),
            }
        })
    }

    /// `{n \choose k}` and `{a \over b}`, behind the first part.
    fn stacked(&mut self, mut items: Vec<Value>, close: &Token<'_>) -> Parsed {
        let binomial = self.peek() == Some(&Token::Choose);
        self.advance();
        let lower = self.sum().and_then(scalar)?;
        self.expect(close)?;
        let upper = items.pop().ok_or("something is missing before \\choose")?;
        let upper = scalar(upper)?;
        Ok(Value::Scalar(match binomial {
            true => Expression::Apply(super::expression::Function::Binomial, vec![upper, lower]),
            false => Expression::quotient(upper, lower),
        }))
    }
}

/// Several elements as one value: the element itself if there is one. In "x = 1, 2" both numbers are
/// on the right of the sign.
fn listed(mut items: Vec<Value>) -> Value {
    if items.len() == 1
        && let Some(item) = items.pop()
    {
        return item;
    }
    let (head, tail) = items.split_at(1);
    if let [Value::Chain { first, rest }] = head
        && let [(relation @ (Relation::Equal | Relation::Member), value)] = &rest[..]
        && tail.iter().all(|item| matches!(item, Value::Scalar(_)))
    {
        let values = std::iter::once(value.clone()).chain(tail.iter().cloned());
        return Value::Chain {
            first: first.clone(),
            rest: vec![(*relation, Value::List(values.collect()))],
        };
    }
    Value::List(items)
}

fn is_sign(token: &Token<'_>) -> bool {
    matches!(token, Token::PlusMinus | Token::MinusPlus)
}

/// The scalar that a value is.
fn scalar(value: Value) -> Parsed<Expression> {
    match value {
        Value::Scalar(expression) => Ok(expression),
        other => Err(format!("a number is expected, not {}", kind(&other))),
    }
}

fn is_set(value: &Value) -> bool {
    matches!(
        value,
        Value::Bracketed { .. } | Value::Set(_) | Value::Named(_) | Value::Combined(..)
    )
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Scalar(_) => "an expression",
        Value::Bracketed { .. } => "a tuple or an interval",
        Value::Set(_) | Value::Named(_) | Value::Combined(..) | Value::Condition(_) => "a set",
        Value::List(_) => "a list",
        Value::Matrix(_) => "a matrix",
        Value::Chain { .. } => "a relation",
        Value::Text(_) => "words",
    }
}

/// `factor · value`, where a tuple or a matrix is multiplied element by element.
fn scaled(factor: &Expression, value: Value) -> Parsed {
    let times = |e: Expression| Expression::product(factor.clone(), e);
    Ok(match value {
        Value::Scalar(Expression::Number(number)) if *factor == Expression::integer(-1) => {
            Value::Scalar(Expression::Number(number).negative())
        }
        Value::Scalar(expression) if *factor == Expression::integer(-1) => {
            Value::Scalar(expression.negative())
        }
        // The left factor stands first in what is read from left to right.
        Value::Scalar(expression) => match factor {
            Expression::Power(_) => Value::Scalar(Expression::product(expression, factor.clone())),
            _ => Value::Scalar(times(expression)),
        },
        Value::Matrix(rows) => Value::Matrix(
            rows.into_iter()
                .map(|row| row.into_iter().map(times).collect())
                .collect(),
        ),
        Value::Bracketed { open, items, close } => {
            let items = items.into_iter().map(|item| scaled(factor, item));
            Value::Bracketed {
                open,
                items: items.collect::<Parsed<_>>()?,
                close,
            }
        }
        other => return Err(format!("{} cannot be multiplied", kind(&other))),
    })
}

fn multiplied(left: Value, right: Value) -> Parsed {
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            Ok(Value::Scalar(Expression::product(left, right)))
        }
        (Value::Scalar(factor), other) | (other, Value::Scalar(factor)) => scaled(&factor, other),
        (left, right) => Err(format!(
            "{} times {} is not read",
            kind(&left),
            kind(&right)
        )),
    }
}

fn added(left: Value, right: Value) -> Parsed {
    match (left, right) {
        (Value::Scalar(left), Value::Scalar(right)) => {
            Ok(Value::Scalar(Expression::sum(left, right)))
        }
        (Value::Matrix(left), Value::Matrix(right))
            if left.len() == right.len() && left[0].len() == right[0].len() =>
        {
            let row = |(left, right): (Vec<Expression>, Vec<Expression>)| {
                left.into_iter()
                    .zip(right)
                    .map(|(a, b)| Expression::sum(a, b))
                    .collect()
            };
            Ok(Value::Matrix(
                left.into_iter().zip(right).map(row).collect(),
            ))
        }
        (
            Value::Bracketed {
                open,
                items: left,
                close,
            },
            Value::Bracketed { items: right, .. },
        ) if left.len() == right.len() => {
            let items = left.into_iter().zip(right).map(|(a, b)| added(a, b));
            Ok(Value::Bracketed {
                open,
                items: items.collect::<Parsed<_>>()?,
                close,
            })
        }
        (left, right) => Err(format!("{} plus {} is not read", kind(&left), kind(&right))),
    }
}

/// What is written with `±` as the values it stands for, one after the other.
fn both_signs(value: Value) -> Vec<Value> {
    match value {
        Value::Set(items) => vec![Value::Set(items.into_iter().flat_map(both_signs).collect())],
        Value::List(items) => items.into_iter().flat_map(both_signs).collect(),
        Value::Chain { first, mut rest } => {
            if let [(relation, side)] = &mut rest[..] {
                let sides = both_signs(side.clone());
                return vec![Value::Chain {
                    first,
                    rest: vec![(*relation, listed(sides))],
                }];
            }
            // In x = ±√4 = ±2 both signs belong together.
            with_signs(Value::Chain { first, rest })
        }
        other => with_signs(other),
    }
}

/// A value with each of the signs, if it has one to choose.
fn with_signs(value: Value) -> Vec<Value> {
    let plus = value.with(SIGN, &Expression::integer(1));
    if plus == value {
        return vec![value];
    }
    vec![plus, value.with(SIGN, &Expression::integer(-1))]
}
