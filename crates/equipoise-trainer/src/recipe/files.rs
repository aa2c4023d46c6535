//! `[data]` with files: which columns are read as what, which rows are kept, and how files are mixed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::data::DataSection;

/// `[[data.sources]]`: one of several files, in place of `data.path`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceSection {
    /// The file.
    pub path: PathBuf,
    /// How much of what is drawn comes from here; only the ratios count. Either all sources have a
    /// weight or none, and then a source has the weight of its number of problems.
    pub weight: Option<f64>,
    /// As `data.columns`, which it replaces for this file.
    pub columns: Option<BTreeMap<String, String>>,
    /// As `data.answer_after`, which it replaces for this file.
    pub answer_after: Option<String>,
    /// As `data.extra_columns`, which it replaces for this file.
    pub extra_columns: Option<ExtraColumns>,
}

/// What happens with columns that are read as nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExtraColumns {
    /// A row with such a column is bad.
    Error,
    /// They are left out.
    Ignore,
}

/// What happens at a row that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnBadRow {
    /// The run does not begin.
    Error,
    /// The row is left out and counted.
    Skip,
}

/// When two prompts count as the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deduplicate {
    /// When they are equal.
    Exact,
    /// When they are equal but for case and white space.
    Normalised,
    /// When they share most of their n-grams of words.
    Near,
}

/// `[data.filter]`: which rows are kept. Prompts are looked at as the model gets them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FilterSection {
    /// The shortest prompt that is kept, in characters.
    pub min_prompt_characters: Option<usize>,
    /// The longest prompt that is kept, in characters.
    pub max_prompt_characters: Option<usize>,
    /// The longest prompt that is kept, in tokens.
    pub max_prompt_tokens: Option<usize>,
    /// A regular expression that prompts must match somewhere.
    pub prompt_matches: Option<String>,
    /// A regular expression that prompts must match nowhere.
    pub prompt_excludes: Option<String>,
    /// For a column of the file, the values that are kept.
    pub one_of: Option<BTreeMap<String, Vec<String>>>,
}

impl DataSection {
    /// Whether problems are read from files.
    pub fn has_files(&self) -> bool {
        self.path.is_some() || self.sources.is_some()
    }

    /// The files of problems, each with everything that is said of it; none for a task.
    pub fn files(&self) -> Vec<SourceSection> {
        let own = |path: &PathBuf| SourceSection {
            path: path.clone(),
            weight: None,
            columns: self.columns.clone(),
            answer_after: self.answer_after.clone(),
            extra_columns: self.extra_columns,
        };
        let sources = self.sources.iter().flatten().map(|source| SourceSection {
            path: source.path.clone(),
            weight: source.weight,
            columns: source.columns.clone().or_else(|| self.columns.clone()),
            answer_after: source
                .answer_after
                .clone()
                .or_else(|| self.answer_after.clone()),
            extra_columns: source.extra_columns.or(self.extra_columns),
        });
        self.path.iter().map(own).chain(sources).collect()
    }

    /// The file of held-out problems, if there is one, with what is said of it.
    pub fn held_out_file(&self) -> Option<SourceSection> {
        self.held_out_path.as_ref().map(|path| SourceSection {
            path: path.clone(),
            weight: None,
            columns: self.columns.clone(),
            answer_after: self.answer_after.clone(),
            extra_columns: self.extra_columns,
        })
    }
}
