//! Problems drawn from a procedural task.

use std::collections::HashSet;

use equipoise_core::{Domain, Problem, Stream};
use thiserror::Error;

use crate::source::{Demonstration, ProblemSource};
use crate::task::{Task, TaskError};

/// How often a problem is drawn anew before its space counts as too small.
const ATTEMPTS: u64 = 1000;

/// How many training problems are drawn at construction to see how many are held out.
const PROBES: u64 = 256;

/// The problems of a [`Task`], with some of them held out.
///
/// Training problem `n` is drawn from the stream at `(seed, Domain::Problem, [n, attempt, 0])`, where
/// the attempt is the first, from 0, that does not ask what a held-out problem asks. Held-out
/// problems and demonstrations have streams of their own: `Domain::HeldOut` and
/// `Domain::Demonstration`.
#[derive(Debug)]
pub struct Procedural {
    task: Box<dyn Task>,
    seed: u64,
    held_out: Vec<Problem>,
    held_out_prompts: HashSet<String>,
    /// A problem that is not held out, for the case that every attempt fails.
    spare: Problem,
}

impl Procedural {
    /// A source of `task`'s problems that keeps `held_out` different ones for evaluation.
    ///
    /// # Errors
    /// Impossible settings of the task, and a task with so few different problems that `held_out`
    /// of them cannot be found or more than nine in ten drawn for training would be held out.
    pub fn new(
        task: impl Task + 'static,
        seed: u64,
        held_out: usize,
    ) -> Result<Self, ProceduralError> {
        Self::from_box(Box::new(task), seed, held_out)
    }

    /// [`Procedural::new`] for a task chosen at run time.
    ///
    /// # Errors
    /// As [`Procedural::new`].
    pub fn from_box(
        task: Box<dyn Task>,
        seed: u64,
        held_out: usize,
    ) -> Result<Self, ProceduralError> {
        task.validate()?;
        let mut problems = Vec::new();
        let mut prompts = HashSet::new();
        for id in 0..held_out as u64 {
            let fresh = draws(&*task, seed, Domain::HeldOut, id)
                .find(|problem| !prompts.contains(&problem.prompt));
            let Some(mut problem) = fresh else {
                return Err(ProceduralError::TooFewProblems {
                    task: task.name(),
                    held_out,
                    found: problems.len(),
                });
            };
            prompts.insert(problem.prompt.clone());
            problem.source.push_str("/held_out");
            problems.push(problem);
        }
        let mut allowed = (0..PROBES)
            .filter_map(|number| draws(&*task, seed, Domain::Problem, number).next())
            .filter(|problem| !prompts.contains(&problem.prompt));
        let spare = allowed.next();
        let enough = allowed.count() as u64 + 1 >= PROBES / 10;
        match spare {
            Some(spare) if enough => Ok(Self {
                task,
                seed,
                held_out: problems,
                held_out_prompts: prompts,
                spare,
            }),
            _ => Err(ProceduralError::NothingLeft {
                task: task.name(),
                held_out,
            }),
        }
    }

    /// The task.
    pub fn task(&self) -> &dyn Task {
        &*self.task
    }

    /// The first draw of `domain` and `number` that is not held out.
    fn draw(&self, domain: Domain, number: u64) -> Problem {
        draws(&*self.task, self.seed, domain, number)
            .find(|problem| !self.held_out_prompts.contains(&problem.prompt))
            .unwrap_or_else(|| Problem {
                id: number,
                ..self.spare.clone()
            })
    }
}

/// The attempts at problem `number` of `domain`.
fn draws(
    task: &dyn Task,
    seed: u64,
    domain: Domain,
    number: u64,
) -> impl Iterator<Item = Problem> + '_ {
    (0..ATTEMPTS).map(move |attempt| {
        task.problem(number, &mut Stream::new(seed, domain, [number, attempt, 0]))
    })
}

impl ProblemSource for Procedural {
    fn train(&self, number: u64) -> Problem {
        self.draw(Domain::Problem, number)
    }

    fn held_out(&self) -> &[Problem] {
        &self.held_out
    }

    fn demonstration(&self, number: u64) -> Option<Demonstration> {
        let problem = self.draw(Domain::Demonstration, number);
        let mut stream = Stream::new(self.seed, Domain::Demonstration, [number, 0, 1]);
        let completion = self.task.demonstration(&problem, &mut stream)?;
        Some(Demonstration {
            problem,
            completion,
        })
    }
}

/// Why a task cannot be a source of problems.
#[derive(Clone, Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum ProceduralError {
    /// The task's settings are impossible.
    #[error(transparent)]
    Task(#[from] TaskError),
    /// The task has fewer different problems than should be held out.
    #[error(
        "{task}: found only {found} of {held_out} different problems to hold out; make the task \
         larger (more or larger numbers) or hold out fewer"
    )]
    TooFewProblems {
        /// The task's name.
        task: &'static str,
        /// How many problems should be held out.
        held_out: usize,
        /// How many were found.
        found: usize,
    },
    /// Nearly every problem of the task is held out.
    #[error(
        "{task}: with {held_out} problems held out, fewer than one in ten is left to train on; \
         make the task larger (more or larger numbers) or hold out fewer"
    )]
    NothingLeft {
        /// The task's name.
        task: &'static str,
        /// How many problems are held out.
        held_out: usize,
    },
}
