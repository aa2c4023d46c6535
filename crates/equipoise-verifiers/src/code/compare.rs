//! Whether a program printed what it should have.

/// Whether two outputs are the same, but for white space at the ends of lines and empty lines at the
/// end. With a tolerance `t`, numbers `a` and `b` that are written differently are the
/// same if `|a − b| ≤ t · max(1, |b|)`, where `b` is the expected one, and words are separated by any
/// amount of white space.
pub(super) fn same(given: &str, expected: &str, tolerance: Option<f64>) -> bool {
    let (mut given, mut expected) = (lines(given), lines(expected));
    loop {
        match (given.next(), expected.next()) {
            (None, None) => return true,
            (Some(given), Some(expected)) if same_line(given, expected, tolerance) => {}
            _ => return false,
        }
    }
}

/// The lines of an output without the white space that does not count.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.trim_end().lines().map(str::trim_end)
}

fn same_line(given: &str, expected: &str, tolerance: Option<f64>) -> bool {
    let Some(tolerance) = tolerance else {
        return given == expected;
    };
    let (mut given, mut expected) = (given.split_whitespace(), expected.split_whitespace());
    loop {
        match (given.next(), expected.next()) {
            (None, None) => return true,
            (Some(given), Some(expected)) if same_word(given, expected, tolerance) => {}
            _ => return false,
        }
    }
}

fn same_word(given: &str, expected: &str, tolerance: f64) -> bool {
    if given == expected {
        return true;
    }
    let number = |word: &str| word.parse::<f64>().ok().filter(|number| number.is_finite());
    let (Some(given), Some(expected)) = (number(given), number(expected)) else {
        return false;
    };
    (given - expected).abs() <= tolerance * expected.abs().max(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// An output is the same as itself with other white space at its ends, with and without a
        /// tolerance; and without one as no other.
        #[test]
        fn the_same_is_the_same(lines in prop::collection::vec("[0-9a-e.-]{1,5}", 1..6)) {
            let plain = lines.join("\n");
            let spaced = lines.join(" \t\r\n") + "\n\n";
            let (longer, other) = (format!("{plain}\nx"), format!("0{plain}"));
            for tolerance in [None, Some(0.0), Some(1e-6)] {
                prop_assert!(same(&spaced, &plain, tolerance));
                prop_assert!(same(&plain, &spaced, tolerance));
                prop_assert!(!same(&longer, &plain, tolerance));
            }
            prop_assert!(!same(&other, &plain, None));
        }
    }

    #[test]
    fn white_space_at_ends_does_not_count() {
        assert!(same("1 2 \n3\n\n", "1 2\n3", None));
        assert!(same("a\r\nb", "a\nb\n", None));
        assert!(same("", "\n", None));
        assert!(!same(" 1", "1", None));
        assert!(!same("1  2", "1 2", None));
        assert!(!same("1\n\n2", "1\n2", None));
        assert!(!same("1", "1\n2", None));
        assert!(!same("1.0", "1", None));
    }

    #[test]
    fn numbers_may_be_near_if_that_is_asked_for() {
        let near = |given, expected| same(given, expected, Some(1e-6));
        assert!(near("1.0", "1"));
        // 1e-6 · 2000 = 0.002.
        assert!(near("2000.002", "2000") && !near("2000.0021", "2000"));
        assert!(near("0.0000009", "0") && !near("0.0000011", "0"));
        assert!(near("x  1", "x 1.0000001") && !near("y 1", "x 1"));
        assert!(!near("nan", "1") && !near("inf", "1") && near("inf", "inf"));
    }
}
