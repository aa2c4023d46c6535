//! The verifiers that have a name, and how each is made from its options.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::code::CodeOptions;
use super::error::nearest;
use super::options::{Options, UnitOption, field_names};
use super::{BuildError, BuildErrorKind, Resources, VerifierSpec};
use crate::compose::{BySource, FirstScorable, Gated, GatedOptions, Maximum, Minimum, Product};
use crate::countdown::CountdownExpression;
use crate::exact_match::{AnswerOptions, ExactMatch};
use crate::exact_number::ExactNumber;
use crate::extraction::Extraction;
use crate::format::Format;
use crate::fuzzy_match::{FuzzyMatch, FuzzyMatchOptions};
#[cfg(feature = "language")]
use crate::identified_language::{IdentifiedLanguage, IdentifiedLanguageOptions};
use crate::json_format::{JsonFormat, JsonFormatOptions};
#[cfg(feature = "judge")]
use crate::judge::{EndpointOptions, Judge, JudgeOptions, PairwiseJudge, PairwiseJudgeOptions};
use crate::language::{Language, LanguageOptions};
use crate::length::{
    CosineLength, CosineLengthOptions, SoftOverlong, SoftOverlongOptions, TargetLength,
    TargetLengthOptions,
};
use crate::math::Math;
use crate::multiple_choice::{MultipleChoice, MultipleChoiceOptions};
use crate::pattern::{Pattern, PatternOptions};
use crate::repetition::{RepetitionPenalty, RepetitionPenaltyOptions};
use crate::reward_model::{RewardModel, RewardModelOptions};
use crate::tags::{Tags, TagsOptions};
use crate::text::Normalisation;
use crate::verdict::Verifier;
use crate::weighted::Weighted;

/// A verifier that has a name.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueEntry {
    /// Its name.
    pub name: &'static str,
    /// What it rewards, in one line.
    pub about: &'static str,
    options: fn() -> Vec<&'static str>,
    build: fn(&Options<'_>) -> Result<Box<dyn Verifier>, BuildError>,
}

impl CatalogueEntry {
    /// The names of its options.
    pub fn options(&self) -> Vec<&'static str> {
        (self.options)()
    }
}

/// The verifiers that only exist with a feature.
const WITH_FEATURE: [(&str, &str); 3] = [
    ("identified_language", "language"),
    ("judge", "judge"),
    ("pairwise_judge", "judge"),
];

/// Makes the verifier that `spec` names.
pub(super) fn build(
    spec: &VerifierSpec,
    resources: &Resources,
) -> Result<Box<dyn Verifier>, BuildError> {
    let given = Options { spec, resources };
    if let Some(entry) = CATALOGUE.iter().find(|entry| entry.name == spec.name) {
        return (entry.build)(&given);
    }
    if let Some((_, feature)) = WITH_FEATURE.iter().find(|(name, _)| *name == spec.name) {
        let verifier = spec.name.clone();
        return Err(BuildErrorKind::Feature { verifier, feature }.into());
    }
    let known: Vec<String> = CATALOGUE
        .iter()
        .map(|entry| entry.name.to_owned())
        .collect();
    Err(BuildErrorKind::UnknownName {
        name: spec.name.clone(),
        suggestion: nearest(&spec.name, &known),
        known,
    }
    .into())
}

