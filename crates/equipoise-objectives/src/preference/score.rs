//! Reference treatment: from a completion's sums to the score that margins are made of.

use super::{Error, SequenceStats};
use crate::numeric::{exp_cut, log_sigmoid, log1mexp, sigmoid};
use std::f64::consts::LN_2;

/// The f-divergence whose generator's derivative f′(t) at t = e^h becomes the score (arXiv:2309.16240).
///
/// ```text
/// ReverseKl      h                               derivative 1
/// ForwardKl      1 − e^(−h)                      e^(−h)
/// JensenShannon  ln 2 + ln σ(h)                  σ(−h)
/// Alpha(a)       (e^((a−1)h) − 1) / (a − 1)      e^((a−1)h)      at a = 1: h
/// ```
///
/// Exponents are cut off at 80, and the score is constant beyond. TRL 1.16 does so for the
/// α-divergence only (its forward KL overflows), and its α-divergence refuses float64.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Divergence {
    /// Reverse KL, plain DPO.
    #[default]
    ReverseKl,
    /// Forward KL.
    ForwardKl,
    /// Jensen-Shannon.
    JensenShannon,
    /// The α-divergence, with its α.
    Alpha(f64),
}

impl Divergence {
    /// The score at a log-ratio and its derivative.
    ///
    /// ```
    /// use equipoise_objectives::preference::Divergence;
    ///
    /// assert_eq!(Divergence::ReverseKl.evaluate(3.0), (3.0, 1.0));
    /// assert_eq!(Divergence::ForwardKl.evaluate(0.0), (0.0, 1.0));
    /// assert_eq!(Divergence::JensenShannon.evaluate(0.0), (0.0, 0.5));
    /// assert_eq!(Divergence::Alpha(2.0).evaluate(0.0), (0.0, 1.0));
    /// ```
    #[must_use]
    pub fn evaluate(self, h: f64) -> (f64, f64) {
        match self {
            Self::ReverseKl => (h, 1.0),
            Self::ForwardKl => {
                let (e, slope) = exp_cut(-h);
                (
                    if slope == 0.0 {
                        1.0 - e
                    } else {
                        -(-h).exp_m1()
                    },
                    slope,
                )
            }
            Self::JensenShannon => (LN_2 + log_sigmoid(h), sigmoid(-h)),
            // TRL's border of the limiting case.
            Self::Alpha(a) if (a - 1.0).abs() < 1e-6 => (h, 1.0),
            Self::Alpha(a) => {
                let k = a - 1.0;
                let (e, slope) = exp_cut(k * h);
                let numerator = if slope == 0.0 {
                    e - 1.0
                } else {
                    (k * h).exp_m1()
                };
                (numerator / k, slope)
            }
        }
    }
}

/// Whether a completion's score is a sum over its tokens or a mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Length {
    /// The sum.
    #[default]
    Sum,
    /// The sum divided by the number of tokens (by 1 if there are none).
    TokenMean,
}

/// What is made of a reference-free score (after its length was taken out).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Transform {
    /// Nothing.
    #[default]
    Identity,
    /// AlphaPO's reward (arXiv:2501.03884): (1 − p^(−α)) / α at p = eˣ; at α = 0 it is x.
    AlphaPo(f64),
    /// ORPO's log-odds (arXiv:2403.07691): ln(p / (1 − p)) at p = eˣ.
    LogOdds,
}

/// The largest log-probability of which log-odds are taken; that of 1 would be infinite.
const LARGEST_LOGPROB: f64 = -f64::EPSILON / 2.0;

impl Transform {
    /// The transformed score and its derivative.
    ///
    /// ```text
    /// AlphaPo(α)   (1 − e^(−αx)) / α      e^(−αx)          exponent cut off at 80
    /// LogOdds      x − ln(1 − e^x)        1 / (1 − e^x)    constant above −2⁻⁵³
    /// ```
    ///
    /// TRL exponentiates x before it takes the power, which underflows below −745; and its log-odds
    /// are taken in float32.
    ///
    /// ```
    /// use equipoise_objectives::preference::Transform;
    ///
    /// let (odds, slope) = Transform::LogOdds.evaluate(0.5_f64.ln());
    /// assert!(odds.abs() < 1e-15 && (slope - 2.0).abs() < 1e-15);
    /// assert_eq!(Transform::AlphaPo(0.0).evaluate(-2.0), (-2.0, 1.0));
    /// ```
    #[must_use]
    pub fn evaluate(self, x: f64) -> (f64, f64) {
        match self {
            Self::Identity => (x, 1.0),
            // Below it the quotient would be less exact than the limit.
            Self::AlphaPo(alpha) if alpha.abs() < 1e-12 => (x, 1.0),
            Self::AlphaPo(alpha) => {
                let (e, slope) = exp_cut(-alpha * x);
                let numerator = if slope == 0.0 {
                    1.0 - e
                } else {
                    -(-alpha * x).exp_m1()
                };
                (numerator / alpha, slope)
            }
            Self::LogOdds if x > LARGEST_LOGPROB => {
                (LARGEST_LOGPROB - log1mexp(LARGEST_LOGPROB), 0.0)
            }
            Self::LogOdds => (x - log1mexp(x), -1.0 / x.exp_m1()),
        }
    }
}

