//! What an answer is once it has been read: expressions, and the sets, tuples, matrices and
//! relations made of them.

use num_rational::BigRational;
use num_traits::Signed as _;

/// A number as it was written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Number {
    /// Its exact value.
    pub(super) value: BigRational,
    /// Whether it was written with a decimal point: such a number may be a rounded one.
    pub(super) decimal: bool,
}

/// A scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A number.
    Number(Number),
    /// Digits with a base as an index, `101_2`: the value, and what the digits say in base ten.
    Based {
        value: BigRational,
        digits: BigRational,
    },
    /// A constant with a name.
    Constant(Constant),
    /// A variable, in lower case.
    Symbol(String),
    /// The sum of several terms.
    Sum(Vec<Expression>),
    /// The product of several factors.
    Product(Vec<Expression>),
    /// A base and its exponent.
    Power(Box<[Expression; 2]>),
    /// A function of its arguments.
    Apply(Function, Vec<Expression>),
    /// So many hundredths.
    Percent(Box<Expression>),
    /// So many degrees: the angle for a trigonometric function, the bare number elsewhere.
    Degrees(Box<Expression>),
}

/// The constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Constant {
    /// The ratio of a circle's circumference to its diameter.
    Pi,
    /// The base of the natural logarithm.
    E,
    /// The imaginary unit.
    I,
    /// Beyond every number.
    Infinity,
}

/// The functions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Sin,
    Cos,
    Tan,
    Cot,
    Sec,
    Csc,
    Arcsin,
    Arccos,
    Arctan,
    Sinh,
    Cosh,
    Tanh,
    /// The natural logarithm of the first argument, or to the base of the second.
    Log,
    /// The second argument is the degree.
    Root,
    Absolute,
    Floor,
    Ceiling,
    Factorial,
    Binomial,
    Gcd,
    Lcm,
    Maximum,
    Minimum,
    Modulo,
    /// A function of which only the name is known.
    Named(String),
}

impl Expression {
    pub(super) fn integer(value: i64) -> Self {
        Self::exact(BigRational::from_integer(value.into()))
    }

    pub(super) fn exact(value: BigRational) -> Self {
        Self::Number(Number {
            value,
            decimal: false,
        })
    }

    pub(super) fn power(base: Self, exponent: Self) -> Self {
        Self::Power(Box::new([base, exponent]))
    }

    pub(super) fn quotient(numerator: Self, denominator: Self) -> Self {
        Self::product(numerator, Self::power(denominator, Self::integer(-1)))
    }

    /// `left · right`, flat.
    pub(super) fn product(left: Self, right: Self) -> Self {
        let mut factors = match left {
            Self::Product(factors) => factors,
            other => vec![other],
        };
        match right {
            Self::Product(more) => factors.extend(more),
            other => factors.push(other),
        }
        Self::Product(factors)
    }

    /// `left + right`, flat.
    pub(super) fn sum(left: Self, right: Self) -> Self {
        let mut terms = match left {
            Self::Sum(terms) => terms,
            other => vec![other],
        };
        match right {
            Self::Sum(more) => terms.extend(more),
            other => terms.push(other),
        }
        Self::Sum(terms)
    }

    pub(super) fn negative(self) -> Self {
        match self {
            Self::Number(Number { value, decimal }) => Self::Number(Number {
                value: -value,
                decimal,
            }),
            Self::Product(mut factors) => {
                factors.insert(0, Self::integer(-1));
                Self::Product(factors)
            }
            other => Self::Product(vec![Self::integer(-1), other]),
        }
    }

    /// The parts it is made of.
    pub(super) fn children(&self) -> &[Self] {
        match self {
            Self::Number(_) | Self::Based { .. } | Self::Constant(_) | Self::Symbol(_) => &[],
            Self::Sum(parts) | Self::Product(parts) | Self::Apply(_, parts) => parts,
            Self::Power(parts) => &parts[..],
            Self::Percent(part) | Self::Degrees(part) => std::slice::from_ref(part),
        }
    }

