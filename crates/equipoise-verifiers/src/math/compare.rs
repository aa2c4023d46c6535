//! Whether two answers say the same.
//!
//! The rules are those of Math-Verify 0.9 (`math_verify/grader.py`), but for what it gets wrong; the
//! crate's documentation lists the differences.

use std::borrow::Cow;

use num_rational::BigRational;
use num_traits::Signed as _;

use super::exact;
use super::expression::{Bracket, Constant, Expression, Number, Relation, Value};
use super::normal;
use super::numeric;
use super::sets::RealSet;

/// How answers are compared.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The decimal places to which a number with a decimal point is compared.
    pub(super) decimals: u32,
    /// Whether an inequality can say the same as a pair in round brackets, which may be a point.
    pub(super) points_as_intervals: bool,
}

impl Rules {
    /// Whether `answer` says what `gold` says. Not symmetric: the gold answer decides what form is
    /// asked for.
    pub(super) fn same(&self, gold: &Value, answer: &Value) -> bool {
        let (gold, answer) = (settled(gold), settled(answer));
        let (gold, answer) = (&*gold, &*answer);
        match (assignment(gold), assignment(answer)) {
            (Some((a, x)), Some((b, y))) => {
                // x = 1 and y = 1 are different answers, and so are equations that only look like
                // assignments.
                return self.same(a, b) && self.same(x, y) || self.chains(gold, answer);
            }
            (Some((_, gold)), None) if !is_equation(answer) => return self.same(gold, answer),
            (None, _) if is_equation(answer) && !is_equation(gold) => {
                if let Value::Chain { rest, .. } = answer
                    && let Some((_, last)) = rest.last()
                {
                    return self.same(gold, last);
                }
            }
            _ => {}
        }
        match (gold, answer) {
            (Value::Chain { .. }, Value::Chain { .. }) => self.chains(gold, answer),
            (Value::Chain { .. }, other) if is_set(other) => same_numbers(gold, other),
            (gold, Value::Chain { .. }) if is_set(gold) => {
                (self.points_as_intervals || !may_be_point(gold)) && same_numbers(gold, answer)
            }
            (Value::Scalar(gold), Value::Scalar(answer)) => self.scalars(gold, answer),
            (Value::Text(_), _) | (_, Value::Text(_)) => same_words(gold, answer),
            (Value::Matrix(gold), Value::Matrix(answer)) => self.matrices(gold, answer),
            _ => self.collections(gold, answer),
        }
    }

    /// Whether two scalars are the same number or the same function of their variables.
    pub(super) fn scalars(&self, gold: &Expression, answer: &Expression) -> bool {
        if gold == answer {
            return true;
        }
        if let (Some(a), Some(b)) = (exact::value(gold), exact::value(answer)) {
            return a == b || self.written_numbers(gold, &a, answer, &b);
        }
        if let (Some(a), Some(b)) = (infinite(gold), infinite(answer)) {
            return a == b;
        }
        let rounded = is_decimal(gold) || is_decimal(answer);
        if rounded && let (Some(a), Some(b)) = (numeric::real(gold), numeric::real(answer)) {
            let scale = 10_f64.powi(self.decimals.try_into().unwrap_or(i32::MAX));
            let apart = (a - b).abs();
            return (a * scale).round() == (b * scale).round()
                && apart <= 1e-3 * a.abs().max(b.abs())
                || apart <= 1e-12 * a.abs();
        }
        if let (Some(a), Some(b)) = (gold.spelling(), answer.spelling())
            && (a == b || a.eq_ignore_ascii_case(&b))
        {
            return true;
        }
        let decimals = |part: &Expression| matches!(part, Expression::Number(n) if n.decimal);
        match normal::equal(gold, answer) {
            Some(true) => true,
            Some(false) if !gold.any(&decimals) && !answer.any(&decimals) => false,
            _ => numeric::agree(gold, answer) == Some(true),
        }
    }

