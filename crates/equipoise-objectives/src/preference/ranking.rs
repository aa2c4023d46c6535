//! Ranking accuracy: does the policy itself prefer what people prefer, and could it.
//!
//! From "Preference Learning Algorithms Do Not Learn Preference Rankings" (arXiv:2405.19534). Ranking
//! accuracy looks at the policy's own probabilities; the accuracy of implicit rewards, which trainers
//! report, compares them with the reference's and is another number.

use super::{Length, SequenceStats};
use crate::numeric::log_sigmoid;

/// Whether the policy ranks a pair as people do: π(y_w) ≥ π(y_l), of log-probabilities summed or
/// averaged over tokens (the paper's R and R̃).
///
/// ```
/// use equipoise_objectives::preference::{Length, SequenceStats, ranking::ranks_correctly};
///
/// let long = SequenceStats::new(&[-1.0, -1.0, -1.0], None, 1)?;
/// let short = SequenceStats::new(&[-2.0], None, 1)?;
/// assert!(!ranks_correctly(&long, &short, Length::Sum));
/// assert!(ranks_correctly(&long, &short, Length::TokenMean));
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[must_use]
pub fn ranks_correctly(chosen: &SequenceStats, rejected: &SequenceStats, length: Length) -> bool {
    likelihood(chosen, length) >= likelihood(rejected, length)
}

/// Whether the policy's ranking of several completions is exactly the given one, best first (Def.
/// A.8). Ties count as ranked correctly, as in a pair; fewer than two are always so.
///
/// ```
/// use equipoise_objectives::preference::{Length, SequenceStats, ranking::ranks_all_correctly};
///
/// let stats = |logprob| SequenceStats::new(&[logprob], None, 1);
/// let ranked = [stats(-1.0)?, stats(-3.0)?, stats(-2.0)?];
/// assert!(!ranks_all_correctly(&ranked, Length::Sum));
/// assert!(ranks_all_correctly(&ranked[..2], Length::Sum));
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[must_use]
pub fn ranks_all_correctly(ranked: &[SequenceStats], length: Length) -> bool {
    ranked
        .windows(2)
        .all(|two| ranks_correctly(&two[0], &two[1], length))
}

fn likelihood(stats: &SequenceStats, length: Length) -> f64 {
    match length {
        Length::Sum => stats.policy(),
        Length::TokenMean => stats.policy() / stats.tokens.max(1) as f64,
    }
}

/// The margin of the idealised policy, log π*(y_w) − log π*(y_l), when a share a of raters prefers y_w
/// (Thm. 3.1). The ideal policy ranks the pair correctly where it is positive (Cor. 3.3): the mean of
/// that over pairs is the idealised ranking accuracy R*.
///
/// ```text
/// log π*(y_w)/π*(y_l) = log π_ref(y_w)/π_ref(y_l) + ln(a / (1 − a)) / β
/// ```
///
/// `reference_margin` is log π_ref(y_w) − log π_ref(y_l). a is held between `eps` and 1 − `eps` (the
/// paper: 10⁻³), for labels without disagreement. Computed in logarithms: the authors' code
/// divides log-probabilities by each other for its unnormalised form, and counts ratios within 0.05
/// of 1 as ties.
///
/// ```
/// use equipoise_objectives::preference::ranking::ideal_margin;
///
/// // logit(0.75) / 0.1 = 10.986
/// assert!((ideal_margin(-4.0, 0.75, 0.1, 1e-3) - 6.986_122_886_7).abs() < 1e-9);
/// assert!((ideal_margin(0.0, 1.0, 0.1, 1e-3) - 69.067_547_8).abs() < 1e-6);
/// ```
#[must_use]
pub fn ideal_margin(reference_margin: f64, agreement: f64, beta: f64, eps: f64) -> f64 {
    // Not `clamp`, which panics if eps is above ½ or not a number.
    let a = agreement.max(eps).min(1.0 - eps);
    reference_margin + (a.ln() - (-a).ln_1p()) / beta
}

/// The least share of raters that makes the idealised policy rank a pair of difficulty c correctly:
/// σ(β c). Follows from [`ideal_margin`].
///
/// ```
/// use equipoise_objectives::preference::ranking::break_even_agreement;
///
/// assert!((break_even_agreement(4.0, 0.1) - 0.598_687_660_1).abs() < 1e-10);
/// ```
#[must_use]
pub fn break_even_agreement(difficulty: f64, beta: f64) -> f64 {
    super::sigmoid(beta * difficulty)
}

/// The difficulty c = log π_ref(y_l) − log π_ref(y_w) of a pair (Thm. 4.1): positive where the
/// reference ranks it wrongly.
///
/// ```
/// assert_eq!(equipoise_objectives::preference::ranking::difficulty(-22.0, -18.0), 4.0);
/// ```
#[must_use]
pub fn difficulty(reference_chosen: f64, reference_rejected: f64) -> f64 {
    reference_rejected - reference_chosen
}

/// The DPO loss at and below which a pair of difficulty c is ranked correctly, −ln σ(β c) (Thm. 4.1).
///
/// ```
/// use equipoise_objectives::preference::ranking::loss_threshold;
///
/// assert!((loss_threshold(4.0, 0.1) - 0.513_015_252_4).abs() < 1e-10);
/// ```
#[must_use]
pub fn loss_threshold(difficulty: f64, beta: f64) -> f64 {
    -log_sigmoid(beta * difficulty)
}

/// Whether zero IPO loss implies a wrong ranking of the pair (Prop. A.7): where the reference's margin
/// log π_ref(y_w) − log π_ref(y_l) is below −1/(2β).
///
/// ```
/// use equipoise_objectives::preference::ranking::ipo_cannot_rank;
///
/// assert!(ipo_cannot_rank(-6.0, 0.1) && !ipo_cannot_rank(-4.0, 0.1));
/// ```
#[must_use]
pub fn ipo_cannot_rank(reference_margin: f64, beta: f64) -> bool {
    reference_margin < -1.0 / (2.0 * beta)
}
