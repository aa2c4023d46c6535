//! Integer arithmetic with several operands, and worked-out solutions of very different length.

mod columns;
mod expression;

use equipoise_core::{Problem, Stream};

use crate::task::{THINK_CLOSE, THINK_OPEN, Task, TaskError, alphabet};
use expression::Expression;

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Plus,
    /// `-`
    Minus,
    /// `*`, which binds tighter than the other two.
    Times,
}

impl Operator {
    /// The character that stands for it.
    pub fn symbol(self) -> char {
        match self {
            Self::Plus => '+',
            Self::Minus => '-',
            Self::Times => '*',
        }
    }
}

/// How often each style of demonstration is drawn, in any unit: only the ratios count.
///
/// The three demonstrations of `17+25=`:
///
/// ```text
/// direct    <think></think>42
/// steps     <think>17+25=42</think>42
/// columns   <think>17+25:7+5=12,1+2+1=4>42</think>42
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StyleWeights {
    /// The answer without a thought.
    pub direct: f64,
    /// One equation per operation.
    pub steps: f64,
    /// Every operation digit by digit.
    pub columns: f64,
}

impl Default for StyleWeights {
    /// Every style equally often.
    fn default() -> Self {
        Self {
            direct: 1.0,
            steps: 1.0,
            columns: 1.0,
        }
    }
}

/// Integer arithmetic: the prompt is `17+25-8=`, the answer `34`.
///
/// The number of operands is uniform in [`operands`](Self::operands), every operand uniform in
/// `0..=max_value`, every operator uniform among [`operators`](Self::operators). `*` binds tighter
/// than `+` and `-`, which are taken from left to right. A negative answer has `-` in front.
///
/// # Demonstrations
///
/// A demonstration is `<think>…</think>34`, in one of the styles of [`StyleWeights`]. In the `steps`
/// and `columns` styles products come first, from left to right, then sums and differences, from
/// left to right, with `;` between them. An operation by columns starts from the least significant
/// digit and ends, after `>`, with its result:
///
/// ```text
/// 17+25:7+5=12,1+2+1=4>42              a carry is the third summand of the next column
/// 52-38:12-8=4,5-3-1=1>14              a borrow is the ten in front of the digit it helps,
///                                      and the last subtrahend of the next column
/// 8-25=-(25-8):15-8=7,2-0-1=1>-17      a negative result: the other way round, then the sign
/// -17+30=30-17:10-7=3,3-1-1=1>13       a negative operand: first an equal task without one
/// 17*5:7*5=35,1*5+3=8>85               the carry is added to the next product
/// 17*25=17*5+17*20;17*5:…>85;17*20:7*2=14,1*2+1=3>340;85+340:…>425
/// ```
///
/// A factor of several digits is first split into one factor per digit that is not 0; a product with
/// 0 is the plain equation `17*0=0`.
#[derive(Clone, Debug, PartialEq)]
pub struct Arithmetic {
    /// The smallest and the largest number of operands; from 2 to 100.
    pub operands: (u32, u32),
    /// The largest operand; the smallest is 0.
    pub max_value: u32,
    /// The operators; at least one.
    pub operators: Vec<Operator>,
    /// How often each style of demonstration is drawn.
    pub styles: StyleWeights,
}

impl Arithmetic {
    /// A task of the given difficulty, with every style of demonstration equally often. Levels
    /// above 6 are level 6.
    ///
    /// ```text
    /// level   operands   largest operand   operators
    ///   0       2               9            + -
    ///   1       2              99            + -
    ///   2       2–3            99            + -
    ///   3       2–4            99            + -
    ///   4       2–4           999            + -
    ///   5       2–3            99            + - *
    ///   6       2–4           999            + - *
    /// ```
    pub fn difficulty(level: u32) -> Self {
        use Operator::{Minus, Plus, Times};
        let (operands, max_value, multiply) = match level {
            0 => ((2, 2), 9, false),
            1 => ((2, 2), 99, false),
            2 => ((2, 3), 99, false),
            3 => ((2, 4), 99, false),
            4 => ((2, 4), 999, false),
            5 => ((2, 3), 99, true),
            _ => ((2, 4), 999, true),
        };
        let operators = if multiply {
            vec![Plus, Minus, Times]
        } else {
            vec![Plus, Minus]
        };
        Self {
            operands,
            max_value,
            operators,
            styles: StyleWeights::default(),
        }
    }
}

