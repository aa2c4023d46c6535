//! Chat templates and special tokens from the files of a model.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use equipoise_core::TokenId;
use serde_json::Value;

use super::builtin::BUILTIN;
use super::error::ChatTemplateError;
use super::template::ChatTemplate;
use crate::tokenizer::Tokenizer;

const TEMPLATE: &str = "chat_template.jinja";
const ADDITIONAL: &str = "additional_chat_templates";
const TOKENIZER: &str = "tokenizer_config.json";

/// The special tokens of a tokenizer that templates write, as texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// `bos_token`: the beginning of a sequence.
    pub bos: Option<String>,
    /// `eos_token`: the end of a sequence.
    pub eos: Option<String>,
    /// `pad_token`: what fills a batch up.
    pub pad: Option<String>,
    /// `unk_token`: what stands for the unknown.
    pub unk: Option<String>,
}

impl SpecialTokens {
    /// Those that a `tokenizer_config.json` names; each is a text, or an object with a `content`.
    ///
    /// # Errors
    /// If the file cannot be read or is not a JSON object.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ChatTemplateError> {
        Ok(Self::of(&object(path.as_ref())?))
    }

    fn of(config: &Value) -> Self {
        let token = |key: &str| {
            let value = config.get(key)?;
            let text = value.as_str().or_else(|| value.get("content")?.as_str());
            text.map(str::to_owned)
        };
        Self {
            bos: token("bos_token"),
            eos: token("eos_token"),
            pad: token("pad_token"),
            unk: token("unk_token"),
        }
    }

    /// These, with the end of sequence of `tokenizer` where none is given.
    #[must_use]
    pub fn or_from(mut self, tokenizer: &Tokenizer) -> Self {
        self.eos = self.eos.or_else(|| tokenizer.token(tokenizer.eos()));
        self
    }

    /// The variables of a template.
    pub(super) fn variables(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("bos_token", &self.bos),
            ("eos_token", &self.eos),
            ("pad_token", &self.pad),
            ("unk_token", &self.unk),
        ];
        all.into_iter()
            .filter_map(|(name, token)| Some((name, token.as_deref()?)))
    }
}

/// What a `generation_config.json` says about special tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GenerationConfig {
    /// `eos_token_id`, one or a list: the tokens that end a generation.
    pub eos: Vec<TokenId>,
    /// `pad_token_id`.
    pub pad: Option<TokenId>,
    /// `bos_token_id`.
    pub bos: Option<TokenId>,
}

impl GenerationConfig {
    /// Reads a `generation_config.json`.
    ///
    /// # Errors
    /// If the file cannot be read, is not a JSON object, or has an id that is not a whole number.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ChatTemplateError> {
        let path = path.as_ref();
        let config = object(path)?;
        let ids = |key: &str| -> Result<Vec<TokenId>, ChatTemplateError> {
            let items = match config.get(key) {
                None | Some(Value::Null) => return Ok(Vec::new()),
                Some(Value::Array(items)) => items.as_slice(),
                Some(one) => std::slice::from_ref(one),
            };
            let id = |item: &Value| item.as_u64().and_then(|id| TokenId::try_from(id).ok());
            let ids: Option<Vec<TokenId>> = items.iter().map(id).collect();
            ids.ok_or_else(|| ChatTemplateError::Config {
                path: path.to_owned(),
                message: format!("`{key}` is not a token id; expected a whole number, or a list"),
            })
        };
        Ok(Self {
            eos: ids("eos_token_id")?,
            pad: ids("pad_token_id")?.first().copied(),
            bos: ids("bos_token_id")?.first().copied(),
        })
    }
}

impl ChatTemplate {
    /// The template of a model: `chat_template.jinja` of its directory, or else `chat_template` of
    /// its `tokenizer_config.json`, which is a text or a list of named ones, of which the one called
    /// `default` is taken.
    ///
    /// # Errors
    /// Files that cannot be read or are not what they should be,
    /// [`ChatTemplateError::NoTemplate`] if there is no template, and those of [`new`](Self::new).
    pub fn from_model_directory(directory: impl AsRef<Path>) -> Result<Self, ChatTemplateError> {
        Self::from_model_directory_named(directory, "default")
    }

