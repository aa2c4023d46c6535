//! Verifiers by name, as recipes and command lines choose them.

mod catalogue;
mod code;
mod error;
mod options;

use std::fmt;
use std::sync::Arc;

use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::length::Tokenize;
use crate::reward_model::Scorer;
use crate::verdict::Verifier;

pub use catalogue::{CATALOGUE, CatalogueEntry};
pub use error::{BuildError, BuildErrorKind};

/// A verifier by its name, with its options.
///
/// In a file it is a table, or the name alone if there are no options:
///
/// ```text
/// verifier = "exact_match"
/// verifier = { name = "exact_match", ignore_case = true }
/// verifier = { name = "weighted", parts = [
///     { weight = 0.9, verifier = "exact_number" },
///     { weight = 0.1, verifier = { name = "format", open = "<think>", close = "</think>" } },
/// ] }
/// ```
///
/// [`CATALOGUE`] has the names and the options. Nothing is checked before
/// [`build`](Self::build).
#[derive(Clone, Debug, PartialEq)]
pub struct VerifierSpec {
    /// The verifier's name.
    pub name: String,
    /// Its options; those of the catalogue if not given.
    pub options: Map<String, Value>,
}

/// What some verifiers need and no file can hold.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Resources {
    /// The model's tokenizer, for lengths in tokens.
    pub tokenize: Option<Tokenize>,
    /// The model of `reward_model`.
    pub scorer: Option<Arc<dyn Scorer>>,
}

impl fmt::Debug for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resources")
            .field("tokenize", &self.tokenize.is_some())
            .field("scorer", &self.scorer.is_some())
            .finish()
    }
}

impl VerifierSpec {
    /// The verifier of this name with its usual options.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            options: Map::new(),
        }
    }

    /// The same with an option set.
    #[must_use]
    pub fn with(mut self, option: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.insert(option.into(), value.into());
        self
    }

    /// Makes the verifier.
    ///
    /// # Errors
    /// An unknown name or option, a value of the wrong kind or without meaning, something that only
    /// [`Resources`] can give, or a feature that this program was built without; in a composition
    /// with the place where it stands.
    pub fn build(&self) -> Result<Box<dyn Verifier>, BuildError> {
        self.build_with(&Resources::default())
    }

    /// Makes the verifier, with what no file can hold.
    ///
    /// # Errors
    /// As [`build`](Self::build).
    pub fn build_with(&self, resources: &Resources) -> Result<Box<dyn Verifier>, BuildError> {
        catalogue::build(self, resources)
    }
}

impl Serialize for VerifierSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.options.is_empty() {
            return serializer.serialize_str(&self.name);
        }
        let mut map = serializer.serialize_map(Some(self.options.len() + 1))?;
        map.serialize_entry("name", &self.name)?;
        for (option, value) in &self.options {
            map.serialize_entry(option, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for VerifierSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrTable;

        impl<'de> Visitor<'de> for NameOrTable {
            type Value = VerifierSpec;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a verifier, or a table with `name` and its options")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<VerifierSpec, E> {
                Ok(VerifierSpec::new(name))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<VerifierSpec, A::Error> {
                let (mut name, mut options) = (None, Map::new());
                while let Some(key) = map.next_key::<String>()? {
                    if key == "name" {
                        name = Some(map.next_value::<String>()?);
                    } else {
                        options.insert(key, map.next_value()?);
                    }
                }
                let name = name.ok_or_else(|| de::Error::missing_field("name"))?;
                Ok(VerifierSpec { name, options })
            }
        }

        deserializer.deserialize_any(NameOrTable)
    }
}
