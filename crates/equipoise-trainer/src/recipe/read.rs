//! From text to a typed recipe, section by section, so that every error can say where it is.

use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};
use toml::{Table, Value};

use super::error::{Problem, RecipeError, nearest};
use super::overrides::{Override, apply};
use super::stage::{Stage, stage_key};
use super::{DataSection, ModelSection, NamedVerifier, Recipe, VerifierSection, defaults};

/// The keys at the top level, in the order in which they are written.
const SECTIONS: [&str; 11] = [
    "name",
    "seed",
    "model",
    "engine",
    "lora",
    "data",
    "sampler",
    "verifier",
    "reward_model",
    "stage",
    "tracking",
];

/// What errors call the top level.
const TOP: &str = "recipe";

pub(super) fn read(text: &str, origin: &str, overrides: &[String]) -> Result<Recipe, RecipeError> {
    let mut table: Table = text.parse().map_err(|error| syntax(text, origin, &error))?;
    let overrides = overrides
        .iter()
        .map(|argument| apply(&mut table, argument))
        .collect::<Result<_, _>>()?;
    Reader { origin, overrides }.recipe(table)
}

struct Reader<'a> {
    origin: &'a str,
    overrides: Vec<Override>,
}

impl Reader<'_> {
    fn recipe(&self, mut table: Table) -> Result<Recipe, RecipeError> {
        let known = |key: &String| SECTIONS.contains(&key.as_str());
        if let Some(key) = table.keys().find(|key| !known(key)) {
            return Err(self.unknown_key("", key, SECTIONS.map(String::from).into()));
        }
        let mut section = |name: &str| -> Result<Value, RecipeError> {
            match table.remove(name) {
                None => Ok(Value::Table(Table::new())),
                Some(value @ Value::Table(_)) => Ok(value),
                Some(other) => Err(self.wrong_type(name, "a table".into(), &other)),
            }
        };
        let model = section("model")?;
        let engine = section("engine")?;
        let data = section("data")?;
        let sampler = section("sampler")?;
        let verifier = section("verifier")?;
        let tracking = section("tracking")?;
        let name = table
            .remove("name")
            .ok_or_else(|| self.missing("", "name"))?;
        let stages = table
            .remove("stage")
            .ok_or_else(|| self.missing("", "stage"))?;
        let read_data = self.typed("data", data)?;
        Ok(Recipe {
            name: self.typed("name", name)?,
            seed: match table.remove("seed") {
                Some(seed) => self.typed("seed", seed)?,
                None => defaults::seed(),
            },
            model: self.model(model)?,
            engine: self.typed("engine", engine)?,
            lora: self.optional("lora", table.remove("lora"))?,
            reward_model: self.optional("reward_model", table.remove("reward_model"))?,
            verifier: self.verifier(verifier, &read_data)?,
            data: read_data,
            sampler: self.typed("sampler", sampler)?,
            stages: self.stages(stages)?,
            tracking: self.typed("tracking", tracking)?,
        })
    }

    /// A section that may be left out.
    fn optional<T: DeserializeOwned>(
        &self,
        name: &str,
        value: Option<Value>,
    ) -> Result<Option<T>, RecipeError> {
        match value {
            None => Ok(None),
            Some(value @ Value::Table(_)) => self.typed(name, value).map(Some),
            Some(other) => Err(self.wrong_type(name, "a table".into(), &other)),
        }
    }

    fn verifier(&self, value: Value, data: &DataSection) -> Result<VerifierSection, RecipeError> {
        if value.get("name").is_some() {
            return self.typed("verifier", value).map(VerifierSection::Named);
        }
        let absent = value.as_table().is_some_and(Table::is_empty);
        match NamedVerifier::of_task(data).filter(|_| absent) {
            Some(verifier) => Ok(VerifierSection::Named(verifier)),
            None => self.typed("verifier", value).map(VerifierSection::Mix),
        }
    }

    fn model(&self, value: Value) -> Result<ModelSection, RecipeError> {
        if value.get("path").is_none() {
            return self.typed("model", value).map(ModelSection::Shape);
        }
        let others = value.as_table().into_iter().flat_map(Table::keys);
        let others: Vec<&str> = others
            .map(String::as_str)
            .filter(|&key| key != "path")
            .collect();
        if others.is_empty() {
            return self.typed("model", value).map(ModelSection::Directory);
        }
        Err(RecipeError::Invalid {
            origin: self.origin.into(),
            problems: vec![Problem {
                key: "model".into(),
                what: format!(
                    "either `path`, which takes the shape from the directory's config.json, or a \
                     shape, not both; remove `path`, or remove {}",
                    others.join(", ")
                ),
            }],
        })
    }

    fn stages(&self, value: Value) -> Result<Vec<Stage>, RecipeError> {
        let tables = match value {
            Value::Array(tables) => tables,
            other => return Err(self.wrong_type("stage", "[[stage]] tables".into(), &other)),
        };
        let mut stages: Vec<(String, Table)> = Vec::with_capacity(tables.len());
        for (index, value) in tables.into_iter().enumerate() {
            let place = format!("stage[{index}]");
            let mut table = match value {
                Value::Table(table) => table,
                other => return Err(self.wrong_type(&place, "a table".into(), &other)),
            };
            let kind = table
                .remove("kind")
                .ok_or_else(|| self.missing(&place, "kind"))?;
            let key = format!("{place}.kind");
            let kind: String = self.typed(&key, kind)?;
            if !Stage::KINDS.contains(&kind.as_str()) {
                return Err(self.unknown_value(&key, &kind, Stage::KINDS.map(String::from).into()));
            }
            stages.push((kind, table));
        }
        let kinds: Vec<String> = stages.iter().map(|(kind, _)| kind.clone()).collect();
        let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let typed = |(index, (kind, table)): (usize, (String, Table))| {
            let key = stage_key(&kinds, index);
            if kind == "sft" {
                self.typed(&key, Value::Table(table)).map(Stage::Sft)
            } else {
                self.typed(&key, Value::Table(table)).map(Stage::Rl)
            }
        };
        stages.into_iter().enumerate().map(typed).collect()
    }

    /// `value` as a `T`; `key` is where it stands.
    fn typed<T: DeserializeOwned>(&self, key: &str, value: Value) -> Result<T, RecipeError> {
        serde_path_to_error::deserialize(value.clone()).map_err(|error| {
            let path = error.path().clone();
            self.explain(key, &value, &path, error.inner().message())
        })
    }

    /// Turns serde's message about the value at `path` below `key` into a typed error.
    ///
    /// serde hands its errors to a format as text, so the kinds are recognised by their wording,
    /// which serde documents and the tests pin.
    fn explain(&self, key: &str, root: &Value, path: &Path, message: &str) -> RecipeError {
        let (mut place, mut value) = (key.to_owned(), root);
        let quoted = quoted(message);
        // An unknown key ends the path, but it is not where the error is: its table is.
        let unknown_key = quoted
            .first()
            .filter(|_| message.starts_with("unknown field"));
        let length = match (path.iter().next_back(), unknown_key) {
            (Some(Segment::Map { key }), Some(unknown)) if key == unknown => path.iter().len() - 1,
            _ => path.iter().len(),
        };
        for segment in path.iter().take(length) {
            let (part, inner) = match segment {
                Segment::Map { key } => (format!(".{key}"), value.get(key.as_str())),
                Segment::Seq { index } => (format!("[{index}]"), value.get(*index)),
                Segment::Enum { .. } | Segment::Unknown => continue,
            };
            let Some(inner) = inner else { break };
            place.push_str(&part);
            value = inner;
        }
        if message.starts_with("unknown field")
            && let Some((unknown, valid)) = quoted.split_first()
        {
            self.unknown_key(&place, unknown, valid.into())
        } else if message.starts_with("unknown variant")
            && let Some((unknown, valid)) = quoted.split_first()
        {
            self.unknown_value(&place, unknown, valid.into())
        } else if message.starts_with("missing field")
            && let Some(missing) = quoted.first()
        {
            self.missing(&place, missing)
        } else if let Some((_, expected)) = message.split_once(", expected ") {
            self.wrong_type(&place, in_words(expected), value)
        } else {
            RecipeError::Invalid {
                origin: self.origin_of(&place),
                problems: vec![Problem {
                    key: place,
                    what: message.into(),
                }],
            }
        }
    }

    /// The override that set `key`, or the file.
    fn origin_of(&self, key: &str) -> String {
        let overrides = self.overrides.iter().rev();
        overrides
            .into_iter()
            .find(|set| set.concerns(key))
            .map_or_else(|| self.origin.into(), Override::origin)
    }

    fn unknown_key(&self, table: &str, key: &str, valid: Vec<String>) -> RecipeError {
        let full_key = match table {
            "" => key.to_owned(),
            table => format!("{table}.{key}"),
        };
        RecipeError::UnknownKey {
            origin: self.origin_of(&full_key),
            table: if table.is_empty() { TOP } else { table }.into(),
            key: key.into(),
            suggestion: nearest(key, &valid),
            valid,
        }
    }

    fn unknown_value(&self, key: &str, value: &str, valid: Vec<String>) -> RecipeError {
        RecipeError::UnknownValue {
            origin: self.origin_of(key),
            key: key.into(),
            value: value.into(),
            suggestion: nearest(value, &valid),
            valid,
        }
    }

    fn wrong_type(&self, key: &str, expected: String, found: &Value) -> RecipeError {
        RecipeError::WrongType {
            origin: self.origin_of(key),
            key: key.into(),
            expected,
            found: describe(found),
        }
    }

    fn missing(&self, table: &str, key: &str) -> RecipeError {
        RecipeError::MissingKey {
            origin: self.origin.into(),
            table: if table.is_empty() { TOP } else { table }.into(),
            key: key.into(),
        }
    }
}

