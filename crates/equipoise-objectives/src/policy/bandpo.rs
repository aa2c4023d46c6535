//! Bounds on the ratio that know how probable the token was.

use super::{PpoClip, each_token};
use crate::options::{Range, checked};
use crate::{Clip, Entry, Error, Options, PolicyObjective, Term, TokenLoss, TokenTerms};

/// The divergence whose ball around the older policy gives the bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// The total variation.
    TotalVariation,
    /// Pearson's χ² divergence.
    ChiSquared,
    /// KL(π_old ‖ π_θ).
    Kl,
}

/// BandPO (arXiv:2603.04918): PPO's clip, with the bounds that a divergence of at most δ leaves to a token of
/// the probability p that it had. A fixed bound on the ratio hardly lets rare tokens grow, because a large
/// ratio is a small change there, and lets probable ones fall far.
///
/// ```text
///                 bounds on r = π_θ / π_old, within 0 … 1/p
/// bandpo_tv       1 ± δ / p
/// bandpo_chi2     1 ± √(δ (1 − p) / p)
/// bandpo_kl       the two r with p log(1/r) + (1 − p) log((1 − p) / (1 − r p)) = δ
/// ```
///
/// The lower bound is at most 1 − `epsilon_low` and the upper one at least 1 + `epsilon_high`, and at most
/// `max_weight`. The authors' code relaxes in this way to 0.2 and 0.28 unless told not to; here nothing is
/// relaxed unless asked for. It replaces the bounds by their limits for p beyond 10⁻⁶ of 0 and 1, where the
/// formulas here go on. The bounds of bandpo_kl are only solved for where the ratio is outside them.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::{Band, BandPo}};
///
/// let objective = BandPo::new(Band::TotalVariation);
/// let mut out = TokenLoss::new();
/// // p = 0.01: the bound is 1 + 0.05 / 0.01 = 6. p = 0.5: it is 1.1.
/// let old = [0.01_f64.ln(), 0.5_f64.ln()];
/// let new = [old[0] + 5.0_f64.ln(), old[1] + 1.2_f64.ln()];
/// objective.evaluate(&TokenTerms::new(&new, &old, 1.0)?, &mut out);
/// assert_eq!(out.clip, [Clip::None, Clip::High]);
/// assert!((out.loss[0] + 5.0).abs() < 1e-12 && (out.loss[1] + 1.1).abs() < 1e-12);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BandPo {
    /// The divergence.
    pub band: Band,
    /// δ, at least 0; the total variation is a probability, the KL divergence is in nats.
    pub radius: f64,
    /// The lower bound is at most 1 − this; 0 for no such relaxation.
    pub epsilon_low: f64,
    /// The upper bound is at least 1 + this; 0 for no such relaxation.
    pub epsilon_high: f64,
    /// The upper bound is at most this, however rare the token; greater than 1.
    pub max_weight: f64,
}

impl BandPo {
    /// With the authors' radius of 0.05 and upper limit of 100, and no relaxation.
    pub fn new(band: Band) -> Self {
        Self {
            band,
            radius: 0.05,
            epsilon_low: 0.0,
            epsilon_high: 0.0,
            max_weight: 100.0,
        }
    }

