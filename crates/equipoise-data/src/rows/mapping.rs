//! Which column of a file is read as what.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::advice::advice;
use super::error::DataError;
use super::object::Object;
use super::reader::RawRow;
use super::row::Row;

/// Which column of a file is read as what.
///
/// A column that is not named here is read under its own name. Two of ours may be read from one of
/// the file's: GSM8K as it is published has the columns `question` and `answer`, the latter with the
/// solution and, behind `####`, the result.
///
/// ```
/// use equipoise_data::Mapping;
///
/// let gsm8k = Mapping {
///     answer_after: Some("####".into()),
///     ..Mapping::of([("prompt", "question"), ("completion", "answer"), ("answer", "answer")])
/// };
/// assert_eq!(gsm8k.columns["prompt"], "question");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping {
    /// From our column to the file's. Every row must have what is named here. `reward_model.truth`
    /// names the key `truth` inside of `reward_model`, unless a column has just this name.
    pub columns: BTreeMap<String, String>,
    /// What happens with columns that are read as nothing.
    pub extra: ExtraColumns,
    /// A marker such as `####`: the answer is the text behind its last occurrence, without the white
    /// space around. A row without it, or with nothing behind it, is bad.
    pub answer_after: Option<String>,
}

/// What happens with columns that are read as nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExtraColumns {
    /// A row with such a column is bad; the error names the columns and says what to set.
    #[default]
    Error,
    /// They are left out.
    Ignore,
}

impl Mapping {
    /// A mapping of these columns, ours first.
    pub fn of<const N: usize>(columns: [(&str, &str); N]) -> Self {
        let owned = columns.map(|(ours, theirs)| (ours.to_owned(), theirs.to_owned()));
        Self {
            columns: owned.into(),
            ..Self::default()
        }
    }
}

/// One of our columns.
#[derive(Clone, Debug)]
struct Column {
    name: &'static str,
    key: String,
    mapped: bool,
}

impl Column {
    /// Whether the key at the top of a row is what this column is read from.
    fn reads(&self, key: &str) -> bool {
        self.key == key || self.key.split_once('.').is_some_and(|(top, _)| top == key)
    }
}

/// A mapping for the columns of one kind of row.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    columns: Vec<Column>,
    mapping: Mapping,
    /// Columns that are looked at in another way.
    looked_at: Vec<String>,
}

impl Layout {
    /// A mapping for rows with the columns `known`; columns named `looked_at` are no surprise.
    pub(super) fn new(
        mapping: &Mapping,
        known: &[&'static str],
        looked_at: Vec<String>,
    ) -> Result<Self, DataError> {
        if let Some(name) = mapping
            .columns
            .keys()
            .find(|name| !known.contains(&name.as_str()))
        {
            return Err(DataError::Setting {
                key: format!("columns.{name}"),
                got: format!("{:?}", mapping.columns[name]),
                expected: format!(
                    "`{name}` is no column; the columns are {}",
                    known.join(", ")
                ),
            });
        }
        if let Some(marker) = &mapping.answer_after
            && (marker.trim().is_empty() || !known.contains(&"answer"))
        {
            return Err(DataError::Setting {
                key: "answer_after".into(),
                got: format!("{marker:?}"),
                expected: match known.contains(&"answer") {
                    true => "it must be a marker that is not empty, such as \"####\"".into(),
                    false => "rows of this kind have no answer; remove it".into(),
                },
            });
        }
        let columns = known.iter().map(|&name| {
            let mapped = mapping.columns.get(name);
            Column {
                name,
                key: mapped.map_or_else(|| name.to_owned(), String::clone),
                mapped: mapped.is_some(),
            }
        });
        Ok(Self {
            columns: columns.collect(),
            mapping: mapping.clone(),
            looked_at,
        })
    }

    pub(super) fn answer_after(&self) -> Option<&str> {
        self.mapping.answer_after.as_deref()
    }

    /// The key of the file that column `name` is read from.
    pub(super) fn key<'a>(&'a self, name: &'a str) -> &'a str {
        let mut columns = self.columns.iter();
        columns
            .find(|column| column.name == name)
            .map_or(name, |column| &column.key)
    }

    /// The values of the columns of a row.
    pub(super) fn row<'a>(&'a self, raw: &'a RawRow) -> Result<Row<'a>, DataError> {
        let (path, line) = (|| raw.place.path(), raw.place.line);
        let mut extra = Vec::new();
        for (index, (key, _)) in raw.object.0.iter().enumerate() {
            if !self.columns.iter().any(|column| column.reads(key)) {
                if !self.looked_at.contains(key) {
                    extra.push(key.clone());
                }
            } else if raw.object.0[..index]
                .iter()
                .any(|(before, _)| before == key)
            {
                let (path, key) = (path(), key.clone());
                return Err(DataError::RepeatedKey { path, line, key });
            }
        }
        if self.mapping.extra == ExtraColumns::Error && !extra.is_empty() {
            let known = self.columns.iter().map(|column| column.name);
            let absent = known.filter(|name| raw.get(self.key(name)).is_none());
            return Err(DataError::ExtraColumns {
                path: path(),
                line,
                known: self
                    .columns
                    .iter()
                    .map(|column| column.key.clone())
                    .collect(),
                advice: advice(&extra, &absent.collect::<Vec<_>>(), &self.mapping.columns),
                columns: extra,
            });
        }
        let values = self.columns.iter().map(|column| {
            let value = lookup(&raw.object, &column.key);
            if value.is_none() && column.mapped {
                return Err(DataError::MissingKey {
                    path: path(),
                    line,
                    key: column.key.clone(),
                    column: (column.key != column.name).then_some(column.name),
                });
            }
            Ok((column.name, value))
        });
        let values = values.filter_map(|value| match value {
            Ok((name, value)) => Some(Ok((name, value?))),
            Err(error) => Some(Err(error)),
        });
        Ok(Row::new(
            &raw.place,
            self,
            values.collect::<Result<_, _>>()?,
        ))
    }
}

/// The value of `key`, or of what follows its first full stop inside of what is before it.
fn lookup<'a>(object: &'a Object, key: &str) -> Option<Cow<'a, RawValue>> {
    if let Some(value) = object.get(key) {
        return Some(Cow::Borrowed(value));
    }
    let (top, rest) = key.split_once('.')?;
    let inner: Object = serde_json::from_str(object.get(top)?.get()).ok()?;
    lookup(&inner, rest).map(|value| Cow::Owned(value.into_owned()))
}