/// One entry for each line: name, description, the structs whose fields are the options, and the
/// verifier that is made of them. `$given` is what else it can be made of.
macro_rules! catalogue {
    ($given:ident: $(
        $(#[$attribute:meta])*
        $name:literal, $about:literal, ($($options:ident: $type:ty),*) => $build:expr;
    )*) => {
        /// Every verifier that has a name, in alphabetical order.
        pub const CATALOGUE: &[CatalogueEntry] = &[$($(#[$attribute])* CatalogueEntry {
            name: $name,
            about: $about,
            options: || [$(field_names::<$type>()),*].concat(),
            build: |$given| {
                $given.check(&[$(field_names::<$type>()),*].concat())?;
                $(let $options: $type = $given.take(field_names::<$type>())?;)*
                Ok(Box::new($build))
            },
        }),*];
    };
}

catalogue! { given:
    "by_source", "what the verifier of the problem's source says",
        (own: Sources) => {
            let sources = own.sources.iter().map(|(source, spec)| {
                let place = format!("sources.{source}");
                Ok((source.clone(), given.verifier(&place, spec)?))
            });
            let sources = sources.collect::<Result<_, BuildError>>()?;
            let otherwise = own.otherwise.map(|spec| given.verifier("otherwise", &spec));
            BySource::new(sources, otherwise.transpose()?)
        };
    "code", "code that passes tests, run in a sandbox",
        (own: CodeOptions) => own.code()?;
    "cosine_length", "the reward of right and wrong answers falls or rises with length, along a cosine",
        (inner: Inner, own: CosineLengthOptions, unit: UnitOption) =>
        CosineLength::new(given.verifier("verifier", &inner.verifier)?, own, given.unit(unit)?)?;
    "countdown_expression", "an expression over given numbers that reaches a target",
        (own: CountdownOptions) =>
        CountdownExpression { after_tag: own.after_tag, use_all: own.use_all };
    "exact_match", "the same text as the answer, but for differences that do not count",
        (own: AnswerOptions, normalisation: Normalisation) =>
        ExactMatch { extraction: own.extraction, normalisation, alternatives: own.alternatives };
    "exact_number", "the same number as the answer, exactly",
        (own: NumberOptions) => ExactNumber { extraction: own.extraction };
    "first_scorable", "the reward of the first verifier that can judge",
        (own: Several) => FirstScorable::new(given.verifiers("verifiers", &own.verifiers)?)?;
    "format", "one block between two tags, then an answer",
        (own: FormatOptions) => Format { open: own.open, close: own.close };
    "fuzzy_match", "how alike the text and the answer are: words in common, or edits",
        (own: FuzzyMatchOptions, normalisation: Normalisation) =>
        FuzzyMatch::new(own, normalisation)?;
    "gated", "the reward of a verifier for what another one lets through",
        (inner: Behind, own: GatedOptions) => Gated::new(
            given.verifier("gate", &inner.gate)?,
            given.verifier("verifier", &inner.verifier)?,
            own,
        )?;
    #[cfg(feature = "language")]
    "identified_language", "the expected language, told by its trigrams",
        (own: IdentifiedLanguageOptions) =>
        IdentifiedLanguage::new(own)?;
    "json_format", "JSON, perhaps by a schema",
        (own: JsonFormatOptions) => JsonFormat::new(own)?;
    #[cfg(feature = "judge")]
    "judge", "the score that a language model gives",
        (endpoint: EndpointOptions, own: JudgeOptions) => Judge::new(endpoint, own)?;
    "language", "the share of letters in the expected scripts",
        (own: LanguageOptions) => Language::new(own)?;
    "math", "the same answer to a mathematical problem, however it is written",
        (own: Math) => own;
    "maximum", "the greatest of several rewards",
        (own: Several) => Maximum::new(given.verifiers("verifiers", &own.verifiers)?)?;
    "minimum", "the least of several rewards",
        (own: Several) => Minimum::new(given.verifiers("verifiers", &own.verifiers)?)?;
    "multiple_choice", "the letter of the right choice",
        (own: MultipleChoiceOptions) => MultipleChoice::new(own)?;
    #[cfg(feature = "judge")]
    "pairwise_judge", "whether a language model prefers the text to the answer, in both orders",
        (endpoint: EndpointOptions, own: PairwiseJudgeOptions) => PairwiseJudge::new(endpoint, own)?;
    "pattern", "a match of a regular expression",
        (own: PatternOptions) => Pattern::new(own)?;
    "product", "the product of several rewards",
        (own: Several) => Product::new(given.verifiers("verifiers", &own.verifiers)?)?;
    "repetition_penalty", "punishes phrases that come again",
        (own: RepetitionPenaltyOptions, unit: UnitOption) =>
        RepetitionPenalty::new(own, given.unit(unit)?)?;
    "reward_model", "the score of a model",
        (own: RewardModelOptions) => match &given.resources.scorer {
            Some(scorer) => RewardModel::new(scorer.clone(), own)?,
            None => return Err(given.missing("a model").into()),
        };
    "soft_overlong", "punishes completions near and beyond a limit of length",
        (own: SoftOverlongOptions, unit: UnitOption) => SoftOverlong::new(own, given.unit(unit)?)?;
    "tags", "blocks between given tags, each once and in order",
        (own: TagsOptions) => Tags::new(own)?;
    "target_length", "a length that is asked for, on top of another reward",
        (inner: Perhaps, own: TargetLengthOptions, unit: UnitOption) => {
            let verifier = inner.verifier.map(|spec| given.verifier("verifier", &spec)).transpose()?;
            TargetLength::new(verifier, own, given.unit(unit)?)?
        };
    "weighted", "the weighted sum of several rewards",
        (own: Parts) => {
            let parts = own.parts.iter().enumerate().map(|(at, part)| {
                let place = format!("parts[{at}].verifier");
                Ok((given.verifier(&place, &part.verifier)?, part.weight))
            });
            Weighted::new(parts.collect::<Result<_, BuildError>>()?)?
        };
}

#[derive(Deserialize)]
struct Inner {
    verifier: VerifierSpec,
}

#[derive(Deserialize)]
struct Perhaps {
    verifier: Option<VerifierSpec>,
}

#[derive(Deserialize)]
struct Behind {
    gate: VerifierSpec,
    verifier: VerifierSpec,
}

#[derive(Deserialize)]
struct Several {
    verifiers: Vec<VerifierSpec>,
}

#[derive(Deserialize)]
struct Sources {
    sources: BTreeMap<String, VerifierSpec>,
    otherwise: Option<VerifierSpec>,
}

#[derive(Deserialize)]
struct Parts {
    parts: Vec<WeightedPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WeightedPart {
    verifier: VerifierSpec,
    #[serde(default = "one")]
    weight: f64,
}

fn one() -> f64 {
    1.0
}

#[derive(Deserialize)]
#[serde(default)]
struct NumberOptions {
    extraction: Extraction,
}

impl Default for NumberOptions {
    fn default() -> Self {
        let extraction = Extraction::LastNumber;
        Self { extraction }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct CountdownOptions {
    after_tag: String,
    use_all: bool,
}

impl Default for CountdownOptions {
    fn default() -> Self {
        Self {
            after_tag: String::new(),
            use_all: true,
        }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct FormatOptions {
    open: String,
    close: String,
}

impl Default for FormatOptions {
    fn default() -> Self {
        Self {
            open: "<think>".to_owned(),
            close: "</think>".to_owned(),
        }
    }
}