    /// Whether two numbers of different values are written so that they still count as the same: one
    /// is a rounded decimal of the other, a percentage stands for its number, or a base is left out.
    fn written_numbers(
        &self,
        gold: &Expression,
        a: &BigRational,
        answer: &Expression,
        b: &BigRational,
    ) -> bool {
        // 9 % and 9 are the same answer to "what percentage"; 0.9 % and 0.9 are not, because the
        // latter may be a fraction.
        let whole_percent = |e: &Expression, value: &BigRational| match e {
            Expression::Percent(part) => exact::value(part).filter(BigRational::is_integer),
            _ => Some(value.clone()).filter(BigRational::is_integer),
        };
        let percent =
            matches!(gold, Expression::Percent(_)) || matches!(answer, Expression::Percent(_));
        if percent && let (Some(a), Some(b)) = (whole_percent(gold, a), whole_percent(answer, b)) {
            return a == b;
        }
        match (gold, answer) {
            (Expression::Based { digits, .. }, other)
            | (other, Expression::Based { digits, .. })
                if !matches!(other, Expression::Based { .. }) =>
            {
                return exact::value(other).as_ref() == Some(digits);
            }
            _ => {}
        }
        if !is_decimal(gold) && !is_decimal(answer) {
            return false;
        }
        let scale = BigRational::from_integer(num_bigint::BigInt::from(10).pow(self.decimals));
        let round = |value: &BigRational| (value * &scale).round();
        if round(a) != round(b) {
            return false;
        }
        // Rounding to a fixed place says nothing of numbers that are smaller than it.
        let apart = (a - b).abs();
        let size = a.abs().max(b.abs());
        apart * BigRational::from_integer(1_000.into()) <= size
    }

