//! Learning from demonstrations.

use crate::policy::check_length;
use crate::{Clip, Error, Term, TokenLoss};

/// The negative log-likelihood of each token of a demonstration.
///
/// ```text
/// ℓ_t = −log π_θ,t          dℓ_t / d log π_θ,t = −1
/// ```
///
/// `out` receives the terms. Averaged over tokens this is the cross-entropy of supervised fine-tuning.
///
/// ```
/// use equipoise_objectives::{TokenLoss, negative_log_likelihood};
///
/// let mut out = TokenLoss::new();
/// negative_log_likelihood(&[-0.5, -2.0], &mut out);
/// assert_eq!((out.sum(), out.gradient), (2.5, vec![-1.0, -1.0]));
/// ```
pub fn negative_log_likelihood(logprobs: &[f64], out: &mut TokenLoss) {
    fill(logprobs, out, |_, logprob| Term {
        value: -logprob,
        derivative: -1.0,
    });
}

/// The negative log-likelihood of each token times a weight of its own.
///
/// ```text
/// ℓ_t = −w_t log π_θ,t          dℓ_t / d log π_θ,t = −w_t
/// ```
///
/// A weight of 0 leaves a token out, one below 0 makes it less probable.
///
/// # Errors
/// [`Error::LengthMismatch`] unless there is one weight per log-probability.
///
/// ```
/// use equipoise_objectives::{TokenLoss, weighted_negative_log_likelihood};
///
/// let mut out = TokenLoss::new();
/// weighted_negative_log_likelihood(&[-0.5, -2.0], &[2.0, 0.25], &mut out)?;
/// assert_eq!(out.loss, [1.0, 0.5]);
/// assert_eq!(out.gradient, [-2.0, -0.25]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn weighted_negative_log_likelihood(
    logprobs: &[f64],
    weights: &[f64],
    out: &mut TokenLoss,
) -> Result<(), Error> {
    check_length("weights", logprobs, weights)?;
    fill(logprobs, out, |token, logprob| Term {
        value: (-(weights[token] * logprob)).clamp(-f64::MAX, f64::MAX),
        derivative: -weights[token],
    });
    Ok(())
}

/// Dynamic fine-tuning (arXiv:2508.05629): the negative log-likelihood of each token times its probability,
/// which is held constant.
///
/// ```text
/// ℓ_t = −sg(π_θ,t) log π_θ,t          gradient −π_θ,t
/// ```
///
/// sg stops the gradient, so [`TokenLoss::gradient`] is here not the derivative of the value; it is that of
/// −π_θ,t. The inverse probability that the plain gradient carries, which makes improbable tokens dominate,
/// is so taken out. A log-probability above 0, which no distribution has, counts as one of 0 in the weight.
/// TRL's `loss_type = "dft"` is this, averaged over all tokens of the batch.
///
/// ```
/// use equipoise_objectives::{TokenLoss, dynamic_fine_tuning};
///
/// let mut out = TokenLoss::new();
/// dynamic_fine_tuning(&[-2.0_f64.ln()], &mut out);
/// assert_eq!((out.loss[0], out.gradient[0]), (0.5 * 2.0_f64.ln(), -0.5));
/// ```
pub fn dynamic_fine_tuning(logprobs: &[f64], out: &mut TokenLoss) {
    fill(logprobs, out, |_, logprob| {
        let probability = if logprob > 0.0 { 1.0 } else { logprob.exp() };
        Term {
            value: -(probability * logprob),
            derivative: -probability,
        }
    });
}

/// Cross-entropy with label smoothing (arXiv:1512.00567): a share ε of the target is spread evenly over the
/// vocabulary.
///
/// ```text
/// ℓ_t = −(1 − ε) log π_θ,t − ε l̄_t          l̄_t = mean over the vocabulary of log π_θ(v)
/// dℓ_t / d log π_θ,t = −(1 − ε)           dℓ_t / d l̄_t = −ε
/// ```
///
/// The mean l̄_t is of all log-probabilities at the token's place, the target's among them, and is a number
/// that the model has to be asked for. [`TokenLoss::gradient`] is the derivative by the target's
/// log-probability as it stands in the first term; that by l̄_t is −ε for every token, hence −ε/V for each of
/// the V words. PyTorch's `cross_entropy(label_smoothing=ε)` and the `LabelSmoother` of transformers
/// are this. `epsilon` is cut to \[0, 1\]; 0 is [`negative_log_likelihood`].
///
/// # Errors
/// [`Error::LengthMismatch`] unless there is one mean per log-probability.
///
/// ```
/// use equipoise_objectives::{TokenLoss, label_smoothing};
///
/// let mut out = TokenLoss::new();
/// label_smoothing(&[-1.0], &[-5.0], 0.25, &mut out)?;
/// assert_eq!((out.loss[0], out.gradient[0]), (0.75 + 1.25, -0.75));
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
pub fn label_smoothing(
    logprobs: &[f64],
    vocabulary_means: &[f64],
    epsilon: f64,
    out: &mut TokenLoss,
) -> Result<(), Error> {
    check_length(
        "mean log-probabilities of the vocabulary",
        logprobs,
        vocabulary_means,
    )?;
    let epsilon = epsilon.clamp(0.0, 1.0);
    fill(logprobs, out, |token, logprob| Term {
        value: -((1.0 - epsilon) * logprob) - epsilon * vocabulary_means[token],
        derivative: -(1.0 - epsilon),
    });
    Ok(())
}

/// Sets every token's term.
fn fill(logprobs: &[f64], out: &mut TokenLoss, term: impl Fn(usize, f64) -> Term) {
    out.reset(logprobs.len());
    for (token, logprob) in logprobs.iter().enumerate() {
        out.set(token, term(token, *logprob), Clip::None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut out = TokenLoss::new();
        negative_log_likelihood(&[-0.5, -2.0], &mut out);
        assert_eq!(out.loss, [0.5, 2.0]);
        assert_eq!(out.gradient, [-1.0, -1.0]);
    }

    #[test]
    fn rows_must_be_as_long_as_the_demonstration() {
        let mut out = TokenLoss::new();
        assert!(weighted_negative_log_likelihood(&[-1.0], &[], &mut out).is_err());
        assert!(label_smoothing(&[-1.0], &[-1.0; 2], 0.1, &mut out).is_err());
    }
}
