//! How a question is written: in a few characters, or as a sentence; and how it is read back.

use serde::{Deserialize, Serialize};

use crate::task;

/// How the problems of a task are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptStyle {
    /// As short as possible, over a small alphabet: for models that are trained from nothing.
    #[default]
    Compact,
    /// In English sentences that say what to answer and in which form: for language models.
    Text,
}

impl PromptStyle {
    /// The alphabet of a task: with compact prompts the tags, the digits and `others`, with text all
    /// printable characters of ASCII and the line break.
    pub(crate) fn alphabet(self, others: &str) -> Vec<String> {
        match self {
            Self::Compact => task::alphabet(others),
            Self::Text => {
                let printable = (' '..='~').filter(|character| !character.is_ascii_digit());
                let others: String = std::iter::once('\n').chain(printable).collect();
                task::alphabet(&others)
            }
        }
    }
}

/// One kind of question, with `{}` for each part that varies.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wording {
    /// In few characters.
    pub(crate) compact: &'static str,
    /// In sentences.
    pub(crate) text: &'static str,
}

impl Wording {
    fn template(&self, style: PromptStyle) -> &'static str {
        match style {
            PromptStyle::Compact => self.compact,
            PromptStyle::Text => self.text,
        }
    }

    /// The question with these parts, one for each `{}`.
    pub(crate) fn write(&self, style: PromptStyle, parts: &[&str]) -> String {
        let template = self.template(style);
        let mut parts = parts.iter();
        let mut written = String::new();
        for (at, literal) in template.split("{}").enumerate() {
            if at > 0 {
                written.push_str(parts.next().copied().unwrap_or_default());
            }
            written.push_str(literal);
        }
        written
    }

    /// The parts of a question of this kind, in either style; `None` if `text` is none.
    ///
    /// A part ends where the literal after it begins for the first time, so no part may contain that
    /// literal.
    pub(crate) fn read<'a>(&self, text: &'a str) -> Option<Vec<&'a str>> {
        let styles = [PromptStyle::Compact, PromptStyle::Text];
        styles
            .into_iter()
            .find_map(|style| self.read_as(style, text))
    }

    /// [`read`](Self::read) in one style, for kinds that the other style could be mistaken for.
    pub(crate) fn read_as<'a>(&self, style: PromptStyle, text: &'a str) -> Option<Vec<&'a str>> {
        parts(self.template(style), text)
    }
}

fn parts<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut literals = template.split("{}");
    let mut rest = text.strip_prefix(literals.next()?)?;
    let mut literals = literals.peekable();
    let mut found = Vec::new();
    while let Some(literal) = literals.next() {
        let (part, after) = match literals.peek() {
            // The last literal ends the text.
            None => (rest.strip_suffix(literal)?, ""),
            Some(_) => rest.split_once(literal)?,
        };
        found.push(part);
        rest = after;
    }
    rest.is_empty().then_some(found)
}

/// A text prompt that ends by saying what to answer.
macro_rules! instructed {
    ($question:literal, $answer:literal) => {
        concat!(
            $question,
            " Think between <think> and </think>, then write only ",
            $answer,
            "."
        )
    };
}
pub(crate) use instructed;

#[cfg(test)]
mod tests {
    use super::*;

    const WORDING: Wording = Wording {
        compact: "{}+{}=",
        text: instructed!("Add {} to {}.", "the sum"),
    };

    #[test]
    fn what_is_written_is_read_in_both_styles() {
        let text = WORDING.write(PromptStyle::Text, &["3", "4"]);
        let expected = "Add 3 to 4. Think between <think> and </think>, then write only the sum.";
        assert_eq!(text, expected);
        assert_eq!(WORDING.write(PromptStyle::Compact, &["3", "4"]), "3+4=");
        for written in [&text, "3+4="] {
            assert_eq!(WORDING.read(written), Some(vec!["3", "4"]));
        }
        for other in ["", "3+4", "3=", "Add 3 to 4.", "3+4=5"] {
            assert_eq!(WORDING.read(other), None, "{other}");
        }
    }
}
