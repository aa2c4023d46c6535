//! From text to words and signs.

use std::borrow::Cow;

use winnow::Result;
use winnow::combinator::{alt, opt, peek, preceded, terminated};
use winnow::prelude::*;
use winnow::stream::AsChar;
use winnow::token::{any, literal, one_of, take_while};

use super::expression::{Constant, NamedSet, Relation};
use super::token::{Token, character, command, function, greek};
use super::units;

/// A token, and whether white space stands before it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Lexeme<'a> {
    pub(super) token: Token<'a>,
    pub(super) spaced: bool,
}

/// The words and signs of `text`, which [`tidy`] has prepared; an error names the first thing that is
/// neither.
pub(super) fn lexemes(text: &str) -> std::result::Result<Vec<Lexeme<'_>>, String> {
    let mut input = text;
    let mut found = Vec::new();
    loop {
        let before = input.len();
        while blank(&mut input).is_ok() {}
        if input.is_empty() {
            return Ok(found);
        }
        let spaced = input.len() != before;
        let start = input;
        match token(&mut input) {
            Ok(Token::Word(word)) if is_product(word) => {
                for (at, letter) in word.chars().enumerate() {
                    let spaced = spaced && at == 0;
                    let token = single(letter);
                    found.push(Lexeme { token, spaced });
                }
            }
            Ok(token) => found.push(Lexeme { token, spaced }),
            Err(_) => {
                let shown: String = start.chars().take(20).collect();
                return Err(format!("{shown:?} is not understood"));
            }
        }
    }
}

/// White space, and commands that only change how things look.
fn blank(input: &mut &str) -> Result<()> {
    const LOOKS: [&str; 29] = [
        "left",
        "right",
        "middle",
        "big",
        "Big",
        "bigg",
        "Bigg",
        "bigl",
        "bigr",
        "Bigl",
        "Bigr",
        "biggl",
        "biggr",
        "displaystyle",
        "textstyle",
        "scriptstyle",
        "limits",
        "nolimits",
        "quad",
        "qquad",
        "thinspace",
        "enspace",
        "rm",
        "bf",
        "it",
        "boldsymbol",
        "hline",
        "thickspace",
        "medspace",
    ];
    let look = preceded('\\', name.verify(|name: &str| LOOKS.contains(&name))).void();
    let spaces = preceded('\\', one_of([',', ';', ':', '!', ' ', '>', '\n'])).void();
    let white = take_while(1.., |c: char| c.is_whitespace() || c == '~' || c == '$').void();
    let money = alt((
        preceded('\\', one_of(['$', '#'])).void(),
        one_of([
            '€', '£', '¥', '₹', '₽', '₩', '₫', '฿', '"', '“', '”', '`', '\u{200b}',
        ])
        .void(),
    ));
    alt((white, look, spaces, money)).parse_next(input)
}

fn token<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    let single = any.verify_map(|c: char| -> Option<Token<'a>> { character(c) });
    alt((number, sign, latex, letters, single)).parse_next(input)
}

fn name<'a>(input: &mut &'a str) -> Result<&'a str> {
    take_while(1.., |c: char| c.is_ascii_alphabetic()).parse_next(input)
}

fn digits<'a>(input: &mut &'a str) -> Result<&'a str> {
    take_while(1.., |c: char| c.is_ascii_digit()).parse_next(input)
}

/// `12`, `1.5`, `.5`, `2.5e-3`, and the `0.` before repeating digits.
fn number<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    let repeats = peek(alt((
        literal("\\overline"),
        literal("\\bar"),
        literal("\\dot"),
    )));
    let whole = (
        digits,
        opt(alt((('.', digits).void(), ('.', repeats).void()))),
    )
        .void();
    let fraction = ('.', digits).void();
    let digits_found = alt((whole, fraction)).take().parse_next(input)?;
    let exponent = opt(scientific).parse_next(input)?;
    Ok(Token::Number {
        digits: digits_found,
        exponent: exponent.unwrap_or(0),
    })
}