    fn matrices(&self, gold: &[Vec<Expression>], answer: &[Vec<Expression>]) -> bool {
        let row = |(a, b): (&Vec<Expression>, &Vec<Expression>)| {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| self.scalars(a, b))
        };
        gold.len() == answer.len() && gold.iter().zip(answer).all(row)
    }

    /// Sets, lists, tuples and intervals; a single value counts as a set of one.
    fn collections(&self, gold: &Value, answer: &Value) -> bool {
        if let (Value::Named(a), Value::Named(b)) = (gold, answer) {
            return a == b;
        }
        if let (Value::Condition(a), Value::Condition(b)) = (gold, answer)
            && self.same(&a[0], &b[0])
            && self.same(&a[1], &b[1])
        {
            return true;
        }
        if let (
            Value::Bracketed {
                open: left,
                items: a,
                close: right,
            },
            Value::Bracketed {
                open,
                items: b,
                close,
            },
        ) = (gold, answer)
        {
            // Brackets matter where both can be intervals.
            let interval = RealSet::of(gold).is_some() && RealSet::of(answer).is_some()
                || a.len() == 2 && (*left, *right) != (*open, *close) && symbolic(a);
            return (!interval || (left, right) == (open, close)) && self.in_order(a, b);
        }
        if let (Value::Combined(f, a), Value::Combined(g, b)) = (gold, answer)
            && f == g
            && (self.same(&a[0], &b[0]) && self.same(&a[1], &b[1])
                || self.same(&a[0], &b[1]) && self.same(&a[1], &b[0]))
        {
            return true;
        }
        let (a, b) = (members(gold), members(answer));
        if let (Some(a), Some(b)) = (&a, &b) {
            // A gold point asks for an order, a gold set does not.
            return match gold {
                Value::Bracketed { .. } => self.in_order(a, b),
                _ => self.in_any_order(a, b),
            };
        }
        same_numbers(gold, answer)
    }

    fn in_order(&self, gold: &[Value], answer: &[Value]) -> bool {
        gold.len() == answer.len() && gold.iter().zip(answer).all(|(a, b)| self.same(a, b))
    }

    /// Whether the elements are the same, each counted once.
    fn in_any_order(&self, gold: &[Value], answer: &[Value]) -> bool {
        let distinct = |items: &[Value]| {
            let mut kept: Vec<Value> = Vec::new();
            for item in items {
                if !kept.iter().any(|other| self.same(other, item)) {
                    kept.push(item.clone());
                }
            }
            kept
        };
        let gold = distinct(gold);
        let mut answer = distinct(answer);
        gold.len() == answer.len()
            && gold.iter().all(|wanted| {
                let found = answer.iter().position(|item| self.same(wanted, item));
                found.map(|at| answer.swap_remove(at)).is_some()
            })
    }

    fn chains(&self, gold: &Value, answer: &Value) -> bool {
        let (Value::Chain { first: f, rest: r }, Value::Chain { first: g, rest: s }) =
            (gold, answer)
        else {
            return false;
        };
        if r.len() != s.len() {
            return matches!((is_equation(gold), is_equation(answer)), (false, false))
                && same_numbers(gold, answer);
        }
        let forward = links(f, r);
        let backward: Vec<_> = links(g, s)
            .into_iter()
            .rev()
            .map(|(a, relation, b)| (b, relation.flipped(), a))
            .collect();
        let all = |others: &[(&Value, Relation, &Value)]| {
            forward
                .iter()
                .zip(others)
                .all(|(a, b)| self.links_agree(*a, *b))
        };
        all(&links(g, s))
            || all(&backward)
            || forward.iter().all(|link| link.1.is_order()) && same_numbers(gold, answer)
    }

    fn links_agree(
        &self,
        (a, relation, b): (&Value, Relation, &Value),
        (c, other, d): (&Value, Relation, &Value),
    ) -> bool {
        if relation == other && self.same_side(a, c) && self.same_side(b, d) {
            return true;
        }
        let symmetric = matches!(relation, Relation::Equal | Relation::NotEqual);
        let (Value::Scalar(a), Value::Scalar(b), Value::Scalar(c), Value::Scalar(d)) = (a, b, c, d)
        else {
            return symmetric && relation == other && self.same_side(a, d) && self.same_side(b, c);
        };
        let gold = Expression::sum(a.clone(), b.clone().negative());
        let answer = Expression::sum(c.clone(), d.clone().negative());
        match numeric::factor(&gold, &answer) {
            Some(factor) if symmetric => relation == other && factor != 0.0,
            Some(factor) if relation.is_order() => {
                other
                    == if factor > 0.0 {
                        relation
                    } else {
                        relation.flipped()
                    }
            }
            _ => false,
        }
    }

    /// Sides are values, not answers: nothing in them is an assignment to look through.
    fn same_side(&self, gold: &Value, answer: &Value) -> bool {
        match (gold, answer) {
            (Value::Scalar(a), Value::Scalar(b)) => self.scalars(a, b),
            (a, b) => self.same(a, b),
        }
    }
}

/// The links of a chain, each with both of its sides.
fn links<'a>(
    first: &'a Value,
    rest: &'a [(Relation, Value)],
) -> Vec<(&'a Value, Relation, &'a Value)> {
    let lefts = std::iter::once(first).chain(rest.iter().map(|(_, value)| value));
    lefts
        .zip(rest)
        .map(|(left, (relation, right))| (left, *relation, right))
        .collect()
}

/// A value without what was only added to it: `x = √2 ≈ 1.41` is `x = √2`, and `x ≈ 1.41` is 1.41.
fn settled(value: &Value) -> Cow<'_, Value> {
    let Value::Chain { first, rest } = value else {
        return Cow::Borrowed(value);
    };
    let Some(at) = rest
        .iter()
        .position(|(relation, _)| *relation == Relation::Approximately)
    else {
        return Cow::Borrowed(value);
    };
    if at == 0 {
        let symbol = matches!(&**first, Value::Scalar(e) if e.only_symbols());
        return match rest.first() {
            Some((_, value)) if symbol => Cow::Borrowed(value),
            _ => Cow::Borrowed(first),
        };
    }
    Cow::Owned(Value::Chain {
        first: first.clone(),
        rest: rest[..at].to_vec(),
    })
}

