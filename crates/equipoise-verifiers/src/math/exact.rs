//! Exact values: what can be said of a number without rounding.

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_rational::BigRational;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::expression::{Expression, Function};

/// Numbers with more binary digits than this are not computed.
const MAX_BITS: u64 = 8_192;

/// The largest argument of a factorial.
const MAX_FACTORIAL: i64 = 400;

/// The exact value of an expression without variables; `None` if it has none that is a fraction of
/// whole numbers, or if it is too large.
pub(super) fn value(expression: &Expression) -> Option<BigRational> {
    match expression {
        Expression::Number(number) => Some(number.value.clone()),
        Expression::Based { value, .. } => Some(value.clone()),
        Expression::Constant(_) | Expression::Symbol(_) => None,
        Expression::Sum(terms) => terms
            .iter()
            .try_fold(BigRational::zero(), |sum, term| bounded(sum + value(term)?)),
        Expression::Product(factors) => factors
            .iter()
            .try_fold(BigRational::one(), |product, factor| {
                bounded(product * value(factor)?)
            }),
        Expression::Power(parts) => power(&value(&parts[0])?, &value(&parts[1])?),
        Expression::Apply(function, arguments) => apply(function, arguments),
        Expression::Percent(part) => Some(value(part)? / BigInt::from(100)),
        Expression::Degrees(part) => value(part),
    }
}

fn bounded(number: BigRational) -> Option<BigRational> {
    (number.numer().bits().max(number.denom().bits()) <= MAX_BITS).then_some(number)
}

/// `base` to the power of `exponent`, if that is a fraction of whole numbers.
pub(super) fn power(base: &BigRational, exponent: &BigRational) -> Option<BigRational> {
    let degree = exponent.denom().to_u32()?;
    let base = if degree == 1 {
        base.clone()
    } else {
        root(base, degree)?
    };
    let times = exponent.numer().to_i64()?;
    if base.is_zero() {
        return match times {
            0 => Some(BigRational::one()),
            1.. => Some(base),
            _ => None,
        };
    }
    let size = base.numer().bits().max(base.denom().bits());
    if size.saturating_mul(times.unsigned_abs()) > MAX_BITS && !is_unit(&base) {
        return None;
    }
    if is_unit(&base) {
        let odd_and_negative = base.is_negative() && times.is_odd();
        let one = BigRational::one();
        return Some(if odd_and_negative { -one } else { one });
    }
    Some(base.pow(i32::try_from(times).ok()?))
}

fn is_unit(number: &BigRational) -> bool {
    number.is_integer() && number.numer().magnitude().is_one()
}

/// The real root of a number, if it is a fraction of whole numbers. A negative number has one for an
/// odd degree.
pub(super) fn root(number: &BigRational, degree: u32) -> Option<BigRational> {
    if degree == 0 || number.is_negative() && degree.is_multiple_of(2) {
        return None;
    }
    let exact = |part: &BigInt| {
        let root = part.nth_root(degree);
        (root.pow(degree) == *part).then_some(root)
    };
    Some(BigRational::new(
        exact(number.numer())?,
        exact(number.denom())?,
    ))
}

fn apply(function: &Function, arguments: &[Expression]) -> Option<BigRational> {
    let argument = |at: usize| arguments.get(at).and_then(value);
    let whole = |number: BigRational| number.is_integer().then(|| number.to_integer());
    let integers = || -> Option<Vec<BigInt>> {
        let values = arguments.iter().map(|part| whole(value(part)?));
        values.collect()
    };
    Some(match function {
        Function::Root => {
            let degree = whole(argument(1)?)?.to_u32()?;
            root(&argument(0)?, degree)?
        }
        Function::Absolute => argument(0)?.abs(),
        Function::Floor => argument(0)?.floor(),
        Function::Ceiling => argument(0)?.ceil(),
        Function::Factorial => {
            let n = whole(argument(0)?)?
                .to_i64()
                .filter(|n| (0..=MAX_FACTORIAL).contains(n))?;
            BigRational::from_integer((1..=n).map(BigInt::from).product())
        }
        Function::Binomial => {
            let n = whole(argument(0)?)?
                .to_i64()
                .filter(|n| (0..=10_000).contains(n))?;
            let k = whole(argument(1)?)?.to_i64()?;
            BigRational::from_integer(binomial(n, k)?)
        }
        Function::Gcd => {
            let gcd = |a: BigInt, b: BigInt| a.gcd(&b);
            BigRational::from_integer(integers()?.into_iter().reduce(gcd)?)
        }
        Function::Lcm => {
            let lcm = |a: BigInt, b: BigInt| a.lcm(&b);
            bounded(BigRational::from_integer(
                integers()?.into_iter().reduce(lcm)?,
            ))?
        }
        Function::Maximum | Function::Minimum => {
            let mut values = arguments.iter().map(value).collect::<Option<Vec<_>>>()?;
            values.sort();
            match function {
                Function::Maximum => values.pop()?,
                _ => values.into_iter().next()?,
            }
        }
        Function::Modulo => {
            let (a, b) = (argument(0)?, argument(1)?);
            if b.is_zero() {
                return None;
            }
            let times = (&a / &b).floor();
            a - b * times
        }
        Function::Log if arguments.len() == 2 => logarithm(&argument(0)?, &argument(1)?)?,
        _ => return None,
    })
}

fn binomial(n: i64, k: i64) -> Option<BigInt> {
    if !(0..=n).contains(&k) {
        return Some(BigInt::zero());
    }
    let k = k.min(n - k);
    if k > 2_000 {
        return None;
    }
    Some((1..=k).fold(BigInt::one(), |product, i| product * (n - k + i) / i))
}

/// The logarithm of `number`, if it is a whole number.
fn logarithm(number: &BigRational, base: &BigRational) -> Option<BigRational> {
    if !number.is_positive() || !base.is_positive() || is_unit(base) {
        return None;
    }
    let estimate = number.to_f64()?.ln() / base.to_f64()?.ln();
    let whole = BigRational::from_integer(BigInt::from(estimate.round().to_i64()?));
    (power(base, &whole)? == *number).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratio(a: i64, b: i64) -> BigRational {
        BigRational::new(a.into(), b.into())
    }

    #[test]
    fn powers_with_fractions_are_exact_or_nothing() {
        assert_eq!(power(&ratio(8, 27), &ratio(-2, 3)), Some(ratio(9, 4)));
        assert_eq!(power(&ratio(2, 1), &ratio(1, 2)), None);
        assert_eq!(power(&ratio(0, 1), &ratio(-1, 1)), None);
        assert_eq!(
            power(&ratio(-1, 1), &ratio(1_000_001, 1)),
            Some(ratio(-1, 1))
        );
        assert_eq!(
            power(&ratio(10, 1), &ratio(1_000_000, 1)),
            None,
            "too large"
        );
    }

    #[test]
    fn logarithms_are_whole_or_nothing() {
        assert_eq!(logarithm(&ratio(1, 8), &ratio(2, 1)), Some(ratio(-3, 1)));
        assert_eq!(logarithm(&ratio(10, 1), &ratio(2, 1)), None);
        assert_eq!(logarithm(&ratio(10, 1), &ratio(1, 1)), None);
    }
}
