//! Scalars: numbers, variables, functions, powers and products of them.

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::ToPrimitive as _;

use super::decimal::{decimal, repeating};
use super::{Parsed, Parser, multiplied, scalar};
use crate::math::expression::{Bracket, Constant, Expression, Function, Number, Value};
use crate::math::token::Token;

/// The largest power of ten that a number may be written with.
const MAX_EXPONENT: i32 = 400;

impl<'a> Parser<'_, 'a> {
    /// Factors that stand next to each other.
    pub(super) fn factors(&mut self) -> Parsed {
        let first = matches!(
            self.peek(),
            Some(Token::Number { digits, exponent: 0 }) if !digits.contains('.')
        );
        let mut left = self.power()?;
        if first
            && let Value::Scalar(whole @ Expression::Number(_)) = &left
            && let Some(fraction) = self.mixed()?
        {
            let mixed = Expression::sum(whole.clone(), fraction);
            left = Value::Scalar(match self.peek() {
                Some(Token::Percent) => {
                    self.advance();
                    Expression::Percent(Box::new(mixed))
                }
                _ => mixed,
            });
        }
        while self.starts_factor() {
            let right = self.power()?;
            left = multiplied(left, right)?;
        }
        Ok(left)
    }

    /// The fraction of a mixed number, behind its whole part.
    fn mixed(&mut self) -> Parsed<Option<Expression>> {
        let (at, taken) = (self.at, self.taken);
        let fraction = match self.peek() {
            Some(Token::Fraction) => self.primary().and_then(scalar)?,
            Some(Token::Number { exponent: 0, .. }) if self.lexemes[self.at].spaced => {
                let divides = self.peek_at(1) == Some(&Token::Divide);
                if !divides || !matches!(self.peek_at(2), Some(Token::Number { .. })) {
                    return Ok(None);
                }
                let upper = self.primary().and_then(scalar)?;
                self.advance();
                let lower = self.primary().and_then(scalar)?;
                Expression::quotient(upper, lower)
            }
            _ => return Ok(None),
        };
        let positive = |part: &Expression| matches!(part, Expression::Number(n) if n.value.is_integer() && !n.decimal);
        let proper = match &fraction {
            Expression::Product(parts) => matches!(
                &parts[..],
                [upper, Expression::Power(power)] if positive(upper) && positive(&power[0])
                    && !upper.is_negative_number() && !power[0].is_negative_number()
            ),
            _ => false,
        };
        // `2\frac{x}{3}` is a product, and so is `2\frac12^2`.
        if proper && self.peek() != Some(&Token::Caret) {
            return Ok(Some(fraction));
        }
        (self.at, self.taken) = (at, taken);
        Ok(None)
    }

    pub(super) fn starts_factor(&self) -> bool {
        match self.peek() {
            Some(Token::Bar | Token::DoubleBar) => !self.bar_closes,
            Some(Token::Name(name)) if name == "u" => {
                // The union of two sets: "(1, 2) U (3, 4)".
                let before = self.at.checked_sub(1).map(|at| &self.lexemes[at].token);
                !(matches!(before, Some(Token::Close(_) | Token::CloseSet))
                    && matches!(self.peek_at(1), Some(Token::Open(_) | Token::OpenSet)))
            }
            Some(
                Token::Number { .. }
                | Token::Name(_)
                | Token::Word(_)
                | Token::Text(_)
                | Token::Constant(_)
                | Token::Infinite
                | Token::Function(_)
                | Token::Log
                | Token::Root
                | Token::Fraction
                | Token::Binomial
                | Token::Open(_)
                | Token::OpenGroup
                | Token::OpenFloor
                | Token::OpenCeiling
                | Token::Accent(_)
                | Token::Begin(_)
                | Token::Sum
                | Token::Product,
            ) => true,
            _ => false,
        }
    }

    pub(super) fn power(&mut self) -> Parsed {
        let base = self.postfix()?;
        if self.peek() != Some(&Token::Caret) {
            return Ok(base);
        }
        self.advance();
        if self.degree() {
            let degrees = Expression::Degrees(Box::new(scalar(base)?));
            return self.after_degree(degrees);
        }
        let exponent = self.exponent()?;
        Ok(Value::Scalar(Expression::power(scalar(base)?, exponent)))
    }

    /// Takes `\circ` or `{\circ}`.
    fn degree(&mut self) -> bool {
        if self.accept(&Token::Degree) {
            return true;
        }
        let braced = self.peek() == Some(&Token::OpenGroup)
            && self.peek_at(1) == Some(&Token::Degree)
            && self.peek_at(2) == Some(&Token::CloseGroup);
        if braced {
            self.at += 3;
        }
        braced
    }

    /// Minutes of arc: `30^\circ 15'`.
    fn after_degree(&mut self, degrees: Expression) -> Parsed {
        if let (Some(Token::Number { .. }), Some(Token::Prime)) = (self.peek(), self.peek_at(1)) {
            let minutes = self.primary().and_then(scalar)?;
            self.advance();
            let minutes = Expression::quotient(minutes, Expression::integer(60));
            let whole = Expression::sum(degrees, Expression::Degrees(Box::new(minutes)));
            return Ok(Value::Scalar(whole));
        }
        Ok(Value::Scalar(degrees))
    }

    /// What stands behind `^`.
    pub(super) fn exponent(&mut self) -> Parsed<Expression> {
        let mut negative = false;
        while let Some(token @ (Token::Minus | Token::Plus)) = self.peek() {
            negative ^= *token == Token::Minus;
            self.advance();
        }
        let mut exponent = self.inside(self.bar_closes, true, |parser| {
            let exponent = parser.primary().and_then(scalar)?;
            if parser.accept(&Token::Caret) {
                return Ok(Expression::power(exponent, parser.exponent()?));
            }
            Ok(exponent)
        })?;
        if negative {
            exponent = exponent.negative();
        }
        Ok(exponent)
    }

    fn postfix(&mut self) -> Parsed {
        let mut value = self.primary()?;
        loop {
            let wrap: fn(Box<Expression>) -> Expression = match self.peek() {
                Some(Token::Bang) => |part| Expression::Apply(Function::Factorial, vec![*part]),
                Some(Token::Percent) => Expression::Percent,
                Some(Token::Degree) => Expression::Degrees,
                Some(Token::Prime) => |part| match *part {
                    Expression::Symbol(name) => Expression::Symbol(name + "'"),
                    other => other,
                },
                _ => return Ok(value),
            };
            let degree = self.peek() == Some(&Token::Degree);
            self.advance();
            let wrapped = wrap(Box::new(scalar(value)?));
            value = match degree {
                true => self.after_degree(wrapped)?,
                false => Value::Scalar(wrapped),
            };
        }
    }

    pub(super) fn primary(&mut self) -> Parsed {
        let Some(token) = self.peek() else {
            return Err("something is missing at the end".into());
        };
        let value = match token {
            Token::Number { digits, exponent } => return self.number(digits, *exponent),
            Token::Name(name) => {
                self.advance();
                return self.symbol(name.clone());
            }
            Token::Word(word) => letters(word),
            Token::Text(text) => return self.text(text),
            Token::Constant(constant) => Expression::Constant(*constant),
            Token::Infinite => Expression::Constant(Constant::Infinity),
            Token::Set(set) => {
                self.advance();
                return Ok(Value::Named(*set));
            }
            Token::Function(function) => return self.apply(function.clone()),
            Token::Log => return self.logarithm(),
            Token::Root => return self.root(),
            Token::Fraction => {
                self.advance();
                let upper = self.argument()?;
                let lower = self.argument()?;
                return Ok(Value::Scalar(Expression::quotient(upper, lower)));
            }
            Token::Binomial => {
                self.advance();
                let arguments = vec![self.argument()?, self.argument()?];
                return Ok(Value::Scalar(Expression::Apply(
                    Function::Binomial,
                    arguments,
                )));
            }
            Token::Open(open) => return self.bracketed(*open),
            Token::OpenSet => return self.braces(&Token::CloseSet, false),
            Token::OpenGroup => return self.braces(&Token::CloseGroup, true),
            Token::Bar => return self.between(&Token::Bar, Function::Absolute),
            Token::DoubleBar => return self.between(&Token::DoubleBar, Function::Absolute),
            Token::OpenFloor => return self.between(&Token::CloseFloor, Function::Floor),
            Token::OpenCeiling => return self.between(&Token::CloseCeiling, Function::Ceiling),
            Token::Accent(mark) => return self.accented(mark),
            Token::Begin(name) => return self.environment(name),
            Token::Sum => return self.over_index(true),
            Token::Product => return self.over_index(false),
            other => return Err(format!("{other:?} is unexpected")),
        };
        self.advance();
        Ok(Value::Scalar(value))
    }

    fn number(&mut self, digits: &'a str, exponent: i32) -> Parsed {
        let digits = &digits[self.taken..];
        self.advance();
        if exponent.abs() > MAX_EXPONENT {
            return Err(format!("the exponent {exponent} is too large"));
        }
        let value = decimal(digits, exponent).ok_or("a number has too many digits")?;
        if let Some(Token::Repeating(period)) = self.peek() {
            self.advance();
            let value = repeating(digits, period).ok_or("a number has too many digits")?;
            return Ok(Value::Scalar(Expression::exact(value)));
        }
        if exponent == 0 && self.peek() == Some(&Token::Underscore) {
            self.advance();
            let base = self.argument()?;
            let base = base
                .literal()
                .and_then(|base| base.value.to_integer().to_u32());
            let based = base
                .filter(|base| (2..=36).contains(base))
                .and_then(|base| BigInt::parse_bytes(digits.as_bytes(), base));
            return Ok(Value::Scalar(match based {
                Some(based) => Expression::Based {
                    value: BigRational::from_integer(based),
                    digits: value,
                },
                None => Expression::exact(value),
            }));
        }
        Ok(Value::Scalar(Expression::Number(Number {
            value,
            decimal: digits.contains('.') || exponent < 0,
        })))
    }

    /// A variable with its index, or a function of which only the name is known; behind the name.
    fn symbol(&mut self, mut name: String) -> Parsed {
        if self.accept(&Token::Underscore) {
            let start = self.at;
            // What the index says does not matter, only how it is spelled.
            let mut open = 0;
            loop {
                match self.peek() {
                    None => return Err("an index is missing or not closed".into()),
                    Some(Token::OpenGroup) => open += 1,
                    Some(Token::CloseGroup) => open -= 1,
                    Some(_) => {}
                }
                self.advance();
                if open <= 0 {
                    break;
                }
            }
            name.push('_');
            for lexeme in &self.lexemes[start..self.at] {
                spell(&lexeme.token, &mut name);
            }
        }
        while self.accept(&Token::Prime) {
            name.push('\'');
        }
        let called = matches!(name.trim_end_matches('\''), "f" | "g" | "h");
        if called && self.peek() == Some(&Token::Open(Bracket::Round)) {
            let arguments = self.arguments()?;
            return Ok(Value::Scalar(Expression::Apply(
                Function::Named(name),
                arguments,
            )));
        }
        Ok(Value::Scalar(Expression::Symbol(name)))
    }

    /// What stands in `\text{…}`: a number, a letter or a name.
    fn text(&mut self, text: &str) -> Parsed {
        self.advance();
        let bare = text.trim_matches(|c: char| c.is_whitespace() || "().".contains(c));
        if !bare.is_empty()
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        {
            let value = decimal(bare, 0).ok_or("a number has too many digits")?;
            let decimal = bare.contains('.');
            return Ok(Value::Scalar(Expression::Number(Number { value, decimal })));
        }
        match bare {
            "" => Err("an empty text stands where a value should".into()),
            "e" => Ok(Value::Scalar(Expression::Constant(Constant::E))),
            "i" => Ok(Value::Scalar(Expression::Constant(Constant::I))),
            _ => {
                let name: String = bare.split_whitespace().collect();
                self.symbol(name.to_lowercase())
            }
        }
    }

    /// An argument of a command: a group, or the one digit or letter that follows.
    pub(super) fn argument(&mut self) -> Parsed<Expression> {
        if let Some(Token::Number {
            digits,
            exponent: 0,
        }) = self.peek()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
        {
            let digit = digits.as_bytes()[self.taken] - b'0';
            self.taken += 1;
            if self.taken == digits.len() {
                self.advance();
            }
            return Ok(Expression::integer(digit.into()));
        }
        let negative = self.accept(&Token::Minus);
        let argument = self.primary().and_then(scalar)?;
        Ok(if negative {
            argument.negative()
        } else {
            argument
        })
    }

    /// What stands between two signs.
    fn between(&mut self, close: &Token<'_>, function: Function) -> Parsed {
        self.advance();
        let bars = matches!(close, Token::Bar | Token::DoubleBar);
        let inner = self.inside(bars, true, |parser| parser.sum().and_then(scalar))?;
        self.expect(close)?;
        Ok(Value::Scalar(Expression::Apply(function, vec![inner])))
    }

    /// A symbol with a mark over it; a mark in front of a figure says nothing.
    fn accented(&mut self, mark: &str) -> Parsed {
        self.advance();
        let value = self.primary()?;
        match (mark, value) {
            ("angle" | "triangle", value) => Ok(value),
            (mark, Value::Scalar(inner)) => {
                let name = inner
                    .spelling()
                    .ok_or("a mark stands over something without a name")?;
                Ok(Value::Scalar(Expression::Symbol(format!("{mark} {name}"))))
            }
            (_, value) => Ok(value),
        }
    }
}

/// Letters without a sign between them: a product of up to three variables, or a name.
fn letters(word: &str) -> Expression {
    if word.chars().count() > 3 {
        return Expression::Symbol(word.to_lowercase());
    }
    let letter = |c: char| match c {
        'e' => Expression::Constant(Constant::E),
        'i' => Expression::Constant(Constant::I),
        _ => Expression::Symbol(c.to_lowercase().collect()),
    };
    Expression::Product(word.chars().map(letter).collect())
}

/// How a token of an index is spelled.
fn spell(token: &Token<'_>, out: &mut String) {
    match token {
        Token::Number { digits, .. } | Token::Word(digits) | Token::Text(digits) => {
            out.push_str(digits);
        }
        Token::Name(name) => out.push_str(name),
        Token::Constant(Constant::E) => out.push('e'),
        Token::Constant(Constant::I) => out.push('i'),
        Token::Comma => out.push(','),
        Token::Plus => out.push('+'),
        Token::Minus => out.push('-'),
        _ => {}
    }
}