    /// Whether `test` holds of it or of any part of it.
    pub(super) fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        test(self) || self.children().iter().any(|part| part.any(test))
    }

    /// The same with `value` in place of the variable `name`.
    pub(super) fn with(&self, name: &str, value: &Self) -> Self {
        let inner = |part: &Self| part.with(name, value);
        let all = |parts: &[Self]| parts.iter().map(inner).collect();
        match self {
            Self::Symbol(found) if found == name => value.clone(),
            Self::Sum(parts) => Self::Sum(all(parts)),
            Self::Product(parts) => Self::Product(all(parts)),
            Self::Apply(function, parts) => Self::Apply(function.clone(), all(parts)),
            Self::Power(parts) => Self::power(inner(&parts[0]), inner(&parts[1])),
            Self::Percent(part) => Self::Percent(Box::new(inner(part))),
            Self::Degrees(part) => Self::Degrees(Box::new(inner(part))),
            other => other.clone(),
        }
    }

    /// The variables, each once, in the order in which they appear.
    pub(super) fn symbols(&self) -> Vec<&str> {
        fn collect<'a>(of: &'a Expression, found: &mut Vec<&'a str>) {
            if let Expression::Symbol(name) = of
                && !found.contains(&name.as_str())
            {
                found.push(name);
            }
            for part in of.children() {
                collect(part, found);
            }
        }
        let mut found = Vec::new();
        collect(self, &mut found);
        found
    }

    /// Whether it is made of variables alone: what can stand on the left of an assignment.
    pub(super) fn only_symbols(&self) -> bool {
        match self {
            Self::Symbol(_) => true,
            Self::Product(parts) | Self::Sum(parts) => parts.iter().all(Self::only_symbols),
            Self::Apply(Function::Named(_), _) => true,
            _ => false,
        }
    }

    /// The name that its letters spell, if it is a variable or a product of letters.
    pub(super) fn spelling(&self) -> Option<String> {
        match self {
            Self::Symbol(name) => Some(name.clone()),
            Self::Constant(Constant::E) => Some("e".into()),
            Self::Constant(Constant::I) => Some("i".into()),
            Self::Product(parts) => parts.iter().map(Self::spelling).collect(),
            _ => None,
        }
    }

    /// The number it is, if it was written as one, perhaps with a sign or as a percentage.
    pub(super) fn literal(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            Self::Degrees(part) => part.literal(),
            _ => None,
        }
    }

    pub(super) fn is_negative_number(&self) -> bool {
        matches!(self, Self::Number(number) if number.value.is_negative())
    }
}

/// An answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A scalar.
    Scalar(Expression),
    /// Several values between two brackets: a tuple, a point, or an interval.
    Bracketed {
        open: Bracket,
        items: Vec<Value>,
        close: Bracket,
    },
    /// Values between braces.
    Set(Vec<Value>),
    /// Values with commas, "and" or "or" between them.
    List(Vec<Value>),
    /// Rows of a matrix.
    Matrix(Vec<Vec<Expression>>),
    /// A set with a name.
    Named(NamedSet),
    /// Two sets, combined.
    Combined(Combination, Box<[Value; 2]>),
    /// The members of a set that fulfil a condition.
    Condition(Box<[Value; 2]>),
    /// A chain of relations, `1 < x ≤ 2`.
    Chain {
        first: Box<Value>,
        rest: Vec<(Relation, Value)>,
    },
    /// Words.
    Text(String),
}

impl Value {
    /// The same with `value` in place of the variable `name`.
    pub(super) fn with(&self, name: &str, value: &Expression) -> Self {
        let inner = |part: &Self| part.with(name, value);
        let all = |parts: &[Self]| parts.iter().map(inner).collect();
        let pair = |parts: &[Self; 2]| Box::new([inner(&parts[0]), inner(&parts[1])]);
        match self {
            Self::Scalar(expression) => Self::Scalar(expression.with(name, value)),
            Self::Bracketed { open, items, close } => Self::Bracketed {
                open: *open,
                items: all(items),
                close: *close,
            },
            Self::Set(items) => Self::Set(all(items)),
            Self::List(items) => Self::List(all(items)),
            Self::Matrix(rows) => {
                let row = |row: &Vec<Expression>| row.iter().map(|e| e.with(name, value)).collect();
                Self::Matrix(rows.iter().map(row).collect())
            }
            Self::Combined(how, parts) => Self::Combined(*how, pair(parts)),
            Self::Condition(parts) => Self::Condition(pair(parts)),
            Self::Chain { first, rest } => Self::Chain {
                first: Box::new(inner(first)),
                rest: rest
                    .iter()
                    .map(|(relation, side)| (*relation, inner(side)))
                    .collect(),
            },
            Self::Named(_) | Self::Text(_) => self.clone(),
        }
    }
}

/// A bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// `(` or `)`: an end that does not belong to an interval.
    Round,
    /// `[` or `]`: an end that does.
    Square,
}

/// Sets with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NamedSet {
    Empty,
    Naturals,
    Integers,
    Rationals,
    Reals,
    Complexes,
}

/// How two sets are combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Combination {
    Union,
    Intersection,
    Difference,
}

/// How two values are related.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Equal but for rounding.
    Approximately,
    /// A member of a set.
    Member,
    /// Anything else between two values, such as divisibility or a limit.
    Other(&'static str),
}

impl Relation {
    /// The relation with its sides exchanged.
    pub(super) fn flipped(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
            other => other,
        }
    }

    pub(super) fn is_order(self) -> bool {
        matches!(
            self,
            Self::Less | Self::LessOrEqual | Self::Greater | Self::GreaterOrEqual
        )
    }
}