/// The exponent of `2.5e-3`; a letter behind it makes it something else.
fn scientific(input: &mut &str) -> Result<i32> {
    let exponent = preceded(
        one_of(['e', 'E']),
        (
            opt(one_of(['+', '-'])),
            take_while(1..=4, |c: char| c.is_ascii_digit()),
        )
            .take(),
    );
    let end = winnow::combinator::not(one_of(|c: char| c.is_alphanumeric()));
    terminated(exponent, end).parse_to().parse_next(input)
}

/// Signs of several characters.
fn sign<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    use Relation as R;
    let relation = alt((
        alt((literal("<="), literal("=<"))).value(R::LessOrEqual),
        literal(">=").value(R::GreaterOrEqual),
        literal("=>").value(R::Other("⇒")),
        literal("!=").value(R::NotEqual),
        literal("==").value(R::Equal),
        literal("->").value(R::Other("→")),
    ));
    alt((
        relation.map(Token::Relation),
        alt((literal("+/-"), literal("+-"))).value(Token::PlusMinus),
        literal("**").value(Token::Caret),
        literal("...").value(Token::Dots),
        literal("||").value(Token::DoubleBar),
    ))
    .parse_next(input)
}

/// What starts with a backslash.
fn latex<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    preceded('\\', alt((named, escaped))).parse_next(input)
}

fn escaped<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    any.verify_map(|c: char| {
        Some(match c {
            '{' => Token::OpenSet,
            '}' => Token::CloseSet,
            '%' => Token::Percent,
            '|' => Token::DoubleBar,
            '\\' => Token::Row,
            '_' => Token::Underscore,
            '&' => Token::And,
            _ => return None,
        })
    })
    .parse_next(input)
}

fn named<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    let start = *input;
    let word = name(input)?;
    let token = match word {
        "text" | "mathrm" | "textbf" | "mathbf" | "mbox" | "textit" | "mathit" | "operatorname"
        | "textrm" | "texttt" | "mathsf" | "mathtt" | "textnormal" | "hbox" | "bm" | "mathcal"
        | "mathscr" | "emph" => words(braced(input)?),
        "mathbb" | "Bbb" => match braced.parse_next(input)?.trim() {
            "N" => Token::Set(NamedSet::Naturals),
            "Z" => Token::Set(NamedSet::Integers),
            "Q" => Token::Set(NamedSet::Rationals),
            "R" => Token::Set(NamedSet::Reals),
            "C" => Token::Set(NamedSet::Complexes),
            other => Token::Text(other),
        },
        "begin" => Token::Begin(braced(input)?.trim()),
        "end" => Token::End(braced(input)?.trim()),
        "overline" | "bar" | "dot" => repeating(word, input),
        other => match command(other) {
            Some(token) => token,
            // `\pir` is no command, but `\pi` followed by `r` is.
            None => {
                let symbol = |end: &usize| {
                    let token = command(&word[..*end])?;
                    let kind = matches!(token, Token::Constant(_) | Token::Name(_) | Token::Times);
                    kind.then_some((*end, token))
                };
                let Some((end, token)) = (2..word.len()).rev().find_map(|end| symbol(&end)) else {
                    *input = start;
                    return winnow::combinator::fail.parse_next(input);
                };
                *input = &start[end..];
                token
            }
        },
    };
    Ok(token)
}

/// `\overline{3}` after a decimal point repeats for ever; elsewhere it is a mark.
fn repeating<'a>(word: &str, input: &mut &'a str) -> Token<'a> {
    let mut ahead = *input;
    if let Ok(inside) = braced(&mut ahead)
        && !inside.is_empty()
        && inside.bytes().all(|byte| byte.is_ascii_digit())
    {
        *input = ahead;
        return Token::Repeating(inside);
    }
    Token::Accent(if word == "dot" { "dot" } else { "bar" })
}

