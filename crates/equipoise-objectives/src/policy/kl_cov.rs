//! Holding back a few tokens whose covariance drives the entropy down.

use super::clip_cov::{covariances, first, no_marks, tokens_of_share};
use super::{LARGEST_LOG_RATIO, bounded, clamped_log_ratio};
use crate::options::{Range, checked};
use crate::{Clip, Entry, PolicyObjective, Term, TokenLoss, TokenTerms};

/// KL-Cov (arXiv:2505.22617): the plain importance-weighted policy gradient, with a penalty on the tokens
/// whose advantage and log-probability vary together the most.
///
/// ```text
/// cov_t = (A_t − Ā) (log π_t − mean log π)
/// marked    the share of the tokens (at least one) with the largest cov_t
/// ℓ_t = −A r_t                          of most tokens
/// ℓ_t = −A r_t + c |log r_t|            of the marked ones
/// dℓ_t / d log π_θ,t = −A r_t (+ c sign(log r_t)), with sign(0) = 0
/// ```
///
/// The choice is made by [`marks`](PolicyObjective::marks), once for the whole step; verl makes it in each
/// micro-batch, and does not clamp the log-ratio. Of equal covariances the earlier token is taken. verl's
/// configuration has c = 0.1, its code 1, the default here.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::KlCov};
///
/// let (new, old) = ([-1.0, -2.0], [-1.5, -2.0]);
/// let batch = [TokenTerms::new(&new, &old, &[1.0, -1.0][..])?];
/// let objective = KlCov { share: 0.5, coefficient: 0.1 };
/// // Ā = 0 and mean log π = −1.5: both products are ½, and the earlier is taken.
/// let marks = objective.marks(&batch, 0).unwrap();
/// assert_eq!(marks, [[true, false]]);
/// let mut out = TokenLoss::new();
/// objective.evaluate(&batch[0].with_marks(&marks[0])?, &mut out);
/// assert_eq!(out.loss, [-(0.5_f64.exp()) + 0.1 * 0.5, 1.0]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KlCov {
    /// The share of the step's tokens that are marked, greater than 0 and at most 1.
    pub share: f64,
    /// c, at least 0.
    pub coefficient: f64,
}

impl Default for KlCov {
    fn default() -> Self {
        Self {
            share: 0.0002,
            coefficient: 1.0,
        }
    }
}

impl KlCov {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "kl_cov",
        formula: "−A r, and + c |log r| for the tokens of the highest covariance",
        options: &["share", "coefficient"],
        build: |options| {
            let [share, weight] = [options.share, options.coefficient];
            Ok(Box::new(Self {
                share: checked("kl_cov", "share", share, 0.0002, Range::Share)?,
                coefficient: checked("kl_cov", "coefficient", weight, 1.0, Range::NotNegative)?,
            }))
        },
    };
}

impl PolicyObjective for KlCov {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        out.reset(terms.len());
        let rows = terms.logprobs().iter().zip(terms.old_logprobs());
        for (token, (&logprob, &old)) in rows.enumerate() {
            let advantage = terms.advantage().at(token);
            let log_ratio = logprob - old;
            let gain = advantage * clamped_log_ratio(logprob, old).exp();
            let saturated = log_ratio.abs() > LARGEST_LOG_RATIO && advantage != 0.0;
            let penalty = match terms.marked(token) {
                true => self.coefficient,
                false => 0.0,
            };
            let sign = match log_ratio {
                0.0 => 0.0,
                _ => log_ratio.signum(),
            };
            let pull = if penalty == 0.0 { 0.0 } else { penalty * sign };
            let distance = if penalty == 0.0 {
                0.0
            } else {
                penalty * log_ratio.abs()
            };
            let term = Term {
                value: bounded(distance - gain),
                derivative: if saturated { pull } else { pull - gain },
            };
            let clip = if saturated {
                Clip::Saturated
            } else {
                Clip::None
            };
            out.set_scaled(token, term, clip, terms.multiplier(token));
        }
    }

    fn marks(&self, batch: &[TokenTerms<'_>], _: u64) -> Option<Vec<Vec<bool>>> {
        let order = |a: &(f64, usize, usize), b: &(f64, usize, usize)| {
            b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2)))
        };
        let mut marks = no_marks(batch);
        for (_, row, token) in first(
            covariances(batch),
            tokens_of_share(batch, self.share),
            order,
        ) {
            marks[row][token] = true;
        }
        Some(marks)
    }
}
