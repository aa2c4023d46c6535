//! What a row is read as.

use std::borrow::Cow;
use std::fmt::Debug;

use super::error::DataError;
use super::example::{Example, ExampleKind, Text};
use super::preference::extract_prompt;
use super::row::Row;

/// A kind of row: its columns, and what they become. [`ExampleKind`] is one, and
/// [`ProblemSchema`](crate::ProblemSchema) is another.
pub trait RowSchema: Debug + Send + Sync {
    /// What a row becomes.
    type Item: Clone + Debug + Send + Sync;

    /// The columns that mean something.
    fn columns(&self) -> &'static [&'static str];

    /// Reads a row.
    ///
    /// # Errors
    /// What is wrong with the row.
    fn read(&self, row: &Row<'_>) -> Result<Self::Item, DataError>;

    /// What filters and deduplication look at.
    fn prompt<'a>(&self, item: &'a Self::Item) -> Cow<'a, str>;

    /// A text of the item whose form, string or conversation, all rows of a data set must share, and
    /// the column it comes from; `None` if it does not matter.
    fn form<'a>(&self, _item: &'a Self::Item) -> Option<(&'static str, &'a Text)> {
        None
    }
}

impl RowSchema for ExampleKind {
    type Item = Example;

    fn columns(&self) -> &'static [&'static str] {
        match self {
            Self::LanguageModeling => &["text", "messages"],
            Self::PromptOnly => &["prompt"],
            Self::PromptCompletion => &["prompt", "completion"],
            Self::Preference => &["prompt", "chosen", "rejected"],
            Self::UnpairedPreference => &["prompt", "completion", "label"],
            Self::StepwiseSupervision => &["prompt", "completions", "labels"],
        }
    }

    fn read(&self, row: &Row<'_>) -> Result<Example, DataError> {
        let prompt = || row.text_or_messages("prompt");
        match self {
            Self::LanguageModeling => {
                let text = match row.either("text", "messages")? {
                    "text" => Text::Plain(row.text("text")?),
                    _ => Text::Conversation(row.messages("messages")?),
                };
                Ok(Example::LanguageModeling { text })
            }
            Self::PromptOnly => Ok(Example::PromptOnly { prompt: prompt()? }),
            Self::PromptCompletion => {
                let prompt = prompt()?;
                let completion = like(row, "completion", &prompt)?;
                Ok(Example::PromptCompletion { prompt, completion })
            }
            Self::UnpairedPreference => {
                let prompt = prompt()?;
                let completion = like(row, "completion", &prompt)?;
                let label = row.flag("label")?;
                Ok(Example::UnpairedPreference {
                    prompt,
                    completion,
                    label,
                })
            }
            Self::StepwiseSupervision => stepwise(row),
            Self::Preference => preference(row),
        }
    }

    fn prompt<'a>(&self, item: &'a Example) -> Cow<'a, str> {
        match (item.prompt(), item) {
            (Some(prompt), _) => prompt.content(),
            // Without a prompt, the better completion stands for the pair.
            (None, Example::Preference { chosen, .. }) => chosen.content(),
            (None, _) => Cow::Borrowed(""),
        }
    }

    fn form<'a>(&self, item: &'a Example) -> Option<(&'static str, &'a Text)> {
        match item {
            Example::Preference { chosen, .. } => Some(("chosen", chosen)),
            Example::LanguageModeling { text } if text.is_conversation() => {
                Some(("messages", text))
            }
            Example::LanguageModeling { text } => Some(("text", text)),
            other => other.prompt().map(|prompt| ("prompt", prompt)),
        }
    }
}

/// The text of a column, which must have the form of the prompt.
fn like(row: &Row<'_>, column: &str, prompt: &Text) -> Result<Text, DataError> {
    let text = row.text_or_messages(column)?;
    same_form(row, column, &text, "the prompt", prompt)?;
    Ok(text)
}

fn same_form(
    row: &Row<'_>,
    column: &str,
    text: &Text,
    other: &str,
    than: &Text,
) -> Result<(), DataError> {
    if text.is_conversation() == than.is_conversation() {
        return Ok(());
    }
    Err(row.mixed(column, text, format!("{other} is {}", than.form())))
}

fn stepwise(row: &Row<'_>) -> Result<Example, DataError> {
    let prompt = row.text_or_messages("prompt")?;
    let completions = row.texts("completions")?;
    for step in &completions {
        same_form(row, "completions", step, "the prompt", &prompt)?;
    }
    let labels = row.flags("labels")?;
    if labels.len() != completions.len() {
        let got = format!("an array of {}", labels.len());
        let expected = format!(
            "as many labels as there are completions, {}",
            completions.len()
        );
        return Err(row.wrong("labels", &got, &expected));
    }
    Ok(Example::StepwiseSupervision {
        prompt,
        completions,
        labels,
    })
}

fn preference(row: &Row<'_>) -> Result<Example, DataError> {
    let chosen = row.text_or_messages("chosen")?;
    let rejected = row.text_or_messages("rejected")?;
    same_form(row, "rejected", &rejected, "`chosen`", &chosen)?;
    if chosen == rejected {
        return Err(row.wrong("rejected", "the same as `chosen`", "another text"));
    }
    let prompt = match row.has("prompt") {
        true => Some(row.text_or_messages("prompt")?),
        false => None,
    };
    if let Some(prompt) = &prompt
        && prompt.is_conversation() == chosen.is_conversation()
    {
        return Ok(Example::Preference {
            prompt: Some(prompt.clone()),
            chosen,
            rejected,
        });
    }
    let Some((common, short_chosen, short_rejected)) = extract_prompt(&chosen, &rejected) else {
        // Unreachable after the check of the forms, and an error all the same.
        return Err(row.mixed(
            "rejected",
            &rejected,
            format!("`chosen` is {}", chosen.form()),
        ));
    };
    // UltraFeedback has its prompt as a string beside conversations that begin with it. Taking it from
    // these loses nothing if they end in it.
    if let Some(prompt) = &prompt {
        let repeated = match &common {
            Some(Text::Conversation(messages)) => messages
                .last()
                .is_some_and(|last| last.content.trim() == prompt.content().trim()),
            _ => false,
        };
        if !repeated {
            let before = match chosen.is_conversation() {
                true => "`chosen` and `rejected` are conversations that do not begin with it",
                false => "`chosen` and `rejected` are strings",
            };
            return Err(row.mixed("prompt", prompt, before.to_owned()));
        }
    }
    Ok(Example::Preference {
        prompt: common,
        chosen: short_chosen,
        rejected: short_rejected,
    })
}