fn is_equation(value: &Value) -> bool {
    let equal =
        |(relation, _): &(Relation, Value)| matches!(relation, Relation::Equal | Relation::Member);
    matches!(value, Value::Chain { rest, .. } if rest.iter().all(equal))
}

/// The variable and the value of an assignment: an equation with a variable on its left. Of a chain,
/// the last side.
fn assignment(value: &Value) -> Option<(&Value, &Value)> {
    let Value::Chain { first, rest } = value else {
        return None;
    };
    let variable = match &**first {
        Value::Scalar(expression) => expression.only_symbols(),
        // (x, y) = (1, 2).
        Value::Bracketed { items, .. } => items
            .iter()
            .all(|item| matches!(item, Value::Scalar(expression) if expression.only_symbols())),
        _ => false,
    };
    (variable && is_equation(value)).then(|| Some((&**first, &rest.last()?.1)))?
}

fn is_set(value: &Value) -> bool {
    matches!(
        value,
        Value::Bracketed { .. }
            | Value::Set(_)
            | Value::Named(_)
            | Value::Combined(..)
            | Value::Condition(_)
    )
}

/// Whether a set may as well be a point: two numbers in round brackets, none of them infinite.
fn may_be_point(value: &Value) -> bool {
    let Value::Bracketed { open, items, close } = value else {
        return false;
    };
    let finite = |item: &Value| !matches!(item, Value::Scalar(e) if infinite(e).is_some());
    (*open, *close) == (Bracket::Round, Bracket::Round) && items.iter().all(finite)
}

/// The members of what has finitely many.
fn members(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Set(items) | Value::List(items) | Value::Bracketed { items, .. } => {
            Some(items.clone())
        }
        Value::Scalar(_) => Some(vec![value.clone()]),
        _ => None,
    }
}

/// Whether two values stand for the same real numbers.
fn same_numbers(gold: &Value, answer: &Value) -> bool {
    match (RealSet::of(gold), RealSet::of(answer)) {
        (Some(a), Some(b)) => a.equals(&b),
        _ => false,
    }
}

/// Whether an end of an interval is not a number.
fn symbolic(items: &[Value]) -> bool {
    items
        .iter()
        .any(|item| matches!(item, Value::Scalar(e) if numeric::real(e).is_none()))
}

/// Whether a number was written as a decimal, perhaps with a sign or as a percentage.
fn is_decimal(expression: &Expression) -> bool {
    match expression {
        Expression::Percent(part) => is_decimal(part),
        Expression::Product(parts) => {
            matches!(&parts[..], [sign, number] if *sign == Expression::integer(-1) && is_decimal(number))
        }
        other => other
            .literal()
            .is_some_and(|Number { decimal, .. }| *decimal),
    }
}

/// The sign of an expression that is infinite.
fn infinite(expression: &Expression) -> Option<bool> {
    expression
        .any(&|part| *part == Expression::Constant(Constant::Infinity))
        .then(|| numeric::real(expression))?
        .filter(|value| value.is_infinite())
        .map(|value| value > 0.0)
}

/// Whether two answers, one of which is in words, are spelled alike but for case, spaces and signs.
fn same_words(gold: &Value, answer: &Value) -> bool {
    let spelled = |value: &Value| match value {
        Value::Text(text) => Some(bare(text)),
        Value::Scalar(expression) => expression.spelling().map(|name| bare(&name)),
        _ => None,
    };
    match (spelled(gold), spelled(answer)) {
        (Some(a), Some(b)) => !a.is_empty() && a == b,
        _ => false,
    }
}

/// The letters and digits of a text, in lower case.
pub(super) fn bare(text: &str) -> String {
    let kept = text.chars().filter(|c| c.is_alphanumeric());
    kept.flat_map(char::to_lowercase).collect()
}
