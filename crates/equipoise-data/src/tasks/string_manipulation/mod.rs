//! Operations on a text of made-up words.

mod operation;

use equipoise_core::{Problem, Stream};
use serde::{Deserialize, Serialize};

use super::wording::{PromptStyle, Wording, instructed};
use crate::task::{Task, TaskError, completion, problem};
use operation::Operation;
pub use operation::StringOperation;

/// String manipulation: a text of lower-case words, and operations to be done one after the other.
///
/// ```text
/// compact   reverse:kita mo=             om atik
///           caesar 3,count d:kita mo=    1
/// text      Take the text "kita mo" and reverse it, letter by letter. …
/// ```
///
/// The words are made of syllables, so that they can be pronounced and are in no dictionary. An
/// operation that counts comes last, and every other one changes the text, if one of
/// [`operations`](Self::operations) can.
///
/// # Demonstrations
///
/// Each operation, its working, and its result after `>`; the last result is the answer.
///
/// ```text
/// <think>caesar 3:k=n,i=l,t=w,a=d>nlwd;count d:n0,l0,w0,d1>1</think>1
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StringManipulation {
    /// From 1 to 6; default 1.
    ///
    /// ```text
    /// level   words   letters of a word   operations
    ///   1      1–2          2–4               1
    ///   2      2–3          3–5               1
    ///   3      3–4          3–6               1
    ///   4      4–5          4–7               2
    ///   5      5–7          4–8               2
    ///   6      6–9          4–9               3
    /// ```
    pub difficulty: u32,
    /// The operations that are drawn, each equally often; default all.
    pub operations: Vec<StringOperation>,
    /// How problems are written; default compact.
    pub prompt: PromptStyle,
}

impl Default for StringManipulation {
    fn default() -> Self {
        Self {
            difficulty: 1,
            operations: StringOperation::ALL.to_vec(),
            prompt: PromptStyle::default(),
        }
    }
}

const WORDING: Wording = Wording {
    compact: "{}:{}=",
    text: instructed!("Take the text \"{}\" and {}.", "the result"),
};

impl StringManipulation {
    /// The hardest level.
    pub const LEVELS: u32 = 6;

    const NAME: &'static str = "string_manipulation";

    /// What stands between two operations in a prompt.
    fn separator(style: PromptStyle) -> &'static str {
        match style {
            PromptStyle::Compact => ",",
            PromptStyle::Text => ", then ",
        }
    }

    /// Operations for `text`, and what becomes of it.
    fn draw_operations(
        &self,
        count: usize,
        text: &str,
        stream: &mut Stream,
    ) -> (Vec<Operation>, String) {
        let mut text = text.to_owned();
        let mut made = Vec::new();
        for place in 0..count {
            let last = place + 1 == count;
            let fits = |kind: &&StringOperation| last || !kind.counts();
            let kinds: Vec<StringOperation> =
                self.operations.iter().filter(fits).copied().collect();
            let mut any = None;
            let mut changing = None;
            for _ in 0..ATTEMPTS {
                let Some(&kind) = stream.choose(&kinds) else {
                    break;
                };
                let operation = Operation::draw(kind, &text, stream);
                let result = operation.apply(&text);
                // Without vowels nothing may be left of a word.
                if result.split(' ').all(|word| !word.is_empty()) {
                    any = Some((operation, result.clone()));
                    if result != text {
                        changing = Some((operation, result));
                        break;
                    }
                }
            }
            // One word in order is no reason to do something that the settings do not have.
            let drawn = changing.or(any);
            if let Some((operation, result)) = drawn {
                made.push(operation);
                text = result;
            }
        }
        if made.is_empty() {
            let operation = Operation::draw(StringOperation::Reverse, &text, stream);
            text = operation.apply(&text);
            made.push(operation);
        }
        (made, text)
    }

    /// The operations and the text of a prompt.
    fn read(prompt: &str) -> Option<(Vec<Operation>, &str)> {
        let parts = WORDING.read(prompt)?;
        // The sentence names the text first.
        let (style, operations, text) = match prompt.starts_with("Take ") {
            true => (PromptStyle::Text, parts[1], parts[0]),
            false => (PromptStyle::Compact, parts[0], parts[1]),
        };
        let operations = operations.split(Self::separator(style));
        let operations = operations.map(|operation| Operation::read(style, operation));
        let operations: Vec<Operation> = operations.collect::<Option<_>>()?;
        let plain = text
            .split(' ')
            .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        plain.then_some((operations, text))
    }
}

/// How often an operation is drawn anew because it would change nothing or leave an empty word.
const ATTEMPTS: u32 = 100;

/// A word of that many letters: consonants and vowels in turn.
fn word(letters: i64, stream: &mut Stream) -> String {
    let start = stream.below(2);
    let letter = |place: i64| {
        let set: &[u8] = match (place.unsigned_abs() + start) % 2 {
            0 => b"bcdfghjklmnpqrstvwxyz",
            _ => b"aeiou",
        };
        char::from(stream.choose(set).copied().unwrap_or(b'a'))
    };
    (0..letters).map(letter).collect()
}

impl Task for StringManipulation {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn alphabet(&self) -> Vec<String> {
        self.prompt.alphabet("abcdefghijklmnopqrstuvwxyz :,=;>")
    }

    fn problem(&self, id: u64, stream: &mut Stream) -> Problem {
        let (words, letters, count) = match self.difficulty {
            0 | 1 => ((1, 2), (2, 4), 1),
            2 => ((2, 3), (3, 5), 1),
            3 => ((3, 4), (3, 6), 1),
            4 => ((4, 5), (4, 7), 2),
            5 => ((5, 7), (4, 8), 2),
            _ => ((6, 9), (4, 9), 3),
        };
        let words: Vec<String> = (0..stream.between(words.0, words.1))
            .map(|_| {
                let letters = stream.between(letters.0, letters.1);
                word(letters, stream)
            })
            .collect();
        let text = words.join(" ");
        let (operations, answer) = self.draw_operations(count, &text, stream);
        let written: Vec<String> = operations
            .iter()
            .map(|operation| operation.write(self.prompt))
            .collect();
        let written = written.join(Self::separator(self.prompt));
        let parts: [&str; 2] = match self.prompt {
            PromptStyle::Compact => [&written, &text],
            PromptStyle::Text => [&text, &written],
        };
        let prompt = WORDING.write(self.prompt, &parts);
        problem(Self::NAME, id, prompt, answer)
    }

    fn demonstration(&self, problem: &Problem, _: &mut Stream) -> Option<String> {
        let (operations, text) = Self::read(&problem.prompt)?;
        let mut text = text.to_owned();
        let mut thoughts = Vec::new();
        for operation in operations {
            let result = operation.apply(&text);
            let name = operation.write(PromptStyle::Compact);
            let working = operation.working(&text);
            thoughts.push(format!("{name}:{working}>{result}"));
            text = result;
        }
        Some(completion(&thoughts.join(";"), &text))
    }

    fn verifier(&self) -> &'static str {
        "exact_match"
    }

    fn validate(&self) -> Result<(), TaskError> {
        TaskError::check_difficulty(Self::NAME, self.difficulty, Self::LEVELS)?;
        TaskError::check_any(Self::NAME, "operations", &self.operations)?;
        let only_counts = self.operations.iter().all(|kind| kind.counts());
        if self.difficulty >= 4 && only_counts {
            return Err(TaskError {
                task: Self::NAME,
                field: "operations",
                got: format!("{:?}", self.operations),
                expected: "one that gives a text, since levels above 3 do several in turn".into(),
            });
        }
        Ok(())
    }
}
