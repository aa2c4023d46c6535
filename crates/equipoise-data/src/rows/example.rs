//! The types of examples that data sets are made of.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use equipoise_core::Message;
use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::row::join_contents;

/// A text as a data set has it: a string, or a conversation that a chat template will make a string
/// of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// A string, which TRL calls the standard format.
    Plain(String),
    /// Messages, which TRL calls the conversational format.
    Conversation(Vec<Message>),
}

impl Text {
    /// `"a string"` or `"a conversation"`.
    pub fn form(&self) -> &'static str {
        match self {
            Self::Plain(_) => "a string",
            Self::Conversation(_) => "a conversation",
        }
    }

    /// Whether it is a conversation.
    pub fn is_conversation(&self) -> bool {
        matches!(self, Self::Conversation(_))
    }

    /// The string, or the contents of the messages with line feeds between them: what filters and
    /// deduplication look at.
    pub fn content(&self) -> Cow<'_, str> {
        match self {
            Self::Plain(text) => Cow::Borrowed(text),
            Self::Conversation(messages) => Cow::Owned(join_contents(messages)),
        }
    }
}

/// The six types of data sets that TRL distinguishes (its `dataset_formats.md`), under its names.
///
/// ```text
/// language_modeling      text | messages
/// prompt_only            prompt
/// prompt_completion      prompt, completion
/// preference             prompt (optional), chosen, rejected
/// unpaired_preference    prompt, completion, label
/// stepwise_supervision   prompt, completions, labels
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExampleKind {
    /// Text to learn as it is.
    LanguageModeling,
    /// Prompts that the model will answer.
    PromptOnly,
    /// Prompts with the completion to learn.
    PromptCompletion,
    /// Pairs of a better and a worse completion.
    Preference,
    /// Completions that are good or bad on their own.
    UnpairedPreference,
    /// Completions in steps that are right or wrong, for process reward models.
    StepwiseSupervision,
}

impl ExampleKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::LanguageModeling,
        Self::PromptOnly,
        Self::PromptCompletion,
        Self::Preference,
        Self::UnpairedPreference,
        Self::StepwiseSupervision,
    ];

    /// TRL's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::LanguageModeling => "language_modeling",
            Self::PromptOnly => "prompt_only",
            Self::PromptCompletion => "prompt_completion",
            Self::Preference => "preference",
            Self::UnpairedPreference => "unpaired_preference",
            Self::StepwiseSupervision => "stepwise_supervision",
        }
    }

    /// The kind of rows with these columns; `None` if they fit none. Other columns do not matter.
    ///
    /// ```
    /// use equipoise_data::ExampleKind;
    ///
    /// let kind = ExampleKind::of(["id", "chosen", "rejected"]);
    /// assert_eq!(kind, Some(ExampleKind::Preference));
    /// ```
    pub fn of<'a>(columns: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let columns: Vec<&str> = columns.into_iter().collect();
        let has = |names: &[&str]| names.iter().all(|name| columns.contains(name));
        // Those that ask for more columns come first.
        let found = match () {
            () if has(&["prompt", "completions", "labels"]) => Self::StepwiseSupervision,
            () if has(&["chosen", "rejected"]) => Self::Preference,
            () if has(&["prompt", "completion", "label"]) => Self::UnpairedPreference,
            () if has(&["prompt", "completion"]) => Self::PromptCompletion,
            () if has(&["prompt"]) => Self::PromptOnly,
            () if has(&["messages"]) || has(&["text"]) => Self::LanguageModeling,
            () => return None,
        };
        Some(found)
    }
}

impl fmt::Display for ExampleKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExampleKind {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        let found = Self::ALL.into_iter().find(|kind| kind.name() == name);
        found.ok_or_else(|| DataError::Setting {
            key: "kind".into(),
            got: format!("{name:?}"),
            expected: format!("it must be one of {}", Self::ALL.map(Self::name).join(", ")),
        })
    }
}

/// One example of a data set. All its texts have one form, [`Text::Plain`] or [`Text::Conversation`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Example {
    /// Text to learn as it is.
    LanguageModeling {
        /// The text.
        text: Text,
    },
    /// A prompt that the model will answer.
    PromptOnly {
        /// What is asked.
        prompt: Text,
    },
    /// A prompt with the completion to learn.
    PromptCompletion {
        /// What is asked.
        prompt: Text,
        /// What the model should say.
        completion: Text,
    },
    /// A better and a worse completion of one prompt.
    Preference {
        /// What is asked; `None` if the row has no prompt, and the two begin differently.
        prompt: Option<Text>,
        /// The better completion.
        chosen: Text,
        /// The worse completion.
        rejected: Text,
    },
    /// A completion that is good or bad on its own.
    UnpairedPreference {
        /// What is asked.
        prompt: Text,
        /// The completion.
        completion: Text,
        /// Whether it is good.
        label: bool,
    },
    /// A completion in steps.
    StepwiseSupervision {
        /// What is asked.
        prompt: Text,
        /// The steps, at least one.
        completions: Vec<Text>,
        /// Whether each step is right; as many as steps.
        labels: Vec<bool>,
    },
}

impl Example {
    /// Its kind.
    pub fn kind(&self) -> ExampleKind {
        match self {
            Self::LanguageModeling { .. } => ExampleKind::LanguageModeling,
            Self::PromptOnly { .. } => ExampleKind::PromptOnly,
            Self::PromptCompletion { .. } => ExampleKind::PromptCompletion,
            Self::Preference { .. } => ExampleKind::Preference,
            Self::UnpairedPreference { .. } => ExampleKind::UnpairedPreference,
            Self::StepwiseSupervision { .. } => ExampleKind::StepwiseSupervision,
        }
    }

    /// What is asked: the prompt, or the text to learn as it is. `None` if there is no prompt.
    pub fn prompt(&self) -> Option<&Text> {
        match self {
            Self::LanguageModeling { text } => Some(text),
            Self::PromptOnly { prompt }
            | Self::PromptCompletion { prompt, .. }
            | Self::UnpairedPreference { prompt, .. }
            | Self::StepwiseSupervision { prompt, .. } => Some(prompt),
            Self::Preference { prompt, .. } => prompt.as_ref(),
        }
    }

    /// Whether it is made of conversations, not of strings.
    pub fn is_conversational(&self) -> bool {
        match self {
            Self::Preference { chosen, .. } => chosen.is_conversation(),
            other => other.prompt().is_some_and(Text::is_conversation),
        }
    }
}
