//! Problems from a file with one JSON object per line.

mod error;
mod row;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use equipoise_core::{Domain, Problem, Stream};

use crate::messages::MessageFormat;
use crate::source::{Demonstration, ProblemSource};
pub use error::JsonlError;
use row::{Row, read};

/// Which problems are held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// This many problems of the file, chosen by the seed.
    Count(usize),
    /// The problems of a second file, which has the same format.
    File(PathBuf),
}

/// Where problems are read from, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonlOptions {
    /// The file.
    pub path: PathBuf,
    /// Which problems are held out.
    pub held_out: Split,
    /// How `messages` become the text of a prompt.
    pub format: MessageFormat,
    /// The seed of the order and of the held-out choice.
    pub seed: u64,
}

/// What was read, and what was left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JsonlReport {
    /// Rows of the file.
    pub rows: usize,
    /// Rows with the prompt and answer of an earlier row. They add no problem; a completion that
    /// the earlier rows do not have still counts as a demonstration.
    pub duplicates: usize,
    /// Rows with the prompt of an earlier row and another answer, which are left out.
    pub conflicts: usize,
    /// Problems left out of training because the held-out file asks the same.
    pub held_out_overlap: usize,
    /// Problems to train on.
    pub train: usize,
    /// Problems held out.
    pub held_out: usize,
    /// Demonstrations.
    pub demonstrations: usize,
}

/// The problems of a JSONL file, read whole into memory.
///
/// A row is a JSON object with the keys
///
/// ```text
/// prompt       what is asked: a string, not empty          exactly one of
/// messages     what is asked: [{"role": …, "content": …}]  these two
/// answer       the expected answer: a string or a number (kept as written, digit for digit)
/// completion   optional: a text that solves the problem, used as a demonstration
/// ```
///
/// and no others. Roles are `system`, `user` and `assistant`; the last message is not the
/// assistant's. Blank lines, a byte-order mark and Windows line ends are allowed.
///
/// Problem `number` is row `number % n` of epoch `number / n`, where `n` is the number of training
/// problems and every epoch has an order of its own, drawn from the stream at
/// `(seed, Domain::Shuffle, [epoch, 0, 0])` (demonstrations: `[epoch, 1, 0]`). Held-out rows are the
/// first of an order drawn at `(seed, Domain::HeldOut, [0, 0, 0])`. The source of a problem is
/// `file:line`.
#[derive(Debug)]
pub struct JsonlProblems {
    seed: u64,
    train: Vec<Problem>,
    held_out: Vec<Problem>,
    /// Completions with the index of their problem in `train`.
    demonstrations: Vec<(usize, String)>,
    report: JsonlReport,
    orders: [Mutex<EpochOrder>; 2],
}

/// The order of the epoch that was asked for last, since the next question is about it too.
#[derive(Debug, Default)]
struct EpochOrder {
    epoch: u64,
    order: Vec<usize>,
}

/// The problems of one file, each prompt once, and the completions with their problems' indices.
#[derive(Default)]
struct Contents {
    problems: Vec<Problem>,
    demonstrations: Vec<(usize, String)>,
    rows: usize,
    duplicates: usize,
    conflicts: usize,
}

impl Contents {
    fn collect(rows: Vec<Row>) -> Self {
        let mut contents = Self {
            rows: rows.len(),
            ..Self::default()
        };
        let mut by_prompt: HashMap<String, usize> = HashMap::new();
        let mut seen_completions: HashSet<(usize, String)> = HashSet::new();
        for Row {
            problem,
            completion,
        } in rows
        {
            let index = match by_prompt.get(&problem.prompt) {
                Some(&index) if contents.problems[index].answer == problem.answer => {
                    contents.duplicates += 1;
                    index
                }
                Some(_) => {
                    contents.conflicts += 1;
                    continue;
                }
                None => {
                    let index = contents.problems.len();
                    by_prompt.insert(problem.prompt.clone(), index);
                    contents.problems.push(problem);
                    index
                }
            };
            if let Some(completion) = completion
                && seen_completions.insert((index, completion.clone()))
            {
                contents.demonstrations.push((index, completion));
            }
        }
        contents
    }
}

