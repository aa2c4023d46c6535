//! Metrics of repeated samples: at least one right, all right, the mean, the best.

use crate::combinatorics::{all_among, at_least};
use crate::outcomes::mean;
use crate::{EvalError, Outcomes, Scores};

/// pass@k of one problem: the chance that of k samples, drawn at once from `n` of which `correct` are
/// right, at least one is right (Chen et al., arXiv:2107.03374).
///
/// ```text
/// pass@k = 1 − C(n − c, k) / C(n, k) = 1 − Π_{j<k} (n − c − j) / (n − j)
/// ```
///
/// Unbiased for every n ≥ k, unlike 1 − (1 − c/n)^k, which is too small. Computed as the product.
///
/// ```
/// // Of the 6 pairs out of 4 samples, 3 hold the one right sample.
/// assert_eq!(equipoise_eval::pass_at_k(4, 1, 2)?, 0.5);
/// # Ok::<(), equipoise_eval::EvalError>(())
/// ```
///
/// # Errors
/// [`EvalError::OutOfRange`] unless 1 ≤ k ≤ n and `correct` ≤ n: with fewer samples than k the number
/// is not known.
pub fn pass_at_k(n: usize, correct: usize, k: usize) -> Result<f64, EvalError> {
    check(n, correct, k)?;
    Ok(1.0 - all_among(n - correct, n, k))
}

/// pass^k of one problem: the chance that k samples, drawn at once, are all right (τ-bench,
/// arXiv:2406.12045).
///
/// ```text
/// pass^k = C(c, k) / C(n, k)
/// ```
///
/// # Errors
/// As [`pass_at_k`].
pub fn all_of_k(n: usize, correct: usize, k: usize) -> Result<f64, EvalError> {
    check(n, correct, k)?;
    Ok(all_among(correct, n, k))
}

/// G-Pass@k with threshold τ of one problem: the chance that of k samples, drawn at once, at least
/// ⌈τk⌉ are right (arXiv:2412.13147).
///
/// ```text
/// G-Pass@k_τ = Σ_{j ≥ ⌈τk⌉} C(c, j) C(n − c, k − j) / C(n, k)
/// ```
///
/// τ = 1 is pass^k, and τ → 0 is pass@k, which also stands for τ = 0. Within 1e-9 of a whole number
/// τk is that number: 0.55 · 20 is 11, although not in floating point.
///
/// # Errors
/// As [`pass_at_k`], and unless 0 ≤ τ ≤ 1.
pub fn g_pass_at_k(n: usize, correct: usize, k: usize, tau: f64) -> Result<f64, EvalError> {
    check(n, correct, k)?;
    if !(0.0..=1.0).contains(&tau) {
        return Err(EvalError::range("τ", tau, "from 0 to 1"));
    }
    let least = (tau * k as f64 - 1e-9).ceil().max(1.0) as usize;
    Ok(at_least(n, correct, k, least))
}

/// mG-Pass@k of one problem: G-Pass@k averaged over the thresholds above one half (arXiv:2412.13147).
///
/// ```text
/// mG-Pass@k = (2 / k) Σ_{i = ⌈k/2⌉ + 1}^{k} G-Pass@k_{i/k}
/// ```
///
/// For k = 1 there is no such threshold, and the metric is pass@1.
///
/// # Errors
/// As [`pass_at_k`].
pub fn mean_g_pass_at_k(n: usize, correct: usize, k: usize) -> Result<f64, EvalError> {
    check(n, correct, k)?;
    if k == 1 {
        return pass_at_k(n, correct, 1);
    }
    let above = (k.div_ceil(2) + 1)..=k;
    let sum: f64 = above.map(|least| at_least(n, correct, k, least)).sum();
    Ok(2.0 * sum / k as f64)
}

/// best@k of one problem: the expected largest reward of k samples, drawn at once; the unbiased
/// estimator from all n (the order statistics of a draw without replacement).
///
/// ```text
/// best@k = Σ_i r₍ᵢ₎ C(i − 1, k − 1) / C(n, k)        r₍₁₎ ≤ … ≤ r₍ₙ₎
/// ```
///
/// On rewards 0 and 1 it is pass@k. worst@k is −best@k of the negated rewards.
///
/// # Errors
/// [`EvalError::OutOfRange`] unless 1 ≤ k ≤ n and every reward is finite.
pub fn best_at_k(rewards: &[f64], k: usize) -> Result<f64, EvalError> {
    let n = rewards.len();
    check(n, 0, k)?;
    if let Some(bad) = rewards.iter().find(|reward| !reward.is_finite()) {
        return Err(EvalError::range("a reward", bad, "finite"));
    }
    let mut sorted = rewards.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    // From the largest down: the chance to be the best is k / n, and from one to the next
    // C(i − 1, k − 1) / C(i, k − 1) = (i − k + 1) / i.
    let (mut sum, mut chance) = (0.0, k as f64 / n as f64);
    for (above, reward) in sorted.iter().rev().enumerate() {
        let below = n - 1 - above;
        sum += chance * reward;
        if below < k {
            break;
        }
        chance *= (below + 1 - k) as f64 / below as f64;
    }
    Ok(sum)
}

