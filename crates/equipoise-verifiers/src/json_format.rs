//! Completions that are JSON.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::invalid::InvalidOption;
use crate::text::{TextExtraction, last_fenced_block};
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`JsonFormat`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JsonFormatOptions {
    /// Where in the completion the JSON stands.
    pub extraction: TextExtraction,
    /// Whether it has to stand between fences of three backticks; otherwise it may, and if the text
    /// as a whole is no JSON, its last fenced block is read.
    pub fenced: bool,
    /// A JSON Schema that the value has to meet; its draft is what `$schema` says, 2020-12 if
    /// nothing. Needs the feature `json-schema`.
    pub schema: Option<Value>,
}

/// Rewards 1 if the completion is JSON, and meets a schema if one is given, else 0.
///
/// The JSON may stand in a fenced block; the last one counts. Values may be nested 128 deep. It says
/// nothing about whether the answer is right.
#[derive(Debug)]
pub struct JsonFormat {
    options: JsonFormatOptions,
    #[cfg(feature = "json-schema")]
    schema: Option<jsonschema::Validator>,
}

impl JsonFormat {
    /// The verifier with these options.
    ///
    /// # Errors
    /// The schema is none, or refers to another document; or there is one without the feature
    /// `json-schema`.
    pub fn new(options: JsonFormatOptions) -> Result<Self, InvalidOption> {
        #[cfg(feature = "json-schema")]
        {
            let schema = options.schema.as_ref().map(compile).transpose()?;
            Ok(Self { options, schema })
        }
        #[cfg(not(feature = "json-schema"))]
        match options.schema {
            None => Ok(Self { options }),
            Some(_) => Err(InvalidOption::new(
                "json_format",
                "schema",
                "given",
                "absent, because this program was built without the feature `json-schema`",
            )),
        }
    }

    /// The JSON in `completion` and its value, or what is wrong.
    fn read<'a>(&self, completion: &'a str) -> Result<(&'a str, Value), String> {
        let place = &self.options.extraction;
        let text = place
            .find(completion)
            .ok_or_else(|| format!("there is no such place as {}", place.describe()))?;
        let whole = match self.options.fenced {
            true => Err("there is no fenced block".to_owned()),
            false => parse(text),
        };
        whole.or_else(|error| match last_fenced_block(text) {
            Some(block) => parse(block),
            None => Err(error),
        })
    }

    /// What is wrong with a value.
    #[cfg(feature = "json-schema")]
    fn complaint(&self, value: &Value) -> Option<String> {
        let error = self.schema.as_ref()?.iter_errors(value).next()?;
        let at = error.instance_path().to_string();
        let place = if at.is_empty() { "the value" } else { &at };
        Some(format!("{place} does not meet the schema: {error}"))
    }

    #[cfg(not(feature = "json-schema"))]
    fn complaint(&self, _: &Value) -> Option<String> {
        None
    }
}

fn parse(text: &str) -> Result<(&str, Value), String> {
    let value = serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))?;
    Ok((text, value))
}

#[cfg(feature = "json-schema")]
fn compile(schema: &Value) -> Result<jsonschema::Validator, InvalidOption> {
    // The default engine for `pattern` backtracks, and a completion could make it run for ever.
    jsonschema::options()
        .with_pattern_options(jsonschema::PatternOptions::regex())
        .build(schema)
        .map_err(|error| {
            let expected = format!("a JSON Schema: {error}");
            let value = crate::text::quoted(&schema.to_string());
            InvalidOption::new("json_format", "schema", value, expected)
        })
}

impl Verifier for JsonFormat {
    fn name(&self) -> &str {
        "json_format"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let read = self.read(completion);
        let extracted = read.as_ref().ok().map(|(text, _)| (*text).to_owned());
        let complaint = match &read {
            Ok((_, value)) => self.complaint(value),
            Err(error) => Some(error.clone()),
        };
        let score = f64::from(u8::from(complaint.is_none()));
        let schema = match self.options.schema {
            Some(_) => " that meets the schema",
            None => "",
        };
        Explanation {
            extracted,
            why: complaint.unwrap_or_else(|| format!("JSON{schema}")),
            ..Explanation::of(Verdict::score(self.name(), score))
        }
    }
}