impl JsonlProblems {
    /// Reads the problems.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8 or has no rows; a row that is not as described
    /// above, with its line; and a held-out part that leaves nothing to train on.
    pub fn open(options: &JsonlOptions) -> Result<Self, JsonlError> {
        let contents = Contents::collect(read(&options.path, options.format)?);
        let total = contents.problems.len();
        let mut is_held_out = vec![false; total];
        let mut report = JsonlReport {
            rows: contents.rows,
            duplicates: contents.duplicates,
            conflicts: contents.conflicts,
            ..JsonlReport::default()
        };
        let mut held_out = match &options.held_out {
            Split::Count(count) => {
                let mut order: Vec<usize> = (0..total).collect();
                Stream::new(options.seed, Domain::HeldOut, [0, 0, 0]).shuffle(&mut order);
                order.truncate(*count);
                for &index in &order {
                    is_held_out[index] = true;
                }
                let chosen = order.iter().map(|&index| contents.problems[index].clone());
                chosen.collect()
            }
            Split::File(path) => {
                let problems = Contents::collect(read(path, options.format)?).problems;
                let prompts: HashSet<&str> = problems.iter().map(|p| p.prompt.as_str()).collect();
                for (problem, held_out) in contents.problems.iter().zip(&mut is_held_out) {
                    *held_out = prompts.contains(problem.prompt.as_str());
                }
                report.held_out_overlap = is_held_out.iter().filter(|&&out| out).count();
                problems
            }
        };
        for (problem, id) in held_out.iter_mut().zip(0..) {
            problem.id = id;
        }
        let mut new_index = vec![None; total];
        let mut train = Vec::new();
        for (index, problem) in contents.problems.into_iter().enumerate() {
            if !is_held_out[index] {
                new_index[index] = Some(train.len());
                train.push(problem);
            }
        }
        if train.is_empty() {
            return Err(JsonlError::NothingToTrainOn {
                path: options.path.clone(),
                problems: total,
            });
        }
        let demonstrations: Vec<(usize, String)> = contents
            .demonstrations
            .into_iter()
            .filter_map(|(index, completion)| Some((new_index[index]?, completion)))
            .collect();
        report.train = train.len();
        report.held_out = held_out.len();
        report.demonstrations = demonstrations.len();
        Ok(Self {
            seed: options.seed,
            train,
            held_out,
            demonstrations,
            report,
            orders: Default::default(),
        })
    }

    /// What was read, and what was left out.
    pub fn report(&self) -> &JsonlReport {
        &self.report
    }

    /// Which of `count` items is number `number` of the endless sequence of epochs; `kind` is 0 for
    /// problems and 1 for demonstrations. `count` is not 0.
    fn position(&self, kind: usize, number: u64, count: usize) -> usize {
        let (epoch, offset) = (number / count as u64, number % count as u64);
        let mut current = self.orders[kind]
            .lock()
            // The order is replaced as a whole, so a panic elsewhere cannot have left half of one.
            .unwrap_or_else(PoisonError::into_inner);
        if current.order.is_empty() || current.epoch != epoch {
            let mut order: Vec<usize> = (0..count).collect();
            let coordinates = [epoch, kind as u64, 0];
            Stream::new(self.seed, Domain::Shuffle, coordinates).shuffle(&mut order);
            *current = EpochOrder { epoch, order };
        }
        current.order[offset as usize]
    }
}

impl ProblemSource for JsonlProblems {
    fn train(&self, number: u64) -> Problem {
        let index = self.position(0, number, self.train.len());
        Problem {
            id: number,
            ..self.train[index].clone()
        }
    }

    fn held_out(&self) -> &[Problem] {
        &self.held_out
    }

    fn demonstration(&self, number: u64) -> Option<Demonstration> {
        if self.demonstrations.is_empty() {
            return None;
        }
        let index = self.position(1, number, self.demonstrations.len());
        let (problem, completion) = &self.demonstrations[index];
        Some(Demonstration {
            problem: Problem {
                id: number,
                ..self.train[*problem].clone()
            },
            completion: completion.clone(),
        })
    }

    fn demonstrations(&self) -> Option<u64> {
        Some(self.demonstrations.len() as u64)
    }

    fn len(&self) -> Option<u64> {
        Some(self.train.len() as u64)
    }
}
