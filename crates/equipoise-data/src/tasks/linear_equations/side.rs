//! Sums such as `5x-3`: written, and read back.

/// The largest magnitude of a coefficient that is read, far above what is ever written.
const LARGEST: i128 = 1_000_000_000;

/// `x·X + y·Y + number`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// The coefficient of x.
    pub(super) x: i128,
    /// The coefficient of y.
    pub(super) y: i128,
    /// The number.
    pub(super) number: i128,
}

impl Side {
    /// `5x-3`; `0` if nothing is left.
    pub(super) fn write(&self) -> String {
        sum(&[(self.x, "x"), (self.y, "y"), (self.number, "")])
    }

    /// The sum that `text` spells, each of its terms at most once; `None` if it spells none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut side = Self::default();
        let mut seen = [false; 3];
        let mut rest = text;
        while !rest.is_empty() {
            let (sign, unsigned) = match rest.strip_prefix('-') {
                Some(unsigned) => (-1, unsigned),
                // Only the first term may do without a sign.
                None if rest.len() == text.len() => (1, rest),
                None => (1, rest.strip_prefix('+')?),
            };
            let end = unsigned.find(['+', '-']).unwrap_or(unsigned.len());
            let (term, after) = unsigned.split_at(end);
            let digits = term.trim_end_matches(['x', 'y']);
            let (slot, place) = match &term[digits.len()..] {
                "x" => (0, &mut side.x),
                "y" => (1, &mut side.y),
                "" => (2, &mut side.number),
                _ => return None,
            };
            let size = match digits {
                "" if slot < 2 => 1,
                _ if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok()?,
                _ => return None,
            };
            if std::mem::replace(&mut seen[slot], true) || size > LARGEST {
                return None;
            }
            *place = sign * size;
            rest = after;
        }
        (!text.is_empty()).then_some(side)
    }
}

/// The terms with their signs, those that are 0 left out; `0` if all are.
pub(super) fn sum(terms: &[(i128, &str)]) -> String {
    let mut written = String::new();
    for &(coefficient, unknown) in terms {
        if coefficient == 0 {
            continue;
        }
        match (coefficient < 0, written.is_empty()) {
            (true, _) => written.push('-'),
            (false, false) => written.push('+'),
            (false, true) => {}
        }
        if coefficient.abs() != 1 || unknown.is_empty() {
            written.push_str(&coefficient.abs().to_string());
        }
        written.push_str(unknown);
    }
    if written.is_empty() {
        written.push('0');
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_read_as_they_are_written() {
        for (x, y, number, text) in [
            (5, 0, -3, "5x-3"),
            (-1, 1, 0, "-x+y"),
            (0, -7, 12, "-7y+12"),
            (0, 0, 0, "0"),
        ] {
            let side = Side { x, y, number };
            assert_eq!(side.write(), text);
            assert_eq!(Side::read(text), Some(side));
        }
        for wrong in [
            "",
            "+",
            "-",
            "x-",
            "5z",
            "xy",
            "3x3x",
            "x+x",
            "1+1",
            "٣x",
            "9999999999x",
            "5x 3",
        ] {
            assert_eq!(Side::read(wrong), None, "{wrong}");
        }
    }
}
