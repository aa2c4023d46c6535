//! The confidence that a model states in words or numbers.

/// What a completion says about its own confidence.
#[derive(Clone, Debug, PartialEq)]
pub enum Confidence {
    /// It states one: the chance, in [0, 1].
    Found(f64),
    /// It states none.
    Absent,
    /// It tries to, but what it says is no chance, or could be two.
    Malformed {
        /// What is wrong with it.
        why: String,
    },
}

/// What a bare number, neither `85%` nor `8/10`, is a part of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    /// Whatever leaves no doubt: 0.85 and 1.0 are chances, 85 is a percentage, and 1 or 8 are
    /// malformed, as they could be of 1, of 10 or of 100. The default.
    #[default]
    Unambiguous,
    /// From 0 to 1.
    Unit,
    /// From 0 to 10, as in PPO-M and PPO-C (arXiv:2410.09724). Their code takes 12 for 10; here it
    /// is malformed.
    Ten,
    /// From 0 to 100.
    Hundred,
}

/// What phrases are worth, from the most to the least certain.
///
/// A choice, not a measurement: about the means that readers give such words when they are asked for
/// numbers, as in the survey behind the linguistic variants of arXiv:2305.14975.
pub const PHRASES: [(&str, f64); 22] = [
    ("absolutely certain", 1.0),
    ("almost certain", 0.95),
    ("certain", 0.98),
    ("extremely high", 0.95),
    ("very high", 0.9),
    ("highly likely", 0.9),
    ("very likely", 0.85),
    ("high", 0.8),
    ("likely", 0.7),
    ("fairly high", 0.75),
    ("moderate", 0.5),
    ("medium", 0.5),
    ("about even", 0.5),
    ("unsure", 0.4),
    ("fairly low", 0.3),
    ("low", 0.2),
    ("unlikely", 0.2),
    ("very unlikely", 0.1),
    ("very low", 0.1),
    ("highly unlikely", 0.05),
    ("extremely low", 0.05),
    ("none", 0.0),
];

/// Finds the confidence that a completion states, the last one if there are several.
///
/// A statement is the word `confidence` in any case, then perhaps `level`, `score` or `rating`, a
/// scale in parentheses such as `(0-100)`, Markdown or quotation marks, then `:`, `=`, `is` or `of`,
/// and then the value:
///
/// ```text
/// Confidence: 85%        0.85      Confidence: 0.85          0.85     a chance
/// confidence is 8/10     0.8       "confidence": 85          0.85     above 10 it is of 100
/// **Confidence:** high   0.8       Confidence (0-10): 8      0.8      the scale is stated
/// Confidence: 8          malformed, unless `scale` says of what
/// Confidence: 130%       malformed
/// I have confidence in it          absent
/// ```
///
/// ```
/// use equipoise_eval::{Confidence, Scale, stated_confidence};
///
/// let stated = |text| stated_confidence(text, Scale::Unambiguous);
/// assert_eq!(stated("34.\nConfidence: 85%"), Confidence::Found(0.85));
/// assert_eq!(stated("34."), Confidence::Absent);
/// assert!(matches!(stated("34.\nConfidence: 8"), Confidence::Malformed { .. }));
/// assert_eq!(stated_confidence("Confidence: 8", Scale::Ten), Confidence::Found(0.8));
/// ```
pub fn stated_confidence(completion: &str, scale: Scale) -> Confidence {
    match last_statement(completion) {
        Some(statement) => value(&completion[statement.value..], statement.scale, scale),
        None => Confidence::Absent,
    }
}

/// The completion without the statement that [`stated_confidence`] reads, from the word to the end of
/// its line: what a reward model is shown in PPO-C (arXiv:2410.09724). Unchanged if there is none.
pub fn without_confidence(completion: &str) -> String {
    let Some(statement) = last_statement(completion) else {
        return completion.to_owned();
    };
    let end = completion[statement.value..].find('\n');
    let end = end.map_or(completion.len(), |end| statement.value + end);
    let before = completion[..statement.start].trim_end_matches(['*', '_', '"', '`', ' ']);
    format!("{before}{}", &completion[end..])
}

/// Where the word stands and where the value after it begins.
struct Statement {
    start: usize,
    value: usize,
    scale: Option<Scale>,
}

const WORD: &str = "confidence";

fn last_statement(text: &str) -> Option<Statement> {
    // ASCII letters alone change, so that positions stay what they are.
    let lower = text.to_ascii_lowercase();
    let mut end = lower.len();
    while let Some(start) = lower[..end].rfind(WORD) {
        let inside_word = lower[..start]
            .chars()
            .next_back()
            .is_some_and(char::is_alphabetic);
        if !inside_word && let Some((value, scale)) = separator(&lower, start + WORD.len()) {
            return Some(Statement {
                start,
                value,
                scale,
            });
        }
        end = start;
    }
    None
}

