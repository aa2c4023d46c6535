//! Rows of a file as items: mapped, checked, filtered and counted.

use std::path::PathBuf;

use super::bad::{FileReport, OnBadRow};
use super::error::DataError;
use super::mapping::{Layout, Mapping};
use super::reader::{RawRow, RowAddress, RowReader};
use super::schema::RowSchema;
use crate::filter::{Compiled, Filters};

/// How the rows of files become items.
#[derive(Clone, Debug, Default)]
pub struct RowOptions {
    /// Which column is read as what.
    pub mapping: Mapping,
    /// What happens at a row that cannot be read.
    pub on_bad_row: OnBadRow,
    /// Which rows are left out.
    pub filters: Filters,
}

/// An item with the place it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Located<T> {
    /// What was read.
    pub item: T,
    /// The file and line, as `file:line`; in Parquet the row.
    pub location: String,
    /// Where the row lies in its file.
    pub address: RowAddress,
}

/// What is done with every row.
#[derive(Debug)]
pub(crate) struct Pipeline<S> {
    pub(crate) schema: S,
    layout: Layout,
    filters: Compiled,
    pub(crate) on_bad_row: OnBadRow,
    /// Whether items are conversations, and the place of the item that decided it.
    form: Option<(bool, String)>,
}

impl<S: RowSchema> Pipeline<S> {
    pub(crate) fn new(schema: S, options: &RowOptions) -> Result<Self, DataError> {
        options.on_bad_row.validate()?;
        let looked_at = options.filters.columns();
        Ok(Self {
            layout: Layout::new(&options.mapping, schema.columns(), looked_at)?,
            filters: Compiled::new(&options.filters)?,
            on_bad_row: options.on_bad_row,
            schema,
            form: None,
        })
    }

    /// Lets the first readable row of `files` decide the form of all items.
    pub(crate) fn settle(&mut self, files: &[PathBuf]) -> Result<(), DataError> {
        for path in files {
            for raw in RowReader::open(path)? {
                let mut report = FileReport::default();
                let item = self.item(raw, &mut report)?;
                if item.is_some() || self.form.is_some() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The item of a row, `None` if it is left out, and counted in `report`.
    pub(crate) fn item(
        &mut self,
        raw: Result<RawRow, DataError>,
        report: &mut FileReport,
    ) -> Result<Option<Located<S::Item>>, DataError> {
        match &raw {
            Err(error) if error.fault().is_none() => {}
            _ => report.rows += 1,
        }
        match raw.and_then(|raw| self.read(&raw, report)) {
            Ok(item) => Ok(item),
            Err(error) => report.bad_row(error, self.on_bad_row).map(|()| None),
        }
    }

    fn read(
        &mut self,
        raw: &RawRow,
        report: &mut FileReport,
    ) -> Result<Option<Located<S::Item>>, DataError> {
        let row = self.layout.row(raw)?;
        let item = self.schema.read(&row)?;
        if let Some((column, text)) = self.schema.form(&item) {
            let conversation = text.is_conversation();
            match &self.form {
                None => self.form = Some((conversation, raw.location())),
                Some((form, _)) if *form == conversation => {}
                Some((form, place)) => {
                    let form = if *form { "a conversation" } else { "a string" };
                    return Err(row.mixed(column, text, format!("{place} has {form}")));
                }
            }
        }
        if let Some(reason) = self.filters.reject(raw, &self.schema.prompt(&item))? {
            report.filtered_row(reason);
            return Ok(None);
        }
        Ok(Some(Located {
            item,
            location: raw.location(),
            address: raw.address,
        }))
    }
}

/// The items of one file, in its order; holds one row at a time.
///
/// All items must have one form: a data set of strings and conversations is an error at the first row
/// of the other form, or counts that row as bad.
///
/// ```
/// use equipoise_data::{Example, ExampleKind, RowOptions, Text, TypedRows};
///
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("sums.jsonl");
/// std::fs::write(&path, r#"{"prompt": "1+2=", "completion": "3"}"#)?;
/// let mut rows = TypedRows::open(ExampleKind::PromptCompletion, &path, &RowOptions::default())?;
/// let Some(Ok(row)) = rows.next() else { panic!("one row") };
/// let Example::PromptCompletion { completion, .. } = row.item else { panic!("another kind") };
/// assert_eq!(completion, Text::Plain("3".into()));
/// assert!(rows.next().is_none());
/// assert_eq!(rows.report().rows, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct TypedRows<S> {
    reader: RowReader,
    pipeline: Pipeline<S>,
    report: FileReport,
    ended: bool,
}

impl<S: RowSchema> TypedRows<S> {
    /// Opens a file.
    ///
    /// # Errors
    /// A file that cannot be opened, or an option that is impossible.
    pub fn open(
        schema: S,
        path: impl Into<PathBuf>,
        options: &RowOptions,
    ) -> Result<Self, DataError> {
        let path = path.into();
        Ok(Self {
            reader: RowReader::open(&path)?,
            pipeline: Pipeline::new(schema, options)?,
            report: FileReport::new(path),
            ended: false,
        })
    }

    /// What became of the rows so far.
    pub fn report(&self) -> &FileReport {
        &self.report
    }
}

impl<S: RowSchema> Iterator for TypedRows<S> {
    type Item = Result<Located<S::Item>, DataError>;

    /// The next item. An error is the last.
    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            let Some(raw) = self.reader.next() else {
                self.ended = true;
                let finished = self.report.finish(self.pipeline.on_bad_row);
                return finished.err().map(Err);
            };
            match self.pipeline.item(raw, &mut self.report) {
                Ok(None) => {}
                Ok(Some(item)) => return Some(Ok(item)),
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}