    const OPTIONS: &'static [&'static str] =
        &["radius", "epsilon_low", "epsilon_high", "max_weight"];

    /// How the catalogue builds the objective with the total variation.
    pub const TOTAL_VARIATION: Entry = Entry {
        name: "bandpo_tv",
        formula: "−min(r A, clip(r, 1 − δ/p, 1 + δ/p) A), p the older probability",
        options: Self::OPTIONS,
        build: |options| Self::build(Band::TotalVariation, options),
    };

    /// How the catalogue builds the objective with the χ² divergence.
    pub const CHI_SQUARED: Entry = Entry {
        name: "bandpo_chi2",
        formula: "−min(r A, clip(r, 1 ∓ √(δ (1 − p) / p)) A), p the older probability",
        options: Self::OPTIONS,
        build: |options| Self::build(Band::ChiSquared, options),
    };

    /// How the catalogue builds the objective with the KL divergence.
    pub const KL: Entry = Entry {
        name: "bandpo_kl",
        formula: "−min(r A, clip(r, low(p), high(p)) A) with binary divergence δ at the bounds",
        options: Self::OPTIONS,
        build: |options| Self::build(Band::Kl, options),
    };

    fn build(band: Band, options: &Options) -> Result<Box<dyn PolicyObjective>, Error> {
        let default = Self::new(band);
        let number = |option, given, default, range| {
            checked(default_name(band), option, given, default, range)
        };
        let [low, high] = [options.epsilon_low, options.epsilon_high];
        let cap = options.max_weight;
        Ok(Box::new(Self {
            radius: number("radius", options.radius, default.radius, Range::NotNegative)?,
            epsilon_low: number("epsilon_low", low, 0.0, Range::NotNegative)?,
            epsilon_high: number("epsilon_high", high, 0.0, Range::NotNegative)?,
            max_weight: number("max_weight", cap, default.max_weight, Range::AboveOne)?,
            band,
        }))
    }

    /// The bounds for a token whose older log-probability was `old`.
    ///
    /// ```
    /// use equipoise_objectives::policy::{Band, BandPo};
    ///
    /// let (low, high) = BandPo::new(Band::ChiSquared).bounds(0.2_f64.ln());
    /// // √(0.05 · 0.8 / 0.2) = 0.4472.
    /// assert!((low - 0.552786).abs() < 1e-6 && (high - 1.447214).abs() < 1e-6);
    /// ```
    pub fn bounds(&self, old: f64) -> (f64, f64) {
        // Rarer than e^−700 is as good as never.
        let old = old.clamp(-700.0, 0.0);
        let (p, rest) = (old.exp(), -old.exp_m1());
        let (low, high) = match self.band {
            Band::TotalVariation => (1.0 - self.radius / p, 1.0 + self.radius / p),
            Band::ChiSquared => {
                let width = (self.radius * rest / p).sqrt();
                (1.0 - width, 1.0 + width)
            }
            Band::Kl => self.kl_bounds(old, p, rest),
        };
        let high = high.min(1.0 / p);
        self.relaxed(low, high)
    }

    fn relaxed(&self, low: f64, high: f64) -> (f64, f64) {
        let low = low.min(1.0 - self.epsilon_low).max(0.0);
        let high = high.max(1.0 + self.epsilon_high).min(self.max_weight);
        (low, high)
    }

    /// By bisection of the logarithm of the ratio, in which the divergence rises on either side of 0.
    fn kl_bounds(&self, old: f64, p: f64, rest: f64) -> (f64, f64) {
        let solve = |mut inside: f64, mut outside: f64| {
            if binary_divergence(outside, old, p, rest) <= self.radius {
                return outside;
            }
            for _ in 0..64 {
                let middle = 0.5 * (inside + outside);
                match binary_divergence(middle, old, p, rest) <= self.radius {
                    true => inside = middle,
                    false => outside = middle,
                }
            }
            inside
        };
        // Below, p log(1/r) alone reaches the radius at −radius/p − 1, for the rest is at least −p.
        let lowest = (-self.radius / p - 1.0).max(-700.0);
        (solve(0.0, lowest).exp(), solve(0.0, -old).exp())
    }

    fn term(&self, logprob: f64, old: f64, advantage: f64) -> (Term, Clip) {
        let log_ratio = logprob - old;
        // Whether the ratio is outside is cheaper to say than where the bounds are.
        let cheap = self.band == Band::Kl && log_ratio.is_finite() && {
            let old = old.clamp(-700.0, 0.0);
            let (p, rest) = (old.exp(), -old.exp_m1());
            let within = log_ratio <= (-old).min(self.max_weight.ln());
            within && binary_divergence(log_ratio, old, p, rest) <= self.radius
        };
        let (low, high) = match cheap {
            true => (0.0, f64::INFINITY),
            false => self.bounds(old),
        };
        let clip = PpoClip {
            epsilon_low: 1.0 - low,
            epsilon_high: high - 1.0,
            dual_clip: None,
            delta: None,
        };
        clip.term(log_ratio, advantage)
    }
}

/// KL(old ‖ new) of "this token or another", with p the older probability of the token and r p the newer.
fn binary_divergence(log_ratio: f64, old: f64, p: f64, rest: f64) -> f64 {
    let newer = (old + log_ratio).min(0.0);
    let newer_rest = -newer.exp_m1();
    let others = match rest {
        0.0 => 0.0,
        _ => rest * (rest.ln() - newer_rest.ln()),
    };
    others - p * log_ratio
}

fn default_name(band: Band) -> &'static str {
    match band {
        Band::TotalVariation => "bandpo_tv",
        Band::ChiSquared => "bandpo_chi2",
        Band::Kl => "bandpo_kl",
    }
}

impl PolicyObjective for BandPo {
    fn name(&self) -> &'static str {
        default_name(self.band)
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            self.term(logprob, old, advantage)
        });
    }
}
