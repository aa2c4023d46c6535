//! Small changes of a text that need no understanding of it.

/// The sentences of a text: pieces that end with a line, or with `.`, `!` or `?` before a space.
pub(super) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut start = 0;
        for (at, end) in line.char_indices() {
            let next = at + end.len_utf8();
            if matches!(end, '.' | '!' | '?') && line[next..].starts_with(' ') {
                found.push(line[start..next].trim());
                start = next;
            }
        }
        found.push(line[start..].trim());
    }
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// The text with a capital first letter.
pub(super) fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The text without phrases, whole words in any case, each with a comma and a space after it. If the
/// first word goes, the next one gets the capital letter.
pub(super) fn drop_phrases(text: &str, phrases: &[&str]) -> String {
    // ASCII letters alone change, so that positions stay what they are.
    let lower = text.to_ascii_lowercase();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    let mut capital = false;
    while at < text.len() {
        let word_starts = !text[..at]
            .chars()
            .next_back()
            .is_some_and(char::is_alphanumeric);
        let length = |phrase: &&str| {
            let rest = lower[at..].strip_prefix(&phrase.to_ascii_lowercase())?;
            let ends = !rest.starts_with(char::is_alphanumeric);
            ends.then_some(phrase.len())
        };
        let longest = phrases.iter().filter_map(length).max();
        if let Some(length) = longest.filter(|_| word_starts) {
            let starts_sentence = kept.trim_end().chars().next_back();
            capital |= starts_sentence.is_none_or(|end| matches!(end, '.' | '!' | '?' | '\n'));
            at += length;
            if text[at..].starts_with(',') {
                at += 1;
            }
            if text[at..].starts_with(' ') {
                at += 1;
            }
            continue;
        }
        let Some(letter) = text[at..].chars().next() else {
            break;
        };
        if capital {
            kept.extend(letter.to_uppercase());
        } else {
            kept.push(letter);
        }
        capital = false;
        at += letter.len_utf8();
    }
    kept
}

/// The text without emoji, and without the space before one.
pub(super) fn without_emoji(text: &str) -> String {
    let emoji =
        |c: char| matches!(u32::from(c), 0x1F300..=0x1FAFF | 0x2600..=0x27BF | 0xFE0F | 0x200D);
    let mut kept = String::with_capacity(text.len());
    for letter in text.chars() {
        if !emoji(letter) {
            kept.push(letter);
        } else if kept.ends_with(' ') {
            kept.pop();
        }
    }
    kept
}

/// The text without the marks of Markdown headings, lists and bold letters; code between fences stays
/// as it is.
pub(super) fn without_markdown(text: &str) -> String {
    let mut code = false;
    let plain = |line: &str| -> String {
        if line.trim_start().starts_with("```") {
            code = !code;
            return line.to_owned();
        }
        if code {
            return line.to_owned();
        }
        let body = line.trim_start();
        let heading = body.trim_start_matches('#');
        let body = match heading.strip_prefix(' ') {
            Some(rest) if heading.len() < body.len() => rest,
            _ => body,
        };
        let marks = ["- ", "* ", "• "];
        let body = marks
            .iter()
            .find_map(|mark| body.strip_prefix(mark))
            .unwrap_or(body);
        let indent = &line[..line.len() - line.trim_start().len()];
        format!("{indent}{}", without_bold(body))
    };
    let lines: Vec<String> = text.lines().map(plain).collect();
    lines.join("\n")
}

/// The line without `**`, except where it stands between two operands, as in `2**3`.
fn without_bold(line: &str) -> String {
    let mut kept = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("**") {
        kept.push_str(&rest[..at]);
        let after = &rest[at + 2..];
        let operand = kept.chars().next_back().is_some_and(char::is_alphanumeric)
            && after.starts_with(char::is_alphanumeric);
        if operand {
            kept.push_str("**");
        }
        rest = after;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_go_with_their_commas() {
        let text = "Certainly, it is 4. I think that 4.5 is uncertainly rounded, maybe.";
        let kept = drop_phrases(text, &["certainly", "I think", "I think that", "maybe"]);
        assert_eq!(kept, "It is 4. 4.5 is uncertainly rounded, .");
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(
            sentences("It is 3.5. Or so!\nNo?"),
            ["It is 3.5.", "Or so!", "No?"]
        );
        assert_eq!(sentences(" \n"), Vec::<&str>::new());
    }

    #[test]
    fn code_is_left_alone() {
        let text = "# A\n* b **c** 2**3\n```\n# d **e**\n```\nx - y 😊";
        let plain = "A\nb c 2**3\n```\n# d **e**\n```\nx - y 😊";
        assert_eq!(without_markdown(text), plain);
        assert_eq!(without_emoji("x - y 😊!"), "x - y!");
    }
}
