//! The plain policy gradient.

use super::{each_token, weighted_log};
use crate::{Clip, Entry, PolicyObjective, TokenLoss, TokenTerms};

/// The plain policy gradient, REINFORCE (Williams, 1992), without ratio or bounds.
///
/// ```text
/// ℓ_t = −A log π_θ,t          dℓ_t / d log π_θ,t = −A
/// ```
///
/// Right as long as the responses come from the very weights that are being trained. Where the policy
/// has not moved since, its gradient is that of [`PpoClip`](super::PpoClip); the values differ.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::PolicyGradient};
///
/// let mut out = TokenLoss::new();
/// PolicyGradient.evaluate(&TokenTerms::new(&[-1.5], &[-1.0], 2.0)?, &mut out);
/// assert_eq!((out.loss[0], out.gradient[0]), (3.0, -2.0));
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyGradient;

impl PolicyGradient {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "policy_gradient",
        formula: "−A log π",
        options: &[],
        build: |_| Ok(Box::new(Self)),
    };
}

impl PolicyObjective for PolicyGradient {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn uses_old_logprobs(&self) -> bool {
        false
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, _, advantage| {
            (weighted_log(1.0, advantage, logprob), Clip::None)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut out = TokenLoss::new();
        let terms = TokenTerms::new(&[-1.0, -0.25], &[-3.0, 0.0], -2.0).unwrap();
        PolicyGradient.evaluate(&terms, &mut out);
        assert_eq!(out.loss, [-2.0, -0.5]);
        assert_eq!(out.gradient, [2.0, 2.0]);
        assert_eq!(out.count(Clip::None), 2);
    }
}
