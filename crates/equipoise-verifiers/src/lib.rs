#![doc = include_str!("../README.md")]

mod batch;
mod code;
mod compose;
mod countdown;
mod exact_match;
mod exact_number;
mod extraction;
mod format;
mod fuzzy_match;
#[cfg(feature = "language")]
mod identified_language;
mod invalid;
mod json_format;
#[cfg(feature = "judge")]
mod judge;
mod language;
mod length;
mod math;
mod multiple_choice;
mod number;
mod outcomes;
mod pattern;
mod rational;
mod repetition;
mod reward_model;
pub mod sandbox;
mod spec;
mod tags;
mod text;
mod verdict;
mod weighted;

pub use batch::{explain_all, verify_all};
pub use code::{Code, CodeReward};
pub use compose::{
    BySource, FirstScorable, Gated, GatedOptions, Maximum, Minimum, NoVerifiers, Product,
};
pub use countdown::CountdownExpression;
pub use exact_match::ExactMatch;
pub use exact_number::ExactNumber;
pub use extraction::Extraction;
pub use format::Format;
pub use fuzzy_match::{FuzzyMatch, FuzzyMatchOptions, Similarity};
#[cfg(feature = "language")]
pub use identified_language::{IdentifiedLanguage, IdentifiedLanguageOptions};
pub use invalid::InvalidOption;
pub use json_format::{JsonFormat, JsonFormatOptions};
#[cfg(feature = "judge")]
pub use judge::{
    ApiKey, EndpointOptions, Judge, JudgeOptions, PairwiseJudge, PairwiseJudgeOptions,
    PositionCounts, Preference, ScoreReading,
};
pub use language::{Language, LanguageOptions};
pub use length::{
    CosineLength, CosineLengthOptions, LengthUnit, LengthUnitName, SoftOverlong,
    SoftOverlongOptions, TargetLength, TargetLengthMode, TargetLengthOptions, Tokenize,
};
pub use math::{Math, Place};
pub use multiple_choice::{MultipleChoice, MultipleChoiceOptions};
pub use outcomes::{Outcomes, TooManyUnscorable, Unscorable};
pub use pattern::{Pattern, PatternOptions};
pub use repetition::{RepetitionPenalty, RepetitionPenaltyOptions};
pub use reward_model::{RewardModel, RewardModelOptions, Scorer, Transform};
pub use spec::{BuildError, BuildErrorKind, CATALOGUE, CatalogueEntry, Resources, VerifierSpec};
pub use tags::{Tags, TagsOptions};
pub use text::{Normalisation, TextExtraction};
pub use verdict::{Explanation, Part, Verdict, Verifier};
pub use weighted::{InvalidWeights, Weighted};
