//! Taking the gradient from a few tokens whose covariance drives the entropy down.

use super::{PpoClip, each_token};
use crate::options::{Range, checked};
use crate::sum::Sum;
use crate::{Clip, Entry, Error, PolicyObjective, Term, TokenLoss, TokenTerms};
use std::cmp::Ordering;

/// The covariance term of every token of a batch, with its response and its place in it.
///
/// ```text
/// cov_t = (A_t − Ā) (log π_t − mean log π)          means over the tokens of the batch
/// ```
pub(super) fn covariances<'b>(
    batch: &'b [TokenTerms<'b>],
) -> impl Iterator<Item = (f64, usize, usize)> + 'b {
    let (mut advantages, mut logprobs, mut count) = (Sum::default(), Sum::default(), 0.0);
    for terms in batch {
        for (token, logprob) in terms.logprobs().iter().enumerate() {
            advantages.add(terms.advantage().at(token));
            logprobs.add(*logprob);
        }
        count += terms.len() as f64;
    }
    let (mean_advantage, mean_logprob) = (advantages.value() / count, logprobs.value() / count);
    batch.iter().enumerate().flat_map(move |(row, terms)| {
        let tokens = terms.logprobs().iter().enumerate();
        tokens.map(move |(token, logprob)| {
            let advantage = terms.advantage().at(token) - mean_advantage;
            (advantage * (logprob - mean_logprob), row, token)
        })
    })
}

