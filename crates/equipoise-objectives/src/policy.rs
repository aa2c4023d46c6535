//! Policy-gradient objectives: the trait, and what an objective sees of a response.

mod bandpo;
mod clip_cov;
mod dppo;
mod dro;
mod gmpo;
mod gspo;
mod kl_cov;
mod policy_gradient;
mod ppo_clip;
mod sapo;
mod shaped;
mod terms;
mod vespo;
mod weighted;

pub use bandpo::{Band, BandPo};
pub use clip_cov::ClipCov;
pub use dppo::{DppoKl, DppoTv};
pub use dro::Dro;
pub use gmpo::Gmpo;
pub use gspo::{Gspo, GspoToken};
pub use kl_cov::KlCov;
pub use policy_gradient::PolicyGradient;
pub use ppo_clip::PpoClip;
pub use sapo::Sapo;
pub use shaped::ShapedOffPolicy;
pub use terms::{Advantage, TokenTerms};
pub use vespo::Vespo;
pub use weighted::{Aipo, Cispo, Topr};

use crate::{Clip, Error, Term, TokenLoss};
use std::fmt;

/// Log-ratios are clamped to ± this before they are exponentiated, as in verl; e²⁰ is about 4.9 · 10⁸.
pub(crate) const LARGEST_LOG_RATIO: f64 = 20.0;

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

/// Whether an objective has a loss for every token or one for the whole response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// A loss for every token.
    Token,
    /// One loss for the response, which every token of it carries. Under an aggregation rule that counts
    /// tokens it weighs by the length of the response; the mean over responses is the sequence mean.
    Sequence,
}

/// A policy-gradient loss: value and derivative per token of one response.
pub trait PolicyObjective: Send + Sync + fmt::Debug {
    /// The objective's name in recipes and logs.
    fn name(&self) -> &'static str;

    /// Whether there is a loss for every token or one for the response.
    fn level(&self) -> Level {
        Level::Token
    }

    /// Whether the older log-probabilities matter. An objective that does not look at them takes every
    /// response for one of the present policy.
    fn uses_old_logprobs(&self) -> bool {
        true
    }

    /// Replaces the contents of `out` by the loss terms of one response and their gradient.
    ///
    /// Nothing is reduced: an aggregation rule decides what a term weighs. An objective whose ratio
    /// belongs to the whole response fills every entry of the gradient accordingly; see
    /// [`TokenLoss::gradient`]. Where a formula holds a weight constant (a stop-gradient, written sg), so
    /// does the gradient. For finite log-probabilities, however large, and advantages up to 1e290,
    /// everything is finite; a NaN in the input is passed on and not hidden.
    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss);

    /// Which tokens of a whole optimiser step are treated specially, response by response; `None` if the
    /// objective makes no such choice.
    ///
    /// Asked once per step, before micro-batches are cut, with the log-probabilities that are known by
    /// then: the older ones in both places. So micro-batches change nothing. The marks come back through
    /// [`TokenTerms::with_marks`]. `seed` decides random choices: through a hash of it and the token's
    /// position.
    fn marks(&self, batch: &[TokenTerms<'_>], seed: u64) -> Option<Vec<Vec<bool>>> {
        let _ = (batch, seed);
        None
    }
}

/// Evaluates an objective that treats each token by itself: a function of a token's log-probability, its
/// older one, and the advantage.
fn each_token(
    terms: &TokenTerms<'_>,
    out: &mut TokenLoss,
    term: impl Fn(f64, f64, f64) -> (Term, Clip),
) {
    out.reset(terms.len());
    let advantage = terms.advantage();
    let rows = terms
        .logprobs()
        .iter()
        .zip(terms.old_logprobs())
        .enumerate();
    if terms.has_multipliers() {
        for (token, (&logprob, &old)) in rows {
            let (term, clip) = term(logprob, old, advantage.at(token));
            out.set_scaled(token, term, clip, terms.multiplier(token));
        }
        return;
    }
    // The same without a factor, written so that nothing is checked token by token.
    let places = out
        .loss
        .iter_mut()
        .zip(&mut out.gradient)
        .zip(&mut out.clip);
    for ((token, (&logprob, &old)), ((loss, gradient), place)) in rows.zip(places) {
        let (term, clip) = term(logprob, old, advantage.at(token));
        (*loss, *gradient, *place) = (term.value, term.derivative, clip);
    }
}

/// −w A log π with the weight held constant, and its derivative.
fn weighted_log(weight: f64, advantage: f64, logprob: f64) -> Term {
    let factor = weight * advantage;
    Term {
        // An advantage of 0 says nothing, even about a token of probability 0; a NaN is passed on.
        value: match factor == 0.0 && !logprob.is_nan() {
            true => 0.0,
            false => -bounded(factor * logprob),
        },
        derivative: -factor,
    }
}

/// Within the range of numbers; a NaN stays one.
fn bounded(value: f64) -> f64 {
    value.clamp(-f64::MAX, f64::MAX)
}

/// The log-ratio, within what is exponentiated.
fn clamped_log_ratio(logprob: f64, old: f64) -> f64 {
    (logprob - old).clamp(-LARGEST_LOG_RATIO, LARGEST_LOG_RATIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objective_is_object_safe() {
        fn _assert(_: &dyn PolicyObjective) {}
    }
}
