//! Values at points: whether two expressions agree where it can be tried.

use num_complex::Complex64;
use num_traits::ToPrimitive as _;

use super::exact;
use super::expression::{Constant, Expression, Function};

/// How far two values at a point may be apart, relative to the larger of them.
const TOLERANCE: f64 = 1e-9;

/// The points that are tried.
const TRIALS: u64 = 12;

/// How many of them have to be inside of both domains.
const NEEDED: usize = 4;

/// Whether two expressions have the same value at seeded points; `None` if they could not be
/// evaluated at enough of them.
///
/// Variables are real, as in answers they are: half of the points have positive values only, since
/// many formulas are meant for lengths and counts; the others have either sign.
pub(super) fn agree(left: &Expression, right: &Expression) -> Option<bool> {
    let constant =
        left.symbols().is_empty() && right.symbols().is_empty() && !calls(left) && !calls(right);
    let mut compared = 0;
    for trial in 0..if constant { 1 } else { TRIALS } {
        let (Some(a), Some(b)) = (at(left, trial), at(right, trial)) else {
            continue;
        };
        if !near(a, b, TOLERANCE) {
            return Some(false);
        }
        compared += 1;
        if compared == NEEDED {
            break;
        }
    }
    (compared == NEEDED || constant && compared == 1).then_some(true)
}

fn calls(expression: &Expression) -> bool {
    expression.any(&|part| matches!(part, Expression::Apply(Function::Named(_), _)))
}

/// Whether one expression is a constant times the other, with the constant; as for an equation whose
/// sides were multiplied.
pub(super) fn factor(left: &Expression, right: &Expression) -> Option<f64> {
    let mut found: Option<Complex64> = None;
    let mut compared = 0;
    for trial in 0..TRIALS {
        let (Some(a), Some(b)) = (at(left, trial), at(right, trial)) else {
            continue;
        };
        if a.norm() < 1e-9 || b.norm() < 1e-9 {
            continue;
        }
        let ratio = a / b;
        match found {
            Some(before) if !near(before, ratio, 1e-7) => return None,
            _ => found = Some(ratio),
        }
        compared += 1;
        if compared == NEEDED {
            break;
        }
    }
    let factor = found.filter(|_| compared == NEEDED)?;
    (factor.im.abs() < 1e-9 * factor.norm()).then_some(factor.re)
}

/// The real value of an expression without variables.
pub(super) fn real(expression: &Expression) -> Option<f64> {
    if expression.any(&|part| matches!(part, Expression::Symbol(_))) {
        return None;
    }
    let value = evaluate(expression, 0)?;
    (value.im.abs() <= 1e-9 * value.norm().max(1.0) && !value.re.is_nan()).then_some(value.re)
}

pub(super) fn near(a: Complex64, b: Complex64, tolerance: f64) -> bool {
    if a == b {
        return true;
    }
    let size = a.norm().max(b.norm());
    size.is_finite() && (a - b).norm() <= tolerance * size.max(1e-3)
}

fn at(expression: &Expression, trial: u64) -> Option<Complex64> {
    evaluate(expression, trial).filter(|value| value.re.is_finite() && value.im.is_finite())
}

