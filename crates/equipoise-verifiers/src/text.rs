//! Where in a completion a text stands, and what counts as the same text.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::extraction::after_last;

/// Where in a completion the text that is looked at stands. White space at its ends is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextExtraction {
    /// The whole completion.
    #[default]
    Whole,
    /// Everything after the last occurrence of a tag, such as `</think>`.
    AfterTag(String),
    /// The rest of the line after the last occurrence of a marker, such as `Answer:`.
    AfterMarker(String),
    /// Between the last closing tag and the opening tag before it, such as `<answer>` and
    /// `</answer>`.
    Between {
        /// The opening tag.
        open: String,
        /// The closing tag.
        close: String,
    },
    /// The last line with anything on it.
    LastLine,
}

impl TextExtraction {
    /// The text; `None` if the completion has no such place.
    pub fn find<'a>(&self, completion: &'a str) -> Option<&'a str> {
        let found = match self {
            Self::Whole => completion,
            Self::AfterTag(tag) => after_last(completion, tag)?,
            Self::AfterMarker(marker) => {
                let rest = after_last(completion, marker)?;
                rest.split('\n').next().unwrap_or(rest)
            }
            Self::Between { open, close } => {
                let (before, _) = completion.rsplit_once(close.as_str())?;
                after_last(before, open)?
            }
            Self::LastLine => completion.trim_end().lines().next_back()?,
        };
        Some(found.trim())
    }

    /// The place in words.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Whole => "the whole completion".to_owned(),
            Self::AfterTag(tag) => format!("the text after the last {tag:?}"),
            Self::AfterMarker(marker) => format!("the rest of the line after the last {marker:?}"),
            Self::Between { open, close } => {
                format!("the text between the last {open:?} and {close:?}")
            }
            Self::LastLine => "the last line".to_owned(),
        }
    }
}

/// Differences between two texts that do not count.
///
/// They are taken away in this order: composition of characters (Unicode NFKC), case, punctuation,
/// English articles, white space. All of them but the first are how the evaluation of SQuAD
/// (arXiv:1606.05250) reads answers, and [`Normalisation::SQUAD`] is that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Normalisation {
    /// Characters that are compatible are the same: `ﬁ` and `fi`, `２` and `2`, and `é` in one
    /// character and in two (Unicode's form NFKC).
    pub nfkc: bool,
    /// Upper and lower case are the same.
    pub ignore_case: bool,
    /// Punctuation in ASCII, the 32 characters such as `.`, `-`, `$` and `'`, is not there.
    pub ignore_punctuation: bool,
    /// The words `a`, `an` and `the`, in lower case, are not there.
    pub ignore_articles: bool,
    /// Any run of white space is one space, and there is none at the ends.
    pub collapse_white_space: bool,
}

impl Default for Normalisation {
    /// Composition and white space do not count, anything else does.
    fn default() -> Self {
        Self {
            nfkc: true,
            ignore_case: false,
            ignore_punctuation: false,
            ignore_articles: false,
            collapse_white_space: true,
        }
    }
}

impl Normalisation {
    /// As the evaluation of SQuAD reads answers.
    pub const SQUAD: Self = Self {
        nfkc: false,
        ignore_case: true,
        ignore_punctuation: true,
        ignore_articles: true,
        collapse_white_space: true,
    };

    /// `text` without the differences that do not count.
    pub fn apply(&self, text: &str) -> String {
        let mut text: String = match self.nfkc {
            true => text.nfkc().collect(),
            false => text.to_owned(),
        };
        if self.ignore_case {
            text = text.to_lowercase();
        }
        if self.ignore_punctuation {
            text.retain(|c| !c.is_ascii_punctuation());
        }
        if self.ignore_articles {
            text = without_articles(&text);
        }
        if self.collapse_white_space {
            text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        text
    }
}

/// `text` with every `a`, `an` and `the` that stands between word boundaries replaced by a space. A
/// word is a run of letters, digits and `_`.
fn without_articles(text: &str) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        match &rest[..word] {
            "a" | "an" | "the" => out.push(' '),
            other => out.push_str(other),
        }
        let after = &rest[word..];
        let gap = after.find(is_word).unwrap_or(after.len());
        out.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    out
}

/// The inside of the last block between two fences of three backticks, without what names its
/// language; `None` if there is none.
pub(crate) fn last_fenced_block(text: &str) -> Option<&str> {
    let (before, _) = text.rsplit_once("```")?;
    let (_, block) = before.rsplit_once("```")?;
    // What follows the opening fence on its line is the name of a language, if a line follows.
    let body = match block.split_once('\n') {
        Some((name, body)) if !name.trim().contains(['{', '[', '"']) => body,
        _ => block,
    };
    Some(body.trim())
}

/// `text` in quotes, cut after its first 200 characters: enough for a person.
pub(crate) fn quoted(text: &str) -> String {
    match text.char_indices().nth(200) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_by_hand() {
        let completion = "x <answer>1</answer> Answer: 2\n<answer> 3 </answer>\nAnswer: 4 !\n\n";
        let between = TextExtraction::Between {
            open: "<answer>".into(),
            close: "</answer>".into(),
        };
        assert_eq!(between.find(completion), Some("3"));
        let marker = TextExtraction::AfterMarker("Answer:".into());
        assert_eq!(marker.find(completion), Some("4 !"));
        assert_eq!(
            TextExtraction::LastLine.find(completion),
            Some("Answer: 4 !")
        );
        let tag = TextExtraction::AfterTag("</answer>".into());
        assert_eq!(tag.find(completion), Some("Answer: 4 !"));
        assert_eq!(TextExtraction::Whole.find("  a b\n"), Some("a b"));
        assert_eq!(TextExtraction::LastLine.find(" \n"), None);
        assert_eq!(between.find("</answer> <answer>"), None);
        assert_eq!(marker.find("2"), None);
    }

    #[test]
    fn normalisations_by_hand() {
        let plain = Normalisation::default();
        assert_eq!(plain.apply("  The\t ﬁne  Cafe\u{301} \n"), "The fine Café");
        let squad = Normalisation::SQUAD;
        assert_eq!(
            squad.apply("The U.S.A., a theatre_a; an end"),
            "usa theatrea end"
        );
        assert_eq!(squad.apply("The cat and a dog"), "cat and dog");
        assert_eq!(squad.apply("a-the b"), "athe b");
        assert_eq!(squad.apply("…the"), "…");
        let none = Normalisation {
            nfkc: false,
            collapse_white_space: false,
            ..plain
        };
        assert_eq!(none.apply(" A  b "), " A  b ");
    }

    #[test]
    fn fenced_blocks_by_hand() {
        for (text, expected) in [
            ("so\n```json\n{\"a\": 1}\n```\nend", Some("{\"a\": 1}")),
            ("```\n1\n``` and ```\n2\n```", Some("2")),
            ("```{\"a\":\n1}```", Some("{\"a\":\n1}")),
            ("```json {}```", Some("json {}")),
            ("``` ```", Some("")),
            ("```", None),
            ("no fence", None),
            ("``````", Some("")),
        ] {
            assert_eq!(last_fenced_block(text), expected, "{text}");
        }
    }

    #[test]
    fn long_text_is_cut_for_people() {
        assert_eq!(quoted("é"), "\"é\"");
        assert_eq!(
            quoted(&"é".repeat(201)),
            format!("\"{}\"…", "é".repeat(200))
        );
    }
}
