//! A normal form: quotients of polynomials over the fractions, in variables, constants, roots of
//! primes, and whatever cannot be taken apart.
//!
//! ```text
//! √8 + 1/√2  =  2·√2 + √2⁻¹     →   (2·r² + 1) / r   with r = √2, r² = 2
//! ```
//!
//! Two expressions with equal forms are equal. If nothing in them hides a relation, different forms
//! are different expressions.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use num_bigint::BigInt;
use num_integer::Integer as _;
use num_rational::BigRational;
use num_traits::{One as _, Signed as _, ToPrimitive as _, Zero as _};

use super::exact;
use super::expression::{Constant, Expression, Function};

/// Polynomials with more terms than this are not written out.
const MAX_TERMS: usize = 160;

/// The largest power that is multiplied out.
const MAX_POWER: u64 = 24;

/// Coefficients with more binary digits than this are not computed.
const MAX_BITS: u64 = 4_096;

/// What the normal forms say of two expressions; `None` if they say nothing.
pub(super) fn equal(left: &Expression, right: &Expression) -> Option<bool> {
    let mut atoms = Atoms::default();
    let a = form(left, &mut atoms)?;
    let b = form(right, &mut atoms)?;
    let crosswise = a.above.times(&b.below, &atoms)? == b.above.times(&a.below, &atoms)?;
    (crosswise || atoms.independent()).then_some(crosswise)
}

/// Powers of atoms, by their numbers.
type Monomial = Vec<(usize, u64)>;

#[derive(Clone, Debug, PartialEq)]
struct Polynomial(BTreeMap<Monomial, BigRational>);

/// A quotient of polynomials.
#[derive(Clone, Debug)]
struct Form {
    above: Polynomial,
    below: Polynomial,
}

#[derive(Clone, Debug, PartialEq)]
enum Atom {
    Symbol(String),
    Pi,
    E,
    I,
    /// The root of a prime, and its degree.
    Root(BigInt, u64),
    /// Anything else, by its spelling in normal form.
    Opaque(String),
}

#[derive(Default)]
struct Atoms(Vec<Atom>);

impl Atoms {
    fn number(&mut self, atom: Atom) -> usize {
        if let Some(found) = self.0.iter().position(|other| *other == atom) {
            return found;
        }
        self.0.push(atom);
        self.0.len() - 1
    }

    /// Whether no relation is known to hold, or may hold, among the atoms but those that
    /// multiplication applies.
    fn independent(&self) -> bool {
        let has = |atom: &Atom| self.0.contains(atom);
        let plain = self.0.iter().all(|atom| match atom {
            Atom::Opaque(_) => false,
            Atom::Root(_, degree) => *degree == 2,
            _ => true,
        });
        plain && !(has(&Atom::Pi) && has(&Atom::E))
    }
}

impl Polynomial {
    fn constant(value: BigRational) -> Self {
        let mut terms = BTreeMap::new();
        if !value.is_zero() {
            terms.insert(Monomial::new(), value);
        }
        Self(terms)
    }

    fn atom(number: usize) -> Self {
        Self([(vec![(number, 1)], BigRational::one())].into())
    }

    fn add(&mut self, monomial: Monomial, coefficient: BigRational) {
        use std::collections::btree_map::Entry;
        match self.0.entry(monomial) {
            Entry::Vacant(entry) => {
                entry.insert(coefficient);
            }
            Entry::Occupied(mut entry) => {
                *entry.get_mut() += coefficient;
                if entry.get().is_zero() {
                    entry.remove();
                }
            }
        }
    }

    fn plus(mut self, other: &Self) -> Option<Self> {
        for (monomial, coefficient) in &other.0 {
            self.add(monomial.clone(), coefficient.clone());
        }
        (self.0.len() <= MAX_TERMS).then_some(self)
    }

    fn times(&self, other: &Self, atoms: &Atoms) -> Option<Self> {
        if self.0.len() * other.0.len() > MAX_TERMS * MAX_TERMS / 4 {
            return None;
        }
        let mut product = Self(BTreeMap::new());
        for (a, x) in &self.0 {
            for (b, y) in &other.0 {
                let (monomial, factor) = multiplied(a, b, atoms)?;
                let coefficient = x * y * factor;
                if coefficient.numer().bits().max(coefficient.denom().bits()) > MAX_BITS {
                    return None;
                }
                product.add(monomial, coefficient);
            }
        }
        (product.0.len() <= MAX_TERMS).then_some(product)
    }

