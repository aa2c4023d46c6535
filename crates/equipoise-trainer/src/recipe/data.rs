//! `[data]`: a procedural task, or files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::defaults;
use super::files::{Deduplicate, ExtraColumns, FilterSection, OnBadRow, SourceSection};

/// Where problems come from. Either `task`, `path` or `sources` is set; [`source`](Self::source) says which.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// A task whose problems are generated.
    pub task: Option<TaskName>,
    /// A file with one problem per line, in JSON; or in Parquet, if it is named `*.parquet`.
    pub path: Option<PathBuf>,
    /// A second file with the held-out problems. Only with `path` or `sources`, as everything that is
    /// said of files; without it, `held_out` problems are taken from the first.
    pub held_out_path: Option<PathBuf>,
    /// How the messages of a problem become the text of a prompt. Only with `path`.
    pub message_format: Option<MessageFormat>,
    /// How many problems are held out for evaluation. `None` with `held_out_path`, whose problems
    /// are all held out.
    pub held_out: Option<usize>,
    /// A tokenizer in the format of Hugging Face. Without it, a procedural task is tokenized by its
    /// alphabet, and a model directory must bring its own.
    pub tokenizer: Option<PathBuf>,
    /// A marker such as `####`: the answer is the text behind its last occurrence. `None` if the whole
    /// column is the answer.
    pub answer_after: Option<String>,
    /// What happens with columns that are read as nothing.
    pub extra_columns: Option<ExtraColumns>,
    /// What happens at a row that cannot be read.
    pub on_bad_row: Option<OnBadRow>,
    /// The largest share of a file's rows that `on_bad_row = "skip"` may leave out.
    pub max_bad_share: Option<f64>,
    /// A text with `{prompt}` in it, which stands for what the row asks (of a conversation, for the
    /// last message of the user). `None` for what is asked as it is.
    pub prompt_template: Option<String>,
    /// A system message to put in front of what is asked. `None` for none.
    pub system: Option<String>,
    /// When two prompts count as the same; of those, the first is kept.
    pub deduplicate: Option<Deduplicate>,
    /// The least Jaccard similarity of n-grams that `deduplicate = "near"` takes for the same.
    pub near_similarity: Option<f64>,
    /// How many words an n-gram of `deduplicate = "near"` has.
    pub near_words: Option<usize>,
    /// Which column of the file is read as `prompt`, `messages`, `answer` and `completion`. A column
    /// that is not named is read under its own name.
    pub columns: Option<BTreeMap<String, String>>,
    /// Which rows are kept. `None` for all.
    pub filter: Option<FilterSection>,
    /// Several files that are mixed, in place of `path`.
    pub sources: Option<Vec<SourceSection>>,
    /// The settings of `task = "arithmetic"`.
    pub arithmetic: Option<ArithmeticSection>,
    /// The settings of `task = "countdown"`.
    pub countdown: Option<CountdownSection>,
}

/// [`DataSection::source`]: where problems come from, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DataSource<'a> {
    /// Integer arithmetic.
    Arithmetic(&'a ArithmeticSection),
    /// Countdown.
    Countdown(&'a CountdownSection),
    /// Files, of which the section says everything.
    Files(&'a DataSection),
}

impl DataSection {
    /// Where problems come from; `None` if the section is not resolved or not valid.
    pub fn source(&self) -> Option<DataSource<'_>> {
        match (self.task, self.has_files()) {
            (Some(TaskName::Arithmetic), false) => {
                self.arithmetic.as_ref().map(DataSource::Arithmetic)
            }
            (Some(TaskName::Countdown), false) => {
                self.countdown.as_ref().map(DataSource::Countdown)
            }
            (None, true) if self.message_format.is_some() => Some(DataSource::Files(self)),
            _ => None,
        }
    }
}

/// The procedural tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskName {
    /// Integer arithmetic with several operands.
    Arithmetic,
    /// Reaching a target with given numbers.
    Countdown,
}

/// `[data.arithmetic]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArithmeticSection {
    /// The smallest and the largest number of operands.
    #[serde(default = "defaults::operands")]
    pub operands: (u32, u32),
    /// The largest operand.
    #[serde(default = "defaults::operand_max")]
    pub max_value: u32,
    /// The operators, one character each, among `+`, `-` and `*`.
    #[serde(default = "defaults::operators")]
    pub operators: String,
    /// How often each style of demonstration is drawn; only the ratios count.
    #[serde(default = "defaults::styles")]
    pub styles: StyleWeights,
}

/// How often each style of demonstration is drawn. A style that is not mentioned is not drawn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StyleWeights {
    /// The answer without a thought.
    #[serde(default = "defaults::style_weight")]
    pub direct: f64,
    /// One equation per operation.
    #[serde(default = "defaults::style_weight")]
    pub steps: f64,
    /// Every operation digit by digit.
    #[serde(default = "defaults::style_weight")]
    pub columns: f64,
}

/// `[data.countdown]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountdownSection {
    /// The smallest and the largest count of given numbers.
    #[serde(default = "defaults::numbers")]
    pub numbers: (u32, u32),
    /// The largest given number.
    #[serde(default = "defaults::number_max")]
    pub max_value: u32,
    /// The largest target.
    #[serde(default = "defaults::target_max")]
    pub target_max: u32,
    /// The smallest and the largest number of tries in a demonstration that miss the target.
    #[serde(default = "defaults::misses")]
    pub misses: (u32, u32),
}

/// How messages become the text of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MessageFormat {
    /// The contents, one after the other.
    Plain,
    /// The format of the Qwen models.
    #[serde(rename = "chatml")]
    ChatMl,
}
