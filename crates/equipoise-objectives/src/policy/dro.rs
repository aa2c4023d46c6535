//! A quadratic penalty on the log-ratio.

use super::{bounded, each_token};
use crate::options::{Range, checked};
use crate::{Clip, Entry, PolicyObjective, Term, TokenLoss, TokenTerms};

/// Log-ratios are cut off here, far beyond any log-probability, so that no square overflows.
const LARGEST: f64 = 1e150;

/// Direct reward optimisation (arXiv:2405.19107), which Kimi k1.5 uses in this form (arXiv:2501.12599): the
/// policy gradient with a quadratic pull towards the policy that sampled.
///
/// ```text
/// ℓ_t = −(A log π_θ,t − (β/2) (log π_θ,t − log π_old,t)²)
/// dℓ_t / d log π_θ,t = −A + β (log π_θ,t − log π_old,t)
/// ```
///
/// verl's `dro`, whose `dro_beta` has no default.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::Dro};
///
/// let mut out = TokenLoss::new();
/// Dro { beta: 0.5 }.evaluate(&TokenTerms::new(&[-1.0], &[-3.0], 2.0)?, &mut out);
/// assert_eq!((out.loss[0], out.gradient[0]), (2.0 + 0.25 * 4.0, -2.0 + 0.5 * 2.0));
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dro {
    /// β, at least 0; 0 is [`PolicyGradient`](super::PolicyGradient).
    pub beta: f64,
}

impl Dro {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "dro",
        formula: "−(A log π − (β/2) (log r)²)",
        options: &["beta"],
        build: |options| {
            let beta = checked("dro", "beta", options.beta, 0.1, Range::NotNegative)?;
            Ok(Box::new(Self { beta }))
        },
    };
}

impl PolicyObjective for Dro {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            let log_ratio = (logprob - old).clamp(-LARGEST, LARGEST);
            let gain = match advantage == 0.0 && !logprob.is_nan() {
                true => 0.0,
                false => bounded(advantage * logprob),
            };
            let penalty = 0.5 * self.beta * log_ratio * log_ratio;
            let term = Term {
                value: bounded(penalty - gain),
                derivative: self.beta * log_ratio - advantage,
            };
            (term, Clip::None)
        });
    }
}