    fn power(&self, exponent: u64, atoms: &Atoms) -> Option<Self> {
        if exponent > MAX_POWER && self.0.len() > 1 || exponent > 4_096 {
            return None;
        }
        if let Some(value) = self.as_constant() {
            let exponent = BigRational::from_integer(exponent.into());
            return exact::power(&value, &exponent).map(Self::constant);
        }
        let mut power = Self::constant(BigRational::one());
        let mut square = self.clone();
        let mut left = exponent;
        while left > 0 {
            if left.is_odd() {
                power = power.times(&square, atoms)?;
            }
            left /= 2;
            if left > 0 {
                square = square.times(&square, atoms)?;
            }
        }
        Some(power)
    }

    fn as_constant(&self) -> Option<BigRational> {
        match self.0.len() {
            0 => Some(BigRational::zero()),
            1 => self.0.get(&Monomial::new()).cloned(),
            _ => None,
        }
    }

    /// A text that is the same for the same polynomial, over one table of atoms.
    fn spell(&self, out: &mut String) {
        for (monomial, coefficient) in &self.0 {
            let _ = write!(out, "{coefficient:+}");
            for (atom, exponent) in monomial {
                let _ = write!(out, "*a{atom}^{exponent}");
            }
        }
    }
}

/// The product of two monomials, with the factor that powers of roots and of i give.
fn multiplied(a: &Monomial, b: &Monomial, atoms: &Atoms) -> Option<(Monomial, BigRational)> {
    let mut product = Monomial::with_capacity(a.len() + b.len());
    let mut factor = BigRational::one();
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let (number, mut exponent) = match (a.peek(), b.peek()) {
            (None, None) => break,
            (Some(&&(n, e)), None) => {
                a.next();
                (n, e)
            }
            (None, Some(&&(n, e))) => {
                b.next();
                (n, e)
            }
            (Some(&&(n, e)), Some(&&(m, f))) => {
                if n <= m {
                    a.next();
                }
                if m <= n {
                    b.next();
                }
                match n.cmp(&m) {
                    std::cmp::Ordering::Less => (n, e),
                    std::cmp::Ordering::Greater => (m, f),
                    std::cmp::Ordering::Equal => (n, e.checked_add(f)?),
                }
            }
        };
        match atoms.0.get(number) {
            Some(Atom::I) => {
                if exponent % 4 >= 2 {
                    factor = -factor;
                }
                exponent %= 2;
            }
            Some(Atom::Root(prime, degree)) => {
                let whole = exponent / degree;
                factor *= prime.pow(u32::try_from(whole).ok()?);
                exponent %= degree;
            }
            _ => {}
        }
        if exponent > 0 {
            product.push((number, exponent));
        }
    }
    Some((product, factor))
}

impl Form {
    fn constant(value: BigRational) -> Self {
        Self::whole(Polynomial::constant(value))
    }

    fn whole(above: Polynomial) -> Self {
        let below = Polynomial::constant(BigRational::one());
        Self { above, below }
    }

    fn times(&self, other: &Self, atoms: &Atoms) -> Option<Self> {
        Some(Self {
            above: self.above.times(&other.above, atoms)?,
            below: self.below.times(&other.below, atoms)?,
        })
    }

    fn power(self, exponent: i64, atoms: &Atoms) -> Option<Self> {
        let times = exponent.unsigned_abs();
        let (above, below) = (
            self.above.power(times, atoms)?,
            self.below.power(times, atoms)?,
        );
        let (above, below) = if exponent < 0 {
            (below, above)
        } else {
            (above, below)
        };
        (!below.0.is_empty()).then_some(Self { above, below })
    }

    fn as_constant(&self) -> Option<BigRational> {
        let below = self.below.as_constant().filter(|below| !below.is_zero())?;
        Some(self.above.as_constant()? / below)
    }

    fn spell(&self) -> String {
        let mut out = String::new();
        self.above.spell(&mut out);
        out.push('/');
        self.below.spell(&mut out);
        out
    }
}