    /// As [`from_model_directory`](Self::from_model_directory), for a template that is not the
    /// default one, such as `tool_use` or `rag`:
    /// `additional_chat_templates/NAME.jinja`, or the one of this name in the list.
    ///
    /// # Errors
    /// Those of [`from_model_directory`](Self::from_model_directory), and
    /// [`ChatTemplateError::UnknownName`] with the names there are.
    pub fn from_model_directory_named(
        directory: impl AsRef<Path>,
        name: &str,
    ) -> Result<Self, ChatTemplateError> {
        let directory = directory.as_ref();
        let config_path = directory.join(TOKENIZER);
        let config = optional(&config_path)?.unwrap_or(Value::Null);
        let tokens = SpecialTokens::of(&config);
        let file = if name == "default" {
            directory.join(TEMPLATE)
        } else {
            directory.join(ADDITIONAL).join(format!("{name}.jinja"))
        };
        if let Some(source) = text(&file)? {
            return Self::new(source, tokens);
        }
        let known = match config.get("chat_template") {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(source)) if name == "default" => {
                return Self::new(source.as_str(), tokens);
            }
            Some(Value::String(_)) => vec!["default"],
            Some(Value::Array(list)) => {
                let field = |item: &'_ Value, key: &str| item.get(key)?.as_str().map(str::to_owned);
                let found = list
                    .iter()
                    .find(|item| field(item, "name").as_deref() == Some(name));
                if let Some(source) = found.and_then(|item| field(item, "template")) {
                    return Self::new(source, tokens);
                }
                let names = list.iter().filter_map(|item| item.get("name")?.as_str());
                names.collect()
            }
            Some(_) => {
                return Err(ChatTemplateError::Config {
                    path: config_path,
                    message: "`chat_template` is neither a text nor a list of {\"name\": …, \
                              \"template\": …}"
                        .to_owned(),
                });
            }
        };
        if known.is_empty() {
            return Err(ChatTemplateError::NoTemplate {
                path: directory.to_owned(),
                builtin: BUILTIN.join(", "),
            });
        }
        Err(ChatTemplateError::UnknownName {
            name: name.to_owned(),
            known: known.join(", "),
        })
    }

    /// A built-in template by its name, or one from a path: a model's directory, its
    /// `tokenizer_config.json`, or a file of Jinja. The special tokens of a file are those of the
    /// `tokenizer_config.json` beside it, if there is one.
    ///
    /// # Errors
    /// Those of [`from_model_directory`](Self::from_model_directory) and [`new`](Self::new); a path
    /// at which there is nothing is [`ChatTemplateError::UnknownName`].
    pub fn find(name_or_path: &str) -> Result<Self, ChatTemplateError> {
        if BUILTIN.contains(&name_or_path) {
            return Self::builtin(name_or_path);
        }
        let path = Path::new(name_or_path);
        if path.is_dir() {
            return Self::from_model_directory(path);
        }
        let directory = path.parent().unwrap_or(Path::new(""));
        if path.file_name().is_some_and(|name| name == TOKENIZER) {
            return Self::from_model_directory(directory);
        }
        let source = text(path)?.ok_or_else(|| ChatTemplateError::UnknownName {
            name: name_or_path.to_owned(),
            known: format!("{}; nor is there such a file", BUILTIN.join(", ")),
        })?;
        let config = optional(&directory.join(TOKENIZER))?.unwrap_or(Value::Null);
        Self::new(source, SpecialTokens::of(&config))
    }
}

/// The text of a file, if there is one.
fn text(path: &Path) -> Result<Option<String>, ChatTemplateError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ChatTemplateError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The JSON object in a file, if there is one.
fn optional(path: &Path) -> Result<Option<Value>, ChatTemplateError> {
    let Some(text) = text(path)? else {
        return Ok(None);
    };
    let wrong = |message: String| ChatTemplateError::Config {
        path: path.to_owned(),
        message,
    };
    let value: Value =
        serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON: {error}")))?;
    if value.is_object() {
        Ok(Some(value))
    } else {
        Err(wrong("not a JSON object".to_owned()))
    }
}

/// The JSON object in a file.
fn object(path: &Path) -> Result<Value, ChatTemplateError> {
    optional(path)?.ok_or_else(|| ChatTemplateError::Io {
        path: path.to_owned(),
        source: ErrorKind::NotFound.into(),
    })
}
