//! Where in a completion the answer stands.

use serde::{Deserialize, Serialize};

use crate::number::{self, Number};

/// Where in a completion the answer stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extraction {
    /// Everything after the last occurrence of a tag, such as `</think>`, without white space at
    /// its ends. It must be a number and nothing else.
    AfterTag(String),
    /// The first number after the last occurrence of a marker, on the same line: `####` in the
    /// manner of GSM8K (arXiv:2110.14168).
    AfterMarker(String),
    /// The last number of the completion, wherever it stands.
    LastNumber,
}

impl Extraction {
    /// What `completion` gives as its answer, and the number that this is, if it is one; `None` if
    /// there is no such place.
    pub(crate) fn number<'a>(&self, completion: &'a str) -> Option<(&'a str, Option<Number>)> {
        match self {
            Self::AfterTag(tag) => {
                let text = after_last(completion, tag)?.trim();
                Some((text, number::parse(text)))
            }
            Self::AfterMarker(marker) => {
                let line = after_last(completion, marker)?.lines().next()?;
                number::numbers(line).next()
            }
            Self::LastNumber => number::numbers(completion).last(),
        }
    }

    /// The place in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::AfterTag(tag) => format!("the text after the last {tag:?}"),
            Self::AfterMarker(marker) => {
                format!("the first number after the last {marker:?}, on the same line")
            }
            Self::LastNumber => "the last number of the completion".to_owned(),
        }
    }
}

/// What follows the last occurrence of `tag` in `text`; `None` if there is none.
pub(crate) fn after_last<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    text.rsplit_once(tag).map(|(_, rest)| rest)
}
