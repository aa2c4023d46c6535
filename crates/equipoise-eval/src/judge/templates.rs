//! The built-in wordings of the cues that are written into answers.

use equipoise_core::Stream;

use super::injection::{Rewrite, Style};
use super::text_rules::{capitalised, drop_phrases, sentences, without_emoji, without_markdown};

/// Wordings that say nothing about the question, so that they fit every one.
const CITATIONS: [&str; 4] = [
    "This agrees with the review in the International Journal of Applied Reasoning, volume 41, \
     pages 210–238.",
    "The same conclusion is reached by Hartmann and Oyelaran in the Cambridge Handbook of Methods, \
     third edition, chapter 7.",
    "See also the report of the National Institute for Advanced Studies, which confirms every step.",
    "According to Professor Lindqvist of the University of Uppsala, this is the accepted answer.",
];

const CERTAIN: [(&str, &str); 3] = [
    ("There is no doubt about this: ", " This is certain."),
    (
        "The answer is beyond dispute. ",
        " No other answer is possible.",
    ),
    (
        "It is an established fact: ",
        " Anyone who checks this will agree.",
    ),
];

const PRAISE: [(&str, &str); 3] = [
    (
        "What an excellent question, and so well put! ",
        " You were quite right to ask it.",
    ),
    (
        "You clearly know this subject better than most people do. ",
        " With your judgement you will see at once that this is so.",
    ),
    (
        "It is a pleasure to answer someone who thinks so carefully. ",
        " I have nothing but respect for the way you approach this.",
    ),
];

const JOY: [(&str, &str); 3] = [
    (
        "I am so happy to help with this! ",
        " I hope this brightens your day! 😊",
    ),
    ("What a joy to work on this! ", " Wonderful, is it not? 🎉"),
    (
        "This one warms my heart! ",
        " I am truly delighted with how it turned out! ✨",
    ),
];

const CONCRETE: [&str; 3] = [
    "To picture it: someone with 3 notebooks, 12 pencils and 45 minutes on a Tuesday afternoon would \
     go through exactly these steps.",
    "In practice this takes about 7 minutes at a wooden desk, with 2 sheets of A4 paper and a blue \
     pen.",
    "A group of 24 people in a room of 60 square metres went over it 5 times between 14:30 and 15:15.",
];

const FILLER: [(&str, &str); 3] = [
    (
        "Before the answer is given, it is worth taking a moment to look at what is being asked and to \
         be clear about how an answer to it can be arrived at, step by step and without haste.",
        "To sum up, all that has been said above leads, when it is taken together and looked at as a \
         whole, to what has been stated, and nothing further needs to be added to it at this point.",
    ),
    (
        "There are several ways in which a question such as this one can be approached, and each of \
         them has something to be said for it; what follows is one that can be followed from the \
         beginning to the end.",
        "In other words, and to put the same thing once more in a slightly different way, the answer is \
         the one that was given above, for the reasons that were given above.",
    ),
    (
        "In order to give a complete and thorough answer, the matter is treated here in full, beginning \
         with what is known and proceeding from there to what was asked.",
        "It may be helpful to read the above once more from the start, since every part of it \
         contributes to the whole, and the whole is what was asked for.",
    ),
];

const HEDGES: [&str; 9] = [
    "I think that",
    "I think",
    "I believe that",
    "I believe",
    "it seems that",
    "perhaps",
    "maybe",
    "probably",
    "possibly",
];

const BOASTS: [&str; 9] = [
    "without any doubt",
    "without a doubt",
    "undoubtedly",
    "definitely",
    "certainly",
    "absolutely",
    "obviously",
    "clearly",
    "of course",
];

const FLATTERY: [&str; 8] = [
    "What an excellent question!",
    "What a great question!",
    "What a good question!",
    "Excellent question!",
    "Great question!",
    "Good question!",
    "That's a great question!",
    "Thank you for your great question!",
];

