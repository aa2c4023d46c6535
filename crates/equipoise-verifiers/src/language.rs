//! The script a completion is written in.

use equipoise_core::Problem;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::invalid::{InvalidOption, share};
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`Language`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LanguageOptions {
    /// The scripts that are expected, by their names in Unicode, such as `Latin`, `Cyrillic` or
    /// `Han`; Japanese is `["Han", "Hiragana", "Katakana"]`.
    pub scripts: Vec<String>,
    /// The share of letters from which on the reward is 1, and below which it is 0; without it, the
    /// share is the reward.
    #[serde(default)]
    pub min_share: Option<f64>,
}

/// Rewards the share of a completion's letters that are of the expected scripts, from 0 to 1: a
/// policy that mixes languages, as reasoning models are prone to (arXiv:2501.12948), is drawn back
/// to one.
///
/// ```text
/// score = letters of the scripts / letters
/// ```
///
/// Letters are the characters of Unicode's category L. A completion without letters, such as a
/// number, gets 1. Languages of one script are not told apart; that is what `IdentifiedLanguage` is
/// for, behind the feature `language`. It says nothing about whether the answer is right.
#[derive(Clone, Debug)]
pub struct Language {
    options: LanguageOptions,
    letters: Regex,
    expected: Regex,
}

impl Language {
    /// The verifier with these options.
    ///
    /// # Errors
    /// No scripts, one that Unicode does not know, or a share outside [0, 1].
    pub fn new(options: LanguageOptions) -> Result<Self, InvalidOption> {
        if options.scripts.is_empty() {
            let expected = "a list of at least one script";
            return Err(InvalidOption::new("language", "scripts", "empty", expected));
        }
        let mut classes = String::new();
        for script in &options.scripts {
            let plain = script.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
            let class = format!(r"\p{{Script={script}}}");
            if !plain || Regex::new(&class).is_err() {
                let expected = "a script of Unicode, such as \"Latin\", \"Cyrillic\" or \"Han\"";
                let value = format!("{script:?}");
                return Err(InvalidOption::new("language", "scripts", value, expected));
            }
            classes.push_str(&class);
        }
        if let Some(min_share) = options.min_share {
            share("language", "min_share", min_share)?;
        }
        let compile = |pattern: &str| crate::pattern::compile("language", "scripts", pattern);
        Ok(Self {
            letters: compile(r"\p{L}+")?,
            expected: compile(&format!(r"[\p{{L}}&&[{classes}]]+"))?,
            options,
        })
    }
}

/// How many characters the matches of `regex` have.
fn count(regex: &Regex, text: &str) -> usize {
    let runs = regex.find_iter(text);
    runs.map(|run| run.as_str().chars().count()).sum()
}

impl Verifier for Language {
    fn name(&self) -> &str {
        "language"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, _: &Problem, completion: &str) -> Explanation {
        let letters = count(&self.letters, completion);
        let expected = count(&self.expected, completion);
        let share = match letters {
            0 => 1.0,
            _ => expected as f64 / letters as f64,
        };
        let score = match self.options.min_share {
            Some(min_share) => f64::from(u8::from(share >= min_share)),
            None => share,
        };
        let scripts = self.options.scripts.join(", ");
        Explanation {
            why: format!("{expected} of {letters} letters are {scripts}"),
            ..Explanation::of(Verdict::score(self.name(), score))
        }
    }
}
