//! From `[data]` with files to the problems they hold.

use std::sync::Arc;

use equipoise_data::chat::ChatTemplate;
use equipoise_data::{
    Duplicates, ExtraColumns, FileOptions, FileProblems, FileSource, Filters, Mapping,
    MessageFormat, OnBadRow, PromptFormat, Split, TokenLimit, Tokenizer,
};

use crate::TrainError;
use crate::recipe::{self, DataSection, Deduplicate, FilterSection, ModelSection, SourceSection};
use crate::saved::start_directory;

/// Reads the problems of a resolved section. `seed` and `model` are the run's.
pub(crate) fn problems(
    data: &DataSection,
    model: &ModelSection,
    seed: u64,
    tokenizer: &Tokenizer,
) -> Result<FileProblems, TrainError> {
    let options = FileOptions {
        sources: data.files().iter().map(source).collect(),
        held_out: match data.held_out_file() {
            None => Split::Count(data.held_out.unwrap_or(0)),
            Some(file) => Split::File {
                mapping: mapping(&file),
                path: file.path,
            },
        },
        style: PromptFormat {
            format: match data.message_format {
                Some(recipe::MessageFormat::ChatMl) => MessageFormat::ChatMl,
                Some(recipe::MessageFormat::Plain) | None => MessageFormat::Plain,
            },
            chat: chat(data, model, tokenizer)?,
            template: data.prompt_template.clone(),
            system: data.system.clone(),
        },
        on_bad_row: match data.on_bad_row {
            Some(recipe::OnBadRow::Skip) => OnBadRow::Skip {
                max_share: data.max_bad_share.unwrap_or(OnBadRow::MAX_SHARE),
            },
            Some(recipe::OnBadRow::Error) | None => OnBadRow::Error,
        },
        filters: data
            .filter
            .as_ref()
            .map_or_else(Filters::default, |filter| filters(filter, tokenizer)),
        duplicates: match data.deduplicate {
            Some(Deduplicate::Exact) | None => Duplicates::Exact,
            Some(Deduplicate::Normalised) => Duplicates::Normalised,
            Some(Deduplicate::Near) => Duplicates::Near {
                words: data.near_words.unwrap_or(Duplicates::WORDS),
                similarity: data.near_similarity.unwrap_or(Duplicates::SIMILARITY),
            },
        },
        seed,
    };
    Ok(FileProblems::open(&options)?)
}

/// The chat template that the section names.
fn chat(
    data: &DataSection,
    model: &ModelSection,
    tokenizer: &Tokenizer,
) -> Result<Option<ChatTemplate>, TrainError> {
    let Some(name) = &data.chat_template else {
        return Ok(None);
    };
    let template = match (name.as_str(), model) {
        (recipe::OWN_TEMPLATE, ModelSection::Directory(model)) => {
            ChatTemplate::from_model_directory(start_directory(model)?)?
        }
        (recipe::OWN_TEMPLATE, ModelSection::Shape(_)) => {
            return Err(TrainError::Assembly(
                "data.chat_template = \"model\" is the template of model.path, and the model has \
                 none: name a template or its file"
                    .to_owned(),
            ));
        }
        (name, _) => ChatTemplate::find(name)?,
    };
    let tokens = template.special_tokens().clone().or_from(tokenizer);
    Ok(Some(template.with_special_tokens(tokens)))
}

fn source(section: &SourceSection) -> FileSource {
    FileSource {
        path: section.path.clone(),
        weight: section.weight,
        mapping: mapping(section),
    }
}

fn mapping(section: &SourceSection) -> Mapping {
    Mapping {
        columns: section.columns.clone().unwrap_or_default(),
        extra: match section.extra_columns {
            Some(recipe::ExtraColumns::Ignore) => ExtraColumns::Ignore,
            Some(recipe::ExtraColumns::Error) | None => ExtraColumns::Error,
        },
        answer_after: section.answer_after.clone(),
    }
}

fn filters(section: &FilterSection, tokenizer: &Tokenizer) -> Filters {
    Filters {
        min_prompt_characters: section.min_prompt_characters,
        max_prompt_characters: section.max_prompt_characters,
        max_prompt_tokens: section.max_prompt_tokens.map(|max| {
            let tokenizer = tokenizer.clone();
            let count = move |prompt: &str| match tokenizer.encode(prompt) {
                Ok(tokens) => Ok(tokens.len()),
                Err(error) => Err(error.to_string()),
            };
            TokenLimit {
                max,
                count: Arc::new(count),
            }
        }),
        prompt_matches: section.prompt_matches.clone(),
        prompt_excludes: section.prompt_excludes.clone(),
        one_of: section.one_of.clone().unwrap_or_default(),
    }
}
