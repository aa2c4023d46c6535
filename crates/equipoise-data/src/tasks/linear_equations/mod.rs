//! Linear equations in one and two unknowns, solved exactly.

mod fraction;
mod side;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};
use fraction::Fraction;
use side::{Side, sum};

/// Linear equations: one in x, or two in x and y, always with exactly one solution.
///
/// ```text
/// compact   5x-3=2x+9;x=            4
///           2x+3y=8;4x-y=2;x,y=     (1,2)
/// text      Solve 5x-3=2x+9 for x. …
/// ```
///
/// Solutions are whole numbers or fractions in lowest terms, such as `-7/3`. They are found from the
/// coefficients in exact arithmetic (Cramer's rule), whether or not a problem was made from one.
///
/// # Demonstrations
///
/// ```text
/// 5x-3=2x+9          <think>5x-2x=9+3;3x=12;x=12/3=4</think>4
/// 2x+3y=8;4x-y=2     <think>D=2*(-1)-3*4=-14;x=(8*(-1)-3*2)/D=-14/(-14)=1;
///                    y=(2*2-8*4)/D=-28/(-14)=2</think>(1,2)
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearEquations {
    /// From 1 to 6; default 1.
    ///
    /// ```text
    /// level   form                coefficients   solutions
    ///   1     ax + b = d               2–9       whole, |x| ≤ 9
    ///   2     ax + b = cx + d        ±1–±9       whole, |x| ≤ 12
    ///   3     ax + b = cx + d        ±1–±12      rational
    ///   4     two in x and y         ±1–±5       whole, |x|, |y| ≤ 9
    ///   5     two in x and y         ±1–±9       rational
    ///   6     two in x and y         ±1–±30      rational
    /// ```
    pub difficulty: u32,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for LinearEquations {
    fn default() -> Self {
        Self {
            difficulty: 1,
            prompt: PromptStyle::default(),
        }
    }
}

impl LinearEquations {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "linear_equations";
}

const ONE: Wording = Wording {
    compact: "{};x=",
    text: instructed!(
        "Solve {} for x.",
        "the value of x, as a whole number or a fraction in lowest terms"
    ),
};

const TWO: Wording = Wording {
    compact: "{};{};x,y=",
    text: instructed!(
        "Solve the equations {} and {} for x and y.",
        "the pair (x,y), of whole numbers or fractions in lowest terms"
    ),
};

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Question {
    /// A left and a right side in x.
    One(Side, Side),
    /// Twice a left side in x and y that equals a number.
    Two([(Side, i128); 2]),
}

impl Question {
    fn draw(level: u32, stream: &mut Stream) -> Self {
        let mut signed = |most: i64| {
            let size = i128::from(stream.between(1, most));
            if stream.below(2) == 0 { size } else { -size }
        };
        match level {
            0 | 1 => {
                let (b, x) = (signed(9), signed(9));
                let a = i128::from(stream.between(2, 9));
                Self::one(a, b, 0, a * x + b)
            }
            2 | 3 => {
                let most = if level == 2 { 9 } else { 12 };
                let (a, b, c) = (signed(most), signed(20), signed(most));
                let d = match level {
                    2 => (a - c) * signed(12) + b,
                    _ => signed(40),
                };
                // Equal coefficients would leave x undetermined.
                if a == c {
                    Self::one(a, b, -a, d)
                } else {
                    Self::one(a, b, c, d)
                }
            }
            _ => {
                let most = match level {
                    4 => 5,
                    5 => 9,
                    _ => 30,
                };
                let (a, b, c, d) = (signed(most), signed(most), signed(most), signed(most));
                // With a determinant of 0, turning one sign gives one of −2bc, which is not 0.
                let d = if a * d == b * c { -d } else { d };
                let (e, f) = match level {
                    4 => {
                        let (x, y) = (signed(9), signed(9));
                        (a * x + b * y, c * x + d * y)
                    }
                    5 => (signed(40), signed(40)),
                    _ => (signed(200), signed(200)),
                };
                let left = |x, y| Side { x, y, number: 0 };
                Self::Two([(left(a, b), e), (left(c, d), f)])
            }
        }
    }

    /// `ax + b = cx + d`.
    fn one(a: i128, b: i128, c: i128, d: i128) -> Self {
        let side = |x, number| Side { x, y: 0, number };
        Self::One(side(a, b), side(c, d))
    }

    fn write(&self, style: PromptStyle) -> String {
        match self {
            Self::One(left, right) => {
                let equation = format!("{}={}", left.write(), right.write());
                ONE.write(style, &[&equation])
            }
            Self::Two(equations) => {
                let [first, second] =
                    equations.map(|(left, right)| format!("{}={right}", left.write()));
                TWO.write(style, &[&first, &second])
            }
        }
    }

    fn read(prompt: &str) -> Option<Self> {
        let equation = |text: &str| {
            let (left, right) = text.split_once('=')?;
            Some((Side::read(left)?, Side::read(right)?))
        };
        if let Some(parts) = TWO.read(prompt) {
            let side = |text| {
                let (left, right) = equation(text)?;
                let plain = right.x == 0 && right.y == 0 && left.number == 0;
                plain.then_some((left, right.number))
            };
            return Some(Self::Two([side(parts[0])?, side(parts[1])?]));
        }
        let (left, right) = equation(ONE.read(prompt)?[0])?;
        (left.y == 0 && right.y == 0).then_some(Self::One(left, right))
    }

    /// The thought and the answer; `None` without a single solution.
    fn solve(&self) -> Option<(String, String)> {
        match *self {
            Self::One(left, right) => {
                let (factor, number) = (left.x - right.x, right.number - left.number);
                let x = Fraction::new(number, factor)?;
                let thought = format!(
                    "{}={};{}={number};x={number}/{}={x}",
                    sum(&[(left.x, "x"), (-right.x, "x")]),
                    sum(&[(right.number, ""), (-left.number, "")]),
                    sum(&[(factor, "x")]),
                    bracketed(factor),
                );
                Some((thought, x.to_string()))
            }
            Self::Two([(first, e), (second, f)]) => {
                let (a, b, c, d) = (first.x, first.y, second.x, second.y);
                let cross = |p: i128, q: i128, r: i128, s: i128| {
                    let [p_, q_, r_, s_] = [p, q, r, s].map(bracketed);
                    (format!("{p_}*{q_}-{r_}*{s_}"), p * q - r * s)
                };
                let (by, determinant) = cross(a, d, b, c);
                let (x_by, x_top) = cross(e, d, b, f);
                let (y_by, y_top) = cross(a, f, e, c);
                let x = Fraction::new(x_top, determinant)?;
                let y = Fraction::new(y_top, determinant)?;
                let divisor = bracketed(determinant);
                let thought = format!(
                    "D={by}={determinant};x=({x_by})/D={x_top}/{divisor}={x};\
                     y=({y_by})/D={y_top}/{divisor}={y}"
                );
                Some((thought, format!("({x},{y})")))
            }
        }
    }
}

/// A number after an operator: in parentheses if it has a sign.
fn bracketed(value: i128) -> String {
    match value {
        0.. => value.to_string(),
        _ => format!("({value})"),
    }
}

impl Task for LinearEquations {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("xyD+-*/=(),;")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let question = Question::draw(self.difficulty, stream);
        // Every drawing keeps the determinant away from 0, so there always is a solution.
        let answer = question.solve().map(|(_, answer)| answer);
        let prompt = question.write(self.prompt);
        problem(Self::NAME, id, prompt, answer.unwrap_or_default())
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let (thought, answer) = Question::read(&problem.prompt)?.solve()?;
        Some(completion(&thought, &answer))
    }

    /// `exact_number` for one unknown, `math`, for the pair, for two.
    fn verifier(&self) -> &'static str {
        match self.difficulty {
            0..=3 => "exact_number",
            _ => "math",
        }
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)
    }
}