fn form(expression: &Expression, atoms: &mut Atoms) -> Option<Form> {
    let atom = |atoms: &mut Atoms, atom| {
        let number = atoms.number(atom);
        Some(Form::whole(Polynomial::atom(number)))
    };
    match expression {
        Expression::Number(number) => Some(Form::constant(number.value.clone())),
        Expression::Based { value, .. } => Some(Form::constant(value.clone())),
        Expression::Constant(Constant::Pi) => atom(atoms, Atom::Pi),
        Expression::Constant(Constant::E) => atom(atoms, Atom::E),
        Expression::Constant(Constant::I) => atom(atoms, Atom::I),
        Expression::Constant(Constant::Infinity) => None,
        Expression::Symbol(name) => atom(atoms, Atom::Symbol(name.clone())),
        Expression::Sum(terms) => {
            let mut sum = Form::constant(BigRational::zero());
            for term in terms {
                let term = form(term, atoms)?;
                if sum.below == term.below {
                    sum.above = sum.above.plus(&term.above)?;
                    continue;
                }
                let left = sum.above.times(&term.below, atoms)?;
                let right = term.above.times(&sum.below, atoms)?;
                sum = Form {
                    above: left.plus(&right)?,
                    below: sum.below.times(&term.below, atoms)?,
                };
            }
            Some(sum)
        }
        Expression::Product(factors) => {
            let mut product = Form::constant(BigRational::one());
            for factor in factors {
                product = product.times(&form(factor, atoms)?, atoms)?;
            }
            Some(product)
        }
        Expression::Power(parts) => power(&parts[0], &parts[1], atoms),
        Expression::Percent(part) => {
            let hundredth = Form::constant(BigRational::new(1.into(), 100.into()));
            form(part, atoms)?.times(&hundredth, atoms)
        }
        Expression::Degrees(part) => form(part, atoms),
        Expression::Apply(Function::Root, arguments) => {
            let [radicand, degree] = &arguments[..] else {
                return None;
            };
            let degree = exact::value(degree).filter(|degree| !degree.is_zero())?;
            power(radicand, &Expression::exact(degree.recip()), atoms)
        }
        Expression::Apply(function, arguments) => {
            if let Some(value) = exact::value(expression) {
                return Some(Form::constant(value));
            }
            let mut name = format!("{function:?}");
            for argument in arguments {
                // An angle in degrees is not the same as the bare number.
                let unit = argument.any(&|part| matches!(part, Expression::Degrees(_)));
                let spelled = form(argument, atoms)?.spell();
                let _ = write!(name, "({spelled}{})", if unit { "°" } else { "" });
            }
            atom(atoms, Atom::Opaque(name))
        }
    }
}

fn power(base: &Expression, exponent: &Expression, atoms: &mut Atoms) -> Option<Form> {
    let base = form(base, atoms)?;
    let exponent = form(exponent, atoms)?;
    match exponent.as_constant() {
        Some(exponent) if exponent.is_integer() => {
            base.power(exponent.to_integer().to_i64()?, atoms)
        }
        Some(exponent) => match base.as_constant() {
            Some(base) => root(&base, &exponent, atoms),
            None => opaque(&base, &Form::constant(exponent), atoms),
        },
        None => opaque(&base, &exponent, atoms),
    }
}

fn opaque(base: &Form, exponent: &Form, atoms: &mut Atoms) -> Option<Form> {
    let name = format!("{}^({})", base.spell(), exponent.spell());
    let number = atoms.number(Atom::Opaque(name));
    Some(Form::whole(Polynomial::atom(number)))
}

/// A fraction to the power of a fraction, as roots of primes.
fn root(base: &BigRational, exponent: &BigRational, atoms: &mut Atoms) -> Option<Form> {
    if let Some(value) = exact::power(base, exponent) {
        return Some(Form::constant(value));
    }
    let degree = exponent.denom().to_u64().filter(|degree| *degree <= 12)?;
    let times = exponent
        .numer()
        .to_i64()
        .filter(|times| times.abs() <= 64)?;
    let mut product = Form::constant(BigRational::one());
    if base.is_negative() {
        // The square root of a negative number is imaginary; others have several meanings.
        if degree != 2 {
            return None;
        }
        let number = atoms.number(Atom::I);
        product = Form::whole(Polynomial::atom(number)).power(times, atoms)?;
    }
    for (part, sign) in [(base.numer(), 1), (base.denom(), -1)] {
        for (prime, count) in factors(part.magnitude().clone().into())? {
            let number = atoms.number(Atom::Root(prime, degree));
            let count = i64::from(count).checked_mul(times * sign)?;
            let factor = Form::whole(Polynomial::atom(number)).power(count, atoms)?;
            product = product.times(&factor, atoms)?;
        }
    }
    Some(product)
}

/// The prime factors of a positive number, with their powers; `None` if it has large ones.
fn factors(mut number: BigInt) -> Option<Vec<(BigInt, u32)>> {
    const BOUND: u32 = 4_000;
    let mut found = Vec::new();
    let mut candidate = 2_u32;
    while candidate < BOUND && BigInt::from(candidate) * candidate <= number {
        let mut count = 0;
        while (&number % candidate).is_zero() {
            number /= candidate;
            count += 1;
        }
        if count > 0 {
            found.push((candidate.into(), count));
        }
        candidate += if candidate == 2 { 1 } else { 2 };
    }
    if number > BigInt::from(BOUND) * BOUND {
        return None;
    }
    if !number.is_one() {
        found.push((number, 1));
    }
    Some(found)
}