/// What stands between braces, which may contain braces.
fn braced<'a>(input: &mut &'a str) -> Result<&'a str> {
    take_while(0.., AsChar::is_space).parse_next(input)?;
    let text = *input;
    let mut depth = 0_usize;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && text.starts_with('{') {
                    *input = &text[at + 1..];
                    return Ok(&text[1..at]);
                }
            }
            _ => {}
        }
    }
    winnow::combinator::fail.parse_next(input)
}

/// What `\text{…}` means: sometimes it is a sign in letters.
fn words(text: &str) -> Token<'_> {
    let inside = text.trim().trim_matches('$').trim();
    match plain_word(inside) {
        Some(token @ (Token::And | Token::Comma | Token::Percent | Token::Degree)) => token,
        Some(token @ Token::Function(_)) => token,
        Some(Token::Log) => Token::Log,
        _ => Token::Text(inside),
    }
}

/// Letters without a backslash.
fn letters<'a>(input: &mut &'a str) -> Result<Token<'a>> {
    let word =
        take_while(1.., |c: char| c.is_alphabetic() && character(c).is_none()).parse_next(input)?;
    if let Some(token) = plain_word(word) {
        return Ok(token);
    }
    let mut characters = word.chars();
    match (characters.next(), characters.next()) {
        (Some(letter), None) => Ok(single(letter)),
        _ => Ok(Token::Word(word)),
    }
}

/// One letter: a variable, unless it is one of the two that are constants.
fn single(letter: char) -> Token<'static> {
    match letter {
        'e' => Token::Constant(Constant::E),
        'i' => Token::Constant(Constant::I),
        _ => Token::Name(letter.to_lowercase().collect()),
    }
}

/// Whether letters without a sign between them are variables: few, and not a word or a unit.
fn is_product(word: &str) -> bool {
    const WORDS: [&str; 26] = [
        "yes", "no", "is", "the", "so", "of", "are", "we", "to", "it", "has", "was", "for", "by",
        "if", "get", "odd", "red", "one", "two", "six", "ten", "all", "not", "or", "rs",
    ];
    word.chars().count() <= 3
        && !units::is_word(word)
        && !WORDS.contains(&word.to_lowercase().as_str())
}

/// Words that are signs.
fn plain_word(word: &str) -> Option<Token<'static>> {
    let lower = word.to_lowercase();
    Some(match lower.as_str() {
        "and" => Token::And,
        "or" => Token::Comma,
        "union" | "cup" => Token::Union,
        "intersect" | "intersection" => Token::Intersection,
        "infinity" | "inf" | "oo" | "infty" => Token::Infinite,
        "percent" | "percentage" | "pct" => Token::Percent,
        "degrees" | "degree" | "deg" => Token::Degree,
        "times" => Token::Times,
        "mod" => Token::Modulo,
        // A ratio: "3 to 2".
        "to" => Token::Colon,
        "ohm" | "ell" | "mu" | "nu" | "xi" | "chi" | "eta" | "tau" | "phi" | "psi" | "rho" => {
            greek(&lower)?
        }
        "pi" | "alpha" | "beta" | "gamma" | "delta" | "epsilon" | "theta" | "lambda" | "sigma"
        | "omega" => greek(&lower)?,
        _ => return function(&lower),
    })
}

