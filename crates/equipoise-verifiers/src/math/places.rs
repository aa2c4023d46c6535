//! Where in a completion the answer stands.

use serde::{Deserialize, Serialize};

/// A place where an answer may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// `\boxed{…}` or `\fbox{…}`: the last one, with those directly before it ("\boxed{1} and
    /// \boxed{2}").
    Boxed,
    /// The rest of the line behind the last `####`, in the manner of GSM8K (arXiv:2110.14168).
    Hashes,
    /// What follows "the answer is", "Answer:" and their like, the last time.
    Phrase,
    /// The whole completion, if it is an answer and nothing else.
    Whole,
    /// The last formula: `$…$`, `$$…$$`, `\(…\)` or `\[…\]`.
    Formula,
    /// The last number or fraction.
    Number,
}

impl Place {
    /// All of them, in the order in which they are tried unless another is asked for.
    pub const ALL: [Self; 6] = [
        Self::Boxed,
        Self::Hashes,
        Self::Phrase,
        Self::Whole,
        Self::Formula,
        Self::Number,
    ];

    /// The place in words.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Boxed => "in the last box",
            Self::Hashes => "behind ####",
            Self::Phrase => "behind \"answer\"",
            Self::Whole => "in the whole completion",
            Self::Formula => "in the last formula",
            Self::Number => "in the last number",
        }
    }

    /// What stands at this place; `None` if it does not exist.
    pub(super) fn find(self, completion: &str) -> Option<String> {
        match self {
            Self::Boxed => boxed(completion),
            Self::Hashes => {
                let (_, rest) = completion.rsplit_once("####")?;
                Some(
                    rest.trim_start_matches('#')
                        .lines()
                        .next()
                        .unwrap_or("")
                        .to_owned(),
                )
            }
            Self::Phrase => phrase(completion),
            Self::Whole => {
                let text = completion.trim();
                (text.len() <= 400 && text.lines().count() <= 3).then(|| text.to_owned())
            }
            Self::Formula => formula(completion).map(str::to_owned),
            Self::Number => number(completion).map(str::to_owned),
        }
    }
}

/// The contents of the last box; boxes that stand close before it belong to it.
fn boxed(text: &str) -> Option<String> {
    let mut found: Vec<&str> = Vec::new();
    let mut end = text.len();
    // Where the box read before, which is the next one in the text, begins.
    let mut next: Option<usize> = None;
    while let Some((start, after)) = last_command(&text[..end]) {
        let (content, close) = match group(&text[after..]) {
            Some((content, length)) => (content, after + length),
            // A box that is not closed is the last thing that was written.
            None if found.is_empty() => {
                let rest = text[after..].trim_start();
                let rest = rest.strip_prefix('{').unwrap_or(rest);
                return Some(rest.lines().next().unwrap_or("").to_owned());
            }
            None => break,
        };
        if let Some(next) = next {
            let between = text.get(close..next).unwrap_or("");
            let separated = between.contains([',', ';'])
                || between
                    .split_whitespace()
                    .any(|word| matches!(word, "and" | "or"));
            let near = between.chars().count() < 10;
            let apart = between.chars().count() < 70 && separated && found.last() != Some(&content);
            if !(near || apart) {
                break;
            }
        }
        if found.last() != Some(&content) {
            found.push(content);
        }
        next = Some(start);
        end = start;
    }
    found.reverse();
    (!found.is_empty()).then(|| found.join(","))
}

/// Where the last `\boxed` or `\fbox` starts and where its name ends.
fn last_command(text: &str) -> Option<(usize, usize)> {
    let boxed = text.rfind("\\boxed").map(|at| (at, at + "\\boxed".len()));
    let fbox = text.rfind("\\fbox").map(|at| (at, at + "\\fbox".len()));
    boxed.max(fbox)
}

/// What stands between the braces at the start of `text`, and how long it is with them. A command
/// without braces has one word.
fn group(text: &str) -> Option<(&str, usize)> {
    let spaces = text.len() - text.trim_start().len();
    let rest = &text[spaces..];
    if !rest.starts_with('{') {
        let length = rest
            .find(|c: char| c.is_whitespace() || c == '$')
            .unwrap_or(rest.len());
        return (length > 0).then(|| (&rest[..length], spaces + length));
    }
    let mut depth = 0_usize;
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some((&rest[1..at], spaces + at + 1));
                }
            }
            _ => {}
        }
    }
    None
}

/// What follows the last "answer" that announces one.
fn phrase(text: &str) -> Option<String> {
    const WORD: &[u8] = b"answer";
    let bytes = text.as_bytes();
    let mut end = bytes.len();
    while let Some(at) = bytes[..end]
        .windows(WORD.len())
        .rposition(|window| window.eq_ignore_ascii_case(WORD))
    {
        if let Some(found) = announced(&text[at + WORD.len()..]) {
            return Some(found);
        }
        end = at + WORD.len() - 1;
    }
    None
}

