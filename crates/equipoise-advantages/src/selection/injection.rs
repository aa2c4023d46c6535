//! Teachers' solutions in place of rollouts that all fail.

use super::Error;
use std::cmp::Ordering;

/// A teacher's solution that may stand in for a rollout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guidance {
    /// How well the policy follows it, see [`comprehension_score`](super::comprehension_score); a solution
    /// of which this is not a number is never taken.
    pub score: f64,
    /// Its length in tokens.
    pub length: usize,
    /// Its reward.
    pub reward: f64,
}

/// One rollout to be replaced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Injection {
    /// The index of the rollout.
    pub rollout: usize,
    /// The index of the solution that takes its place.
    pub guidance: usize,
    /// The reward that goes with it: the solution's own, or 1 if that is less or not a number.
    pub reward: f64,
}

/// AMPO's injection (arXiv:2510.02227): if no rollout of a group succeeds, the solutions that the policy
/// understands best replace some of the failures, so that the group has something to learn from.
///
/// As soon as one rollout succeeds nothing is injected, and the group trains as it would without teachers.
///
/// An unscorable rollout (`None`, or not finite) is no failure and is not replaced.
///
/// ```
/// use equipoise_advantages::selection::{Guidance, InjectOnFailure};
///
/// let solution = |score, length| Guidance { score, length, reward: 1.0 };
/// let guidance = [solution(0.4, 90), solution(0.7, 120), solution(0.7, 80)];
/// let failures = [Some(0.0); 4];
/// let plan = InjectOnFailure::default().plan(&failures, &guidance, &[0.0, 0.99])?;
/// // Of the two that are understood equally well the shorter comes first.
/// assert_eq!(plan.iter().map(|one| one.guidance).collect::<Vec<_>>(), [2, 1]);
/// assert_eq!(plan.iter().map(|one| one.rollout).collect::<Vec<_>>(), [0, 3]);
/// # Ok::<(), equipoise_advantages::selection::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InjectOnFailure {
    /// k₀, the most rollouts that are replaced; default 2.
    pub count: usize,
    /// A rollout succeeds if its reward is greater than this; default 0.5. The authors add to it what a
    /// response can earn for its format alone.
    pub success_above: f64,
}

impl Default for InjectOnFailure {
    fn default() -> Self {
        Self {
            count: 2,
            success_above: 0.5,
        }
    }
}

impl InjectOnFailure {
    /// Which rollouts are replaced by which solutions: min(k₀, solutions, failures) of them, or none.
    ///
    /// The solutions are taken by descending score, then ascending length, then in their order. The i-th
    /// replaces one of the failures not yet replaced, chosen by the i-th uniform number.
    ///
    /// # Errors
    /// [`Error::NotEnoughUniforms`] if there are fewer of them than replacements.
    pub fn plan(
        self,
        rewards: &[Option<f64>],
        guidance: &[Guidance],
        uniforms: &[f64],
    ) -> Result<Vec<Injection>, Error> {
        let scorable = |index: &usize| rewards[*index].is_some_and(f64::is_finite);
        let mut failures: Vec<usize> = (0..rewards.len()).filter(scorable).collect();
        let succeeds = |index: &usize| rewards[*index].is_some_and(|r| r > self.success_above);
        if failures.iter().any(succeeds) {
            return Ok(Vec::new());
        }
        let mut best: Vec<usize> = (0..guidance.len())
            .filter(|index| !guidance[*index].score.is_nan())
            .collect();
        best.sort_by(|a, b| {
            let (a, b) = (guidance[*a], guidance[*b]);
            let by_score = b.score.partial_cmp(&a.score).unwrap_or(Ordering::Equal);
            by_score.then(a.length.cmp(&b.length))
        });
        let count = self.count.min(best.len()).min(failures.len());
        if uniforms.len() < count {
            return Err(Error::NotEnoughUniforms {
                needed: count,
                found: uniforms.len(),
            });
        }
        let plan = best.into_iter().take(count).zip(uniforms);
        Ok(plan
            .map(|(index, uniform)| {
                let place = (uniform * failures.len() as f64) as usize;
                Injection {
                    rollout: failures.remove(place.min(failures.len() - 1)),
                    guidance: index,
                    reward: guidance[index].reward.max(1.0),
                }
            })
            .collect())
    }
}
