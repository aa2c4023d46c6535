//! What a policy objective sees of one response.

use super::check_length;
use crate::Error;
use crate::sum::mean;

/// The advantage of a response, or of each of its tokens.
///
/// ```
/// use equipoise_objectives::Advantage;
///
/// assert_eq!(Advantage::from(2.0).at(7), 2.0);
/// assert_eq!(Advantage::from(&[1.0, 3.0][..]).mean(), 2.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Advantage<'a> {
    /// The same for every token.
    Response(f64),
    /// One per token (generalised advantage estimation, process rewards, distillation).
    Tokens(&'a [f64]),
}

impl From<f64> for Advantage<'_> {
    fn from(advantage: f64) -> Self {
        Self::Response(advantage)
    }
}

impl<'a> From<&'a [f64]> for Advantage<'a> {
    fn from(advantages: &'a [f64]) -> Self {
        Self::Tokens(advantages)
    }
}

impl Advantage<'_> {
    /// The advantage of a token.
    ///
    /// # Panics
    /// If there are advantages per token and none for this one; never for a token of the
    /// [`TokenTerms`] that they are part of.
    pub fn at(&self, token: usize) -> f64 {
        match self {
            Self::Response(advantage) => *advantage,
            Self::Tokens(advantages) => advantages[token],
        }
    }

    /// The mean over the tokens; 0 if there are none.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Response(advantage) => *advantage,
            Self::Tokens(advantages) => mean(advantages.iter().copied()),
        }
    }
}

/// All that a policy objective sees of one response: numbers per loss-carrying token, and the
/// advantage.
///
/// ```
/// use equipoise_objectives::{PolicyObjective, TokenLoss, TokenTerms, policy::PolicyGradient};
///
/// let mut out = TokenLoss::new();
/// // An advantage per token, and a factor per token.
/// let terms = TokenTerms::new(&[-1.0, -2.0], &[-1.0, -2.0], &[1.0, 3.0][..])?
///     .with_multipliers(&[0.5, 0.0])?;
/// PolicyGradient.evaluate(&terms, &mut out);
/// assert_eq!(out.loss, [0.5, 0.0]);
/// # Ok::<(), equipoise_objectives::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TokenTerms<'a> {
    logprobs: &'a [f64],
    old_logprobs: &'a [f64],
    advantage: Advantage<'a>,
    multipliers: Option<&'a [f64]>,
    marks: Option<&'a [bool]>,
}

impl<'a> TokenTerms<'a> {
    /// The terms of one response.
    ///
    /// - `logprobs`: log π_θ of each token, under the weights that are being trained;
    /// - `old_logprobs`: log π_old, under the weights that the importance ratio refers to;
    /// - `advantage`: the response's advantage, the same for every token, or one per token.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there are as many old log-probabilities as new ones, and as many
    /// advantages if there is one per token.
    pub fn new(
        logprobs: &'a [f64],
        old_logprobs: &'a [f64],
        advantage: impl Into<Advantage<'a>>,
    ) -> Result<Self, Error> {
        check_length("old log-probabilities", logprobs, old_logprobs)?;
        let advantage = advantage.into();
        if let Advantage::Tokens(advantages) = advantage {
            check_length("advantages", logprobs, advantages)?;
        }
        Ok(Self {
            logprobs,
            old_logprobs,
            advantage,
            multipliers: None,
            marks: None,
        })
    }

    /// The same with a constant factor on the term of each token: the weight of a mismatch correction, or 0
    /// for a token that is masked. The token stays in the response's length, so that an aggregation
    /// rule still counts it.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one per token.
    pub fn with_multipliers(self, multipliers: &'a [f64]) -> Result<Self, Error> {
        check_length("multipliers", self.logprobs, multipliers)?;
        Ok(Self {
            multipliers: Some(multipliers),
            ..self
        })
    }

    /// The same with the choice that [`PolicyObjective::marks`](super::PolicyObjective::marks) made for
    /// this response.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] unless there is one per token.
    pub fn with_marks(self, marks: &'a [bool]) -> Result<Self, Error> {
        match marks.len() == self.logprobs.len() {
            true => Ok(Self {
                marks: Some(marks),
                ..self
            }),
            false => Err(Error::LengthMismatch {
                what: "marks",
                logprobs: self.logprobs.len(),
                found: marks.len(),
            }),
        }
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.logprobs.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.logprobs.is_empty()
    }

    /// The log-probability of each token under the weights that are being trained.
    pub fn logprobs(&self) -> &'a [f64] {
        self.logprobs
    }

    /// The log-probability of each token under the weights that the importance ratio refers to.
    pub fn old_logprobs(&self) -> &'a [f64] {
        self.old_logprobs
    }

    /// The advantage of the response, or of each token.
    pub fn advantage(&self) -> Advantage<'a> {
        self.advantage
    }

    /// The factor on a token's term; 1 unless given.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn multiplier(&self, token: usize) -> f64 {
        self.multipliers.map_or(1.0, |factors| factors[token])
    }

    /// Whether factors were given.
    pub(crate) fn has_multipliers(&self) -> bool {
        self.multipliers.is_some()
    }

    /// Whether a token was chosen; no token is unless marks are given.
    ///
    /// # Panics
    /// If there is no such token.
    pub fn marked(&self, token: usize) -> bool {
        self.marks.is_some_and(|marks| marks[token])
    }

    /// log π_θ − log π_old of each token.
    pub(crate) fn log_ratios(&self) -> impl ExactSizeIterator<Item = f64> {
        let rows = self.logprobs.iter().zip(self.old_logprobs);
        rows.map(|(logprob, old)| logprob - old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_must_have_one_length() {
        let error = TokenTerms::new(&[-1.0, -2.0], &[-1.0], 1.0).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a response has 2 log-probabilities and 1 old log-probabilities; \
             there must be one per token"
        );
        let rows = [-1.0, -2.0];
        assert!(TokenTerms::new(&rows, &rows, &[1.0][..]).is_err());
        let terms = TokenTerms::new(&rows, &rows, 1.0).unwrap();
        assert!(terms.with_multipliers(&[1.0]).is_err());
        let error = terms.with_marks(&[true; 3]).unwrap_err();
        assert!(error.to_string().contains("3 marks"), "{error}");
    }

    #[test]
    fn what_is_not_given() {
        let rows = [-1.0, -2.0];
        let terms = TokenTerms::new(&rows, &rows, &[3.0, 1.0][..]).unwrap();
        assert_eq!((terms.multiplier(1), terms.marked(1)), (1.0, false));
        assert_eq!(
            (terms.advantage().at(1), terms.advantage().mean()),
            (1.0, 2.0)
        );
        assert_eq!(Advantage::Response(4.0).mean(), 4.0);
        assert_eq!(Advantage::Tokens(&[]).mean(), 0.0);
    }
}
