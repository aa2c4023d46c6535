//! Learning from demonstrations.

use crate::{Clip, Term, TokenLoss};

/// The negative log-likelihood of each token of a demonstration.
///
/// ```text
/// ℓ_t = −log π_θ,t          dℓ_t / d log π_θ,t = −1
/// ```
///
/// `out` receives the terms. Averaged over tokens this is the cross-entropy of supervised fine-tuning.
pub fn negative_log_likelihood(logprobs: &[f64], out: &mut TokenLoss) {
    out.reset(logprobs.len());
    for (token, logprob) in logprobs.iter().enumerate() {
        let term = Term {
            value: -logprob,
            derivative: -1.0,
        };
        out.set(token, term, Clip::None);
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
}