/// Where the value after the word begins, and the scale in parentheses before it.
fn separator(lower: &str, mut at: usize) -> Option<(usize, Option<Scale>)> {
    let mut scale = None;
    let (mut separated, mut by_word) = (false, false);
    loop {
        let rest = &lower[at..];
        let Some(next) = rest.chars().next() else {
            // Announced, and then the text ends.
            return separated.then_some((at, scale));
        };
        let word_ends = |word: &&str| {
            let after = rest[word.len()..].chars().next();
            !after.is_some_and(char::is_alphanumeric)
        };
        let starts = |words: &[&'static str]| -> Option<usize> {
            let mut found = words.iter().filter(|word| rest.starts_with(**word));
            found.find(|word| word_ends(word)).map(|word| word.len())
        };
        match next {
            // A value on the next line belongs to it only if something announced it.
            '\n' if !separated => return None,
            ' ' | '\t' | '\n' | '\r' | '*' | '_' | '"' | '\'' | '`' | '$' | '\\' | '{' => {
                at += next.len_utf8();
            }
            ':' | '=' | '：' if !separated => {
                separated = true;
                at += next.len_utf8();
            }
            '(' if !separated => {
                let end = rest.find(')')?;
                scale = parenthesis(&rest[1..end]);
                at += end + 1;
            }
            // `confidence is key` states nothing.
            _ if by_word && number(rest).is_none() && phrase(rest).is_none() => return None,
            _ if separated => return Some((at, scale)),
            _ => {
                if let Some(length) = starts(&["level", "score", "rating"]) {
                    at += length;
                } else if let Some(length) = starts(&["is", "of"]) {
                    (separated, by_word) = (true, true);
                    at += length;
                } else {
                    return None;
                }
            }
        }
    }
}

/// The scale that a parenthesis states by its last number, or by a percent sign.
fn parenthesis(inside: &str) -> Option<Scale> {
    let last = inside
        .rsplit(|c: char| !c.is_ascii_digit())
        .find(|part| !part.is_empty());
    match last {
        Some("1") => Some(Scale::Unit),
        Some("10") => Some(Scale::Ten),
        Some("100") => Some(Scale::Hundred),
        _ => inside.contains('%').then_some(Scale::Hundred),
    }
}

/// The value at the start of `text`.
fn value(text: &str, stated: Option<Scale>, scale: Scale) -> Confidence {
    let malformed = |why: String| Confidence::Malformed { why };
    let Some((number, digits)) = number(text) else {
        return match phrase(&text.to_lowercase()) {
            Some(chance) => Confidence::Found(chance),
            None => {
                let said: String = text.chars().take_while(|c| *c != '\n').take(30).collect();
                malformed(format!("{said:?} is neither a number nor a known phrase"))
            }
        };
    };
    let rest = text[digits..].trim_start();
    let escaped = rest.strip_prefix('\\').unwrap_or(rest);
    let over = rest
        .strip_prefix('/')
        .or_else(|| rest.strip_prefix("out of"));
    let spelled = &text[..digits];
    let (whole, by) = if escaped.starts_with('%') || rest.starts_with("percent") {
        (100.0, "percent")
    } else if let Some((whole, _)) = over.and_then(|over| self::number(over.trim_start())) {
        (whole, "a fraction")
    } else {
        match stated.unwrap_or(scale) {
            Scale::Unit => (1.0, "of 1"),
            Scale::Ten => (10.0, "of 10"),
            Scale::Hundred => (100.0, "of 100"),
            Scale::Unambiguous if number == 0.0 => (1.0, "of 1"),
            Scale::Unambiguous if number <= 1.0 && spelled.contains('.') => (1.0, "of 1"),
            Scale::Unambiguous if number > 10.0 => (100.0, "of 100"),
            Scale::Unambiguous => {
                return malformed(format!("{spelled} could be of 1, of 10 or of 100"));
            }
        }
    };
    let chance = number / whole;
    if (0.0..=1.0).contains(&chance) {
        Confidence::Found(chance)
    } else {
        malformed(format!(
            "{spelled}, read as {by}, is not between 0 and the whole"
        ))
    }
}

/// What the longest phrase at the start of `lower` is worth.
fn phrase(lower: &str) -> Option<f64> {
    let starts = PHRASES.iter().filter(|(phrase, _)| {
        let rest = lower.strip_prefix(phrase);
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
    });
    let longest = starts.max_by_key(|(phrase, _)| phrase.len());
    longest.map(|(_, chance)| *chance)
}

/// The decimal number at the start of `text`, and its length in bytes.
fn number(text: &str) -> Option<(f64, usize)> {
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = |from: usize| {
        let rest = text[from..].bytes();
        rest.take_while(u8::is_ascii_digit).count()
    };
    let whole = digits(sign);
    let mut end = sign + whole;
    if text[end..].starts_with('.') && digits(end + 1) > 0 {
        end += 1 + digits(end + 1);
    }
    if end == sign {
        return None;
    }
    Some((text[..end].parse().ok()?, end))
}

/// How many completions state a confidence, and how many do not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ConfidenceCounts {
    /// Completions with a confidence.
    pub found: usize,
    /// Completions without one.
    pub absent: usize,
    /// Completions with one that cannot be read.
    pub malformed: usize,
}

impl ConfidenceCounts {
    /// Counts one outcome.
    pub fn add(&mut self, confidence: &Confidence) {
        *match confidence {
            Confidence::Found(_) => &mut self.found,
            Confidence::Absent => &mut self.absent,
            Confidence::Malformed { .. } => &mut self.malformed,
        } += 1;
    }
}
