//! The problems of files, each prompt once.

use std::collections::HashSet;

use equipoise_core::Problem;

use super::schema::{ProblemRow, ProblemSchema};
use crate::dedup::{Deduplicator, Duplicates, Seen};
use crate::rows::{DataError, FileReport, Pipeline, RowOptions, RowReader};

/// The rows of one file.
pub(super) fn read(
    path: &std::path::Path,
    schema: ProblemSchema,
    options: &RowOptions,
) -> Result<(Vec<ProblemRow>, FileReport), DataError> {
    let mut pipeline = Pipeline::new(schema, options)?;
    let mut report = FileReport::new(path);
    let mut rows = Vec::new();
    for raw in RowReader::open(path)? {
        if let Some(row) = pipeline.item(raw, &mut report)? {
            rows.push(row.item);
        }
    }
    report.finish(options.on_bad_row)?;
    Ok((rows, report))
}

/// The problems of the sources, each prompt once, and the completions with their problems' indices.
/// Both are in the order of the files, so that what belongs to one source lies together.
#[derive(Debug, Default)]
pub(super) struct Contents {
    pub(super) problems: Vec<(usize, Problem)>,
    pub(super) demonstrations: Vec<Shown>,
    pub(super) duplicates: usize,
    pub(super) conflicts: usize,
    pub(super) near_duplicates: usize,
}

/// A completion of a file.
#[derive(Debug)]
pub(super) struct Shown {
    /// The source of its row.
    pub(super) source: usize,
    /// The index of the problem it solves.
    pub(super) problem: usize,
    pub(super) completion: String,
}

impl Contents {
    pub(super) fn collect(
        sources: Vec<Vec<ProblemRow>>,
        duplicates: Duplicates,
    ) -> Result<Self, DataError> {
        let mut contents = Self::default();
        let mut prompts = Deduplicator::new(duplicates)?;
        let mut seen_completions: HashSet<(usize, String)> = HashSet::new();
        for (source, rows) in sources.into_iter().enumerate() {
            for row in rows {
                let problem = match prompts.add(&row.problem.prompt) {
                    Seen::New => {
                        contents.problems.push((source, row.problem));
                        contents.problems.len() - 1
                    }
                    Seen::Same(index)
                        if contents.problems[index].1.answer == row.problem.answer =>
                    {
                        contents.duplicates += 1;
                        index
                    }
                    Seen::Same(_) => {
                        contents.conflicts += 1;
                        continue;
                    }
                    Seen::Near(_) => {
                        contents.near_duplicates += 1;
                        continue;
                    }
                };
                if let Some(completion) = row.completion
                    && seen_completions.insert((problem, completion.clone()))
                {
                    contents.demonstrations.push(Shown {
                        source,
                        problem,
                        completion,
                    });
                }
            }
        }
        Ok(contents)
    }
}
