//! Problems from files.

mod contents;
mod report;
mod schema;
mod supply;

use std::path::{Path, PathBuf};

use equipoise_core::{Domain, Problem, Stream};

use crate::dedup::{Deduplicator, Duplicates, Seen};
use crate::filter::Filters;
use crate::mixture::SourceMixture;
use crate::rows::{DataError, FileReport, Mapping, OnBadRow, RowOptions};
use crate::source::{Demonstration, ProblemSource};
use contents::{Contents, read};
pub use report::DataReport;
pub use schema::{ProblemRow, ProblemSchema, PromptFormat};
use supply::Supply;

/// What the supply of problems, and that of demonstrations, are to the random streams.
const PROBLEMS: u64 = 0;
const DEMONSTRATIONS: u64 = 1;

/// A file of problems.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileSource {
    /// The file: Parquet if it is named `*.parquet`, JSONL if not.
    pub path: PathBuf,
    /// How much of what is drawn comes from here; only the ratios count. Either all sources have a
    /// weight or none, and then a source has the weight of its number of problems.
    pub weight: Option<f64>,
    /// Which column is read as what.
    pub mapping: Mapping,
}

/// Which problems are held out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// This many problems of the files, chosen by the seed.
    Count(usize),
    /// The problems of another file.
    File {
        /// The file.
        path: PathBuf,
        /// Which column is read as what.
        mapping: Mapping,
    },
}

/// Where problems are read from, and how.
#[derive(Clone, Debug)]
pub struct FileOptions {
    /// The files; at least one.
    pub sources: Vec<FileSource>,
    /// Which problems are held out.
    pub held_out: Split,
    /// How what a row asks becomes the text of a prompt.
    pub style: PromptFormat,
    /// What happens at a row that cannot be read.
    pub on_bad_row: OnBadRow,
    /// Which rows are left out; of the held-out file, too.
    pub filters: Filters,
    /// When two prompts count as the same.
    pub duplicates: Duplicates,
    /// The seed of the order, of the mixture and of the held-out choice.
    pub seed: u64,
}

impl FileOptions {
    /// One file whose columns have our names, of which nothing is held out and nothing is left out but
    /// what repeats; seed 0.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let source = FileSource {
            path: path.into(),
            ..FileSource::default()
        };
        Self {
            sources: vec![source],
            held_out: Split::Count(0),
            style: PromptFormat::default(),
            on_bad_row: OnBadRow::default(),
            filters: Filters::default(),
            duplicates: Duplicates::default(),
            seed: 0,
        }
    }

    fn rows(&self, mapping: &Mapping) -> RowOptions {
        RowOptions {
            mapping: mapping.clone(),
            on_bad_row: self.on_bad_row,
            filters: self.filters.clone(),
        }
    }

    /// The weights of the sources; `None` if they have none.
    fn weights(&self) -> Result<Option<Vec<f64>>, DataError> {
        let weights: Vec<f64> = self
            .sources
            .iter()
            .filter_map(|source| source.weight)
            .collect();
        if weights.is_empty() {
            return Ok(None);
        }
        if let Some(at) = self
            .sources
            .iter()
            .position(|source| source.weight.is_none())
        {
            return Err(DataError::Setting {
                key: format!("sources[{at}].weight"),
                got: "missing".into(),
                expected: "give every source a weight, or none".into(),
            });
        }
        SourceMixture::new(&weights, self.seed)?;
        Ok(Some(weights))
    }
}

/// The problems of files, read whole into memory.
///
/// [`ProblemSchema`] says what a row is. Problem `number` comes from the source that [`SourceMixture`] deals
/// it to. There it is row `m % n` of epoch `m / n`, where `m` is its number within the source, `n` is
/// the number of the source's training problems, and every epoch has an order of its own, drawn from
/// the stream at `(seed, Domain::Shuffle, [epoch, 0, source])` (demonstrations:
/// `[epoch, 1, source]`). Held-out rows are the first of an order of all problems drawn at
/// `(seed, Domain::HeldOut, [0, 0, 0])`. The source of a problem is `file:line`.
#[derive(Debug)]
pub struct FileProblems {
    train: Vec<Problem>,
    held_out: Vec<Problem>,
    /// Completions with the index of their problem in `train`.
    demonstrations: Vec<(usize, String)>,
    report: DataReport,
    order: Supply,
    demonstration_order: Option<Supply>,
}

