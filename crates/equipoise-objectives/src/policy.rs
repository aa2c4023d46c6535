//! Policy-gradient objectives, one file each: the trait, and what an objective sees of a response.

mod policy_gradient;
mod ppo_clip;

pub use policy_gradient::PolicyGradient;
pub use ppo_clip::PpoClip;

use crate::{Error, TokenLoss};
use std::fmt;

/// All that a policy objective sees of one response: numbers per loss-carrying token, and the
/// advantage.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenTerms<'a> {
    logprobs: &'a [f64],
    old_logprobs: &'a [f64],
    advantage: f64,
}

impl<'a> TokenTerms<'a> {
    /// The terms of one response.
    ///
    /// - `logprobs`: log π_θ of each token, under the weights that are being trained;
    /// - `old_logprobs`: log π_old, under the weights that the importance ratio refers to;
    /// - `advantage`: the response's advantage, the same for every token.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there are as many old log-probabilities as new ones.
    pub fn new(
        logprobs: &'a [f64],
        old_logprobs: &'a [f64],
        advantage: f64,
    ) -> Result<Self, Error> {
        check_length("old log-probabilities", logprobs, old_logprobs)?;
        Ok(Self {
            logprobs,
            old_logprobs,
            advantage,
        })
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.logprobs.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.logprobs.is_empty()
    }

    /// The log-probability of each token under the weights that are being trained.
    pub fn logprobs(&self) -> &'a [f64] {
        self.logprobs
    }

    /// The log-probability of each token under the weights that the importance ratio refers to.
    pub fn old_logprobs(&self) -> &'a [f64] {
        self.old_logprobs
    }

    /// The response's advantage.
    pub fn advantage(&self) -> f64 {
        self.advantage
    }
}

/// Refuses rows of different lengths.
pub(crate) fn check_length(
    what: &'static str,
    logprobs: &[f64],
    other: &[f64],
) -> Result<(), Error> {
    if logprobs.len() == other.len() {
        Ok(())
    } else {
        Err(Error::LengthMismatch {
            what,
            logprobs: logprobs.len(),
            found: other.len(),
        })
    }
}

/// A policy-gradient loss: value and derivative per token of one response.
pub trait PolicyObjective: Send + Sync + fmt::Debug {
    /// The objective's name in recipes and logs.
    fn name(&self) -> &'static str;

    /// Replaces the contents of `out` by the loss terms of one response and their gradient.
    ///
    /// Nothing is reduced: an aggregation rule decides what a term weighs. An objective whose ratio
    /// belongs to the whole response fills every entry of the gradient accordingly; see
    /// [`TokenLoss::gradient`]. For finite log-probabilities, however large, and advantages up to
    /// 1e290, everything is finite; a NaN in the input is passed on and not hidden.
    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objective_is_object_safe() {
        fn _assert(_: &dyn PolicyObjective) {}
    }

    #[test]
    fn rows_must_have_one_length() {
        let error = TokenTerms::new(&[-1.0, -2.0], &[-1.0], 1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a response has 2 log-probabilities and 1 old log-probabilities; \
             there must be one per token"
        );
    }
}