/// The words between backquotes.
fn quoted(message: &str) -> Vec<String> {
    message
        .split('`')
        .skip(1)
        .step_by(2)
        .map(String::from)
        .collect()
}

/// serde's names of Rust types, for people.
fn in_words(expected: &str) -> String {
    match expected {
        "f32" | "f64" => "a number",
        "usize" | "u64" => "a whole number that is not negative",
        "u32" => "a whole number from 0 to 4294967295",
        "a boolean" => "true or false",
        "path string" | "string only" => "a string",
        "a map" => "a table",
        "a tuple of size 2" => "a list of two numbers",
        other if other.starts_with("struct ") => "a table",
        other => other,
    }
    .into()
}

fn describe(value: &Value) -> String {
    match value {
        Value::String(text) => format!("the string {text:?}"),
        Value::Integer(number) => format!("the number {number}"),
        Value::Float(number) => format!("the number {number}"),
        Value::Boolean(flag) => format!("{flag}"),
        Value::Datetime(date) => format!("the date {date}"),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Table(_) => "a table".into(),
    }
}

fn syntax(text: &str, origin: &str, error: &toml::de::Error) -> RecipeError {
    let offset = error.span().map_or(0, |span| span.start).min(text.len());
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    RecipeError::Syntax {
        origin: origin.into(),
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: error.message().replace('\n', ", "),
        text: text[line_start..]
            .lines()
            .next()
            .unwrap_or("")
            .trim()
            .into(),
    }
}
