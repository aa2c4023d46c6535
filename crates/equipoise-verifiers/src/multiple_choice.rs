//! The letter of a choice.

use std::sync::LazyLock;

use equipoise_core::Problem;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::invalid::InvalidOption;
use crate::text::quoted;
use crate::verdict::{Explanation, Verdict, Verifier};

/// The options of [`MultipleChoice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MultipleChoiceOptions {
    /// How many choices there are: 5 for A to E.
    pub choices: usize,
}

impl Default for MultipleChoiceOptions {
    fn default() -> Self {
        Self { choices: 5 }
    }
}

/// Rewards 1 if the completion chooses the problem's letter, else 0.
///
/// The letter is looked for in the usual forms, in this order; within a form the last one counts:
///
/// ```text
/// boxed         \boxed{B}, \boxed{\text{(B)}}
/// announced     The answer is (B), Answer: **B**, the answer to this is B, Option B, I choose b.
/// confirmed     (B) is correct, B is the right one
/// alone         the completion, or its last line, is B, (B), B., **B**, or B) and a text
/// bracketed     (B) anywhere
/// ```
///
/// Letters may be small where they are boxed, announced or alone. An `a` or `A` that goes on with a
/// small word, as in "the answer is a number", is no letter. The problem's answer is a letter in a
/// form that could stand alone, `B`, `(B)` or `B. Paris`; anything else is unscorable.
#[derive(Clone, Debug)]
pub struct MultipleChoice {
    options: MultipleChoiceOptions,
}

static BOXED: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"\\boxed\s*\{\s*(?:\\(?:text|mathrm|mathbf|textbf)\s*\{)?\s*\(?\s*([A-Za-z])\s*\)?\s*[.}]",
    )
});

static ANNOUNCED: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"(?i)\b(?:(?:answer|choice|option)\b\**\s*(?:is|was|should be|must be|would be|:|=)?|answer\b[^.\n]{0,60}?\bis\b|i\s+(?:choose|pick|select))[\s:*]*(?:(?:option|choice|answer|letter)\b)?[\s:*]*[(\[{$]*\s*([a-z])\b",
    )
});

static CONFIRMED: LazyLock<Regex> =
    LazyLock::new(|| constant(r"\b([A-Z])\b\)?\**\s+is\s+(?:the\s+)?(?:correct|right|best)\b"));

static ALONE: LazyLock<Regex> = LazyLock::new(|| {
    constant(
        r"^[\s*_$]*(?:\(\s*([A-Za-z])\s*\)|\[\s*([A-Za-z])\s*\]|([A-Za-z]))(?:[\s*_$]*[.):,]+|[\s*_$]*$)",
    )
});

static BRACKETED: LazyLock<Regex> = LazyLock::new(|| constant(r"\(([A-Z])\)"));

/// A pattern of this file.
fn constant(pattern: &str) -> Regex {
    // Tests use each of them.
    Regex::new(pattern).expect("the patterns of this file are regular expressions")
}

impl MultipleChoice {
    /// The verifier with these options.
    ///
    /// # Errors
    /// Fewer than two choices, or more than there are letters.
    pub fn new(options: MultipleChoiceOptions) -> Result<Self, InvalidOption> {
        if (2..=26).contains(&options.choices) {
            return Ok(Self { options });
        }
        let choices = options.choices;
        Err(InvalidOption::new(
            "multiple_choice",
            "choices",
            choices,
            "from 2 to 26",
        ))
    }

    /// The capital of a letter that is a choice.
    fn choice(&self, letter: &str) -> Option<char> {
        let capital = letter.chars().next()?.to_ascii_uppercase();
        let number = u32::from(capital).checked_sub(u32::from('A'))?;
        ((number as usize) < self.options.choices).then_some(capital)
    }

    /// The letter of a text that is one, perhaps with the choice's text after it.
    fn alone(&self, text: &str) -> Option<char> {
        let captures = ALONE.captures(text)?;
        let letter = captures.iter().skip(1).flatten().next()?;
        self.choice(letter.as_str())
    }

    /// The letter that `completion` chooses, and the form in which it does.
    fn find(&self, completion: &str) -> Option<(char, &'static str)> {
        let last = |regex: &Regex| {
            let found = regex.captures_iter(completion).filter_map(|captures| {
                let letter = captures.get(1)?;
                let rest = &completion[letter.end()..];
                let word = is_article(letter.as_str(), rest) || rest.starts_with(['\'', '’', '-']);
                if word {
                    None
                } else {
                    self.choice(letter.as_str())
                }
            });
            found.last()
        };
        let alone = || {
            let lines = [completion, completion.trim_end().lines().next_back()?];
            lines.iter().find_map(|text| self.alone(text))
        };
        None.or_else(|| Some((last(&BOXED)?, "boxed")))
            .or_else(|| Some((last(&ANNOUNCED)?, "announced")))
            .or_else(|| Some((last(&CONFIRMED)?, "confirmed")))
            .or_else(|| Some((alone()?, "alone")))
            .or_else(|| Some((last(&BRACKETED)?, "bracketed")))
    }
}

/// Whether a letter before `rest` is the article `a`: a small word follows that is not one of those
/// that follow a choice.
fn is_article(letter: &str, rest: &str) -> bool {
    const AFTER_A_CHOICE: [&str; 12] = [
        "and", "as", "because", "but", "for", "from", "in", "is", "since", "so", "which", "with",
    ];
    let trimmed = rest.trim_start();
    if !letter.eq_ignore_ascii_case("a") || trimmed.len() == rest.len() || trimmed.is_empty() {
        return false;
    }
    let end = trimmed
        .find(|c: char| !c.is_alphanumeric())
        .unwrap_or(trimmed.len());
    let word = &trimmed[..end];
    word.starts_with(|c: char| c.is_lowercase() || c.is_numeric())
        && !AFTER_A_CHOICE.contains(&word)
}

impl Verifier for MultipleChoice {
    fn name(&self) -> &str {
        "multiple_choice"
    }

    fn verify(&self, problem: &Problem, completion: &str) -> Verdict {
        self.explain(problem, completion).verdict
    }

    fn explain(&self, problem: &Problem, completion: &str) -> Explanation {
        let Some(expected) = self.alone(&problem.answer) else {
            let last = char::from(b'A' + (self.options.choices.clamp(1, 26) - 1) as u8);
            let answer = quoted(&problem.answer);
            let why = format_args!("the answer {answer} is not a letter from A to {last}");
            return Explanation::of(Verdict::unscorable(problem, why));
        };
        let found = self.find(completion);
        let right = found.is_some_and(|(letter, _)| letter == expected);
        let why = match found {
            Some((letter, form)) => {
                format!("{letter} was chosen ({form}), {expected} is expected")
            }
            None => format!("no letter was found, {expected} is expected"),
        };
        Explanation {
            extracted: found.map(|(letter, _)| letter.to_string()),
            why,
            ..Explanation::of(Verdict::answer(self.name(), right))
        }
    }
}
