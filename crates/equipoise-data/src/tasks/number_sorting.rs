//! Putting numbers in order.

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};

/// Number sorting: whole numbers, to be put in ascending or descending order.
///
/// ```text
/// compact   7,3,9<     3,7,9
///           7,3,9>     9,7,3
/// text      Sort these numbers in ascending order: 7, 3, 9. …
/// ```
///
/// Numbers may repeat, and as often as they do they stand in the answer.
///
/// # Demonstrations
///
/// Selection: what is left, then the number that comes next.
///
/// ```text
/// <think>7,3,9:3;7,9:7;9:9</think>3,7,9
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NumberSorting {
    /// From 1 to 6; default 1.
    ///
    /// ```text
    /// level   numbers   smallest   largest   orders
    ///   1       3–4          0          9    ascending
    ///   2       4–6          0         99    ascending
    ///   3       6–8          0         99    both
    ///   4       8–12      -999        999    both
    ///   5      12–16     -9999       9999    both
    ///   6      16–24    -99999      99999    both
    /// ```
    pub difficulty: u32,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for NumberSorting {
    fn default() -> Self {
        Self {
            difficulty: 1,
            prompt: PromptStyle::default(),
        }
    }
}

impl NumberSorting {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "number_sorting";

    /// The wordings, each with whether it is descending.
    const ORDERS: [(Wording, bool); 2] = [
        (
            Wording {
                compact: "{}<",
                text: instructed!(
                    "Sort these numbers in ascending order: {}.",
                    "the sorted numbers, separated by commas without spaces"
                ),
            },
            false,
        ),
        (
            Wording {
                compact: "{}>",
                text: instructed!(
                    "Sort these numbers in descending order: {}.",
                    "the sorted numbers, separated by commas without spaces"
                ),
            },
            true,
        ),
    ];

    fn read(prompt: &str) -> Option<(Vec<i64>, bool)> {
        let (listed, descending) = Self::ORDERS.iter().find_map(|(wording, descending)| {
            let parts = wording.read(prompt)?;
            Some((*parts.first()?, *descending))
        })?;
        let number = |text: &str| {
            let text = text.strip_prefix(' ').unwrap_or(text);
            let digits = text.strip_prefix('-').unwrap_or(text);
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            plain.then(|| text.parse().ok()).flatten()
        };
        let numbers = listed.split(',').map(number).collect::<Option<_>>()?;
        Some((numbers, descending))
    }
}

fn listed(numbers: &[i64], separator: &str) -> String {
    let texts: Vec<String> = numbers.iter().map(i64::to_string).collect();
    texts.join(separator)
}

fn sorted(numbers: &[i64], descending: bool) -> Vec<i64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    if descending {
        sorted.reverse();
    }
    sorted
}

impl Task for NumberSorting {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("-,:;<>")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let (counts, values, orders) = match self.difficulty {
            0 | 1 => ((3, 4), (0, 9), 1),
            2 => ((4, 6), (0, 99), 1),
            3 => ((6, 8), (0, 99), 2),
            4 => ((8, 12), (-999, 999), 2),
            5 => ((12, 16), (-9999, 9999), 2),
            _ => ((16, 24), (-99_999, 99_999), 2),
        };
        let (wording, descending) = Self::ORDERS[stream.below(orders) as usize];
        let count = stream.between(counts.0, counts.1);
        let numbers: Vec<i64> = (0..count)
            .map(|_| stream.between(values.0, values.1))
            .collect();
        let separator = match self.prompt {
            PromptStyle::Compact => ",",
            PromptStyle::Text => ", ",
        };
        let prompt = wording.write(self.prompt, &[&listed(&numbers, separator)]);
        let answer = listed(&sorted(&numbers, descending), ",");
        problem(Self::NAME, id, prompt, answer)
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let (numbers, descending) = Self::read(&problem.prompt)?;
        let mut left = numbers.clone();
        let mut thoughts = Vec::new();
        let mut answer = Vec::new();
        while !left.is_empty() {
            let shown = listed(&left, ",");
            let (at, _) = left.iter().enumerate().min_by_key(|&(at, &number)| {
                // Widened, so that the negative of the smallest number is one too.
                let number = i128::from(number);
                (if descending { -number } else { number }, at)
            })?;
            let next = left.remove(at);
            thoughts.push(format!("{shown}:{next}"));
            answer.push(next);
        }
        Some(completion(&thoughts.join(";"), &listed(&answer, ",")))
    }

    fn verifier(&self) -> &'static str {
        "exact_match"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)
    }
}
