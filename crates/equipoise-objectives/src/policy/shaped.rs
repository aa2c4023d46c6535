//! Learning from responses that another model wrote.

use super::each_token;
use crate::options::{Range, checked};
use crate::{Clip, Entry, PolicyObjective, Term, TokenLoss, TokenTerms};

/// The shaped off-policy objective of AMPO (arXiv:2510.02227) and LUFFY (arXiv:2504.14945): an increasing
/// function of the policy's own probability, steep where the token is unlikely.
///
/// ```text
/// ℓ_t = −A f(π_θ,t)          f(p) = p / (p + γ)
/// dℓ_t / d log π_θ,t = −A γ p / (p + γ)²
/// ```
///
/// for responses that another model wrote and that were injected into a group. The probability of that
/// model is not used, as in the authors' code; the paper prints a ratio to it. γ is 0.1.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::ShapedOffPolicy};
///
/// let mut out = TokenLoss::new();
/// // f(0.1) = ½ and f(1) = 10/11.
/// let rows = [0.1_f64.ln(), 0.0];
/// ShapedOffPolicy { gamma: 0.1 }.evaluate(&TokenTerms::new(&rows, &rows, 1.0)?, &mut out);
/// assert!((out.loss[0] + 0.5).abs() < 1e-15 && (out.loss[1] + 10.0 / 11.0).abs() < 1e-15);
/// // γ p / (p + γ)² = ¼.
/// assert!((out.gradient[0] + 0.25).abs() < 1e-15);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShapedOffPolicy {
    /// γ, greater than 0: the probability whose shape is one half.
    pub gamma: f64,
}

impl ShapedOffPolicy {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "shaped_off_policy",
        formula: "−A π / (π + γ)",
        options: &["gamma"],
        build: |options| {
            let given = options.gamma;
            let gamma = checked("shaped_off_policy", "gamma", given, 0.1, Range::Positive)?;
            Ok(Box::new(Self { gamma }))
        },
    };
}

impl PolicyObjective for ShapedOffPolicy {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn uses_old_logprobs(&self) -> bool {
        false
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, _, advantage| {
            // A log-probability is not above 0.
            let probability = logprob.min(0.0).exp();
            let probability = if logprob.is_nan() {
                logprob
            } else {
                probability
            };
            let shaped = probability / (probability + self.gamma);
            let slope = match logprob > 0.0 {
                true => 0.0,
                false => shaped * (self.gamma / (probability + self.gamma)),
            };
            let term = Term {
                value: -(advantage * shaped),
                derivative: -(advantage * slope),
            };
            (term, Clip::None)
        });
    }
}