impl FileProblems {
    /// Reads the problems.
    ///
    /// # Errors
    /// A file that cannot be read or has no rows; a row that is not as described, with its line, or
    /// too many of them; an impossible option; and a source of which nothing is left to train on.
    pub fn open(options: &FileOptions) -> Result<Self, DataError> {
        options.style.validate()?;
        let weights = options.weights()?;
        let schema = || ProblemSchema {
            style: options.style.clone(),
        };
        let mut rows = Vec::new();
        let mut report = DataReport::default();
        for source in &options.sources {
            let (read, file) = read(&source.path, schema(), &options.rows(&source.mapping))?;
            rows.push(read);
            report.files.push(file);
        }
        let contents = Contents::collect(rows, options.duplicates)?;
        report.duplicates = contents.duplicates;
        report.conflicts = contents.conflicts;
        report.near_duplicates = contents.near_duplicates;

        let total = contents.problems.len();
        let mut is_held_out = vec![false; total];
        let mut held_out = match &options.held_out {
            Split::Count(count) => {
                let mut order: Vec<usize> = (0..total).collect();
                Stream::new(options.seed, Domain::HeldOut, [0, 0, 0]).shuffle(&mut order);
                order.truncate(*count);
                for &index in &order {
                    is_held_out[index] = true;
                }
                let chosen = order
                    .iter()
                    .map(|&index| contents.problems[index].1.clone());
                chosen.collect()
            }
            Split::File { path, mapping } => {
                let (rows, file) = read(path, schema(), &options.rows(mapping))?;
                report.held_out_file = Some(file);
                let problems = Contents::collect(vec![rows], options.duplicates)?.problems;
                let problems: Vec<Problem> = problems.into_iter().map(|(_, p)| p).collect();
                let mut prompts = Deduplicator::new(options.duplicates)?;
                for problem in &problems {
                    prompts.add(&problem.prompt);
                }
                for ((_, problem), held_out) in contents.problems.iter().zip(&mut is_held_out) {
                    *held_out = prompts.look(&problem.prompt) != Seen::New;
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
        let mut counts = vec![0; options.sources.len()];
        let mut before = vec![0; options.sources.len()];
        for (index, (source, problem)) in contents.problems.into_iter().enumerate() {
            before[source] += 1;
            if !is_held_out[index] {
                new_index[index] = Some(train.len());
                train.push(problem);
                counts[source] += 1;
            }
        }
        if let Some(empty) = counts.iter().position(|&count| count == 0) {
            return Err(nothing_left(
                &options.sources[empty].path,
                before[empty],
                &report.files[empty],
            ));
        }
        let mut demonstrations = Vec::new();
        let mut shown_counts = vec![0; options.sources.len()];
        for shown in contents.demonstrations {
            if let Some(problem) = new_index[shown.problem] {
                demonstrations.push((problem, shown.completion));
                shown_counts[shown.source] += 1;
            }
        }
        report.train = train.len();
        report.held_out = held_out.len();
        report.demonstrations = demonstrations.len();
        let (seed, weights) = (options.seed, weights.as_deref());
        let order = Supply::new(seed, PROBLEMS, &counts, weights)?;
        Ok(Self {
            order: order.ok_or_else(|| DataError::Setting {
                key: "sources".into(),
                got: "[]".into(),
                expected: "name at least one source".into(),
            })?,
            demonstration_order: Supply::new(seed, DEMONSTRATIONS, &shown_counts, weights)?,
            train,
            held_out,
            demonstrations,
            report,
        })
    }

    /// What was read, and what was left out.
    pub fn report(&self) -> &DataReport {
        &self.report
    }

    fn shown(&self, index: usize, number: u64) -> Option<Demonstration> {
        let (problem, completion) = self.demonstrations.get(index)?;
        Some(Demonstration {
            problem: Problem {
                id: number,
                ..self.train[*problem].clone()
            },
            completion: completion.clone(),
        })
    }
}

/// The error that a source has no problem to train on. It had `problems` before some were held out.
fn nothing_left(path: &Path, problems: usize, file: &FileReport) -> DataError {
    if problems > 0 {
        return DataError::NothingToTrainOn {
            path: path.to_owned(),
            problems,
        };
    }
    let mut why = file.left_out();
    if file.bad.count() + file.filtered() < file.rows {
        why.push("the rest repeats what earlier files ask".into());
    }
    DataError::NothingLeft {
        path: path.to_owned(),
        rows: file.rows,
        why: why.join(", "),
    }
}

impl ProblemSource for FileProblems {
    fn train(&self, number: u64) -> Problem {
        Problem {
            id: number,
            ..self.train[self.order.index(number)].clone()
        }
    }

    fn held_out(&self) -> &[Problem] {
        &self.held_out
    }

    fn demonstration(&self, number: u64) -> Option<Demonstration> {
        self.shown(self.demonstration_order.as_ref()?.index(number), number)
    }

    fn demonstrations(&self) -> Option<u64> {
        Some(self.demonstrations.len() as u64)
    }

    fn len(&self) -> Option<u64> {
        Some(self.train.len() as u64)
    }

    fn nth_problem(&self, index: u64) -> Problem {
        // Beyond the end the count begins anew; there is at least one problem.
        let index = index % self.train.len() as u64;
        Problem {
            id: index,
            ..self.train[index as usize].clone()
        }
    }

    fn nth_demonstration(&self, index: u64) -> Option<Demonstration> {
        let index = index.checked_rem(self.demonstrations.len() as u64)?;
        self.shown(index as usize, index)
    }

    fn notes(&self) -> Vec<String> {
        self.report.lines()
    }
}