/// The style of one demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Direct,
    Steps,
    Columns,
}

impl StyleWeights {
    fn draw(&self, stream: &mut Stream) -> Style {
        let total = self.direct + self.steps + self.columns;
        let point = stream.uniform() * total;
        if point < self.direct {
            Style::Direct
        } else if point < self.direct + self.steps {
            Style::Steps
        } else {
            Style::Columns
        }
    }
}

impl Task for Arithmetic {
    fn name(&self) -> &'static str {
        "arithmetic"
    }

    fn alphabet(&self) -> Vec<String> {
        alphabet("+-*=():,;>")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let (least, most) = self.operands;
        let count = stream.between(i64::from(least), i64::from(most));
        let operand = |stream: &mut Stream| stream.between(0, i64::from(self.max_value));
        let first = operand(stream);
        let rest = (1..count)
            .map(|_| {
                let operator = stream.choose(&self.operators).copied();
                (operator.unwrap_or(Operator::Plus), operand(stream))
            })
            .collect();
        let expression = Expression { first, rest };
        Problem {
            id,
            prompt: format!("{expression}="),
            answer: expression.value().to_string(),
            source: self.name().to_owned(),
        }
    }

    fn demonstration(&self, problem: &Problem, stream: &mut Stream) -> Option<String> {
        let expression = Expression::parse(problem.prompt.strip_suffix('=')?)?;
        let thoughts: Vec<String> = match self.styles.draw(stream) {
            Style::Direct => Vec::new(),
            Style::Steps => expression.steps().iter().map(ToString::to_string).collect(),
            Style::Columns => expression.steps().iter().map(columns::work_out).collect(),
        };
        Some(format!(
            "{THINK_OPEN}{}{THINK_CLOSE}{}",
            thoughts.join(";"),
            expression.value()
        ))
    }

    fn validate(&self) -> Result<(), TaskError> {
        let error = |field, got: String, expected: &str| {
            Err(TaskError {
                task: self.name(),
                field,
                got,
                expected: expected.to_owned(),
            })
        };
        let (least, most) = self.operands;
        if least < 2 || most > MAX_OPERANDS {
            return error(
                "operands",
                format!("{:?}", self.operands),
                "at least 2 and at most 100",
            );
        }
        if least > most {
            return error(
                "operands",
                format!("{:?}", self.operands),
                "the smallest number must not exceed the largest",
            );
        }
        if self.max_value == 0 {
            return error("max_value", "0".to_owned(), "at least 1");
        }
        if self.operators.is_empty() {
            return error("operators", "[]".to_owned(), "at least one operator");
        }
        let largest = if self.operators.contains(&Operator::Times) {
            u64::from(self.max_value).checked_pow(most)
        } else {
            u64::from(self.max_value).checked_mul(u64::from(most))
        };
        if largest.is_none_or(|value| value > MAX_MAGNITUDE) {
            return error(
                "max_value",
                self.max_value.to_string(),
                "smaller, or fewer operands: results must stay below 10^18",
            );
        }
        let StyleWeights {
            direct,
            steps,
            columns,
        } = self.styles;
        let weights = [direct, steps, columns];
        let usable = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
        let total: f64 = weights.iter().sum();
        if !usable || total <= 0.0 || total.is_infinite() {
            return error(
                "styles",
                format!("{weights:?}"),
                "finite weights, none negative, not all zero",
            );
        }
        Ok(())
    }
}

/// The most operands of one problem.
const MAX_OPERANDS: u32 = 100;

/// The largest magnitude a result may have, so that sums of results fit `i64` too.
const MAX_MAGNITUDE: u64 = 1_000_000_000_000_000_000;
