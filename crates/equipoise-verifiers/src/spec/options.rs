//! The options of a verifier as they are read.

use serde::de::{self, DeserializeOwned, Deserializer, Visitor};
use serde_json::{Map, Value};

use super::error::nearest;
use super::{BuildError, BuildErrorKind, Resources, VerifierSpec};
use crate::length::{LengthUnit, LengthUnitName};
use crate::verdict::Verifier;

/// The options of one verifier, and what else it is made from.
pub(super) struct Options<'a> {
    pub(super) spec: &'a VerifierSpec,
    pub(super) resources: &'a Resources,
}

/// The unit of a verifier that measures lengths.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct UnitOption {
    unit: LengthUnitName,
}

impl Options<'_> {
    /// Fails if there is an option that is none of those `known`. To be done first: a name that is not
    /// known says more than the option that is missing because of it.
    pub(super) fn check(&self, known: &[&str]) -> Result<(), BuildError> {
        let mut given = self.spec.options.keys();
        let Some(option) = given.find(|option| !known.contains(&option.as_str())) else {
            return Ok(());
        };
        let known: Vec<String> = known.iter().map(|&name| name.to_owned()).collect();
        Err(BuildErrorKind::UnknownOption {
            verifier: self.spec.name.clone(),
            option: option.clone(),
            suggestion: nearest(option, &known),
            known,
        }
        .into())
    }

    /// Reads the options of these names.
    pub(super) fn take<T: DeserializeOwned>(&self, names: &[&str]) -> Result<T, BuildError> {
        let own = |(option, _): &(&String, &Value)| names.contains(&option.as_str());
        let given = self.spec.options.iter().filter(own);
        let map: Map<String, Value> = given.map(|(k, v)| (k.clone(), v.clone())).collect();
        serde_path_to_error::deserialize(Value::Object(map)).map_err(|error| {
            let place = match error.path().to_string().as_str() {
                "." => String::new(),
                path => format!("{path}: "),
            };
            BuildErrorKind::Value {
                verifier: self.spec.name.clone(),
                what: format!("{place}{}", error.inner()),
            }
            .into()
        })
    }

    /// The unit of lengths.
    pub(super) fn unit(&self, option: UnitOption) -> Result<LengthUnit, BuildError> {
        Ok(match option.unit {
            LengthUnitName::Characters => LengthUnit::Characters,
            LengthUnitName::Words => LengthUnit::Words,
            LengthUnitName::Tokens => match &self.resources.tokenize {
                Some(tokenize) => LengthUnit::Tokens(tokenize.clone()),
                None => return Err(self.missing("a tokenizer for unit = \"tokens\"").into()),
            },
        })
    }

    /// The error that something is not at hand.
    pub(super) fn missing(&self, what: &'static str) -> BuildErrorKind {
        BuildErrorKind::Missing {
            verifier: self.spec.name.clone(),
            what,
        }
    }

    /// The verifier that stands in the option `at`.
    pub(super) fn verifier(
        &self,
        at: &str,
        spec: &VerifierSpec,
    ) -> Result<Box<dyn Verifier>, BuildError> {
        let inner = spec.build_with(self.resources);
        inner.map_err(|error| error.inside(at))
    }

    /// The verifiers that stand in the list `at`.
    pub(super) fn verifiers(
        &self,
        at: &str,
        specs: &[VerifierSpec],
    ) -> Result<Vec<Box<dyn Verifier>>, BuildError> {
        let all = specs.iter().enumerate();
        all.map(|(number, spec)| self.verifier(&format!("{at}[{number}]"), spec))
            .collect()
    }
}

/// The names of the fields of a struct, as its `Deserialize` asks for them.
pub(super) fn field_names<T: DeserializeOwned>() -> &'static [&'static str] {
    struct Names<'a>(&'a mut &'static [&'static str]);

    impl<'de> Deserializer<'de> for Names<'_> {
        type Error = de::value::Error;

        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(de::Error::custom("not a struct"))
        }

        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            _: V,
        ) -> Result<V::Value, Self::Error> {
            *self.0 = fields;
            Err(de::Error::custom("only the names were asked for"))
        }

        serde::forward_to_deserialize_any! {
            bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
            option unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier
            ignored_any
        }
    }

    let mut names: &'static [&'static str] = &[];
    // It always fails, after it has said what it was to say.
    let _ = T::deserialize(Names(&mut names));
    names
}
