//! Countdown: reach a target with given numbers.

mod search;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use crate::task::{THINK_CLOSE, THINK_OPEN, Task, TaskError, alphabet};

/// Countdown: combine all given numbers with `+ - * /` and parentheses so that they give a target.
///
/// The prompt is `3,5,7>22=`, a right completion ends with an expression such as `3*5+7` that uses
/// every number exactly once (the rule of the Countdown data set of TinyZero), and the answer is
/// what a verifier needs, as JSON: `{"target":22,"numbers":[3,5,7]}`.
///
/// Every problem has a solution whose intermediate results are whole and positive, because the
/// target is the value of a random expression over the numbers.
///
/// # Demonstrations
///
/// `<think>3+5+7=15;3*(5+7)=36;3*5+7=22</think>3*5+7`: tries that miss, each with its true value,
/// then one that hits, then the expression once more. The number of tries that miss is uniform in
/// [`misses`](Self::misses).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Countdown {
    /// The smallest and the largest count of given numbers; from 2 to 6.
    pub numbers: (u32, u32),
    /// The largest given number; the smallest is 1.
    pub max_value: u32,
    /// The largest target; the smallest is 1.
    pub target_max: u32,
    /// The smallest and the largest number of tries in a demonstration that miss the target.
    pub misses: (u32, u32),
}

/// The [`Problem::answer`] of a [`Countdown`] problem.
#[derive(Serialize, Deserialize)]
struct Answer {
    target: u64,
    numbers: Vec<u64>,
}

impl Countdown {
    /// A task of the given difficulty, with up to three missed tries in a demonstration. Levels
    /// above 4 are level 4.
    ///
    /// ```text
    /// level   numbers   largest number   largest target
    ///   0       2             9                20
    ///   1       3             9                50
    ///   2       3            25               100
    ///   3       3–4          50               100
    ///   4       4–5         100               999
    /// ```
    pub fn difficulty(level: u32) -> Self {
        let (numbers, max_value, target_max) = match level {
            0 => ((2, 2), 9, 20),
            1 => ((3, 3), 9, 50),
            2 => ((3, 3), 25, 100),
            3 => ((3, 4), 50, 100),
            _ => ((4, 5), 100, 999),
        };
        Self {
            numbers,
            max_value,
            target_max,
            misses: (0, 3),
        }
    }

    fn answer(problem: &Problem) -> Option<Answer> {
        let answer: Answer = serde_json::from_str(&problem.answer).ok()?;
        let count = answer.numbers.len();
        (2..=search::MOST_NUMBERS)
            .contains(&count)
            .then_some(answer)
    }
}

impl Task for Countdown {
    fn name(&self) -> &'static str {
        "countdown"
    }

    fn alphabet(&self) -> Vec<String> {
        alphabet("+-*/(),;>=")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let (least, most) = self.numbers;
        let count = stream.between(i64::from(least), i64::from(most));
        let (numbers, target) = (0..ATTEMPTS)
            .find_map(|_| {
                let numbers: Vec<u64> = (0..count)
                    .map(|_| stream.between(1, i64::from(self.max_value)).unsigned_abs())
                    .collect();
                let target = search::random(&numbers, stream)?.value;
                (target <= u64::from(self.target_max)).then_some((numbers, target))
            })
            // Ones reach 1 by products, whatever the largest target is.
            .unwrap_or_else(|| ((0..count).map(|_| 1).collect(), 1));
        let listed: Vec<String> = numbers.iter().map(u64::to_string).collect();
        Problem {
            id,
            prompt: format!("{}>{target}=", listed.join(",")),
            answer: format!(r#"{{"target":{target},"numbers":[{}]}}"#, listed.join(",")),
            source: self.name().to_owned(),
        }
    }

    fn demonstration(&self, problem: &Problem, stream: &mut Stream) -> Option<String> {
        let Answer { target, numbers } = Self::answer(problem)?;
        let solution = search::solve(&numbers, target, stream)?;
        let (fewest, most) = self.misses;
        let misses = stream.between(i64::from(fewest), i64::from(most));
        let mut tries = Vec::new();
        for _ in 0..misses {
            // A try that hits by chance, or repeats another, is left out.
            if let Some(attempt) = search::random(&numbers, stream) {
                let written = format!("{}={}", attempt.text, attempt.value);
                if attempt.value != target && !tries.contains(&written) {
                    tries.push(written);
                }
            }
        }
        tries.push(format!("{}={target}", solution.text));
        let (thought, answer) = (tries.join(";"), solution.text);
        Some(format!("{THINK_OPEN}{thought}{THINK_CLOSE}{answer}"))
    }

    fn verifier(&self) -> &'static str {
        "countdown"
    }

    fn validate(&self) -> Result<(), TaskError> {
        let error = |field, got: String, expected: String| {
            Err(TaskError {
                task: self.name(),
                field,
                got,
                expected,
            })
        };
        let most = search::MOST_NUMBERS;
        let (least_numbers, most_numbers) = self.numbers;
        if least_numbers < 2 || most_numbers as usize > most || least_numbers > most_numbers {
            return error(
                "numbers",
                format!("{:?}", self.numbers),
                format!("from 2 to {most}, the smallest not above the largest"),
            );
        }
        if self.max_value == 0 {
            return error("max_value", "0".to_owned(), "at least 1".to_owned());
        }
        if self.target_max == 0 {
            return error("target_max", "0".to_owned(), "at least 1".to_owned());
        }
        if self.misses.0 > self.misses.1 {
            return error(
                "misses",
                format!("{:?}", self.misses),
                "the smallest number must not exceed the largest".to_owned(),
            );
        }
        Ok(())
    }
}

/// How often numbers are drawn anew because the target is too large.
const ATTEMPTS: u32 = 1000;
