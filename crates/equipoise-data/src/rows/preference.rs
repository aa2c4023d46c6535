//! Preference rows without a prompt of their own: what the better and the worse text begin with.

use super::example::Text;

/// The common beginning of two texts, and what is left of each; the beginning is `None` if it is
/// empty. `None` if one text is a string and the other a conversation.
///
/// As TRL's `extract_prompt` (`trl/data_utils.py`):
///
/// ```text
/// i      = the first position where chosen and rejected differ,
///          at most min(|chosen|, |rejected|) − 1, so that something is left of each
/// i      = i − 1   if they differ at i and chosen[i − 1] is a space   (strings only)
/// prompt = chosen[..i]
/// ```
///
/// Positions are characters of strings and messages of conversations. TRL looks at `chosen[-1]`, the
/// last character, where i = 0; here i stays 0.
pub(super) fn extract_prompt(chosen: &Text, rejected: &Text) -> Option<(Option<Text>, Text, Text)> {
    match (chosen, rejected) {
        (Text::Plain(chosen), Text::Plain(rejected)) => {
            let (a, b): (Vec<char>, Vec<char>) =
                (chosen.chars().collect(), rejected.chars().collect());
            let differ = a.iter().zip(&b).position(|(a, b)| a != b);
            let mut at = differ.unwrap_or(a.len().min(b.len()).saturating_sub(1));
            if differ.is_some() && at > 0 && a[at - 1] == ' ' {
                at -= 1;
            }
            let text = |characters: &[char]| Text::Plain(characters.iter().collect());
            let prompt = (at > 0).then(|| text(&a[..at]));
            Some((prompt, text(&a[at..]), text(&b[at..])))
        }
        (Text::Conversation(a), Text::Conversation(b)) => {
            let differ = a.iter().zip(b).position(|(a, b)| a != b);
            let at = differ.unwrap_or(a.len().min(b.len()).saturating_sub(1));
            let text = |messages: &[_]| Text::Conversation(messages.to_vec());
            let prompt = (at > 0).then(|| text(&a[..at]));
            Some((prompt, text(&a[at..]), text(&b[at..])))
        }
        _ => None,
    }
}
