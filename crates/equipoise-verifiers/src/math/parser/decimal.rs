//! Numbers from their digits.

use num_bigint::BigInt;
use num_rational::BigRational;

/// The number that digits with a decimal point spell, times a power of ten.
pub(super) fn decimal(digits: &str, exponent: i32) -> Option<BigRational> {
    if digits.len() > 1_000 {
        return None;
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    // Nearly all numbers are short, and whole numbers of the machine are faster.
    let value = match (whole.len() + fraction.len()) <= 18 {
        true => {
            let digit = |value: i64, byte: u8| value * 10 + i64::from(byte - b'0');
            BigInt::from(whole.bytes().chain(fraction.bytes()).fold(0, digit))
        }
        false => BigInt::parse_bytes(format!("{whole}{fraction}").as_bytes(), 10)?,
    };
    let shift = exponent - i32::try_from(fraction.len()).ok()?;
    let scale = BigInt::from(10).pow(shift.unsigned_abs());
    Some(match shift {
        0 => BigRational::from_integer(value),
        1.. => BigRational::from_integer(value * scale),
        _ => BigRational::new(value, scale),
    })
}

/// A decimal whose last digits repeat for ever: `0.1` with `6` is 1/6.
pub(super) fn repeating(digits: &str, period: &str) -> Option<BigRational> {
    let start = decimal(digits.trim_end_matches('.'), 0)?;
    let places = digits
        .split_once('.')
        .map_or(0, |(_, fraction)| fraction.len());
    let ten = |power: usize| {
        u32::try_from(power)
            .ok()
            .map(|power| BigInt::from(10).pow(power))
    };
    let cycle = decimal(period, 0)?;
    let nines = ten(period.len())? - 1;
    Some(start + cycle / BigRational::from_integer(nines * ten(places)?))
}
