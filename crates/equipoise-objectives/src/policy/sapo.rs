//! A soft gate in place of a clip.

use super::{LARGEST_LOG_RATIO, clamped_log_ratio, each_token};
use crate::options::{Range, checked};
use crate::{Clip, Entry, PolicyObjective, Term, TokenLoss, TokenTerms};

/// Soft adaptive policy optimisation (arXiv:2511.20347): a sigmoid of the ratio, whose slope is 1 where the
/// policies agree and falls to nothing away from there.
///
/// ```text
/// ℓ_t = −A (4/τ) σ(τ (r_t − 1))          τ = τ_positive if A > 0, else τ_negative
/// dℓ_t / d log π_θ,t = −4 A σ(x) (1 − σ(x)) r_t          x = τ (r_t − 1)
/// ```
///
/// No token's gradient is cut off at a border. A larger τ for negative advantages lets their gradient
/// fade sooner. TRL and verl agree; verl aggregates it by the sequence mean whatever is asked for.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::Sapo};
///
/// let mut out = TokenLoss::new();
/// // r = 1: the sigmoid is ½, the loss −2/τ, and the gradient that of the policy gradient, −A.
/// Sapo::default().evaluate(&TokenTerms::new(&[-1.0], &[-1.0], 1.0)?, &mut out);
/// assert_eq!((out.loss[0], out.gradient[0]), (-2.0, -1.0));
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sapo {
    /// τ for positive advantages, greater than 0.
    pub tau_positive: f64,
    /// τ for the others, greater than 0.
    pub tau_negative: f64,
}

impl Default for Sapo {
    fn default() -> Self {
        Self {
            tau_positive: 1.0,
            tau_negative: 1.05,
        }
    }
}

impl Sapo {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "sapo",
        formula: "−A (4/τ) σ(τ (r − 1))",
        options: &["tau_positive", "tau_negative"],
        build: |options| {
            let tau =
                |option, given, default| checked("sapo", option, given, default, Range::Positive);
            Ok(Box::new(Self {
                tau_positive: tau("tau_positive", options.tau_positive, 1.0)?,
                tau_negative: tau("tau_negative", options.tau_negative, 1.05)?,
            }))
        },
    };
}

impl PolicyObjective for Sapo {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            let ratio = clamped_log_ratio(logprob, old).exp();
            let tau = match advantage > 0.0 {
                true => self.tau_positive,
                false => self.tau_negative,
            };
            // σ(|x|) and 1 − σ(|x|) from one exponential, neither by a difference that cancels.
            let x = tau * (ratio - 1.0);
            let tail = (-x.abs()).exp();
            let (larger, smaller) = (1.0 / (1.0 + tail), tail / (1.0 + tail));
            let gate = if x < 0.0 { smaller } else { larger };
            let saturated = (logprob - old).abs() > LARGEST_LOG_RATIO && advantage != 0.0;
            let slope = if saturated {
                0.0
            } else {
                4.0 * larger * smaller * ratio
            };
            let term = Term {
                value: -(advantage * (4.0 / tau * gate)),
                derivative: -(advantage * slope),
            };
            let clip = if saturated {
                Clip::Saturated
            } else {
                Clip::None
            };
            (term, clip)
        });
    }
}
