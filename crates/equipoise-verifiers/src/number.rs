//! Numbers as people write them, compared exactly.

/// More digits than this in one number are not read: two such numbers still compare in a fraction
/// of a second.
const MAX_DIGITS: usize = 20_000;

/// A number as the fraction of two whole numbers of any size.
#[derive(Clone, Debug)]
pub(crate) struct Number {
    negative: bool,
    numerator: Natural,
    denominator: Natural,
}

impl Number {
    /// Whether both are the same number.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        // a/b = c/d if and only if a·d = c·b, as no denominator is 0.
        let same_sign = self.negative == other.negative;
        same_sign
            && self.numerator.times(&other.denominator) == other.numerator.times(&self.denominator)
    }
}

/// A whole number that is not negative: its digits in base 10⁹ from the least significant one,
/// without zeros at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Natural(Vec<u32>);

/// The base of [`Natural`].
const BASE: u64 = 1_000_000_000;

impl Natural {
    /// The number that `digits`, decimal digits in ASCII, spell.
    fn from_decimal(digits: &[u8]) -> Self {
        let limb = |chunk: &[u8]| {
            chunk
                .iter()
                .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
        };
        Self(digits.rchunks(9).map(limb).collect()).trimmed()
    }

    fn is_zero(&self) -> bool {
        self.0.is_empty()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    fn times(&self, other: &Self) -> Self {
        let mut limbs = vec![0_u32; self.0.len() + other.0.len()];
        for (shift, &a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (slot, position) in limbs[shift..].iter_mut().zip(0..) {
                let b = other.0.get(position).copied().unwrap_or(0);
                if carry == 0 && position >= other.0.len() {
                    break;
                }
                let sum = u64::from(*slot) + u64::from(a) * u64::from(b) + carry;
                *slot = (sum % BASE) as u32;
                carry = sum / BASE;
            }
        }
        Self(limbs).trimmed()
    }
}

/// The number that the whole of `text` spells; `None` if it spells none.
pub(crate) fn parse(text: &str) -> Option<Number> {
    let (number, length) = scan(text)?;
    number.filter(|_| length == text.len())
}

/// The numbers in `text` as they stand there, from left to right; with `None` one that has too many
/// digits. A `-` after a digit, a letter or a closing parenthesis is an operator, not a sign.
pub(crate) fn numbers(text: &str) -> impl Iterator<Item = (&str, Option<Number>)> + '_ {
    let mut position = 0;
    let mut before: Option<char> = None;
    std::iter::from_fn(move || {
        while let Some(next) = text[position..].chars().next() {
            let after_operand = before.is_some_and(|c| c.is_alphanumeric() || c == ')');
            let starts_here = match next {
                '+' | '-' | '−' => !after_operand,
                '.' => !before.is_some_and(|c| c.is_ascii_digit()),
                _ => next.is_ascii_digit(),
            };
            let found = starts_here.then(|| scan(&text[position..])).flatten();
            let length = found
                .as_ref()
                .map_or(next.len_utf8(), |(_, length)| *length);
            let taken = &text[position..position + length];
            before = taken.chars().next_back();
            position += length;
            if let Some((number, _)) = found {
                return Some((taken, number));
            }
        }
        None
    })
}

/// The longest number at the start of `text` and its length in bytes; `None` if none starts there,
/// and no number but a length if it has too many digits.
fn scan(text: &str) -> Option<(Option<Number>, usize)> {
    let bytes = text.as_bytes();
    let (negative, sign) = match text.chars().next()? {
        c @ ('-' | '−') => (true, c.len_utf8()),
        '+' => (false, 1),
        _ => (false, 0),
    };
    let decimal = Decimal::scan(bytes, sign)?;
    let mut end = decimal.end;
    let (mut numerator, mut denominator) = (decimal.digits, vec![b'1']);
    let mut scale = decimal.scale;
    if bytes.get(end) == Some(&b'/')
        && let Some(divisor) = Decimal::scan(bytes, end + 1)
        && divisor.digits.iter().any(|&digit| digit != b'0')
    {
        // (a · 10⁻ˢ) / (b · 10⁻ᵗ) = (a / b) · 10⁻⁽ˢ⁻ᵗ⁾.
        end = divisor.end;
        denominator = divisor.digits;
        scale -= divisor.scale;
    } else if let Some((exponent, exponent_end)) = exponent(bytes, end) {
        end = exponent_end;
        scale -= exponent;
    }
    let zeros = scale.unsigned_abs() as usize;
    let scaled = if scale > 0 {
        &mut denominator
    } else {
        &mut numerator
    };
    scaled.resize(scaled.len() + zeros, b'0');
    if numerator.len().max(denominator.len()) > MAX_DIGITS {
        return Some((None, end));
    }
    let numerator = Natural::from_decimal(&numerator);
    let number = Number {
        // There is one zero, whatever its sign.
        negative: negative && !numerator.is_zero(),
        numerator,
        denominator: Natural::from_decimal(&denominator),
    };
    Some((Some(number), end))
}

/// Digits with a decimal point: the number `digits · 10^−scale`.
struct Decimal {
    digits: Vec<u8>,
    scale: i64,
    /// Where in the text it ends.
    end: usize,
}

impl Decimal {
    /// The decimal that starts at `start`.
    fn scan(bytes: &[u8], start: usize) -> Option<Self> {
        let mut end = start + count_digits(bytes, start);
        let mut digits = bytes.get(start..end)?.to_vec();
        // A comma separates thousands only if one to three digits stand before the first and
        // exactly three after each.
        if (1..=3).contains(&digits.len()) {
            while bytes.get(end) == Some(&b',') && count_digits(bytes, end + 1) == 3 {
                digits.extend_from_slice(&bytes[end + 1..end + 4]);
                end += 4;
            }
        }
        let decimals = match bytes.get(end) {
            Some(b'.') => count_digits(bytes, end + 1),
            _ => 0,
        };
        if decimals > 0 {
            digits.extend_from_slice(&bytes[end + 1..end + 1 + decimals]);
            end += 1 + decimals;
        }
        (!digits.is_empty()).then_some(Self {
            digits,
            scale: decimals as i64,
            end,
        })
    }
}

/// How many decimal digits stand at `start`.
fn count_digits(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The exponent at `start`, `e` and a whole number of at most four digits, and where it ends.
fn exponent(bytes: &[u8], start: usize) -> Option<(i64, usize)> {
    if !matches!(bytes.get(start)?, b'e' | b'E') {
        return None;
    }
    let signed = matches!(bytes.get(start + 1), Some(b'+' | b'-'));
    let first = start + 1 + usize::from(signed);
    let length = count_digits(bytes, first);
    if !(1..=4).contains(&length) {
        return None;
    }
    let text = std::str::from_utf8(&bytes[start + 1..first + length]).ok()?;
    Some((text.parse().ok()?, first + length))
}
