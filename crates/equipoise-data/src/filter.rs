//! Which rows are left out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::rows::{DataError, RawRow};

/// Which rows are kept. Without any setting, all are.
///
/// Prompts are looked at as the model gets them, except for conversations of examples, of which the
/// contents count, with line feeds between them.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// The shortest prompt that is kept, in characters.
    pub min_prompt_characters: Option<usize>,
    /// The longest prompt that is kept, in characters.
    pub max_prompt_characters: Option<usize>,
    /// The longest prompt that is kept, in tokens.
    pub max_prompt_tokens: Option<TokenLimit>,
    /// A regular expression that prompts must match somewhere (syntax of the crate `regex`).
    pub prompt_matches: Option<String>,
    /// A regular expression that prompts must match nowhere.
    pub prompt_excludes: Option<String>,
    /// For a column of the file, the values that are kept: strings, or what else the file has, as it
    /// is written. A row without the column is left out.
    pub one_of: BTreeMap<String, Vec<String>>,
}

/// A limit on tokens, with what counts them.
#[derive(Clone)]
pub struct TokenLimit {
    /// The largest number of tokens.
    pub max: usize,
    /// Counts the tokens of a prompt; the error says what cannot be tokenized.
    pub count: Arc<TokenCount>,
}

/// A function from a prompt to its number of tokens.
pub type TokenCount = dyn Fn(&str) -> Result<usize, String> + Send + Sync;

impl fmt::Debug for TokenLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenLimit")
            .field("max", &self.max)
            .finish_non_exhaustive()
    }
}

/// Why a filter left a row out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FilterReason {
    /// The prompt has too few characters.
    TooShort,
    /// The prompt has too many characters.
    TooLong,
    /// The prompt has too many tokens.
    TooManyTokens,
    /// The prompt does not match the regular expression.
    NoMatch,
    /// The prompt matches the regular expression of what is excluded.
    Excluded,
    /// A column has a value that is not asked for.
    OtherValue,
}

impl fmt::Display for FilterReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooShort => "with too few characters",
            Self::TooLong => "with too many characters",
            Self::TooManyTokens => "with too many tokens",
            Self::NoMatch => "not matching prompt_matches",
            Self::Excluded => "matching prompt_excludes",
            Self::OtherValue => "with another value in one_of",
        })
    }
}

impl Filters {
    /// The columns of the file that are looked at.
    pub(crate) fn columns(&self) -> Vec<String> {
        self.one_of.keys().cloned().collect()
    }
}

/// Filters whose settings are known to be possible.
#[derive(Debug)]
pub(crate) struct Compiled {
    filters: Filters,
    matches: Option<Regex>,
    excludes: Option<Regex>,
}

impl Compiled {
    pub(crate) fn new(filters: &Filters) -> Result<Self, DataError> {
        let (min, max) = (filters.min_prompt_characters, filters.max_prompt_characters);
        if let (Some(min), Some(max)) = (min, max)
            && min > max
        {
            return Err(DataError::Setting {
                key: "min_prompt_characters".into(),
                got: min.to_string(),
                expected: format!("it must be at most max_prompt_characters = {max}"),
            });
        }
        if let Some((column, _)) = filters.one_of.iter().find(|(_, values)| values.is_empty()) {
            return Err(DataError::Setting {
                key: format!("one_of.{column}"),
                got: "[]".into(),
                expected: "name at least one value that is kept".into(),
            });
        }
        Ok(Self {
            matches: compiled("prompt_matches", filters.prompt_matches.as_deref())?,
            excludes: compiled("prompt_excludes", filters.prompt_excludes.as_deref())?,
            filters: filters.clone(),
        })
    }

    /// Why a row is left out; `None` if it is kept. An error if its prompt cannot be tokenized.
    pub(crate) fn reject(
        &self,
        raw: &RawRow,
        prompt: &str,
    ) -> Result<Option<FilterReason>, DataError> {
        let filters = &self.filters;
        let of_value = |(column, kept): (&String, &Vec<String>)| match raw.get(column) {
            None => true,
            Some(written) => {
                let text = serde_json::from_str::<String>(written);
                let value = text.as_deref().unwrap_or(written);
                !kept.iter().any(|kept| kept == value)
            }
        };
        if filters.one_of.iter().any(of_value) {
            return Ok(Some(FilterReason::OtherValue));
        }
        if filters.min_prompt_characters.is_some() || filters.max_prompt_characters.is_some() {
            let characters = prompt.chars().count();
            if filters
                .min_prompt_characters
                .is_some_and(|min| characters < min)
            {
                return Ok(Some(FilterReason::TooShort));
            }
            if filters
                .max_prompt_characters
                .is_some_and(|max| characters > max)
            {
                return Ok(Some(FilterReason::TooLong));
            }
        }
        if self
            .matches
            .as_ref()
            .is_some_and(|regex| !regex.is_match(prompt))
        {
            return Ok(Some(FilterReason::NoMatch));
        }
        if self
            .excludes
            .as_ref()
            .is_some_and(|regex| regex.is_match(prompt))
        {
            return Ok(Some(FilterReason::Excluded));
        }
        if let Some(limit) = &filters.max_prompt_tokens {
            let tokens = (limit.count)(prompt).map_err(|message| raw.tokens(message))?;
            if tokens > limit.max {
                return Ok(Some(FilterReason::TooManyTokens));
            }
        }
        Ok(None)
    }
}

fn compiled(key: &str, pattern: Option<&str>) -> Result<Option<Regex>, DataError> {
    let Some(pattern) = pattern else {
        return Ok(None);
    };
    let regex = Regex::new(pattern).map_err(|error| DataError::Setting {
        key: key.into(),
        got: format!("{pattern:?}"),
        expected: format!("it must be a regular expression: {error}"),
    })?;
    Ok(Some(regex))
}