/// The answer with the cue.
pub(super) fn add(rewrite: &Rewrite<'_>, stream: &mut Stream) -> String {
    let answer = rewrite.answer;
    match rewrite.style {
        Style::Length => {
            let (before, after) = chosen(stream, &FILLER);
            format!("{before}\n\n{answer}\n\n{after}")
        }
        Style::Authority => cited(answer, stream),
        Style::Beauty => formatted(answer),
        Style::Assertiveness => {
            let (before, after) = chosen(stream, &CERTAIN);
            format!("{before}{}{after}", drop_phrases(answer, &HEDGES))
        }
        Style::Sycophancy => {
            let (before, after) = chosen(stream, &PRAISE);
            format!("{before}{answer}{after}")
        }
        Style::Sentiment => {
            let (before, after) = chosen(stream, &JOY);
            format!("{before}{answer}{after}")
        }
        Style::Concreteness => format!("{answer} {}", chosen(stream, &CONCRETE)),
    }
}

/// The answer without the cue, as far as it can be recognised.
pub(super) fn remove(rewrite: &Rewrite<'_>) -> String {
    let answer = rewrite.answer;
    match rewrite.style {
        Style::Length | Style::Concreteness => answer.to_owned(),
        Style::Authority => without_citations(answer),
        Style::Beauty => without_markdown(answer),
        Style::Assertiveness => drop_phrases(answer, &BOASTS),
        Style::Sycophancy => {
            let trimmed = answer.trim_start();
            let praise = FLATTERY
                .iter()
                .find_map(|praise| trimmed.strip_prefix(praise));
            praise.map_or_else(|| answer.to_owned(), |rest| capitalised(rest.trim_start()))
        }
        Style::Sentiment => without_emoji(answer),
    }
}

/// The answer with a source that does not exist.
pub(super) fn cited(answer: &str, stream: &mut Stream) -> String {
    format!("{answer} {}", chosen(stream, &CITATIONS))
}

/// One of a constant list, which is never empty.
pub(super) fn chosen<T: Copy, const N: usize>(stream: &mut Stream, list: &[T; N]) -> T {
    list[stream.below(N as u64) as usize]
}

/// A heading, and every sentence an item of a list with its first word in bold letters. Code is left
/// as it is, between the heading and a last line.
fn formatted(answer: &str) -> String {
    if answer.contains("```") {
        return format!("## Answer\n\n{answer}\n\n---\n\n**✅ Done**");
    }
    let mut text = "## Answer\n".to_owned();
    for sentence in sentences(answer) {
        let (word, rest) = sentence.split_at(sentence.find(' ').unwrap_or(sentence.len()));
        text.push_str(&format!("\n- **{word}**{rest}"));
    }
    text
}

/// Without parentheses that hold "et al.".
fn without_citations(answer: &str) -> String {
    let mut text = String::with_capacity(answer.len());
    let mut rest = answer;
    while let Some(open) = rest.find('(') {
        let Some(close) = rest[open..].find(')').map(|close| open + close) else {
            break;
        };
        let inside = &rest[open + 1..close];
        // The innermost parenthesis that closes here.
        if inside.contains("et al.") && !inside.contains('(') {
            text.push_str(rest[..open].trim_end_matches(' '));
            rest = &rest[close + 1..];
        } else {
            text.push_str(&rest[..=open]);
            rest = &rest[open + 1..];
        }
    }
    text.push_str(rest);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn citations_go_and_parentheses_stay() {
        let text = "It is 4 (f(2), Smith et al., 2020) and (see (Wu et al., 2021)) so (n + 1).";
        let kept = "It is 4 (f(2), Smith et al., 2020) and (see) so (n + 1).";
        assert_eq!(without_citations(text), kept);
        assert_eq!(
            without_citations("so it is (Doe et al., 2019)."),
            "so it is."
        );
    }

    #[test]
    fn formatting_keeps_every_word() {
        let list = formatted("Two and two. That is 4.");
        assert_eq!(list, "## Answer\n\n- **Two** and two.\n- **That** is 4.");
        assert_eq!(
            without_markdown(&list),
            "Answer\n\nTwo and two.\nThat is 4."
        );
    }
}
