//! Functions and their arguments.

use num_traits::ToPrimitive as _;

use super::{Parsed, Parser, scalar};
use crate::math::expression::{Bracket, Constant, Expression, Function, Relation, Value};
use crate::math::token::Token;

/// How many terms a sum or product over an index may have to be written out.
const MAX_TERMS: i64 = 1_000;

impl Parser<'_, '_> {
    /// The arguments in brackets.
    pub(super) fn arguments(&mut self) -> Parsed<Vec<Expression>> {
        let closing = match self.peek() {
            Some(Token::Open(_)) => None,
            _ => Some(Token::CloseGroup),
        };
        self.advance();
        let items = self.inside(false, true, Self::items)?;
        match (closing, self.peek()) {
            (None, Some(Token::Close(_))) => self.advance(),
            (Some(closing), Some(token)) if *token == closing => self.advance(),
            _ => return Err("the arguments of a function are not closed".into()),
        }
        items.into_iter().map(scalar).collect()
    }

    /// The argument of a function: brackets, or the factors that follow up to another function.
    pub(super) fn operand(&mut self) -> Parsed<Vec<Expression>> {
        if let Some(Token::Open(_) | Token::OpenGroup) = self.peek() {
            return self.arguments();
        }
        let negative = self.accept(&Token::Minus);
        let mut operand = self.power().and_then(scalar)?;
        while self.starts_factor()
            && !matches!(
                self.peek(),
                Some(Token::Function(_) | Token::Log | Token::Open(_))
            )
        {
            operand = Expression::product(operand, self.power().and_then(scalar)?);
        }
        Ok(vec![if negative {
            operand.negative()
        } else {
            operand
        }])
    }

    pub(super) fn apply(&mut self, function: Function) -> Parsed {
        self.advance();
        let exponent = match self.accept(&Token::Caret) {
            true => Some(self.exponent()?),
            false => None,
        };
        let mut arguments = self.operand()?;
        let inverse = exponent == Some(Expression::integer(-1));
        let function = match (function, inverse) {
            (Function::Sin, true) => Function::Arcsin,
            (Function::Cos, true) => Function::Arccos,
            (Function::Tan, true) => Function::Arctan,
            (function, _) => function,
        };
        let value = match function {
            Function::Named(name) if name == "exp" => {
                let argument = arguments.pop().ok_or("exp needs an argument")?;
                Expression::power(Expression::Constant(Constant::E), argument)
            }
            function => Expression::Apply(function, arguments),
        };
        Ok(Value::Scalar(match exponent {
            Some(exponent) if !inverse => Expression::power(value, exponent),
            _ => value,
        }))
    }

    pub(super) fn logarithm(&mut self) -> Parsed {
        self.advance();
        let mut base = Expression::integer(10);
        let mut exponent = None;
        loop {
            if self.accept(&Token::Underscore) {
                base = self.argument()?;
            } else if self.accept(&Token::Caret) {
                exponent = Some(self.exponent()?);
            } else {
                break;
            }
        }
        let mut arguments = self.operand()?;
        arguments.truncate(1);
        arguments.push(base);
        let value = Expression::Apply(Function::Log, arguments);
        Ok(Value::Scalar(match exponent {
            Some(exponent) => Expression::power(value, exponent),
            None => value,
        }))
    }

    pub(super) fn root(&mut self) -> Parsed {
        self.advance();
        let degree = match self.peek() {
            Some(Token::Open(Bracket::Square)) => {
                self.bracketed(Bracket::Square).and_then(scalar)?
            }
            _ => Expression::integer(2),
        };
        let radicand = match self.peek() {
            Some(Token::Open(_) | Token::OpenGroup) => self.primary().and_then(scalar)?,
            // `√x²` is the root of the square.
            _ => self.power().and_then(scalar)?,
        };
        Ok(Value::Scalar(Expression::Apply(
            Function::Root,
            vec![radicand, degree],
        )))
    }

    /// `\sum_{k=1}^{3} k²`, written out.
    pub(super) fn over_index(&mut self, sum: bool) -> Parsed {
        self.advance();
        self.expect(&Token::Underscore)?;
        self.expect(&Token::OpenGroup)?;
        let Some(Token::Name(index)) = self.peek() else {
            return Err("the index of a sum is missing".into());
        };
        self.advance();
        self.expect(&Token::Relation(Relation::Equal))?;
        let first = self.sum().and_then(scalar)?;
        self.expect(&Token::CloseGroup)?;
        self.expect(&Token::Caret)?;
        let last = self.exponent()?;
        let body = self.term().and_then(scalar)?;
        let whole =
            |bound: &Expression| bound.literal().and_then(|n| n.value.to_integer().to_i64());
        let (Some(first), Some(last)) = (whole(&first), whole(&last)) else {
            return Err("the bounds of a sum are not numbers".into());
        };
        if last.saturating_sub(first) > MAX_TERMS {
            return Err("a sum has too many terms".into());
        }
        let parts = (first..=last)
            .map(|k| body.with(index, &Expression::integer(k)))
            .collect();
        Ok(Value::Scalar(match sum {
            true => Expression::Sum(parts),
            false => Expression::Product(parts),
        }))
    }
}
