//! The language a completion is written in.

use equipoise_core::Problem;
use serde::{Deserialize, Serialize};
use whatlang::Lang;

use crate::invalid::{InvalidOption, share};
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`IdentifiedLanguage`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentifiedLanguageOptions {
    /// The language, by its code of three letters (ISO 639-3) such as `eng`, `deu` or `cmn`.
    pub language: String,
    /// The least confidence, from 0 to 1, at which another language costs the reward.
    #[serde(default)]
    pub min_confidence: f64,
    /// A completion with fewer letters is not blamed: a few words are often no language's alone.
    #[serde(default = "min_letters")]
    pub min_letters: usize,
}

fn min_letters() -> usize {
    20
}

/// Rewards 1 if a completion is written in the expected language, or too short to tell, else 0.
///
/// The language is identified by the crate `whatlang`: by the script, and by trigrams where
/// languages share one. It says nothing about whether the answer is right.
#[derive(Clone, Debug)]
pub struct IdentifiedLanguage {
    options: IdentifiedLanguageOptions,
    language: Lang,
}

impl IdentifiedLanguage {
    /// The verifier with these options.
    ///
    /// # Errors
    /// A language that is not known, or a confidence outside [0, 1].
    pub fn new(options: IdentifiedLanguageOptions) -> Result<Self, InvalidOption> {
        const NAME: &str = "identified_language";
        share(NAME, "min_confidence", options.min_confidence)?;
        let Some(language) = Lang::from_code(options.language.as_str()) else {
            let codes: Vec<&str> = Lang::all().iter().map(|one| one.code()).collect();
            let value = format!("{:?}", options.language);
            let expected = format!("one of {}", codes.join(", "));
            return Err(InvalidOption::new(NAME, "language", value, expected));
        };
        Ok(Self { options, language })
    }
}

impl Verifier for IdentifiedLanguage {
    fn name(&self) -> &str {
        "identified_language"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let letters = completion.chars().filter(|c| c.is_alphabetic()).count();
        let said = |score: f64, extracted: Option<&str>, why: String| Explanation {
            extracted: extracted.map(str::to_owned),
            why,
            ..Explanation::of(Verdict::score(self.name(), score))
        };
        if letters < self.options.min_letters {
            return said(1.0, None, format!("{letters} letters are too few to tell"));
        }
        let Some(found) = whatlang::detect(completion) else {
            return said(1.0, None, "no language could be told".to_owned());
        };
        let (lang, confidence) = (found.lang(), found.confidence());
        let sure = confidence >= self.options.min_confidence;
        let right = lang == self.language || !sure;
        let why = format!("{} with confidence {confidence:.2}", lang.eng_name());
        said(f64::from(u8::from(right)), Some(lang.code()), why)
    }
}
