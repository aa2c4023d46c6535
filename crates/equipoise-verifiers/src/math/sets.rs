//! Sets of real numbers: intervals, points, and what is made of them.

use super::expression::{Bracket, Combination, Expression, Function, NamedSet, Relation, Value};
use super::numeric;

/// An end of an interval: where it is, and whether it belongs to it.
#[derive(Clone, Copy, Debug)]
struct End {
    at: f64,
    closed: bool,
}

/// Disjoint intervals from left to right, with a gap between any two.
#[derive(Clone, Debug)]
pub(super) struct RealSet(Vec<(End, End)>);

const FAR: End = End {
    at: f64::INFINITY,
    closed: false,
};

fn same(a: f64, b: f64) -> bool {
    numeric::near(a.into(), b.into(), 1e-9)
}

impl RealSet {
    /// The numbers that `value` contains or describes; `None` if it does not stand for real numbers,
    /// or their bounds are not numbers.
    pub(super) fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Named(NamedSet::Reals) => Some(Self::everything()),
            Value::Named(NamedSet::Empty) => Some(Self(Vec::new())),
            Value::Bracketed { open, items, close } => {
                let [Value::Scalar(low), Value::Scalar(high)] = &items[..] else {
                    return None;
                };
                Self::interval(
                    (bound(low)?, *open == Bracket::Square),
                    (bound(high)?, *close == Bracket::Square),
                )
            }
            Value::Set(items) => {
                let mut points = Self(Vec::new());
                for item in items {
                    let Value::Scalar(item) = item else {
                        return None;
                    };
                    points = points.union(&Self::point(numeric::real(item)?));
                }
                Some(points)
            }
            Value::Combined(how, parts) => {
                let (left, right) = (Self::of(&parts[0])?, Self::of(&parts[1])?);
                Some(match how {
                    Combination::Union => left.union(&right),
                    Combination::Intersection => left.intersection(&right),
                    Combination::Difference => left.intersection(&right.complement()),
                })
            }
            Value::Condition(parts) => {
                let Value::Chain { .. } = &parts[1] else {
                    return None;
                };
                matches!(
                    &parts[0],
                    Value::Scalar(Expression::Symbol(_)) | Value::Chain { .. }
                )
                .then(|| Self::of(&parts[1]))?
            }
            Value::Chain { first, rest } => Self::chain(first, rest),
            Value::List(items) => {
                // "x < 1 or x > 2", and "x > 1 and x < 2": either or both, whichever is not absurd.
                let [a, b] = &items[..] else {
                    return None;
                };
                let both = matches!((a, b), (Value::Chain { .. }, Value::Chain { .. }));
                let (a, b) = (Self::of(a).filter(|_| both)?, Self::of(b)?);
                let common = a.intersection(&b);
                Some(if common.0.is_empty() {
                    a.union(&b)
                } else {
                    common
                })
            }
            _ => None,
        }
    }

    /// The numbers that fulfil every link of a chain of relations in one variable.
    fn chain(first: &Value, rest: &[(Relation, Value)]) -> Option<Self> {
        let mut all = Self::everything();
        let mut left = first;
        for (relation, right) in rest {
            let link = match (relation, left, right) {
                (Relation::Member, _, set) => Self::of(set)?,
                (relation, Value::Scalar(left), Value::Scalar(right)) => {
                    Self::link(left, *relation, right)?
                }
                _ => return None,
            };
            all = all.intersection(&link);
            left = right;
        }
        Some(all)
    }

    /// The solutions of `left relation right`, if both sides are linear in the one variable.
    fn link(left: &Expression, relation: Relation, right: &Expression) -> Option<Self> {
        let difference = Expression::sum(left.clone(), right.clone().negative());
        let symbols = difference.symbols();
        let [name] = symbols[..] else {
            return None;
        };
        let at = |x: i64| numeric::real(&difference.with(name, &Expression::integer(x)));
        // A bound at infinity is always kept: nothing lies beyond it.
        if let Some(value) = at(0).filter(|value| value.is_infinite()) {
            let kept = match relation {
                Relation::Less | Relation::LessOrEqual => value < 0.0,
                Relation::Greater | Relation::GreaterOrEqual => value > 0.0,
                _ => return None,
            };
            return Some(if kept {
                Self::everything()
            } else {
                Self(Vec::new())
            });
        }
        let (start, slope) = (at(0)?, at(1)? - at(0)?);
        let linear = [-3, 2, 7]
            .iter()
            .all(|&x| at(x).is_some_and(|value| same(value, start + slope * x as f64)));
        if !linear || slope == 0.0 {
            return None;
        }
        let zero = -start / slope;
        let relation = if slope < 0.0 {
            relation.flipped()
        } else {
            relation
        };
        let open = (zero, false);
        let closed = (zero, true);
        let (low, high) = ((f64::NEG_INFINITY, false), (f64::INFINITY, false));
        match relation {
            Relation::Less => Self::interval(low, open),
            Relation::LessOrEqual => Self::interval(low, closed),
            Relation::Greater => Self::interval(open, high),
            Relation::GreaterOrEqual => Self::interval(closed, high),
            Relation::Equal => Some(Self::point(zero)),
            Relation::NotEqual => Some(Self::point(zero).complement()),
            _ => None,
        }
    }

    fn everything() -> Self {
        let low = End {
            at: f64::NEG_INFINITY,
            ..FAR
        };
        Self(vec![(low, FAR)])
    }

    fn point(at: f64) -> Self {
        let end = End { at, closed: true };
        Self(vec![(end, end)])
    }

    /// `None` if the ends are in the wrong order.
    fn interval(low: (f64, bool), high: (f64, bool)) -> Option<Self> {
        let end = |(at, closed): (f64, bool)| End {
            at,
            closed: closed && at.is_finite(),
        };
        let (low, high) = (end(low), end(high));
        let point = low.at == high.at && low.closed && high.closed;
        (low.at < high.at || point).then(|| Self(vec![(low, high)]))
    }

    fn union(&self, other: &Self) -> Self {
        let mut parts: Vec<(End, End)> = self.0.iter().chain(&other.0).copied().collect();
        parts.sort_by(|(a, _), (b, _)| a.at.total_cmp(&b.at).then(b.closed.cmp(&a.closed)));
        let mut merged: Vec<(End, End)> = Vec::with_capacity(parts.len());
        for (low, high) in parts {
            match merged.last_mut() {
                Some((_, end)) if touches(*end, low) => {
                    if same(end.at, high.at) {
                        end.closed |= high.closed;
                    } else if high.at > end.at {
                        *end = high;
                    }
                }
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    fn complement(&self) -> Self {
        let mut gaps = Vec::new();
        let mut from = End {
            at: f64::NEG_INFINITY,
            closed: false,
        };
        for (low, high) in &self.0 {
            let to = End {
                at: low.at,
                closed: !low.closed && low.at.is_finite(),
            };
            if from.at < to.at || from.closed && to.closed && from.at == to.at {
                gaps.push((from, to));
            }
            from = End {
                at: high.at,
                closed: !high.closed && high.at.is_finite(),
            };
        }
        if from.at < f64::INFINITY {
            gaps.push((from, FAR));
        }
        Self(gaps)
    }

    fn intersection(&self, other: &Self) -> Self {
        self.complement().union(&other.complement()).complement()
    }

    /// Whether both contain the same numbers, up to rounding of the ends.
    pub(super) fn equals(&self, other: &Self) -> bool {
        let end = |a: End, b: End| same(a.at, b.at) && a.closed == b.closed;
        self.0.len() == other.0.len()
            && self
                .0
                .iter()
                .zip(&other.0)
                .all(|(a, b)| end(a.0, b.0) && end(a.1, b.1))
    }
}

/// Whether an interval that starts at `low` continues one that ends at `end`.
fn touches(end: End, low: End) -> bool {
    if same(end.at, low.at) {
        return end.closed || low.closed;
    }
    low.at < end.at
}

/// The place of an end; infinite ones count.
fn bound(expression: &Expression) -> Option<f64> {
    // A function may be of something that is no number here.
    let unknown = |part: &Expression| matches!(part, Expression::Apply(Function::Named(_), _));
    numeric::real(expression).filter(|_| !expression.any(&unknown))
}
