//! Rows that cannot be read: what happens with them, and how they are counted.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::error::DataError;
use crate::filter::FilterReason;

/// What happens at a row that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum OnBadRow {
    /// Reading stops with the error.
    #[default]
    Error,
    /// The row is left out and counted, unless there are too many.
    Skip {
        /// The largest share of a file's rows that may be bad, from 0 to 1; above it, reading ends with
        /// [`DataError::TooManyBadRows`] at the end of the file.
        max_share: f64,
    },
}

impl OnBadRow {
    /// The largest share of bad rows unless another is asked for.
    pub const MAX_SHARE: f64 = 0.1;

    pub(crate) fn validate(self) -> Result<(), DataError> {
        match self {
            Self::Skip { max_share } if !(0.0..=1.0).contains(&max_share) => {
                Err(DataError::Setting {
                    key: "max_bad_share".into(),
                    got: max_share.to_string(),
                    expected: "it must be from 0 to 1".into(),
                })
            }
            _ => Ok(()),
        }
    }
}

/// Why a row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RowFault {
    /// The line is not UTF-8.
    NotUtf8,
    /// The line is not a JSON object.
    NotJson,
    /// A key means nothing.
    UnknownKey,
    /// A key is missing.
    MissingKey,
    /// A key stands twice, or two keys of which there may be one.
    RepeatedKey,
    /// A value is not of the right kind.
    WrongValue,
    /// The answer lacks its marker.
    NoMarker,
    /// Strings and conversations are mixed.
    MixedForms,
    /// The prompt has something that the tokenizer does not know.
    NotTokenizable,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "not UTF-8",
            Self::NotJson => "not a JSON object",
            Self::UnknownKey => "unknown key",
            Self::MissingKey => "missing key",
            Self::RepeatedKey => "repeated key",
            Self::WrongValue => "wrong value",
            Self::NoMarker => "no answer marker",
            Self::MixedForms => "mixed forms",
            Self::NotTokenizable => "not tokenizable",
        })
    }
}

/// How often rows were bad for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadReason {
    /// The reason.
    pub fault: RowFault,
    /// How many rows.
    pub count: usize,
    /// What was wrong with the first of them, with file and line; at most [`BadRows::KEPT`].
    pub first: Vec<String>,
}

/// Bad rows, counted by reason in the order in which the reasons came up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BadRows {
    /// The reasons.
    pub reasons: Vec<BadReason>,
}

impl BadRows {
    /// How many errors of each reason are kept in full.
    pub const KEPT: usize = 3;

    /// How many rows were bad.
    pub fn count(&self) -> usize {
        self.reasons.iter().map(|reason| reason.count).sum()
    }

    fn add(&mut self, fault: RowFault, error: &DataError) {
        let found = self.reasons.iter().position(|reason| reason.fault == fault);
        let index = found.unwrap_or_else(|| {
            self.reasons.push(BadReason {
                fault,
                count: 0,
                first: Vec::new(),
            });
            self.reasons.len() - 1
        });
        let reason = &mut self.reasons[index];
        reason.count += 1;
        if reason.first.len() < Self::KEPT {
            reason.first.push(error.to_string());
        }
    }
}

/// What became of the rows of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileReport {
    /// The file.
    pub path: PathBuf,
    /// Its rows, bad and filtered ones included, blank lines not.
    pub rows: usize,
    /// Rows that could not be read.
    pub bad: BadRows,
    /// Rows that a filter left out, counted by filter in the order in which they came up.
    pub filtered: Vec<(FilterReason, usize)>,
}

impl FileReport {
    /// An empty report of a file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            ..Self::default()
        }
    }

    /// How many rows filters left out.
    pub fn filtered(&self) -> usize {
        self.filtered.iter().map(|(_, count)| count).sum()
    }

    /// Counts a bad row, or returns its error if bad rows, or errors of this kind, end the reading.
    pub(crate) fn bad_row(&mut self, error: DataError, policy: OnBadRow) -> Result<(), DataError> {
        match (policy, error.fault()) {
            (OnBadRow::Skip { .. }, Some(fault)) => {
                self.bad.add(fault, &error);
                Ok(())
            }
            _ => Err(error),
        }
    }

    pub(crate) fn filtered_row(&mut self, reason: FilterReason) {
        match self.filtered.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => self.filtered.push((reason, 1)),
        }
    }

    /// At the end of the file: whether too many of its rows were bad.
    pub(crate) fn finish(&self, policy: OnBadRow) -> Result<(), DataError> {
        let OnBadRow::Skip { max_share } = policy else {
            return Ok(());
        };
        let bad = self.bad.count();
        if bad as f64 <= max_share * self.rows as f64 {
            return Ok(());
        }
        let first = self
            .bad
            .reasons
            .first()
            .and_then(|reason| reason.first.first());
        Err(DataError::TooManyBadRows {
            path: self.path.clone(),
            bad,
            rows: self.rows,
            max_share,
            first: first.cloned().unwrap_or_default(),
        })
    }

    /// What was left out, a phrase each; empty if nothing was.
    pub fn left_out(&self) -> Vec<String> {
        let bad = self.bad.reasons.iter().map(|reason| {
            let first = reason.first.first().map_or("", String::as_str);
            let (count, fault) = (reason.count, reason.fault);
            format!("{count} bad ({fault}; the first: {first})")
        });
        let filtered = self.filtered.iter();
        bad.chain(filtered.map(|(reason, count)| format!("{count} {reason}")))
            .collect()
    }
}