/// The answer in what follows the word "answer".
fn announced(rest: &str) -> Option<String> {
    let mut window = rest.len().min(120);
    while !rest.is_char_boundary(window) {
        window -= 1;
    }
    let head = &rest[..window];
    // "answer: x", "answer is x", "answer to the question is: x".
    let signs = [":", " is ", " is:", "=", " are ", " be ", " is\n"];
    let (at, sign) = signs
        .iter()
        .filter_map(|sign| Some((head.find(sign)?, *sign)))
        .min()?;
    // A full stop before it: the sentence with "answer" is over.
    if head[..at].contains(". ") || head[..at].contains("\n\n") {
        return None;
    }
    let mut rest = &rest[at + sign.len()..];
    rest = rest.trim_start_matches([':', '*', ' ', '\n', '\t']);
    let line = rest.lines().next()?;
    let found = match formula_at_start(line) {
        Some(formula) => formula,
        None => sentence(line),
    };
    (!found.trim().is_empty()).then(|| found.to_owned())
}

/// A line up to the full stop that ends its first sentence.
fn sentence(line: &str) -> &str {
    let mut end = line.len();
    for stop in [
        ". ",
        "! ",
        "? ",
        "** ",
        " because ",
        ", because ",
        " since ",
        "</",
    ] {
        if let Some(at) = line[..end].find(stop) {
            end = at;
        }
    }
    &line[..end]
}

/// The formula, or the several with "and" or commas between them, that a line starts with.
fn formula_at_start(line: &str) -> Option<&str> {
    let mut end = 0;
    loop {
        let rest = line[end..].trim_start_matches([' ', ',']);
        let rest = ["and ", "or "]
            .iter()
            .fold(rest, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        let start = line.len() - rest.len();
        let Some(length) = formula_length(rest) else {
            break;
        };
        end = start + length;
    }
    // A percent sign or a unit may follow.
    let unit = line[end..].split(['.', ',', ';']).next().unwrap_or("");
    let more =
        unit.trim_start().starts_with(['%', '\\']) || unit.trim_start().starts_with("percent");
    (end > 0).then(|| &line[..end + if more { unit.len() } else { 0 }])
}

/// The pairs of signs that formulas stand between.
const DELIMITERS: [(&str, &str); 4] = [("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")];

/// How long the formula is that `text` starts with, with its delimiters.
fn formula_length(text: &str) -> Option<usize> {
    let (open, close) = DELIMITERS.iter().find(|(open, _)| text.starts_with(open))?;
    let inner = &text[open.len()..];
    let end = closing(inner, close)?;
    (end > 0).then_some(open.len() + end + close.len())
}

/// Where `close` stands, not as `\$`.
fn closing(text: &str, close: &str) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(close)?;
        if close.starts_with('$') && text[..at].ends_with('\\') {
            from = at + close.len();
            continue;
        }
        return Some(at);
    }
}

/// The last formula between delimiters.
fn formula(text: &str) -> Option<&str> {
    let mut last = None;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let escaped = rest.starts_with("\\$");
        match formula_length(rest).filter(|_| !escaped) {
            Some(length) if !rest[..length].contains("\n\n") => {
                // "and" between formulas makes them one answer.
                last = Some(&text[at..at + length]);
                at += length;
            }
            _ => {
                let step = if escaped {
                    2
                } else {
                    rest.chars().next().map_or(1, char::len_utf8)
                };
                at += step;
            }
        }
    }
    last
}

/// The last number, with its sign, its fraction and its percent sign.
fn number(text: &str) -> Option<&str> {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let last = bytes.iter().rposition(u8::is_ascii_digit)?;
    // To the left: digits, separators between digits, and one fraction bar.
    let mut start = last;
    while start > 0 {
        let before = bytes[start - 1];
        let joins = matches!(before, b'.' | b',' | b'/') && start >= 2 && digit(start - 2);
        if before.is_ascii_digit() || joins || before == b'.' {
            start -= 1;
        } else {
            break;
        }
    }
    // The numbers of a fraction in LaTeX belong together.
    if let Some(at) = text[..start].rfind("\\frac{")
        && text[at..start].len() < 24
        && text[at..start].matches('{').count() == 2
    {
        start = at;
    }
    let end = match text[start..].starts_with("\\frac") {
        true => text[last..].find('}').map_or(last + 1, |at| last + at + 1),
        false => last + 1,
    };
    let signed = text[..start].trim_end_matches('$');
    for sign in ['-', '−'] {
        if let Some(before) = signed.strip_suffix(sign) {
            let operand = before.trim_end().chars().next_back();
            if !operand.is_some_and(|c| c.is_alphanumeric() || c == ')') {
                start = before.len();
            }
        }
    }
    let rest = &text[end..];
    let percent = rest.trim_start().trim_start_matches('\\').starts_with('%');
    let end = match percent {
        true => end + rest.find('%').map_or(0, |at| at + 1),
        false => end,
    };
    Some(text[start..end].trim_start_matches([',', '/']))
}
