//! The policy gradient with a ratio for a weight, held constant: CISPO, AIPO, TOPR.

use super::{clamped_log_ratio, each_token, weighted_log};
use crate::options::{Range, checked};
use crate::{Clip, Entry, Error, PolicyObjective, Term, TokenLoss, TokenTerms};

/// −sg(clip(r, low, high)) A log π.
fn clipped_weight(logprob: f64, old: f64, advantage: f64, low: f64, high: f64) -> (Term, Clip) {
    let ratio = clamped_log_ratio(logprob, old).exp();
    let weight = ratio.max(low).min(high);
    // `max` and `min` pass over a NaN, which is not to be hidden.
    let weight = if ratio.is_nan() { ratio } else { weight };
    let clip = match weight == ratio || ratio.is_nan() {
        true => Clip::None,
        false => Clip::Weight,
    };
    (weighted_log(weight, advantage, logprob), clip)
}

/// CISPO, of MiniMax-M1 (arXiv:2506.13585): the weight is clipped and no token loses its gradient.
///
/// ```text
/// ℓ_t = −sg(clip(r_t, low, high)) A log π_θ,t
/// dℓ_t / d log π_θ,t = −clip(r_t, low, high) A
/// ```
///
/// The bounds are absolute: `epsilon_low` and `epsilon_high` are the smallest and the largest weight.
/// Frameworks disagree about what these names mean. TRL clips at `epsilon_high` itself, which left at its
/// general default of 0.2 makes every weight at most 0.2; ScaleRL advises 5 (arXiv:2510.13786), the default
/// here. verl, slime and NeMo-RL clip at 1 − ε_low and 1 + ε_high: for verl's 0.2 say 0.8 and 1.2.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::Cispo};
///
/// let mut out = TokenLoss::new();
/// // Ratios e² = 7.4 and 1: the first weighs 5.
/// let terms = TokenTerms::new(&[-1.0, -0.5], &[-3.0, -0.5], 2.0)?;
/// Cispo::default().evaluate(&terms, &mut out);
/// assert_eq!(out.gradient, [-10.0, -2.0]);
/// assert_eq!(out.loss, [10.0, 1.0]);
/// assert_eq!(out.clip, [Clip::Weight, Clip::None]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cispo {
    /// The smallest weight, at least 0.
    pub epsilon_low: f64,
    /// The largest weight, at least the smallest.
    pub epsilon_high: f64,
}

impl Default for Cispo {
    fn default() -> Self {
        Self {
            epsilon_low: 0.0,
            epsilon_high: 5.0,
        }
    }
}

impl Cispo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "cispo",
        formula: "−sg(clip(r, ε_low, ε_high)) A log π, with absolute bounds",
        options: &["epsilon_low", "epsilon_high"],
        build: |options| {
            let bound = |option, given, default| {
                checked("cispo", option, given, default, Range::NotNegative)
            };
            let epsilon_low = bound("epsilon_low", options.epsilon_low, 0.0)?;
            let epsilon_high = bound("epsilon_high", options.epsilon_high, 5.0)?;
            match epsilon_low <= epsilon_high {
                true => Ok(Box::new(Self {
                    epsilon_low,
                    epsilon_high,
                })),
                false => Err(Error::InvalidOption {
                    objective: "cispo",
                    option: "epsilon_low",
                    value: epsilon_low.to_string(),
                    requirement: "at most epsilon_high",
                }),
            }
        },
    };
}

impl PolicyObjective for Cispo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            clipped_weight(logprob, old, advantage, self.epsilon_low, self.epsilon_high)
        });
    }
}

/// AIPO, of LlamaRL (arXiv:2505.24034): the policy gradient with the importance weight of the behaviour
/// policy, truncated from above.
///
/// ```text
/// ℓ_t = −sg(min(r_t, ρ)) A log π_θ,t
/// ```
///
/// `old_logprobs` are those of the policy that sampled. Also called truncated importance sampling of the
/// policy gradient; LlamaRL takes ρ from 2 to 10.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::Aipo};
///
/// let mut out = TokenLoss::new();
/// // Ratios e² and e^(−2): the first weighs 2, the second what it is.
/// let terms = TokenTerms::new(&[-1.0, -3.0], &[-3.0, -1.0], -1.0)?;
/// Aipo { max_weight: 2.0 }.evaluate(&terms, &mut out);
/// assert_eq!(out.gradient, [2.0, (-2.0_f64).exp()]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aipo {
    /// ρ, the largest weight; greater than 0.
    pub max_weight: f64,
}

impl Aipo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "aipo",
        formula: "−sg(min(r, ρ)) A log π",
        options: &["max_weight"],
        build: |options| {
            let given = options.max_weight;
            let max_weight = checked("aipo", "max_weight", given, 2.0, Range::Positive)?;
            Ok(Box::new(Self { max_weight }))
        },
    };
}

impl PolicyObjective for Aipo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            clipped_weight(logprob, old, advantage, 0.0, self.max_weight)
        });
    }
}

/// Tapered off-policy REINFORCE (arXiv:2503.14286): good responses are imitated whoever wrote them, bad
/// ones are unlearned only as far as the policy itself would write them.
///
/// ```text
/// ℓ_t = −A log π_θ,t                       A > 0
/// ℓ_t = −sg(min(r_t, c)) A log π_θ,t       otherwise, c = 1
/// ```
///
/// with the token's ratio, as Trinity-RFT and ROLL have it; the paper prints the ratio of the trajectory.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::Topr};
///
/// let (mut out, topr) = (TokenLoss::new(), Topr { max_weight: 1.0 });
/// let (new, old) = ([-1.0, -3.0], [-3.0, -1.0]);
/// topr.evaluate(&TokenTerms::new(&new, &old, 1.0)?, &mut out);
/// assert_eq!(out.gradient, [-1.0, -1.0]);
/// topr.evaluate(&TokenTerms::new(&new, &old, -1.0)?, &mut out);
/// assert_eq!(out.gradient, [1.0, (-2.0_f64).exp()]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Topr {
    /// c, the largest weight of a response that is not good; greater than 0, the paper's is 1.
    pub max_weight: f64,
}

impl Topr {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "topr",
        formula: "−A log π if A > 0, else −sg(min(r, 1)) A log π",
        options: &["max_weight"],
        build: |options| {
            let given = options.max_weight;
            let max_weight = checked("topr", "max_weight", given, 1.0, Range::Positive)?;
            Ok(Box::new(Self { max_weight }))
        },
    };
}

impl PolicyObjective for Topr {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            match advantage > 0.0 {
                true => (weighted_log(1.0, advantage, logprob), Clip::None),
                false => clipped_weight(logprob, old, advantage, 0.0, self.max_weight),
            }
        });
    }
}
