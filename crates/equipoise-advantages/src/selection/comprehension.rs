//! How well a policy follows a teacher's reasoning.

use crate::sum::bounded_sum as sum;

/// Which mean of the answer's token probabilities is a comprehension score.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbabilityMean {
    /// exp of the mean log-probability, as in the paper.
    #[default]
    Geometric,
    /// The mean probability, as in the authors' scripts. A single doubtful token weighs less.
    Arithmetic,
}

/// AMPO's comprehension score (arXiv:2510.02227): the probability, per token, that the policy gives the right
/// answer after a teacher's reasoning.
///
/// ```text
/// geometric     r_p = exp( mean_t log π_θ(answer_t | prompt, reasoning, answer_<t) )
/// arithmetic    r_p = mean_t π_θ(answer_t | …)
/// ```
///
/// `logprobs` are those of the answer's tokens. The score is cut to \[0, 1\]; without a token it is 0. A NaN is
/// passed on.
///
/// ```
/// use equipoise_advantages::selection::{ProbabilityMean, comprehension_score};
///
/// let logprobs = [0.9_f64.ln(), 0.5_f64.ln(), 0.8_f64.ln()];
/// let geometric = comprehension_score(&logprobs, ProbabilityMean::Geometric);
/// assert!((geometric - 0.36_f64.cbrt()).abs() < 1e-15);
/// let arithmetic = comprehension_score(&logprobs, ProbabilityMean::Arithmetic);
/// assert!((arithmetic - 2.2 / 3.0).abs() < 1e-15);
/// ```
pub fn comprehension_score(logprobs: &[f64], mean: ProbabilityMean) -> f64 {
    if logprobs.is_empty() {
        return 0.0;
    }
    let count = logprobs.len() as f64;
    let score = match mean {
        ProbabilityMean::Geometric => (sum(logprobs.iter().copied()) / count).exp(),
        ProbabilityMean::Arithmetic => sum(logprobs.iter().map(|logprob| logprob.exp())) / count,
    };
    score.clamp(0.0, 1.0)
}
