//! A second, independent reading of expressions: `+ - * /`, parentheses and signs, whole numbers.

/// The value of `text`.
///
/// # Panics
/// If `text` is not an expression, or a division leaves a remainder.
pub(crate) fn value(text: &str) -> i128 {
    let characters: Vec<char> = text.chars().collect();
    assert!(!characters.is_empty(), "an empty expression");
    // The last `+` or `-` outside parentheses that is not a sign splits first, then the last `*` or
    // `/`, which gives the usual precedence from left to right.
    for operators in [['+', '-'], ['*', '/']] {
        let mut depth = 0;
        for at in (1..characters.len()).rev() {
            match characters[at] {
                ')' => depth += 1,
                '(' => depth -= 1,
                operator if depth == 0 && operators.contains(&operator) => {
                    let left = value(&characters[..at].iter().collect::<String>());
                    let right = value(&characters[at + 1..].iter().collect::<String>());
                    return match operator {
                        '+' => left + right,
                        '-' => left - right,
                        '*' => left * right,
                        _ => {
                            assert_eq!(left % right, 0, "{text}");
                            left / right
                        }
                    };
                }
                _ => {}
            }
        }
    }
    match text.strip_prefix('-') {
        Some(rest) => -value(rest),
        None => match text.strip_prefix('(') {
            Some(rest) => value(rest.strip_suffix(')').expect(text)),
            None => text.parse().expect(text),
        },
    }
}

/// Checks that all sides of an equation have the same value, and returns it.
pub(crate) fn equation(text: &str) -> i128 {
    let mut sides = text.split('=').map(value);
    let first = sides.next().expect("at least one side");
    assert!(sides.all(|side| side == first), "{text}");
    first
}

/// The thought and the answer of a completion.
pub(crate) fn parts(completion: &str) -> (&str, &str) {
    let rest = completion.strip_prefix("<think>").expect(completion);
    rest.split_once("</think>").expect(completion)
}
