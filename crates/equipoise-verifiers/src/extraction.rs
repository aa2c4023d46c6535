//! Where in a completion the answer stands.

use crate::number::{self, Number};

/// Where in a completion the answer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The number that `completion` gives as its answer; `None` if there is none.
    pub(crate) fn number(&self, completion: &str) -> Option<Number> {
        match self {
            Self::AfterTag(tag) => number::parse(after_last(completion, tag)?.trim()),
            Self::AfterMarker(marker) => {
                let line = after_last(completion, marker)?.lines().next()?;
                number::numbers(line).next()?
            }
            Self::LastNumber => number::numbers(completion).last()?,
        }
    }
}

/// What follows the last occurrence of `tag` in `text`; `None` if there is none.
pub(crate) fn after_last<'a>(text: &'a str, tag: &str) -> Option<&'a str> {
    text.rsplit_once(tag).map(|(_, rest)| rest)
}
