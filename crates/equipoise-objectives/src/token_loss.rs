//! Where objectives put their results.

use crate::sum::sum;

/// A function's value at a point, and its derivative there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Term {
    /// The value.
    pub value: f64,
    /// The derivative with respect to the number that the function's documentation names.
    pub derivative: f64,
}

/// The loss terms of one response, never reduced. Keep one and use it for response after response: it
/// only allocates when a response is longer than all before it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct TokenLoss {
    /// The loss term ℓ_t of each token.
    pub loss: Vec<f64>,
    /// For each token t the derivative of the whole response's loss, d Σ_s ℓ_s / d logprob_t.
    ///
    /// For an objective that treats each token by itself this is dℓ_t / d logprob_t. It is the sum
    /// that is differentiated because an aggregation rule has one weight w per response, so that
    /// w · `gradient[t]` is what the model has to back-propagate for token t, even if ℓ_s depends on
    /// the log-probabilities of other tokens.
    pub gradient: Vec<f64>,
    /// Whether, and where, each token's term was clipped.
    pub clip: Vec<Clip>,
}

/// What kept the gradient of a token's term at zero, or its weight at a bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Clip {
    /// Nothing: the gradient flows.
    #[default]
    None,
    /// A negative advantage, and a ratio that is already below the lower bound.
    Low,
    /// A positive advantage, and a ratio that is already above the upper bound.
    High,
    /// A negative advantage, and a ratio so large that the loss is capped (dual clip).
    Dual,
    /// A weight that was cut off at a bound. The gradient flows, with the bound for a weight.
    Weight,
    /// The token is masked: its factor is 0, or a batch-wide choice fell on it.
    Masked,
    /// A log-ratio beyond what is exponentiated, in a direction in which nothing else clips. Its
    /// token's probability is off by a factor of more than 10⁸, so if this ever happens, the
    /// log-probabilities of sampler and trainer do not belong together.
    Saturated,
}

impl TokenLoss {
    /// Empty buffers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes room for a response of `tokens` tokens: losses and gradients of 0, nothing clipped.
    pub fn reset(&mut self, tokens: usize) {
        self.loss.clear();
        self.loss.resize(tokens, 0.0);
        self.gradient.clear();
        self.gradient.resize(tokens, 0.0);
        self.clip.clear();
        self.clip.resize(tokens, Clip::None);
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.loss.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.loss.is_empty()
    }

    /// The sum of the loss terms, which loses nothing of long responses.
    pub fn sum(&self) -> f64 {
        sum(self.loss.iter().copied())
    }

    /// The number of tokens clipped in the given way.
    pub fn count(&self, clip: Clip) -> usize {
        self.clip.iter().filter(|found| **found == clip).count()
    }

    /// Sets token `token`, times a constant factor. A factor of 0 removes the term, whatever it is; any
    /// other leaves a term within what numbers can hold there.
    pub(crate) fn set_scaled(&mut self, token: usize, term: Term, clip: Clip, factor: f64) {
        if factor == 0.0 {
            self.set(token, Term::default(), Clip::Masked);
        } else {
            let term = Term {
                value: (factor * term.value).clamp(-f64::MAX, f64::MAX),
                derivative: (factor * term.derivative).clamp(-f64::MAX, f64::MAX),
            };
            self.set(token, term, clip);
        }
    }

    /// Sets token `token`.
    pub(crate) fn set(&mut self, token: usize, term: Term, clip: Clip) {
        self.loss[token] = term.value;
        self.gradient[token] = term.derivative;
        self.clip[token] = clip;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reset_forgets_and_keeps_its_memory() {
        let mut out = TokenLoss::new();
        out.reset(3);
        let term = Term {
            value: 1.0,
            derivative: 2.0,
        };
        out.set(0, term, Clip::High);
        assert_eq!((out.sum(), out.count(Clip::High)), (1.0, 1));
        let memory = out.loss.as_ptr();
        out.reset(2);
        assert_eq!(out.loss, [0.0; 2]);
        assert_eq!(out.gradient, [0.0; 2]);
        assert_eq!(out.count(Clip::None), 2);
        assert_eq!(out.len(), 2);
        assert_eq!(out.loss.as_ptr(), memory);
    }
}
