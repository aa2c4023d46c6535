//! An entry of a catalogue, with its options: what a recipe says of estimator, objective and
//! aggregation.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The key of the entry's name in a table.
const NAME: &str = "name";

/// A choice from a catalogue: `objective = "ppo_clip"`, or, with options,
/// `objective = { name = "ppo_clip", epsilon_high = 0.28 }`.
///
/// A table without `name` changes options of the preset's choice, or of the default.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Choice {
    /// The entry's name; always there in a resolved recipe.
    pub name: Option<String>,
    /// The options that are given, by name.
    pub options: BTreeMap<String, Value>,
}

/// An option's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number; a whole one is written without a decimal point.
    Number(f64),
    /// A word.
    Word(String),
    /// True or false.
    Flag(bool),
}

impl Choice {
    /// The entry of that name, without options.
    pub fn named(name: &str) -> Self {
        Self {
            name: Some(name.into()),
            options: BTreeMap::new(),
        }
    }

    /// The same with an option more.
    #[must_use]
    pub fn with(mut self, option: &str, value: Value) -> Self {
        self.options.insert(option.into(), value);
        self
    }

    /// The name, or nothing where a recipe has not been resolved.
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_default()
    }

    /// A choice without a name is the base with other options; one with a name is not touched.
    pub(super) fn complete(&mut self, base: &Self) {
        if self.name.is_none() {
            self.name.clone_from(&base.name);
            for (option, value) in &base.options {
                let place = self.options.entry(option.clone());
                place.or_insert_with(|| value.clone());
            }
        }
    }
}

impl fmt::Display for Choice {
    /// `ppo_clip (epsilon_high 0.28, epsilon_low 0.2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        if !self.options.is_empty() {
            let options: Vec<String> = self
                .options
                .iter()
                .map(|(option, value)| format!("{option} {value}"))
                .collect();
            write!(f, " ({})", options.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Word(word) => f.write_str(word),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}

impl Serialize for Choice {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let (Some(name), true) = (&self.name, self.options.is_empty()) {
            return serializer.serialize_str(name);
        }
        let mut map = serializer.serialize_map(None)?;
        if let Some(name) = &self.name {
            map.serialize_entry(NAME, name)?;
        }
        for (option, value) in &self.options {
            map.serialize_entry(option, value)?;
        }
        map.end()
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // Every whole number up to 2⁵³ is one f64 and one i64.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                serializer.serialize_i64(*number as i64)
            }
            Self::Number(number) => serializer.serialize_f64(*number),
            Self::Word(word) => serializer.serialize_str(word),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
        }
    }
}

impl<'de> Deserialize<'de> for Choice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor)
    }
}

struct ChoiceVisitor;

impl<'de> Visitor<'de> for ChoiceVisitor {
    type Value = Choice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a table of a name and options")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Choice, E> {
        Ok(Choice::named(name))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Choice, A::Error> {
        let mut choice = Choice::default();
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), map.next_value()?) {
                (NAME, Value::Word(name)) => choice.name = Some(name),
                (NAME, _) => return Err(A::Error::custom("the `name` of a choice is a string")),
                (_, value) => {
                    choice.options.insert(key, value);
                }
            }
        }
        Ok(choice)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a word, or true or false")
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<Value, E> {
        Ok(Value::Word(word.into()))
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Flag(flag))
    }
}
