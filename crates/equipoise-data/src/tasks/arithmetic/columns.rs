//! Operations worked out digit by digit, as on paper.
//!
//! Every character is easy given those before it: a column needs one digit of each operand and what
//! the column before it carried, and the result is read off the columns in reverse.

use super::Operator;
use super::expression::Step;

/// The step, digit by digit; the format is [`Arithmetic`](super::Arithmetic)'s.
pub(super) fn work_out(step: &Step) -> String {
    let Step {
        left,
        operator,
        right,
        result,
    } = *step;
    let (a, b) = (left.unsigned_abs(), right.unsigned_abs());
    let symbol = operator.symbol();
    let task = format!("{left}{symbol}{right}");
    match operator {
        Operator::Times => multiply(a, b),
        // Left operands are negative only once products are done, right operands never.
        Operator::Plus if left >= 0 => format!("{task}:{}>{result}", add(a, b)),
        Operator::Plus if b >= a => format!("{task}={b}-{a}:{}>{result}", subtract(b, a)),
        Operator::Plus => format!("{task}=-({a}-{b}):{}>{result}", subtract(a, b)),
        Operator::Minus if left < 0 => format!("{task}=-({a}+{b}):{}>{result}", add(a, b)),
        Operator::Minus if a >= b => format!("{task}:{}>{result}", subtract(a, b)),
        Operator::Minus => format!("{task}=-({b}-{a}):{}>{result}", subtract(b, a)),
    }
}

/// The decimal digits of `value` from the least significant one, with zeros after the last.
fn digits(value: u64) -> impl Iterator<Item = u64> {
    std::iter::successors(Some(value), |rest| Some(rest / 10)).map(|rest| rest % 10)
}

/// How many decimal digits `value` has; 1 for 0.
fn width(value: u64) -> usize {
    value.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// The columns of `a + b`.
fn add(a: u64, b: u64) -> String {
    let mut carry = 0;
    let columns = digits(a).zip(digits(b)).take(width(a.max(b)));
    let written = columns.map(|(x, y)| {
        let sum = x + y + carry;
        let column = match carry {
            0 => format!("{x}+{y}={sum}"),
            _ => format!("{x}+{y}+{carry}={sum}"),
        };
        carry = sum / 10;
        column
    });
    written.collect::<Vec<_>>().join(",")
}

/// The columns of `a − b`, which is not negative.
fn subtract(a: u64, b: u64) -> String {
    let mut borrowed = 0;
    let columns = digits(a).zip(digits(b)).take(width(a));
    let written = columns.map(|(x, y)| {
        let ten = if x < y + borrowed { 10 } else { 0 };
        let (top, difference) = (x + ten, x + ten - y - borrowed);
        let column = match borrowed {
            0 => format!("{top}-{y}={difference}"),
            _ => format!("{top}-{y}-{borrowed}={difference}"),
        };
        borrowed = ten / 10;
        column
    });
    written.collect::<Vec<_>>().join(",")
}

/// The steps of `a · b`: one product per digit of `b` that is not 0, and their sums.
fn multiply(a: u64, b: u64) -> String {
    let parts: Vec<(u64, u64)> = digits(b)
        .take(width(b))
        .zip(std::iter::successors(Some(1_u64), |power| {
            power.checked_mul(10)
        }))
        .filter(|&(digit, _)| digit != 0)
        .collect();
    if a == 0 || parts.is_empty() {
        return format!("{a}*{b}=0");
    }
    let mut written = Vec::new();
    if parts.len() > 1 {
        let split: Vec<String> = parts
            .iter()
            .map(|(digit, power)| format!("{a}*{}", digit * power))
            .collect();
        written.push(format!("{a}*{b}={}", split.join("+")));
    }
    let product = |&(digit, power): &(u64, u64)| a.saturating_mul(digit * power);
    for part in &parts {
        let (digit, power) = *part;
        let columns = multiply_by_digit(a, digit);
        written.push(format!("{a}*{}:{columns}>{}", digit * power, product(part)));
    }
    let mut sum = product(&parts[0]);
    for part in &parts[1..] {
        let next = product(part);
        let total = sum.saturating_add(next);
        written.push(format!("{sum}+{next}:{}>{total}", add(sum, next)));
        sum = total;
    }
    written.join(";")
}

/// The columns of `a · digit`.
fn multiply_by_digit(a: u64, digit: u64) -> String {
    let mut carry = 0;
    let written = digits(a).take(width(a)).map(|x| {
        let product = x * digit + carry;
        let column = match carry {
            0 => format!("{x}*{digit}={product}"),
            _ => format!("{x}*{digit}+{carry}={product}"),
        };
        carry = product / 10;
        column
    });
    written.collect::<Vec<_>>().join(",")
}