/// The number of tokens that a share of a batch is, at least one of any.
pub(super) fn tokens_of_share(batch: &[TokenTerms<'_>], share: f64) -> usize {
    let tokens: usize = batch.iter().map(TokenTerms::len).sum();
    ((share * tokens as f64) as usize).max(1).min(tokens)
}

/// The first `count` of them in the given order, in any order: what a choice of a few among all tokens
/// needs. No more than twice as many are ever kept.
pub(super) fn first<T: Copy>(
    items: impl Iterator<Item = T>,
    count: usize,
    order: impl Fn(&T, &T) -> Ordering,
) -> Vec<T> {
    if count == 0 {
        return Vec::new();
    }
    let mut kept: Vec<T> = Vec::new();
    // The last of the first so far: what comes after it is not among them.
    let mut bar: Option<T> = None;
    let thin = |kept: &mut Vec<T>| {
        let (_, last, _) = kept.select_nth_unstable_by(count - 1, &order);
        let last = *last;
        kept.truncate(count);
        last
    };
    for item in items {
        if bar.is_some_and(|bar| order(&item, &bar) != Ordering::Less) {
            continue;
        }
        kept.push(item);
        if kept.len() == 2 * count {
            bar = Some(thin(&mut kept));
        }
    }
    if kept.len() > count {
        thin(&mut kept);
    }
    kept
}

/// No token marked.
pub(super) fn no_marks(batch: &[TokenTerms<'_>]) -> Vec<Vec<bool>> {
    batch.iter().map(|terms| vec![false; terms.len()]).collect()
}

/// A number that looks random, a function of the two (splitmix64).
fn hash(seed: u64, position: u64) -> u64 {
    let mut state = seed.wrapping_add(position.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// Clip-Cov (arXiv:2505.22617): PPO's clip, and besides, a few tokens chosen at random among those whose
/// advantage and log-probability vary together lose their gradient, because they are what makes the
/// entropy collapse.
///
/// ```text
/// cov_t = (A_t − Ā) (log π_t − mean log π)
/// marked    a share of the tokens (at least one), at random among those with low < cov_t < high that
///           the clip leaves alone
/// ℓ_t = 0 for marked tokens, PPO's term for the others
/// ```
///
/// The choice is made by [`marks`](PolicyObjective::marks), once for the whole step. verl makes it in each
/// micro-batch, so that the share's rounding up to one token and the means depend on how the step is cut;
/// for a step in one piece the candidates are the same. Which of them are taken is decided by a hash of
/// the seed and the token's position in the step.
///
/// ```
/// use equipoise_objectives::{Clip, PolicyObjective, TokenLoss, TokenTerms, policy::ClipCov};
///
/// // Ā = 0, mean log π = −2: the products are 2·2, 2·0, −2·−1 and −2·−1.
/// let (good, bad) = ([0.0, -2.0], [-3.0, -3.0]);
/// let batch = [TokenTerms::new(&good, &good, 2.0)?, TokenTerms::new(&bad, &bad, -2.0)?];
/// let objective = ClipCov { share: 0.25, covariance_low: 3.0, ..ClipCov::default() };
/// let marks = objective.marks(&batch, 0).unwrap();
/// assert_eq!(marks, [[true, false], [false, false]]);
/// let mut out = TokenLoss::new();
/// objective.evaluate(&batch[0].with_marks(&marks[0])?, &mut out);
/// assert_eq!(out.loss, [0.0, -2.0]);
/// assert_eq!(out.clip, [Clip::Masked, Clip::None]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClipCov {
    /// The bounds on the ratio.
    pub clip: PpoClip,
    /// The share of the step's tokens that are marked, greater than 0 and at most 1.
    pub share: f64,
    /// The covariance above which a token can be.
    pub covariance_low: f64,
    /// The covariance below which it can be.
    pub covariance_high: f64,
}

impl Default for ClipCov {
    fn default() -> Self {
        Self {
            clip: PpoClip::default(),
            share: 0.0002,
            covariance_low: 1.0,
            covariance_high: 5.0,
        }
    }
}

impl ClipCov {
    /// How the catalogue builds the objective.
    pub const ENTRY: Entry = Entry {
        name: "clip_cov",
        formula: "PPO's term, and 0 for a few tokens of high covariance",
        options: &[
            "epsilon_low",
            "epsilon_high",
            "share",
            "covariance_low",
            "covariance_high",
        ],
        build: |options| {
            let number =
                |option, given, default, range| checked("clip_cov", option, given, default, range);
            let [low, high] = [options.covariance_low, options.covariance_high];
            let objective = Self {
                clip: PpoClip::build("clip_cov", options, PpoClip::default())?,
                share: number("share", options.share, 0.0002, Range::Share)?,
                covariance_low: number("covariance_low", low, 1.0, Range::Finite)?,
                covariance_high: number("covariance_high", high, 5.0, Range::Finite)?,
            };
            match objective.covariance_low < objective.covariance_high {
                true => Ok(Box::new(objective)),
                false => Err(Error::InvalidOption {
                    objective: "clip_cov",
                    option: "covariance_low",
                    value: objective.covariance_low.to_string(),
                    requirement: "less than covariance_high",
                }),
            }
        },
    };
}

impl PolicyObjective for ClipCov {
    fn name(&self) -> &'static str {
        Self::ENTRY.name
    }

    fn evaluate(&self, terms: &TokenTerms<'_>, out: &mut TokenLoss) {
        each_token(terms, out, |logprob, old, advantage| {
            self.clip.term(logprob - old, advantage)
        });
        for token in (0..terms.len()).filter(|&token| terms.marked(token)) {
            out.set(token, Term::default(), Clip::Masked);
        }
    }

    fn marks(&self, batch: &[TokenTerms<'_>], seed: u64) -> Option<Vec<Vec<bool>>> {
        let candidates =
            covariances(batch)
                .enumerate()
                .filter_map(|(position, (covariance, row, token))| {
                    let inside =
                        self.covariance_low < covariance && covariance < self.covariance_high;
                    if !inside {
                        return None;
                    }
                    let terms = &batch[row];
                    let log_ratio = terms.logprobs()[token] - terms.old_logprobs()[token];
                    let (_, clip) = self.clip.term(log_ratio, terms.advantage().at(token));
                    (clip == Clip::None).then(|| (hash(seed, position as u64), row, token))
                });
        let mut marks = no_marks(batch);
        for (_, row, token) in first(candidates, tokens_of_share(batch, self.share), Ord::cmp) {
            marks[row][token] = true;
        }
        Some(marks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_are_those_of_a_sorted_list() {
        let numbers: Vec<u64> = (0..1000).map(|position| hash(7, position) % 500).collect();
        for count in [0, 1, 2, 13, 999, 1000, 5000] {
            let mut found = first(numbers.iter().copied(), count, Ord::cmp);
            found.sort_unstable();
            let mut expected = numbers.clone();
            expected.sort_unstable();
            expected.truncate(count);
            assert_eq!(found, expected, "{count}");
        }
    }
}
