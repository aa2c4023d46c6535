//! The few numbers of a sequence that a preference loss needs, and the way back to its tokens.

use super::Error;
use crate::sum::sum;

/// A completion reduced to what preference losses see of it: sums of log-probabilities over its
/// tokens, in nats, split at the length it shares with the other completion of its pair.
///
/// ```
/// use equipoise_objectives::preference::SequenceStats;
///
/// let stats = SequenceStats::new(&[-1.0, -2.0, -4.0], Some(&[-1.5, -2.0, -5.0]), 2)?;
/// assert_eq!((stats.tokens, stats.shared), (3, 2));
/// assert_eq!((stats.head, stats.tail), (-3.0, -4.0));
/// assert_eq!(stats.reference, Some([-3.5, -5.0]));
/// assert_eq!(stats.alignment, -7.0 / 3.0);
/// # Ok::<(), equipoise_objectives::preference::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SequenceStats {
    /// The number of tokens of the completion; 0 is allowed.
    pub tokens: usize,
    /// How many of them, from the first, have a counterpart in the pair's other completion.
    pub shared: usize,
    /// Σ log π_θ over the first `shared` tokens.
    pub head: f64,
    /// Σ log π_θ over the others.
    pub tail: f64,
    /// The same two sums under the reference model; `None` where there is none.
    pub reference: Option<[f64; 2]>,
    /// The mean log-probability that the weights of WPO are made of; see
    /// [`align`](Self::align). 0 for a completion without tokens.
    pub alignment: f64,
}

impl SequenceStats {
    /// The numbers of one completion. The sums are compensated, so a long completion loses nothing.
    ///
    /// `policy` and `reference` hold one log-probability per loss-carrying token. `shared` is the
    /// smaller of the lengths of the pair's completions (more than there are tokens means all); it
    /// matters only to the option `ld_alpha`.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if the two rows differ in length.
    pub fn new(policy: &[f64], reference: Option<&[f64]>, shared: usize) -> Result<Self, Error> {
        if let Some(reference) = reference.filter(|row| row.len() != policy.len()) {
            return Err(Error::LengthMismatch {
                what: "log-probabilities of the reference",
                expected: policy.len(),
                found: reference.len(),
            });
        }
        let tokens = policy.len();
        let shared = shared.min(tokens);
        let split = |row: &[f64]| {
            let (head, tail) = row.split_at(shared);
            [sum(head.iter().copied()), sum(tail.iter().copied())]
        };
        let [head, tail] = split(policy);
        Ok(Self {
            tokens,
            shared,
            head,
            tail,
            reference: reference.map(split),
            alignment: (head + tail) / tokens.max(1) as f64,
        })
    }

    /// Replaces the mean log-probability of WPO's weight by the sampled-alignment form (Eq. 2 of
    /// arXiv:2406.11827), which is what TRL uses:
    ///
    /// ```text
    /// alignment = mean_t (log π_θ,t − log Σ_v π_θ(v | context_t)²)
    /// ```
    ///
    /// `log_sum_squares` holds the second term, one per token. Without it the alignment is the
    /// mean of log π_θ,t.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if there is not one number per token.
    pub fn align(&mut self, log_sum_squares: &[f64]) -> Result<(), Error> {
        if log_sum_squares.len() != self.tokens {
            return Err(Error::LengthMismatch {
                what: "log sums of squared probabilities",
                expected: self.tokens,
                found: log_sum_squares.len(),
            });
        }
        let total = self.policy() - sum(log_sum_squares.iter().copied());
        self.alignment = total / self.tokens.max(1) as f64;
        Ok(())
    }

    /// log π_θ of the completion, the sum over all tokens.
    #[must_use]
    pub fn policy(&self) -> f64 {
        self.head + self.tail
    }

    /// h = log π_θ − log π_ref of the completion.
    ///
    /// # Errors
    /// [`Error::MissingReference`] if there is no reference.
    pub fn log_ratio(&self) -> Result<f64, Error> {
        let [head, tail] = self.reference.ok_or(Error::MissingReference)?;
        Ok(self.policy() - (head + tail))
    }
}

/// A pair of completions of one prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairStats {
    /// The completion preferred, y_w.
    pub chosen: SequenceStats,
    /// The other, y_l.
    pub rejected: SequenceStats,
    /// A third completion that only the likelihood term of TPO trains on.
    pub gold: Option<SequenceStats>,
}

impl PairStats {
    /// The numbers of a pair, from the log-probabilities of its tokens as (policy, reference).
    ///
    /// ```
    /// use equipoise_objectives::preference::PairStats;
    ///
    /// let chosen = (&[-1.0, -2.0][..], Some(&[-1.5, -2.5][..]));
    /// let rejected = (&[-3.0][..], Some(&[-2.0][..]));
    /// let pair = PairStats::new(chosen, rejected)?;
    /// assert_eq!(pair.chosen.log_ratio()? - pair.rejected.log_ratio()?, 2.0);
    /// assert_eq!(pair.chosen.shared, 1);
    /// # Ok::<(), equipoise_objectives::preference::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] if the two rows of a completion differ in length.
    pub fn new(
        chosen: (&[f64], Option<&[f64]>),
        rejected: (&[f64], Option<&[f64]>),
    ) -> Result<Self, Error> {
        let shared = chosen.0.len().min(rejected.0.len());
        Ok(Self {
            chosen: SequenceStats::new(chosen.0, chosen.1, shared)?,
            rejected: SequenceStats::new(rejected.0, rejected.1, shared)?,
            gold: None,
        })
    }
}

/// The derivative of a batch's loss by each token's log-probability of one completion. All tokens
/// of the head have the same one, and all of the tail.
///
/// ```
/// use equipoise_objectives::preference::SequenceGradient;
///
/// let gradient = SequenceGradient { shared: 2, head: -0.5, tail: -0.25 };
/// let mut tokens = [0.0; 3];
/// gradient.spread(2.0, &mut tokens);
/// assert_eq!(tokens, [-1.0, -1.0, -0.5]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SequenceGradient {
    /// The number of tokens of the head.
    pub shared: usize,
    /// The derivative by each log-probability of the head.
    pub head: f64,
    /// The derivative by each log-probability of the tail.
    pub tail: f64,
}

impl SequenceGradient {
    /// Writes `scale` times the derivative for every token of the completion, in order. Take
    /// 1 / (number of pairs) as scale for the usual mean over pairs.
    pub fn spread(&self, scale: f64, tokens: &mut [f64]) {
        let shared = self.shared.min(tokens.len());
        let (head, tail) = tokens.split_at_mut(shared);
        head.fill(scale * self.head);
        tail.fill(scale * self.tail);
    }

    /// Adds derivatives by the head's and the tail's tokens.
    pub(super) fn add(&mut self, head: f64, tail: f64) {
        self.head += head;
        self.tail += tail;
    }
}
