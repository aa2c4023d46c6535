//! Whole numbers from one base into another.

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};

/// Base conversion between binary, octal, decimal and hexadecimal.
///
/// ```text
/// compact   1011:2>16=     b
/// text      Convert 1011 from base 2 to base 16. …
/// ```
///
/// The digits above 9 are `a` to `f`; there are no leading zeros. The number is uniform below the
/// level's bound, and the two bases are different ones of [`bases`](Self::bases).
///
/// # Demonstrations
///
/// Into decimal by Horner's rule, out of it by division with remainder (`r`); each part only if it
/// is needed. The remainders, from the last one, are the digits.
///
/// ```text
/// 1011:2>16=     <think>1;1*2+0=2;2*2+1=5;5*2+1=11>11/16=0r11</think>b
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaseConversion {
    /// From 1 to 6; default 1. Numbers are below 256, 1024, 4096, 2¹⁶, 2²⁴ and 2³².
    pub difficulty: u32,
    /// The bases, at least two different ones among 2, 8, 10 and 16; default all.
    pub bases: Vec<u32>,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for BaseConversion {
    fn default() -> Self {
        Self {
            difficulty: 1,
            bases: vec![2, 8, 10, 16],
            prompt: PromptStyle::default(),
        }
    }
}

impl BaseConversion {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "base_conversion";

    /// The known bases among the settings, each once.
    fn known_bases(&self) -> Vec<u32> {
        let known = [2, 8, 10, 16].into_iter();
        known.filter(|base| self.bases.contains(base)).collect()
    }
}

const WORDING: Wording = Wording {
    compact: "{}:{}>{}=",
    text: instructed!(
        "Convert {} from base {} to base {}.",
        "the converted number, in lower case, without a prefix"
    ),
};

/// The digits of `value`, the most significant one first.
fn write(mut value: u64, base: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((value % base) as u32, base as u32));
        value /= base;
        if value == 0 {
            break;
        }
    }
    digits.iter().rev().collect()
}

/// A question that was read: the digits' values, and the bases.
struct Question {
    digits: Vec<u64>,
    from: u64,
    to: u64,
}

impl Question {
    fn read(prompt: &str) -> Option<Self> {
        let parts = WORDING.read(prompt)?;
        let base = |text: &str| [2, 8, 10, 16].into_iter().find(|b| b.to_string() == text);
        let (from, to) = (base(parts[1])?, base(parts[2])?);
        let digit = |c: char| {
            let value = c.to_digit(from)?;
            (!c.is_ascii_uppercase()).then_some(u64::from(value))
        };
        let digits: Vec<u64> = parts[0].chars().map(digit).collect::<Option<_>>()?;
        (!digits.is_empty()).then_some(Self {
            digits,
            from: u64::from(from),
            to: u64::from(to),
        })
    }

    /// The thought and the answer; `None` for a number that does not fit.
    fn solve(&self) -> Option<(String, String)> {
        let mut horner = Vec::new();
        let mut value = 0_u64;
        for (at, &digit) in self.digits.iter().enumerate() {
            let next = value.checked_mul(self.from)?.checked_add(digit)?;
            horner.push(match at {
                0 => next.to_string(),
                _ => format!("{value}*{}+{digit}={next}", self.from),
            });
            value = next;
        }
        let mut division = Vec::new();
        let (mut left, mut digits) = (value, Vec::new());
        loop {
            let (quotient, rest) = (left / self.to, left % self.to);
            division.push(format!("{left}/{}={quotient}r{rest}", self.to));
            digits.extend(char::from_digit(rest as u32, self.to as u32));
            left = quotient;
            if left == 0 {
                break;
            }
        }
        let mut parts = Vec::new();
        if self.from != 10 {
            parts.push(horner.join(";"));
        }
        if self.to != 10 {
            parts.push(division.join(";"));
        }
        Some((parts.join(">"), digits.iter().rev().collect()))
    }
}

impl Task for BaseConversion {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("abcdefr:>=;+*/")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let bound = match self.difficulty {
            0 | 1 => 1 << 8,
            2 => 1 << 10,
            3 => 1 << 12,
            4 => 1 << 16,
            5 => 1 << 24,
            _ => 1_u64 << 32,
        };
        let value = stream.below(bound);
        let mut bases = self.known_bases();
        stream.shuffle(&mut bases);
        let (from, to) = match bases[..] {
            [from, to, ..] => (from, to),
            _ => (2, 10),
        };
        let number = write(value, u64::from(from));
        let prompt = WORDING.write(self.prompt, &[&number, &from.to_string(), &to.to_string()]);
        // From the written digits, so that the answer does not depend on how they were made.
        let answer = Question::read(&prompt).and_then(|question| question.solve());
        let answer = answer.map(|(_, answer)| answer).unwrap_or_default();
        problem(Self::NAME, id, prompt, answer)
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let (thought, answer) = Question::read(&problem.prompt)?.solve()?;
        Some(completion(&thought, &answer))
    }

    fn verifier(&self) -> &'static str {
        "exact_match"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)?;
        let known = self.known_bases();
        if known.len() >= 2 && self.bases.iter().all(|base| known.contains(base)) {
            return Ok(());
        }
        Err(TaskError {
            task: Self::NAME,
            field: "bases",
            got: format!("{:?}", self.bases),
            expected: "at least two different ones among 2, 8, 10 and 16".to_owned(),
        })
    }
}
