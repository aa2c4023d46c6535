//! Exact quotients of whole numbers.

use std::fmt;

/// A fraction in lowest terms with a positive denominator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fraction {
    numerator: i128,
    denominator: i128,
}

impl Fraction {
    /// `numerator / denominator`; `None` if the denominator is 0. Both must be smaller than 2¹²⁶ in
    /// magnitude.
    pub(super) fn new(numerator: i128, denominator: i128) -> Option<Self> {
        let divisor = gcd(numerator, denominator) * denominator.signum();
        (divisor != 0).then(|| Self {
            numerator: numerator / divisor,
            denominator: denominator / divisor,
        })
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.denominator {
            1 => write!(f, "{}", self.numerator),
            denominator => write!(f, "{}/{denominator}", self.numerator),
        }
    }
}

/// The greatest common divisor of the magnitudes.
fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.abs() } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_in_lowest_terms() {
        let written = |a, b| Fraction::new(a, b).map(|fraction| fraction.to_string());
        assert_eq!(written(6, -4).as_deref(), Some("-3/2"));
        assert_eq!(written(-6, -3).as_deref(), Some("2"));
        assert_eq!(written(0, -3).as_deref(), Some("0"));
        assert_eq!(written(1, 0), None);
        assert_eq!(written(0, 0), None);
    }
}
