//! What an estimator sees of the responses to one prompt.

use crate::Error;

/// One row of numbers per response.
pub type Rows<'a> = &'a [&'a [f64]];

/// The responses to one prompt: rewards and lengths, and whatever else an estimator
/// [needs](crate::Needs).
///
/// ```
/// use equipoise_advantages::Group;
///
/// let group = Group::new(&[Some(1.0), None], &[2, 1])?
///     .with_values(&[&[0.5, 0.75], &[0.25]])?
///     .with_greedy_reward(Some(0.5));
/// assert_eq!(group.len(), 2);
/// # Ok::<(), equipoise_advantages::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Group<'a> {
    rewards: &'a [Option<f64>],
    lengths: &'a [usize],
    masks: Option<&'a [&'a [bool]]>,
    pub(crate) greedy_reward: Option<f64>,
    pub(crate) prior: Option<f64>,
    pub(crate) reward_parts: Option<&'a [&'a [Option<f64>]]>,
    pub(crate) reward_weights: Option<&'a [f64]>,
    pub(crate) token_rewards: Option<Rows<'a>>,
    pub(crate) values: Option<Rows<'a>>,
    pub(crate) kl: Option<Rows<'a>>,
    pub(crate) logprobs: Option<Rows<'a>>,
    pub(crate) probability_squares: Option<Rows<'a>>,
    pub(crate) importance: Option<Rows<'a>>,
    pub(crate) advantages: Option<&'a [f64]>,
    pub(crate) token_advantages: Option<Rows<'a>>,
}

impl<'a> Group<'a> {
    /// A group from the reward and the length in tokens of each response.
    ///
    /// A reward of `None` says that the response could not be judged. One that is not finite is
    /// treated in the same way. Rows of tokens are as long as the lengths say, tokens that carry no
    /// loss (of tools, say) among them; [`with_masks`](Self::with_masks) says which do.
    ///
    /// # Errors
    /// [`Error::LengthCount`] unless there is one length per reward.
    pub fn new(rewards: &'a [Option<f64>], lengths: &'a [usize]) -> Result<Self, Error> {
        if rewards.len() == lengths.len() {
            Ok(Self {
                rewards,
                lengths,
                masks: None,
                greedy_reward: None,
                prior: None,
                reward_parts: None,
                reward_weights: None,
                token_rewards: None,
                values: None,
                kl: None,
                logprobs: None,
                probability_squares: None,
                importance: None,
                advantages: None,
                token_advantages: None,
            })
        } else {
            Err(Error::LengthCount {
                rewards: rewards.len(),
                lengths: lengths.len(),
            })
        }
    }

    /// With the reward of the response that the policy gives without sampling (`remax`). `None` or a
    /// reward that is not finite: it could not be judged, and nothing of the group can be compared.
    pub fn with_greedy_reward(mut self, reward: Option<f64>) -> Self {
        self.greedy_reward = Some(reward.unwrap_or(f64::NAN));
        self
    }

    /// With the expected reward that is known before the step, in units of reward (`spo`); see
    /// [`ValueTracker`](crate::estimators::ValueTracker).
    pub fn with_prior(mut self, value: f64) -> Self {
        self.prior = Some(value);
        self
    }