/// A number in [0, 1) that a name and a trial always have.
fn seeded(name: &str, trial: u64) -> f64 {
    // FNV-1a, then the finaliser of splitmix64.
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = hash.wrapping_add(trial.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((hash ^ (hash >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

/// The value of a variable at a trial.
fn variable(name: &str, trial: u64) -> f64 {
    let u = seeded(name, trial);
    if trial.is_multiple_of(2) {
        0.3 + 2.4 * u
    } else {
        4.6 * u - 2.3
    }
}

/// The value at a trial's point; `None` outside of the domain.
fn evaluate(expression: &Expression, trial: u64) -> Option<Complex64> {
    let real = |value: f64| Complex64::new(value, 0.0);
    Some(match expression {
        Expression::Number(number) => real(number.value.to_f64()?),
        Expression::Based { value, .. } => real(value.to_f64()?),
        Expression::Constant(Constant::Pi) => real(std::f64::consts::PI),
        Expression::Constant(Constant::E) => real(std::f64::consts::E),
        Expression::Constant(Constant::I) => Complex64::I,
        Expression::Constant(Constant::Infinity) => real(f64::INFINITY),
        Expression::Symbol(name) => real(variable(name, trial)),
        Expression::Sum(terms) => {
            let mut sum = real(0.0);
            for term in terms {
                sum += evaluate(term, trial)?;
            }
            sum
        }
        Expression::Product(factors) => {
            let mut product = real(1.0);
            for factor in factors {
                let factor = evaluate(factor, trial)?;
                // Infinity times a real number must not get an imaginary part that is no number.
                product = match product.im == 0.0 && factor.im == 0.0 {
                    true => real(product.re * factor.re),
                    false => product * factor,
                };
            }
            product
        }
        Expression::Power(parts) => {
            let base = evaluate(&parts[0], trial)?;
            power(base, evaluate(&parts[1], trial)?)?
        }
        Expression::Percent(part) => evaluate(part, trial)? / 100.0,
        Expression::Degrees(part) => evaluate(part, trial)?,
        Expression::Apply(function, arguments) => apply(function, arguments, trial)?,
    })
}

fn power(base: Complex64, exponent: Complex64) -> Option<Complex64> {
    if exponent.im == 0.0 && base.im == 0.0 {
        let (b, e) = (base.re, exponent.re);
        if b == 0.0 && e <= 0.0 {
            return (e == 0.0).then_some(Complex64::ONE);
        }
        if b >= 0.0 || e.fract() == 0.0 {
            return Some(Complex64::new(b.powf(e), 0.0));
        }
    }
    if exponent.im == 0.0 && exponent.re.fract() == 0.0 && exponent.re.abs() < 64.0 {
        return Some(base.powi(exponent.re as i32));
    }
    Some(base.powc(exponent))
}

fn apply(function: &Function, arguments: &[Expression], trial: u64) -> Option<Complex64> {
    use Function as F;
    let values: Vec<Complex64> = arguments
        .iter()
        .map(|part| match part {
            // An angle is in degrees only where a function takes one.
            Expression::Degrees(_) if is_angular(function) => {
                Some(evaluate(part, trial)? * (std::f64::consts::PI / 180.0))
            }
            _ if is_angular(function) => evaluate_angle(part, trial),
            _ => evaluate(part, trial),
        })
        .collect::<Option<_>>()?;
    let x = *values.first()?;
    let reals = || -> Option<Vec<f64>> {
        values
            .iter()
            .map(|value| (value.im == 0.0).then_some(value.re))
            .collect()
    };
    let real = |value: f64| Complex64::new(value, 0.0);
    Some(match function {
        F::Sin => x.sin(),
        F::Cos => x.cos(),
        F::Tan => divide(x.sin(), x.cos())?,
        F::Cot => divide(x.cos(), x.sin())?,
        F::Sec => divide(Complex64::ONE, x.cos())?,
        F::Csc => divide(Complex64::ONE, x.sin())?,
        F::Arcsin => x.asin(),
        F::Arccos => x.acos(),
        F::Arctan => x.atan(),
        F::Sinh => x.sinh(),
        F::Cosh => x.cosh(),
        F::Tanh => x.tanh(),
        F::Log => {
            if x.norm() == 0.0 {
                return None;
            }
            match values.get(1) {
                Some(base) => divide(x.ln(), base.ln())?,
                None => x.ln(),
            }
        }
        F::Root => {
            let degree = values.get(1)?.re;
            // The cube root of a negative number is the real one.
            match x.im == 0.0 && x.re < 0.0 && degree.rem_euclid(2.0) == 1.0 {
                true => real(-(-x.re).powf(degree.recip())),
                false => power(x, real(degree.recip()))?,
            }
        }
        F::Absolute => real(x.norm()),
        F::Floor => real(reals()?.first()?.floor()),
        F::Ceiling => real(reals()?.first()?.ceil()),
        F::Factorial | F::Binomial | F::Gcd | F::Lcm => {
            let exact = Expression::Apply(function.clone(), arguments.to_vec());
            match exact::value(&exact) {
                Some(value) => real(value.to_f64()?),
                None => between_integers(function, &reals()?, &values, trial)?,
            }
        }
        F::Maximum => real(reals()?.into_iter().reduce(f64::max)?),
        F::Minimum => real(reals()?.into_iter().reduce(f64::min)?),
        F::Modulo => {
            let [a, b] = reals()?[..] else { return None };
            real(a - b * (a / b).floor())
        }
        F::Named(name) => unknown(name, &values, trial),
    })
}

/// A function of whole numbers where it is asked for others: by the gamma function, if it has to do
/// with factorials, and else like a function of which only the name is known.
fn between_integers(
    function: &Function,
    arguments: &[f64],
    values: &[Complex64],
    trial: u64,
) -> Option<Complex64> {
    let value = match (function, arguments) {
        (Function::Factorial, &[n]) => gamma(n + 1.0),
        (Function::Binomial, &[n, k]) => gamma(n + 1.0) / (gamma(k + 1.0) * gamma(n - k + 1.0)),
        _ => return Some(unknown(&format!("{function:?}"), values, trial)),
    };
    value.is_finite().then(|| value.into())
}

/// The gamma function, by the approximation of Lanczos with g = 7 and nine terms, whose relative
/// error is below 1e-13.
fn gamma(x: f64) -> f64 {
    use std::f64::consts::PI;
    const TERMS: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        return PI / ((PI * x).sin() * gamma(1.0 - x));
    }
    let x = x - 1.0;
    let t = x + 7.5;
    let tail: f64 = TERMS[1..]
        .iter()
        .zip(1..)
        .map(|(term, i)| term / (x + f64::from(i)))
        .sum();
    (2.0 * PI).sqrt() * t.powf(x + 0.5) * (-t).exp() * (TERMS[0] + tail)
}

fn divide(a: Complex64, b: Complex64) -> Option<Complex64> {
    (b.norm() > 1e-12).then(|| a / b)
}

fn is_angular(function: &Function) -> bool {
    use Function as F;
    matches!(
        function,
        F::Sin | F::Cos | F::Tan | F::Cot | F::Sec | F::Csc
    )
}

/// An angle in radians: every part of it that is in degrees is converted.
fn evaluate_angle(expression: &Expression, trial: u64) -> Option<Complex64> {
    let inner = |part: &Expression| evaluate_angle(part, trial);
    Some(match expression {
        Expression::Degrees(part) => evaluate(part, trial)? * (std::f64::consts::PI / 180.0),
        Expression::Sum(terms) => terms.iter().map(inner).sum::<Option<_>>()?,
        Expression::Product(factors) => factors.iter().map(inner).product::<Option<_>>()?,
        other => evaluate(other, trial)?,
    })
}

/// The value of a function of which only the name is known: smooth, and the same wherever the
/// arguments are.
fn unknown(name: &str, values: &[Complex64], trial: u64) -> Complex64 {
    let mut sum = Complex64::new(seeded(name, trial), 0.0);
    for (at, value) in values.iter().enumerate() {
        let weight = 0.5 + seeded(name, trial.wrapping_add(at as u64 + 1));
        sum += weight * (value * weight).sin() + value * 0.25;
    }
    sum
}
