//! A sum of products, its value, and the operations that lead to it.

use std::fmt;

use super::Operator;

/// `first`, then operators and operands from left to right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Expression {
    /// The first operand.
    pub(super) first: i64,
    /// Every further operand with the operator before it.
    pub(super) rest: Vec<(Operator, i64)>,
}

/// One operation with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// The left operand, which may be negative.
    pub(super) left: i64,
    /// The operator.
    pub(super) operator: Operator,
    /// The right operand, not negative.
    pub(super) right: i64,
    /// The result.
    pub(super) result: i64,
}

impl Step {
    /// `left operator right`. Saturates, which settings that pass validation never reach.
    fn new(left: i64, operator: Operator, right: i64) -> Self {
        let result = match operator {
            Operator::Plus => left.saturating_add(right),
            Operator::Minus => left.saturating_sub(right),
            Operator::Times => left.saturating_mul(right),
        };
        Self {
            left,
            operator,
            right,
            result,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = self.operator.symbol();
        write!(f, "{}{symbol}{}={}", self.left, self.right, self.result)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        for (operator, operand) in &self.rest {
            write!(f, "{}{operand}", operator.symbol())?;
        }
        Ok(())
    }
}

impl Expression {
    /// The expression that `text` spells; `None` if it spells none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| digits.parse().ok()).flatten()
        };
        let is_operator = |c: char| matches!(c, '+' | '-' | '*');
        let mut operands = text.split(is_operator).map(number);
        let first = operands.next()??;
        let operators = text.chars().filter_map(|c| match c {
            '+' => Some(Operator::Plus),
            '-' => Some(Operator::Minus),
            '*' => Some(Operator::Times),
            _ => None,
        });
        let rest = operators
            .zip(operands)
            .map(|(operator, operand)| Some((operator, operand?)))
            .collect::<Option<Vec<_>>>()?;
        Some(Self { first, rest })
    }

    /// The operations in the order in which they are worked out: products from left to right, then
    /// sums and differences from left to right.
    pub(super) fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut terms = vec![(Operator::Plus, self.first)];
        for &(operator, operand) in &self.rest {
            match terms.last_mut() {
                Some((_, term)) if operator == Operator::Times => {
                    let step = Step::new(*term, operator, operand);
                    *term = step.result;
                    steps.push(step);
                }
                _ => terms.push((operator, operand)),
            }
        }
        let mut sum = terms[0].1;
        for &(operator, term) in &terms[1..] {
            let step = Step::new(sum, operator, term);
            sum = step.result;
            steps.push(step);
        }
        steps
    }

    /// The value.
    pub(super) fn value(&self) -> i64 {
        self.steps().last().map_or(self.first, |step| step.result)
    }
}
