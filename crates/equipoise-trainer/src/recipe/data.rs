//! `[data]`: a procedural task, or files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use equipoise_data::{
    BaseConversion, CalendarArithmetic, CodeTasks, LinearEquations, LogicPuzzles, Mixture,
    NumberSorting, StringManipulation, Task,
};
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
    /// The chat template that makes the text of a prompt, in place of `message_format`: the name of a
    /// built-in one (`chatml`, `qwen2.5`, `qwen3`, `llama3`, `plain`), a file, or [`OWN_TEMPLATE`] for
    /// that of the model's directory. Only with `path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat_template: Option<String>,
    /// How many problems are held out for evaluation. `None` with `held_out_path`, whose problems
    /// are all held out.
    pub held_out: Option<usize>,
    /// A tokenizer in the format of Hugging Face, or [`BYTES`] for one token per byte. Without it, a procedural task is tokenized by its
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
    /// The settings of `task = "linear_equations"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linear_equations: Option<LinearEquations>,
    /// The settings of `task = "number_sorting"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_sorting: Option<NumberSorting>,
    /// The settings of `task = "base_conversion"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_conversion: Option<BaseConversion>,
    /// The settings of `task = "string_manipulation"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub string_manipulation: Option<StringManipulation>,
    /// The settings of `task = "logic_puzzles"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logic_puzzles: Option<LogicPuzzles>,
    /// The settings of `task = "calendar_arithmetic"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calendar_arithmetic: Option<CalendarArithmetic>,
    /// The settings of `task = "code_tasks"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_tasks: Option<CodeTasks>,
    /// The settings of `task = "mixture"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
}

/// What `data.chat_template` is for the template in the directory of the model.
pub const OWN_TEMPLATE: &str = "model";

/// What `data.tokenizer` is for a tokenizer without a file; a file of that name is `./bytes`.
pub const BYTES: &str = "bytes";

/// [`DataSection::source`]: where problems come from, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DataSource<'a> {
    /// Integer arithmetic.
    Arithmetic(&'a ArithmeticSection),
    /// Countdown.
    Countdown(&'a CountdownSection),
    /// A task with settings of its own, which [`DataSection::generated`] gives.
    Generated(TaskName),
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
            (Some(name), false) => {
                let mut generated = self.generated().into_iter();
                let found = generated.any(|(other, _)| other == name);
                found.then_some(DataSource::Generated(name))
            }
            (None, true) if self.message_format.is_some() || self.chat_template.is_some() => {
                Some(DataSource::Files(self))
            }
            _ => None,
        }
    }

    /// The tasks whose settings are here in the form `equipoise-data` has them, by name: those of
    /// [`task`](Self::task), if it is one of them, and those that were set in vain.
    pub fn generated(&self) -> Vec<(TaskName, Box<dyn Task>)> {
        fn boxed<T: Task + Clone + 'static>(settings: &Option<T>) -> Option<Box<dyn Task>> {
            let settings = settings.clone()?;
            Some(Box::new(settings))
        }
        let sections = [
            (TaskName::LinearEquations, boxed(&self.linear_equations)),
            (TaskName::NumberSorting, boxed(&self.number_sorting)),
            (TaskName::BaseConversion, boxed(&self.base_conversion)),
            (
                TaskName::StringManipulation,
                boxed(&self.string_manipulation),
            ),
            (TaskName::LogicPuzzles, boxed(&self.logic_puzzles)),
            (
                TaskName::CalendarArithmetic,
                boxed(&self.calendar_arithmetic),
            ),
            (TaskName::CodeTasks, boxed(&self.code_tasks)),
            (TaskName::Mixture, boxed(&self.mixture)),
        ];
        let set = sections.into_iter();
        set.filter_map(|(name, task)| Some((name, task?))).collect()
    }

    /// Gives the task's section its defaults where it is missing, for the tasks of
    /// [`generated`](Self::generated).
    pub(super) fn resolve_generated(&mut self) {
        fn fill<T: Default>(section: &mut Option<T>) {
            section.get_or_insert_default();
        }
        match self.task {
            Some(TaskName::LinearEquations) => fill(&mut self.linear_equations),
            Some(TaskName::NumberSorting) => fill(&mut self.number_sorting),
            Some(TaskName::BaseConversion) => fill(&mut self.base_conversion),
            Some(TaskName::StringManipulation) => fill(&mut self.string_manipulation),
            Some(TaskName::LogicPuzzles) => fill(&mut self.logic_puzzles),
            Some(TaskName::CalendarArithmetic) => fill(&mut self.calendar_arithmetic),
            Some(TaskName::CodeTasks) => fill(&mut self.code_tasks),
            Some(TaskName::Mixture) => fill(&mut self.mixture),
            Some(TaskName::Arithmetic | TaskName::Countdown) | None => {}
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
    /// Linear equations in one and two unknowns.
    LinearEquations,
    /// Putting numbers in order.
    NumberSorting,
    /// Numbers from one base into another.
    BaseConversion,
    /// Operations on a text.
    StringManipulation,
    /// Knights and knaves, truth tables, and transitive order.
    LogicPuzzles,
    /// Weekdays, distances between dates, and dates.
    CalendarArithmetic,
    /// Small Python functions.
    CodeTasks,
    /// Several of these at several levels.
    Mixture,
}

impl TaskName {
    /// All tasks, with their names in recipes.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::Arithmetic, "arithmetic"),
        (Self::Countdown, "countdown"),
        (Self::LinearEquations, "linear_equations"),
        (Self::NumberSorting, "number_sorting"),
        (Self::BaseConversion, "base_conversion"),
        (Self::StringManipulation, "string_manipulation"),
        (Self::LogicPuzzles, "logic_puzzles"),
        (Self::CalendarArithmetic, "calendar_arithmetic"),
        (Self::CodeTasks, "code_tasks"),
        (Self::Mixture, "mixture"),
    ];

    /// The name in recipes.
    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
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
