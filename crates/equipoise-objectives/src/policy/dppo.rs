//! Masks by the divergence of the policies instead of clips on their ratio.

use super::{clamped_log_ratio, each_token, weighted_log};
use crate::numeric::log1mexp;
use crate::options::{Range, checked};
use crate::{Clip, Entry, Error, Options, PolicyObjective, Term, TokenLoss, TokenTerms};

/// What the two forms share: the cap on the weight, and which divergence is too large.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Bounds {
    low: f64,
    high: f64,
    max_weight: f64,
}

impl Bounds {
    fn build(objective: &'static str, options: &Options, default: f64) -> Result<Self, Error> {
        let bound = |option, given| checked(objective, option, given, default, Range::NotNegative);
        let cap = options.max_weight;
        Ok(Self {
            low: bound("delta_low", options.delta_low)?,
            high: bound("delta_high", options.delta_high)?,
            max_weight: checked(objective, "max_weight", cap, 20.0, Range::Positive)?,
        })
    }
}

/// −sg(min(r, cap)) A log π, or nothing if the token is dropped.
fn masked(logprob: f64, old: f64, advantage: f64, cap: f64, drop: Option<Clip>) -> (Term, Clip) {
    match drop {
        Some(clip) => (Term::default(), clip),
        None => {
            let ratio = clamped_log_ratio(logprob, old).exp();
            let weight = if ratio > cap { cap } else { ratio };
            let clip = match ratio > cap {
                true => Clip::Weight,
                false => Clip::None,
            };
            (weighted_log(weight, advantage, logprob), clip)
        }
    }
}

/// Divergence PPO with the total variation (arXiv:2602.04879): a token is dropped once its probability has
/// moved far in the direction of its advantage. A ratio says little about rare tokens, which a small change
/// multiplies; the difference of probabilities does not.
///
/// ```text
/// dropped   A > 0 and π_θ,t − π_old,t > δ_high          A ≤ 0 and π_old,t − π_θ,t > δ_low
/// ℓ_t = −sg(min(r_t, c)) A log π_θ,t                    of the others
/// ```
///
/// with c = 20. verl's `dppo_tv`, under whose names δ_low and δ_high are `clip_ratio_low` and
/// `clip_ratio_high`, and c is `clip_ratio_c`. The 20 that its code falls back on is never reached: its
/// configuration always holds 3, so set `max_weight` to 3 for what verl does by default.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::DppoTv};
///
/// let mut out = TokenLoss::new();
/// // From 1/4 to 1/2, and from 1/1000 to 1/100: the second has grown tenfold and is kept.
/// let new = [0.5_f64.ln(), 0.01_f64.ln()];
/// let old = [0.25_f64.ln(), 0.001_f64.ln()];
/// DppoTv::default().evaluate(&TokenTerms::new(&new, &old, 1.0)?, &mut out);
/// assert_eq!(out.clip, [Clip::High, Clip::None]);
/// assert!((out.gradient[1] + 10.0).abs() < 1e-12);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DppoTv {
    /// δ_low, at least 0.
    pub delta_low: f64,
    /// δ_high, at least 0.
    pub delta_high: f64,
    /// c, the largest weight.
    pub max_weight: f64,
}

impl Default for DppoTv {
    fn default() -> Self {
        Self {
            delta_low: 0.2,
            delta_high: 0.2,
            max_weight: 20.0,
        }
    }
}

impl DppoTv {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "dppo_tv",
        formula: "−sg(min(r, c)) A log π, dropped where π has moved by more than δ",
        options: &["delta_low", "delta_high", "max_weight"],
        build: |options| {
            let bounds = Bounds::build("dppo_tv", options, 0.2)?;
            Ok(Box::new(Self {
                delta_low: bounds.low,
                delta_high: bounds.high,
                max_weight: bounds.max_weight,
            }))
        },
    };
}

impl PolicyObjective for DppoTv {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            let moved = logprob.exp() - old.exp();
            let drop = if advantage > 0.0 && moved > self.delta_high {
                Some(Clip::High)
            } else if advantage <= 0.0 && moved < -self.delta_low {
                Some(Clip::Low)
            } else {
                None
            };
            masked(logprob, old, advantage, self.max_weight, drop)
        });
    }
}

/// Divergence PPO with the binary KL divergence (arXiv:2602.04879): as [`DppoTv`], where the divergence is
/// that of "this token or another".
///
/// ```text
/// D_t = π_old log(π_old / π_θ) + (1 − π_old) log((1 − π_old) / (1 − π_θ))
/// dropped   A > 0, π_θ,t > π_old,t and D_t > δ_high     A ≤ 0, π_θ,t < π_old,t and D_t > δ_low
/// ```
///
/// By default δ is 0.05 on both sides; verl's configuration has its general 0.2 here, too, unless told
/// otherwise. Its `dppo_kl` adds 10⁻⁸ to the two probabilities of another token; here they are computed without
/// cancellation, and where one of them is 0 the divergence is infinite, as it should be.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::DppoKl};
///
/// let mut out = TokenLoss::new();
/// // From 1/4 to 1/2: D = ¼ ln ½ + ¾ ln 3/2 = 0.131.
/// let (new, old) = ([0.5_f64.ln()], [0.25_f64.ln()]);
/// DppoKl::default().evaluate(&TokenTerms::new(&new, &old, 1.0)?, &mut out);
/// assert_eq!(out.clip, [Clip::High]);
/// DppoKl::default().evaluate(&TokenTerms::new(&new, &old, -1.0)?, &mut out);
/// assert_eq!(out.clip, [Clip::None]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DppoKl {
    /// δ_low, in nats, at least 0.
    pub delta_low: f64,
    /// δ_high, in nats, at least 0.
    pub delta_high: f64,
    /// c, the largest weight.
    pub max_weight: f64,
}

impl Default for DppoKl {
    fn default() -> Self {
        Self {
            delta_low: 0.05,
            delta_high: 0.05,
            max_weight: 20.0,
        }
    }
}

impl DppoKl {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "dppo_kl",
        formula: "−sg(min(r, c)) A log π, dropped where the binary divergence exceeds δ",
        options: &["delta_low", "delta_high", "max_weight"],
        build: |options| {
            let bounds = Bounds::build("dppo_kl", options, 0.05)?;
            Ok(Box::new(Self {
                delta_low: bounds.low,
                delta_high: bounds.high,
                max_weight: bounds.max_weight,
            }))
        },
    };
}

/// KL(old ‖ new) of "this token or another", in nats; a log-probability above 0 counts as 0.
fn binary_divergence(logprob: f64, old: f64) -> f64 {
    let (logprob, old) = (logprob.min(0.0), old.min(0.0));
    let probability = old.exp();
    let rest = -old.exp_m1();
    let this = match probability {
        0.0 => 0.0,
        _ => probability * (old - logprob),
    };
    let others = match rest {
        0.0 => 0.0,
        _ => rest * (log1mexp(old) - log1mexp(logprob)),
    };
    this + others
}

impl PolicyObjective for DppoKl {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            let (risen, fallen) = (logprob > old, logprob < old);
            let drop = if advantage > 0.0 && risen {
                (binary_divergence(logprob, old) > self.delta_high).then_some(Clip::High)
            } else if advantage <= 0.0 && fallen {
                (binary_divergence(logprob, old) > self.delta_low).then_some(Clip::Low)
            } else {
                None
            };
            masked(logprob, old, advantage, self.max_weight, drop)
        });
    }
}