    /// With the rewards of several judges (`gdpo`): one row per judge, with one entry per response;
    /// `None` where that judge has no opinion.
    ///
    /// # Errors
    /// [`Error::ColumnShape`] unless every row has one entry per response.
    pub fn with_reward_parts(mut self, rows: &'a [&'a [Option<f64>]]) -> Result<Self, Error> {
        for (judge, row) in rows.iter().enumerate() {
            shape("reward parts", Some(judge), self.len(), row.len())?;
        }
        self.reward_parts = Some(rows);
        Ok(self)
    }

    /// With the weight of each judge; 1 each unless given.
    ///
    /// # Errors
    /// [`Error::ColumnShape`] unless there is one per row of the reward parts, given before.
    pub fn with_reward_weights(mut self, weights: &'a [f64]) -> Result<Self, Error> {
        let rows = self.reward_parts.map_or(0, <[_]>::len);
        shape("reward weights", None, rows, weights.len())?;
        self.reward_weights = Some(weights);
        Ok(self)
    }

    /// With rewards of single tokens, in units of reward, beside the reward of the response, which
    /// counts at its last trained token.
    ///
    /// # Errors
    /// [`Error::ColumnShape`] unless there is one row per response with one entry per token.
    pub fn with_token_rewards(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.token_rewards = Some(self.checked("token rewards", rows)?);
        Ok(self)
    }

    /// With the value model's estimate at every token (`gae`, `vapo`), in units of reward.
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_values(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.values = Some(self.checked("values", rows)?);
        Ok(self)
    }

    /// With the estimated divergence from the reference at every token, in nats.
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_kl(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.kl = Some(self.checked("divergences", rows)?);
        Ok(self)
    }

    /// With which tokens are trained: `false` for those that the policy did not write.
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_masks(mut self, rows: &'a [&'a [bool]]) -> Result<Self, Error> {
        self.masks = Some(self.checked("masks", rows)?);
        Ok(self)
    }

    /// With the log-probability of every token under the policy that is trained (`otb`), in nats.
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_logprobs(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.logprobs = Some(self.checked("log-probabilities", rows)?);
        Ok(self)
    }

    /// With the sum of the squared probabilities of the vocabulary at every token (`otb`), in (0, 1].
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_probability_squares(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.probability_squares = Some(self.checked("sums of squared probabilities", rows)?);
        Ok(self)
    }

    /// With the importance weight of every token (`otb`), at least 0; 1 unless given.
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_importance(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.importance = Some(self.checked("importance weights", rows)?);
        Ok(self)
    }

    /// With advantages from elsewhere, one per response (`external`).
    ///
    /// # Errors
    /// [`Error::ColumnShape`] unless there is one per response.
    pub fn with_advantages(mut self, advantages: &'a [f64]) -> Result<Self, Error> {
        shape("advantages", None, self.len(), advantages.len())?;
        self.advantages = Some(advantages);
        Ok(self)
    }

    /// With advantages from elsewhere, one per token (`external`).
    ///
    /// # Errors
    /// As [`with_token_rewards`](Self::with_token_rewards).
    pub fn with_token_advantages(mut self, rows: Rows<'a>) -> Result<Self, Error> {
        self.token_advantages = Some(self.checked("token advantages", rows)?);
        Ok(self)
    }

    fn checked<T>(
        &self,
        column: &'static str,
        rows: &'a [&'a [T]],
    ) -> Result<&'a [&'a [T]], Error> {
        shape(column, None, self.len(), rows.len())?;
        for (response, (row, length)) in rows.iter().zip(self.lengths).enumerate() {
            shape(column, Some(response), *length, row.len())?;
        }
        Ok(rows)
    }

    /// The number of responses.
    pub fn len(&self) -> usize {
        self.rewards.len()
    }

    /// Whether there is no response.
    pub fn is_empty(&self) -> bool {
        self.rewards.is_empty()
    }

    /// The reward of each response, or `None` if it is unscorable; every reward given is finite.
    pub fn rewards(&self) -> impl ExactSizeIterator<Item = Option<f64>> + Clone + 'a {
        self.rewards
            .iter()
            .map(|reward| reward.filter(|value| value.is_finite()))
    }

    /// The rewards of the responses that could be judged.
    pub fn scorable(&self) -> impl Iterator<Item = f64> + Clone + 'a {
        self.rewards().flatten()
    }

    /// The length of each response, in tokens.
    pub fn lengths(&self) -> &'a [usize] {
        self.lengths
    }

    /// Whether a token of a response is trained.
    pub fn is_trained(&self, response: usize, token: usize) -> bool {
        self.masks.is_none_or(|masks| masks[response][token])
    }

    /// The number of trained tokens of a response.
    pub fn trained(&self, response: usize) -> usize {
        match self.masks {
            Some(masks) => masks[response].iter().filter(|trained| **trained).count(),
            None => self.lengths[response],
        }
    }
}

fn shape(
    column: &'static str,
    response: Option<usize>,
    expected: usize,
    found: usize,
) -> Result<(), Error> {
    match expected == found {
        true => Ok(()),
        false => Err(Error::ColumnShape {
            column,
            response,
            expected,
            found,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_that_are_not_numbers_are_unscorable() {
        let rewards = [Some(1.0), None, Some(f64::NAN), Some(f64::INFINITY)];
        let group = Group::new(&rewards, &[1, 2, 3, 4]).unwrap();
        assert!(group.rewards().eq([Some(1.0), None, None, None]));
        assert!(group.scorable().eq([1.0]));
        assert_eq!(group.len(), 4);
        assert_eq!(group.lengths(), [1, 2, 3, 4]);
    }

    #[test]
    fn counts_must_agree() {
        let error = Group::new(&[Some(1.0)], &[1, 2]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a group has 1 rewards and 2 lengths; there must be one length per reward"
        );
        let group = Group::new(&[Some(1.0)], &[2]).unwrap();
        assert_eq!(
            group.with_values(&[&[1.0]]).unwrap_err().to_string(),
            "row 0 of the values of a group has 1 entries; it must have 2"
        );
        assert!(group.with_masks(&[]).is_err());
        assert!(group.with_reward_weights(&[1.0]).is_err());
        assert!(group.with_advantages(&[]).is_err());
    }

    #[test]
    fn masks_count() {
        let group = Group::new(&[Some(1.0)], &[2]).unwrap();
        assert_eq!(group.trained(0), 2);
        let group = group.with_masks(&[&[false, true]]).unwrap();
        assert_eq!((group.trained(0), group.is_trained(0, 0)), (1, false));
    }
}
