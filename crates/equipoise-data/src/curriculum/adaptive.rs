//! A budget spent round by round, with learning curves fitted on the way.

use serde::{Deserialize, Serialize};

use super::{BudgetDomain, CurriculumError, Observation, fit_learning_curve};

/// The settings of an [`AdaptiveSampler`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveSettings {
    /// What the loss of each domain counts for; positive.
    pub weights: Vec<f64>,
    /// What a sample of each domain costs, in any unit; positive.
    pub costs: Vec<f64>,
    /// The smallest share of all samples that every domain keeps getting, so that its curve stays
    /// known; at least 0, and for all domains together at most 1.
    pub exploration: f64,
}

/// Why a domain is next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Its loss was measured at fewer than three different numbers of samples, too few for a curve.
    Unknown,
    /// Its share of the samples is below the exploration floor, or no curve promises a gain and it
    /// has the fewest.
    Exploration,
    /// Its marginal gain per cost is the largest.
    Gain,
}

/// The next domain to buy samples of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purchase {
    /// The domain, counted from 0.
    pub domain: usize,
    /// Why.
    pub reason: Reason,
    /// The estimated gain per cost of one more sample; `None` if there is no curve yet.
    pub gain: Option<f64>,
}

/// Adaptive sampling (arXiv:2202.01327): buy a batch where it is estimated to gain most per cost,
/// measure, fit again.
///
/// The gain is w b p n^(−p−1)/c with the curve that [`fit_learning_curve`] finds in what was measured
/// and the n samples the domain has. If losses really follow such curves, and the exploration floor
/// does not bind, the samples end up divided as [`allocate`](super::allocate) divides them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdaptiveSampler {
    settings: AdaptiveSettings,
    domains: Vec<Progress>,
}

/// What is known of one domain.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    samples: u64,
    seen: Vec<Observation>,
}

/// How many different numbers of samples a curve needs.
const NEEDED: usize = 3;

impl AdaptiveSampler {
    /// A sampler that has bought nothing.
    ///
    /// # Errors
    /// [`CurriculumError`] for lists of different length or without a domain, and for numbers outside
    /// their ranges.
    pub fn new(settings: AdaptiveSettings) -> Result<Self, CurriculumError> {
        let (weights, costs) = (&settings.weights, &settings.costs);
        let count = weights.len();
        if count != costs.len() {
            return Err(CurriculumError::LengthMismatch {
                what: "weights",
                expected: count,
                other: "costs",
                found: costs.len(),
            });
        }
        if count == 0 {
            return Err(CurriculumError::TooFew {
                what: "domains",
                found: 0,
                needed: 1,
            });
        }
        for (setting, values) in [("weights", weights), ("costs", costs)] {
            for &value in values {
                let possible = value > 0.0 && value.is_finite();
                CurriculumError::check(possible, setting, value, "positive and finite")?;
            }
        }
        let exploration = settings.exploration;
        let possible = exploration >= 0.0 && exploration * count as f64 <= 1.0;
        let requirement = "at least 0, and for all domains together at most 1";
        CurriculumError::check(possible, "exploration", exploration, requirement)?;
        Ok(Self {
            domains: vec![Progress::default(); count],
            settings,
        })
    }

    /// How many samples of each domain were bought.
    pub fn samples(&self) -> Vec<u64> {
        self.domains.iter().map(|domain| domain.samples).collect()
    }

    /// Notes that `samples` more of a domain were used and that its loss is now `loss`.
    ///
    /// # Errors
    /// [`CurriculumError::OutOfRange`] for a domain that does not exist, and
    /// [`CurriculumError::InvalidSetting`] for a loss that is not finite or a batch of 0.
    pub fn record(
        &mut self,
        domain: usize,
        samples: u64,
        loss: f64,
    ) -> Result<(), CurriculumError> {
        let count = self.domains.len();
        let Some(progress) = self.domains.get_mut(domain) else {
            return Err(CurriculumError::OutOfRange {
                what: "domain",
                index: domain,
                count,
            });
        };
        CurriculumError::check(loss.is_finite(), "loss", loss, "finite")?;
        CurriculumError::check(samples > 0, "samples", samples as f64, "at least 1")?;
        progress.samples = progress.samples.saturating_add(samples);
        progress.seen.push(Observation {
            samples: progress.samples as f64,
            loss,
        });
        Ok(())
    }

    /// The estimated gain per cost of one more sample of a domain; `None` while its curve is unknown.
    pub fn gain(&self, domain: usize) -> Option<f64> {
        let progress = self.domains.get(domain)?;
        let fit = fit_learning_curve(&progress.seen).ok()?;
        let domain = BudgetDomain {
            weight: *self.settings.weights.get(domain)?,
            cost: *self.settings.costs.get(domain)?,
            curve: fit.curve,
            floor: 0.0,
        };
        Some(domain.marginal_gain_per_cost(progress.samples as f64))
    }

    /// The domain to buy samples of now: first every one whose curve is not known yet, the one with
    /// the fewest measurements first; then the one farthest below the exploration floor; then the one
    /// with the largest gain, or, if there is no gain anywhere, the one with the fewest samples. Of
    /// equals the first.
    pub fn next(&self) -> Purchase {
        let fewest = (0..self.domains.len()).min_by_key(|&at| (self.domains[at].seen.len(), at));
        if let Some(domain) = fewest
            && self.domains[domain].seen.len() < NEEDED
        {
            return Purchase {
                domain,
                reason: Reason::Unknown,
                gain: None,
            };
        }
        let gains: Vec<f64> = (0..self.domains.len())
            .map(|domain| self.gain(domain).unwrap_or(0.0))
            .collect();
        let purchase = |domain: usize, reason| Purchase {
            domain,
            reason,
            gain: Some(gains[domain]),
        };
        let total: u64 = self.domains.iter().map(|domain| domain.samples).sum();
        let least = (0..self.domains.len()).min_by_key(|&at| (self.domains[at].samples, at));
        let least = least.unwrap_or(0);
        let best = (0..gains.len()).fold(0, |best, domain| {
            if gains[domain] > gains[best] {
                domain
            } else {
                best
            }
        });
        let share = self.domains[least].samples as f64;
        if share < self.settings.exploration * total as f64 || gains[best] <= 0.0 {
            purchase(least, Reason::Exploration)
        } else {
            purchase(best, Reason::Gain)
        }
    }
}