/// The text with the ways of writing the same thing made one: separators of thousands are gone,
/// raised and lowered digits are powers and indices, and fractions in one character are spelled out.
pub(super) fn tidy(text: &str) -> Cow<'_, str> {
    let special =
        |c: char| matches!(c, ',' | '\\' | '½'..='¾' | '¼' | '⁰'..='₉' | '²' | '³' | '¹' | ' ');
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let text = without_separators(text);
    let mut out = String::with_capacity(text.len() + 8);
    let mut raised = false;
    for c in text.chars() {
        const RAISED: &str = "⁰¹²³⁴⁵⁶⁷⁸⁹⁻";
        const LOWERED: &str = "₀₁₂₃₄₅₆₇₈₉";
        let digit = |table: &str| table.chars().position(|other| other == c);
        if let Some(value) = digit(RAISED) {
            if !raised {
                out.push_str("^{");
                raised = true;
            }
            out.push(if value == 10 {
                '-'
            } else {
                char::from(b'0' + value as u8)
            });
            continue;
        }
        if raised {
            out.push('}');
            raised = false;
        }
        match (c, digit(LOWERED)) {
            (_, Some(value)) => {
                out.push('_');
                out.push(char::from(b'0' + value as u8));
            }
            ('½', _) => out.push_str(" 1/2"),
            ('¼', _) => out.push_str(" 1/4"),
            ('¾', _) => out.push_str(" 3/4"),
            _ => out.push(c),
        }
    }
    if raised {
        out.push('}');
    }
    Cow::Owned(out)
}

/// The text without the separators of thousands. `{,}` and a thin space between digits always are
/// such; a comma is if three digits follow it, one to three stand before the first, and it cannot be
/// the comma of a list: every comma of the text is of this kind, or others are followed by a space.
fn without_separators(text: &str) -> String {
    let text = text
        .replace("{,}", "\u{1}")
        .replace(",\\!", "\u{1}")
        .replace("\\!", "");
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let group = |at: usize| digit(at) && digit(at + 1) && digit(at + 2) && !digit(at + 3);
    let comma_space = text.contains(", ") || text.contains(";");
    let mut thousands = Vec::new();
    let mut lists = 0;
    // Where the digits in front began, or the last separator stands.
    let mut run = 0;
    let mut in_group = false;
    // Whether each bracket that is open makes a list of what stands in it.
    let mut open = Vec::new();
    for at in 0..bytes.len() {
        match bytes[at] {
            b'0'..=b'9' => run += 1,
            b',' if (1..=3).contains(&run) && (!in_group || run == 3) && group(at + 1) => {
                // "(1,234)" is a pair; "(1,234, 5)" is not.
                if comma_space || !open.contains(&true) {
                    thousands.push(at);
                } else {
                    lists += 1;
                }
                in_group = true;
                run = 0;
            }
            byte @ (b'(' | b'[' | b'{') => {
                let before = at.checked_sub(1).map_or(b' ', |at| bytes[at]);
                // The argument of a command is no list.
                let argument = before.is_ascii_alphabetic() || b"}^_]".contains(&before);
                open.push(byte != b'{' || !argument);
                in_group = false;
                run = 0;
            }
            b')' | b']' | b'}' => {
                open.pop();
                in_group = false;
                run = 0;
            }
            b',' => {
                lists += usize::from(bytes.get(at + 1) != Some(&b' '));
                in_group = false;
                run = 0;
            }
            _ => {
                in_group = false;
                run = 0;
            }
        }
    }
    let commas = if lists > 0 { Vec::new() } else { thousands };
    let mut out = String::with_capacity(text.len());
    let mut skip = 0;
    for (at, c) in text.char_indices() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let after_digit = at > 0 && digit(at - 1);
        match c {
            '\u{1}' => {}
            ',' if commas.contains(&at) => {}
            '\\' if after_digit && text[at..].starts_with("\\,") && group(at + 2) => skip = 1,
            ' ' if after_digit && group(at + 1) && short_run(bytes, at) => {}
            _ => out.push(c),
        }
    }
    out
}

/// Whether one to three digits stand before `at` and nothing that continues them.
fn short_run(bytes: &[u8], at: usize) -> bool {
    let run = bytes[..at]
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let before = bytes.get(at.wrapping_sub(run + 1));
    (1..=3).contains(&run) && !before.is_some_and(|byte| matches!(byte, b'.' | b'/' | b'}' | b'^'))
}