/// How a completion's sums become its score.
///
/// ```text
/// P = head + λ tail of log π_θ,   R = head + λ tail of log π_ref      λ = `ld_alpha`
/// h = P − γ R                                                         γ = `reference_scale`
/// s = transform(divergence(h) / T)                                    T = 1 or the number of tokens
/// ```
///
/// λ = 1 is DPO; below 1, the tokens past the shared length weigh less (LD-DPO, arXiv:2409.06411).
/// γ = 1 is DPO, γ = 0 needs no reference, between them lies the L^γ_DPO of arXiv:2405.19534, Eq. 4.
/// A reference that follows the policy (TR-DPO, arXiv:2404.09656: π_ref ← α π_θ + (1 − α) π_ref,
/// α = 0.6 every 512 steps in TRL) changes which numbers are given, not this formula.
///
/// ```
/// use equipoise_objectives::preference::{Score, SequenceStats};
///
/// // log π is −3 and log π_ref −4, in sum: h = 1, and its derivative is 1.
/// let stats = SequenceStats::new(&[-1.0, -2.0], Some(&[-1.5, -2.5]), 0)?;
/// assert_eq!(Score::default().evaluate(&stats)?, (1.0, 1.0));
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// γ, at least 0; 1 by default.
    pub reference_scale: f64,
    /// λ between 0 and 1; 1 by default.
    pub ld_alpha: f64,
    /// The f-divergence; reverse KL by default.
    pub divergence: Divergence,
    /// Sum or mean; the sum by default.
    pub length: Length,
    /// What is made of the result; nothing by default.
    pub transform: Transform,
}

impl Default for Score {
    fn default() -> Self {
        Self {
            reference_scale: 1.0,
            ld_alpha: 1.0,
            divergence: Divergence::ReverseKl,
            length: Length::Sum,
            transform: Transform::Identity,
        }
    }
}

impl Score {
    /// A score that looks at the policy alone.
    pub const REFERENCE_FREE: Self = Self {
        reference_scale: 0.0,
        ld_alpha: 1.0,
        divergence: Divergence::ReverseKl,
        length: Length::Sum,
        transform: Transform::Identity,
    };

    /// Whether reference log-probabilities are needed.
    #[must_use]
    pub fn needs_reference(&self) -> bool {
        self.reference_scale != 0.0
    }

    /// P and γ R of the completion.
    pub(super) fn parts(&self, stats: &SequenceStats) -> Result<[f64; 2], Error> {
        let total = |head: f64, tail: f64| head + self.ld_alpha * tail;
        let policy = total(stats.head, stats.tail);
        if !self.needs_reference() {
            return Ok([policy, 0.0]);
        }
        let [head, tail] = stats.reference.ok_or(Error::MissingReference)?;
        Ok([policy, self.reference_scale * total(head, tail)])
    }

    /// The score and its derivative by each log-probability of the completion's head; by those of
    /// its tail it is `ld_alpha` times that.
    ///
    /// ```
    /// use equipoise_objectives::preference::{Length, Score, SequenceStats};
    ///
    /// let stats = SequenceStats::new(&[-1.0, -2.0], Some(&[-2.0, -4.0]), 2)?;
    /// assert_eq!(Score::default().evaluate(&stats)?, (3.0, 1.0));
    /// let mean = Score { length: Length::TokenMean, ..Score::default() };
    /// assert_eq!(mean.evaluate(&stats)?, (1.5, 0.5));
    /// assert_eq!(Score::REFERENCE_FREE.evaluate(&stats)?, (-3.0, 1.0));
    /// # Ok::<(), equipoise_objectives::preference::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::MissingReference`].
    pub fn evaluate(&self, stats: &SequenceStats) -> Result<(f64, f64), Error> {
        let [policy, reference] = self.parts(stats)?;
        let (value, slope) = self.divergence.evaluate(policy - reference);
        let tokens = match self.length {
            Length::Sum => 1.0,
            Length::TokenMean => stats.tokens.max(1) as f64,
        };
        let (score, outer) = self.transform.evaluate(value / tokens);
        Ok((score, outer * (slope / tokens)))
    }
}
