//! A budget, divided so that every unit of it gains as much anywhere.

use serde::{Deserialize, Serialize};

use super::{CurriculumError, LearningCurve};

/// A domain that samples can be bought for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetDomain {
    /// What the domain's loss counts for; positive.
    pub weight: f64,
    /// What a sample costs, in any unit: tokens of a rollout times seconds of its verifier, say;
    /// positive.
    pub cost: f64,
    /// The domain's loss after n samples; scale and exponent positive.
    pub curve: LearningCurve,
    /// The fewest samples the domain gets; at least 0.
    #[serde(default)]
    pub floor: f64,
}

/// How a budget is divided.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allocation {
    /// The number of samples of each domain; not rounded.
    pub samples: Vec<f64>,
    /// ν: the gain of the last unit of the budget, the same in every domain above its floor.
    pub multiplier: f64,
    /// The weighted sum of the losses, Σ w (a + b n^(−p)).
    pub loss: f64,
}

/// The number of samples of each domain that makes the weighted sum of the losses smallest, at a cost
/// of `budget` in all (arXiv:2202.01327; the problem is stated there, its solution is the textbook
/// one).
///
/// ```text
/// minimise   Σ w (a + b n^(−p))    subject to   Σ c n = budget,  n ≥ floor
/// n          max(floor, (w b p / (c ν))^(1/(p+1)))
/// ```
///
/// where ν is such that the budget is spent (the conditions of Karush, Kuhn and Tucker: the marginal
/// gain per cost, w b p n^(−p−1)/c, is ν wherever n is above its floor). If all exponents are equal
/// and all floors 0, n is proportional to (w b p / c)^(1/(p+1)); otherwise log ν is found by
/// bisection.
///
/// ```
/// use equipoise_data::curriculum::{BudgetDomain, LearningCurve, allocate};
///
/// let domain = |scale, cost| BudgetDomain {
///     weight: 0.5,
///     cost,
///     curve: LearningCurve { asymptote: 0.0, scale, exponent: 0.5 },
///     floor: 0.0,
/// };
/// // n is proportional to (b/c)^(2/3): 1 and 2^(2/3) = 1.5874; and 1 + 2 · 1.5874 = 4.1748.
/// let allocation = allocate(&[domain(1.0, 1.0), domain(4.0, 2.0)], 1000.0)?;
/// assert!((allocation.samples[0] - 1000.0 / 4.174802104).abs() < 1e-5);
/// assert!((allocation.samples[1] - 380.23384401).abs() < 1e-7);
/// assert!((allocation.loss - 0.1348726358).abs() < 1e-9);
/// # Ok::<(), equipoise_data::curriculum::CurriculumError>(())
/// ```
///
/// # Errors
/// [`CurriculumError::TooFew`] without a domain, and [`CurriculumError::InvalidSetting`] for numbers
/// outside their ranges or a budget that does not pay for the floors.
pub fn allocate(domains: &[BudgetDomain], budget: f64) -> Result<Allocation, CurriculumError> {
    let Some(first) = domains.first() else {
        return Err(CurriculumError::TooFew {
            what: "domains",
            found: 0,
            needed: 1,
        });
    };
    for domain in domains {
        domain.validate()?;
    }
    let floors: f64 = domains
        .iter()
        .map(|domain| domain.cost * domain.floor)
        .sum();
    let affordable = budget.is_finite() && budget > 0.0 && budget >= floors;
    let needed = "positive, finite and enough for the floors";
    CurriculumError::check(affordable, "budget", budget, needed)?;

    let exponent = first.curve.exponent;
    let common = domains
        .iter()
        .all(|domain| domain.curve.exponent == exponent && domain.floor == 0.0);
    let multiplier = if common {
        // Σ c (w b p / (c ν))^(1/(p+1)) = budget, solved for ν.
        let spent: f64 = domains
            .iter()
            .map(|domain| domain.cost * domain.samples(1.0))
            .sum();
        (spent / budget).powf(exponent + 1.0)
    } else {
        bisect(domains, budget)
    };
    let samples: Vec<f64> = domains
        .iter()
        .map(|domain| domain.samples(multiplier))
        .collect();
    let losses = domains.iter().zip(&samples);
    let losses = losses.map(|(domain, &samples)| domain.weight * domain.curve.loss(samples));
    Ok(Allocation {
        loss: losses.sum(),
        samples,
        multiplier,
    })
}

/// The ν at which the budget is spent.
fn bisect(domains: &[BudgetDomain], budget: f64) -> f64 {
    let spent = |log: f64| -> f64 {
        let cost = |domain: &BudgetDomain| domain.cost * domain.samples(log.exp());
        domains.iter().map(cost).sum()
    };
    // The cost falls with ν, from beyond every budget to that of the floors.
    let (mut low, mut high) = (-1.0, 1.0);
    while spent(low) < budget && low > -700.0 {
        low *= 2.0;
    }
    while spent(high) > budget && high < 700.0 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if spent(middle) > budget {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

impl BudgetDomain {
    fn validate(&self) -> Result<(), CurriculumError> {
        let check = CurriculumError::check;
        let positive = |value: f64| value > 0.0 && value.is_finite();
        let requirement = "positive and finite";
        check(positive(self.weight), "weight", self.weight, requirement)?;
        check(positive(self.cost), "cost", self.cost, requirement)?;
        let LearningCurve {
            asymptote,
            scale,
            exponent,
        } = self.curve;
        check(asymptote.is_finite(), "asymptote", asymptote, "finite")?;
        check(positive(scale), "scale", scale, requirement)?;
        check(positive(exponent), "exponent", exponent, requirement)?;
        let possible = self.floor >= 0.0 && self.floor.is_finite();
        check(possible, "floor", self.floor, "at least 0 and finite")
    }

    /// What one more sample gains per cost: w b p n^(−p−1)/c.
    pub fn marginal_gain_per_cost(&self, samples: f64) -> f64 {
        self.weight * self.curve.marginal_gain(samples) / self.cost
    }

    /// The number of samples at which the marginal gain per cost is `multiplier`, or the floor.
    fn samples(&self, multiplier: f64) -> f64 {
        let power = (self.curve.exponent + 1.0).recip();
        let gain = self.marginal_gain_per_cost(1.0);
        (gain / multiplier).powf(power).max(self.floor)
    }
}
