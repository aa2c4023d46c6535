//! `--set key=value`, applied to the untyped recipe.

use toml::{Table, Value};

use super::error::{RecipeError, nearest};
use super::stage::{Stage, stage_key};

/// The keys whose value is a [`Choice`](super::Choice): a word, or a table with that word as `name`.
const CHOICES: [&str; 4] = ["estimator", "objective", "aggregation", "kl_aggregation"];

/// An override that has been applied.
pub(super) struct Override {
    argument: String,
    /// The full key, in the form in which errors name keys.
    key: String,
}

impl Override {
    /// What errors call it.
    pub(super) fn origin(&self) -> String {
        format!("--set {}", self.argument)
    }

    /// Whether `key` is what was set, a part of it, or something it is a part of.
    pub(super) fn concerns(&self, key: &str) -> bool {
        is_part(key, &self.key) || is_part(&self.key, key)
    }
}

fn is_part(key: &str, of: &str) -> bool {
    key.strip_prefix(of)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Applies `argument`, `key=value`, to `recipe`.
pub(super) fn apply(recipe: &mut Table, argument: &str) -> Result<Override, RecipeError> {
    apply_inner(recipe, argument).map_err(|what| RecipeError::Override {
        argument: argument.into(),
        what,
    })
}

fn apply_inner(recipe: &mut Table, argument: &str) -> Result<Override, String> {
    const FORM: &str = "expected key=value, such as model.hidden_size=256";
    let (key, value) = argument.split_once('=').ok_or(FORM)?;
    let path: Vec<&str> = key.trim().split('.').map(str::trim).collect();
    if path.iter().any(|part| part.is_empty()) {
        return Err(FORM.into());
    }
    // What is not TOML is a string, so that words need no quotation marks.
    let value = value.trim();
    let value = value
        .parse()
        .unwrap_or_else(|_| Value::String(value.into()));

    let (mut place, mut full_key, rest) = match path.as_slice() {
        ["stage", rest @ ..] => find_stage(recipe, rest)?,
        _ => (recipe, String::new(), path.as_slice()),
    };
    let (last, tables) = rest
        .split_last()
        .ok_or_else(|| format!("`{full_key}` is a whole stage; name one of its keys"))?;
    for part in tables {
        push(&mut full_key, part);
        let value = place
            .entry(*part)
            .or_insert_with(|| Value::Table(Table::new()));
        // `objective = "ppo_clip"` has options to be set, too.
        if CHOICES.contains(part)
            && let Value::String(name) = value
        {
            let name = std::mem::take(name);
            *value = Value::Table(Table::from_iter([("name".into(), Value::String(name))]));
        }
        place = value
            .as_table_mut()
            .ok_or_else(|| format!("`{full_key}` is not a table, it has no keys"))?;
    }
    push(&mut full_key, last);
    place.insert((*last).into(), value);
    Ok(Override {
        argument: argument.into(),
        key: full_key,
    })
}

/// The stage that `path`, the part after `stage`, begins with; its full key; and the rest.
fn find_stage<'t, 'p>(
    recipe: &'t mut Table,
    path: &'p [&'p str],
) -> Result<(&'t mut Table, String, &'p [&'p str]), String> {
    let stages = recipe.get_mut("stage").and_then(Value::as_array_mut);
    let stages = stages.ok_or("the recipe has no [[stage]]")?;
    let kinds: Vec<String> = stages
        .iter()
        .map(|stage| {
            stage
                .get("kind")
                .and_then(Value::as_str)
                .unwrap_or("?")
                .into()
        })
        .collect();
    let kinds: Vec<&str> = kinds.iter().map(String::as_str).collect();
    let names = || -> Vec<String> { (0..kinds.len()).map(|i| stage_key(&kinds, i)).collect() };

    let Some((kind, rest)) = path.split_first() else {
        return Err(format!("name a stage: {}", names().join(", ")));
    };
    let alike: Vec<usize> = (0..kinds.len()).filter(|&i| kinds[i] == *kind).collect();
    let number = rest.first().and_then(|part| part.parse::<usize>().ok());
    let (index, rest) = match (alike.as_slice(), number) {
        ([], _) => {
            let known: Vec<String> = Stage::KINDS.iter().map(|&kind| kind.into()).collect();
            let hint = nearest(kind, &known)
                .filter(|word| word != kind)
                .map_or_else(String::new, |word| format!(", did you mean `{word}`?"));
            let names = names().join(", ");
            return Err(format!(
                "there is no stage of kind `{kind}`{hint}; the stages are {names}"
            ));
        }
        (_, Some(number)) => match alike.get(number) {
            Some(&index) => (index, &rest[1..]),
            None => {
                let count = alike.len();
                return Err(format!(
                    "there is no stage `stage.{kind}.{number}`; the recipe has {count} of kind \
                     `{kind}`, counted from 0"
                ));
            }
        },
        ([index], None) => (*index, rest),
        (_, None) => {
            let names: Vec<String> = alike.iter().map(|&i| stage_key(&kinds, i)).collect();
            let names = names.join(", ");
            return Err(format!(
                "several stages are of kind `{kind}`; name one: {names}"
            ));
        }
    };
    let key = stage_key(&kinds, index);
    let table = stages[index].as_table_mut();
    Ok((table.ok_or("a [[stage]] is not a table")?, key, rest))
}

fn push(key: &mut String, part: &str) {
    if !key.is_empty() {
        key.push('.');
    }
    key.push_str(part);
}