fn check(n: usize, correct: usize, k: usize) -> Result<(), EvalError> {
    if k == 0 || k > n {
        let what = format!("k, of {n} samples,");
        return Err(EvalError::range(what, k, "from 1 to the number of samples"));
    }
    if correct > n {
        let what = format!("the number of right answers among {n}");
        return Err(EvalError::range(what, correct, "at most that many"));
    }
    Ok(())
}

/// Refuses k = 0, which no number of samples makes right.
fn positive(k: usize) -> Result<(), EvalError> {
    match k {
        0 => Err(EvalError::range("k", k, "at least 1")),
        _ => Ok(()),
    }
}

impl Outcomes<bool> {
    /// [`pass_at_k`] of every problem; absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0.
    pub fn pass_at_k(&self, k: usize) -> Result<Scores, EvalError> {
        self.counted(format!("pass@{k}"), k, |n, c| 1.0 - all_among(n - c, n, k))
    }

    /// [`all_of_k`] of every problem; absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0.
    pub fn all_of_k(&self, k: usize) -> Result<Scores, EvalError> {
        self.counted(format!("pass^{k}"), k, |n, c| all_among(c, n, k))
    }

    /// [`g_pass_at_k`] of every problem; absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0 or a τ outside [0, 1].
    pub fn g_pass_at_k(&self, k: usize, tau: f64) -> Result<Scores, EvalError> {
        positive(k)?;
        g_pass_at_k(k, 0, k, tau)?;
        // The arguments have been checked: what is left cannot fail.
        let value = |n, c| g_pass_at_k(n, c, k, tau).unwrap_or(f64::NAN);
        self.counted(format!("G-Pass@{k} τ={tau}"), k, value)
    }

    /// [`mean_g_pass_at_k`] of every problem; absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0.
    pub fn mean_g_pass_at_k(&self, k: usize) -> Result<Scores, EvalError> {
        // k ≥ 1 and n ≥ k hold where it is called.
        let value = |n, c| mean_g_pass_at_k(n, c, k).unwrap_or(f64::NAN);
        self.counted(format!("mG-Pass@{k}"), k, value)
    }

    /// avg@k of every problem: the expected share of right answers among k samples, which is c / n
    /// whatever k is. Absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0.
    pub fn average_at_k(&self, k: usize) -> Result<Scores, EvalError> {
        self.counted(format!("avg@{k}"), k, |n, c| c as f64 / n as f64)
    }

    /// As [`average_at_k`](Outcomes::average_at_k) with all samples, however many a problem has:
    /// the accuracy.
    pub fn accuracy(&self) -> Scores {
        self.scores("accuracy".to_owned(), 1, |row| {
            row.iter().filter(|right| **right).count() as f64 / row.len() as f64
        })
    }

    fn counted(
        &self,
        metric: String,
        k: usize,
        value: impl Fn(usize, usize) -> f64,
    ) -> Result<Scores, EvalError> {
        positive(k)?;
        Ok(self.scores(metric, k, |row| {
            value(row.len(), row.iter().filter(|right| **right).count())
        }))
    }
}

impl Outcomes<f64> {
    /// The mean reward of every problem, over all its scored samples: the expected mean of any k of
    /// them. Absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0.
    pub fn average_at_k(&self, k: usize) -> Result<Scores, EvalError> {
        positive(k)?;
        Ok(self.scores(format!("avg@{k}"), k, mean))
    }

    /// [`best_at_k`] of every problem; absent where fewer than k samples could be scored.
    ///
    /// # Errors
    /// [`EvalError::OutOfRange`] for k = 0 or a reward that is not finite.
    pub fn best_at_k(&self, k: usize) -> Result<Scores, EvalError> {
        positive(k)?;
        if let Some(bad) = self
            .rows()
            .iter()
            .flatten()
            .flatten()
            .find(|r| !r.is_finite())
        {
            return Err(EvalError::range("a reward", bad, "finite"));
        }
        // Rewards are finite and rows long enough: what is left cannot fail.
        let best = |row: &[f64]| best_at_k(row, k).unwrap_or(f64::NAN);
        Ok(self.scores(format!("best@{k}"), k, best))
    }
}
